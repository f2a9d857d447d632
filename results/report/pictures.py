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
    arrays = ("mistakes", "mistake_images", "mistake_labels", "predictions")
    mistakes, images, labels, predictions = map(series.array, arrays)
    if mistakes is None or images is None or labels is None or predictions is None:
        return ""
    if not len(mistakes) == len(images) == len(labels):
        return ""
    if len(mistakes) and mistakes.max() >= len(predictions):
        return ""
    heading = f"<h3>Surest mistakes of {escaped(series.label)}</h3>"
    if not len(mistakes):
        return f"{heading}<p>It made none.</p>"
    confidence = series.array("confidence")
    items = []
    shown = zip(mistakes.tolist(), images, labels.tolist(), strict=True)
    for index, image, label in islice(shown, MAX_MISTAKES):
        if confidence is not None and index < len(confidence):
            sure = f" ({float(confidence[index]):.2f})"
        else:
            sure = ""
        text = f"{CLASS_NAMES[label]}, taken for {CLASS_NAMES[predictions[index]]}{sure}"
        items.append(_item(image, f"evaluated image {index}: {CLASS_NAMES[label]}", text))
    lead = "In brackets: the probability that the model gave to its wrong answer."
    return f"{heading}<p>{lead}</p>{_grid(items)}"


def _strip(series: Series) -> str:
    images, counts = series.array("example_images"), series.array("class_counts")
    if images is None:
        return ""
    items = []
    for k, (image, name) in enumerate(zip(images, CLASS_NAMES, strict=True)):
        total = [] if counts is None else [f"{int(counts[k]):,} images"]
        items.append(_item(image, f"example of class {k}: {name}", f"{k} {name}", *total))
    return (
        "<p>The first training image of each class as the data set has it: bytes 0 to 255, no "
        "normalisation to undo. Below each its class and how many training images that has.</p>"
        + _grid(items)
    )


def _grid(items: Sequence[str]) -> str:
    return f'<ul class="grid">{"".join(items)}</ul>'


def _item(image: "Array", alt: str, *lines: str) -> str:
    text = "<br>".join(map(escaped, lines))
    return f'<li><img src="{data_uri(image)}" alt="{escaped(alt)}">{text}</li>'
