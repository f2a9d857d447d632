"""Which arrays of a samples file can be drawn: those of the shape, kind and range they should have.

The files are a user's: an array that is not what a run writes costs its picture, not the page.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from results.classes import CLASS_NAMES

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TOO_LARGE = 1e30  # for an axis
LARGEST_SIDE = 256  # pixels of a picture: the page holds each of them
WHOLE, NUMBER, BYTE = "iu", "fiu", "u"  # numpy's letters of what an array may hold
LAST_CLASS = len(CLASS_NAMES) - 1


class Form(NamedTuple):
    """What an array must be."""

    kinds: str  # letters of numpy's kinds of numbers
    low: float | None  # its least value is not lower, as NaN would be; None where any will do
    high: float | None
    shape: tuple[int | None, ...] = (None,)  # the length of each axis, None where any will do


FORMS = {
    "loss": Form(NUMBER, -TOO_LARGE, TOO_LARGE),
    "curve": Form(NUMBER, None, None, (None, None)),  # who draws it leaves out unknown points
    "predictions": Form(WHOLE, 0, LAST_CLASS),
    "confidence": Form(NUMBER, 0, 1.001),
    "mistakes": Form(WHOLE, 0, math.inf),
    "mistake_labels": Form(WHOLE, 0, LAST_CLASS),
    "mistake_images": Form(BYTE, 0, 255, (None, None, None)),
    "features_2d": Form(NUMBER, -TOO_LARGE, TOO_LARGE, (None, 2)),
    "features_share": Form(NUMBER, -1.001, 1.001, (2,)),
    "features_labels": Form(WHOLE, 0, LAST_CLASS),
    "example_images": Form(BYTE, 0, 255, (len(CLASS_NAMES), None, None)),
    "class_counts": Form(WHOLE, 0, math.inf, (len(CLASS_NAMES),)),
}


def is_sound(name: str, array: "Array") -> bool:
    """Whether an array is what its form says; one that no report draws is none."""
    form = FORMS.get(name)
    if form is None or array.ndim != len(form.shape) or array.dtype.kind not in form.kinds:
        return False
    lengths = zip(array.shape, form.shape, strict=True)
    if any(wanted is not None and length != wanted for length, wanted in lengths):
        return False
    is_picture = array.dtype == "uint8" and all(
        0 < side <= LARGEST_SIDE for side in array.shape[1:]
    )
    return (array.ndim != 3 or is_picture) and _is_inside(array, form)


def unsound(samples: "Mapping[str, Array]") -> list[str]:
    """The names of the arrays that a report would draw if they were what they should be."""
    return [name for name, array in samples.items() if name in FORMS and not is_sound(name, array)]


def _is_inside(array: "Array", form: Form) -> bool:
    if not array.size or form.low is None or form.high is None:
        return True
    return form.low <= float(array.min()) and float(array.max()) <= form.high
