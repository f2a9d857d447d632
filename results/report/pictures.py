"""Pictures of images as HTML: what a model got wrong, and what the data set looks like."""

import base64
import io
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from results.classes import CLASS_NAMES
from results.report.material import Material, Series
from results.report.page import escaped

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MAX_MISTAKES = 24
NUM_CLASSES = len(CLASS_NAMES)


def mistake_pictures(material: Material) -> tuple[tuple[str, str], ...]:
    """Label and HTML of each series that kept its surest mistakes."""
    found = ((series.label, _mistakes(series)) for series in material.finished)
    return tuple((label, html) for label, html in found if html)


def sample_strips(material: Material) -> str:
    """HTML of one image of each class, once for all series that share them; empty without any."""
    strips: dict[str, list[str]] = {}
    for series in material.finished:
        strip = _strip(series)
        if strip:
            strips.setdefault(strip, []).append(series.label)
    if len(strips) < 2:
        return "".join(strips)
    return "".join(
        f"<h3>{escaped(', '.join(labels))}</h3>{strip}" for strip, labels in strips.items()
    )


def data_uri(image: "Array") -> str:
    """A grey image (H, W) uint8 as a PNG inside a URI."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _mistakes(series: Series) -> str:
    answers = _arrays(series, "mistakes", "mistake_images", "mistake_labels", "predictions")
    if answers is None or not _is_consistent(*answers):
        return ""
    mistakes, images, labels, predictions = answers
    items = []
    shown = zip(mistakes.tolist(), images, labels.tolist(), strict=True)
    for index, image, label in islice(shown, MAX_MISTAKES):
        taken = CLASS_NAMES[predictions[index]]
        sure = _confidence(series, index)
        text = f"{CLASS_NAMES[label]}, taken for {taken}{sure}"
        items.append(_item(image, f"evaluated image {index}: {CLASS_NAMES[label]}", text))
    if not items:
        return f"<h3>Surest mistakes of {escaped(series.label)}</h3><p>It made none.</p>"
    return (
        f"<h3>Surest mistakes of {escaped(series.label)}</h3>"
        "<p>In brackets: the probability that the model gave to its wrong answer.</p>"
        + _grid(items)
    )


def _is_consistent(mistakes: "Array", images: "Array", labels: "Array", answers: "Array") -> bool:
    if not len(mistakes) == len(images) == len(labels):
        return False
    return not len(mistakes) or bool(mistakes.max() < len(answers))


def _confidence(series: Series, index: int) -> str:
    confidence = series.array("confidence")
    if confidence is None or index >= len(confidence):
        return ""
    return f" ({float(confidence[index]):.2f})"


def _strip(series: Series) -> str:
    images, counts = series.array("example_images"), series.array("class_counts")
    if images is None:
        return ""
    totals = [None] * NUM_CLASSES if counts is None else counts
    items = [
        _item(image, f"example of class {k}: {CLASS_NAMES[k]}", *_class_lines(k, total))
        for k, (image, total) in enumerate(zip(images, totals, strict=True))
    ]
    return (
        "<p>The first training image of each class as the data set has it: bytes 0 to 255, no "
        "normalisation to undo. Below each its class and how many training images that has.</p>"
        + _grid(items)
    )


def _class_lines(label: int, total: int | None) -> list[str]:
    count = [] if total is None else [f"{int(total):,} images"]
    return [f"{label} {CLASS_NAMES[label]}", *count]


def _arrays(series: Series, *names: str) -> "Sequence[Array] | None":
    arrays = [array for name in names if (array := series.array(name)) is not None]
    return arrays if len(arrays) == len(names) else None


def _grid(items: Sequence[str]) -> str:
    return f'<ul class="grid">{"".join(items)}</ul>'


def _item(image: "Array", alt: str, *lines: str) -> str:
    text = "<br>".join(map(escaped, lines))
    return f'<li><img src="{data_uri(image)}" alt="{escaped(alt)}">{text}</li>'
