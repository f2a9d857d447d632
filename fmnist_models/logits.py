"""The main logits in what a model returns: a tensor, or several where it has auxiliary heads.

GoogLeNet in training returns a named tuple, segmentation nets a dict, `transformers` an object with
an attribute `logits`; all of them train on one tensor here.
"""

from collections.abc import Iterator, Mapping

from torch import Tensor

NUM_CLASSES = 10
NAMES = ("logits", "out", "output")
MOST_SHOWN = 4  # parts of an output that a message describes


def main_logits(output: object, num_images: int) -> Tensor | None:
    """Return the logits (B, 10) in what a model returned for B images; None where it has none.

    A part that has one of `NAMES` comes first, then the others in their order; what lies in a
    container inside of it comes after what lies in it directly.
    """
    if isinstance(output, Tensor):
        return output if tuple(output.shape) == (num_images, NUM_CLASSES) else None
    parts = list(_parts(output))
    direct = [part for part in parts if isinstance(part, Tensor)]
    nested = [part for part in parts if not isinstance(part, Tensor)]
    found = (main_logits(part, num_images) for part in (*direct, *nested))
    return next((logits for logits in found if logits is not None), None)


def describe_output(output: object) -> str:
    """Say in a few words what a model returned: a shape, or a type with the shapes inside."""
    if isinstance(output, Tensor):
        return f"shape {tuple(output.shape)}"
    shapes = [str(tuple(part.shape)) for part in _parts(output) if isinstance(part, Tensor)]
    more = ["..."] if len(shapes) > MOST_SHOWN else []
    inside = f" of {', '.join(shapes[:MOST_SHOWN] + more)}" if shapes else ""
    return f"a {type(output).__name__}{inside}"


def _parts(output: object) -> Iterator[object]:
    """What an output consists of, the parts with a known name first; nothing of a plain value."""
    if isinstance(output, Mapping):
        yield from (output[name] for name in NAMES if name in output)
        yield from (part for name, part in output.items() if name not in NAMES)
        return
    if output is not None and not isinstance(output, str):
        yield from (getattr(output, name) for name in NAMES if hasattr(output, name))
    if isinstance(output, tuple | list):
        yield from output
