"""Pictures of images as HTML: what a model got wrong, and what the data set looks like."""

import base64
import io
from collections.abc import Sequence
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
    for index, image, label in zip(mistakes.tolist(), images, labels.tolist(), strict=True):
        taken = CLASS_NAMES[predictions[index]]
        sure = _confidence(series, index)
        text = f"{CLASS_NAMES[label]}, taken for {taken}{sure}"
        items.append(_item(image, f"evaluated image {index}: {CLASS_NAMES[label]}", text))
    items = items[:MAX_MISTAKES]
    if not items:
        return f"<h3>Surest mistakes of {escaped(series.label)}</h3><p>It made none.</p>"
    return (
        f"<h3>Surest mistakes of {escaped(series.label)}</h3>"
        "<p>In brackets: the probability that the model gave to its wrong answer.</p>"
        + _grid(items)
    )


def _is_consistent(mistakes: "Array", images: "Array", labels: "Array", answers: "Array") -> bool:
    if not len(mistakes) == len(images) == len(labels) or not _are_images(images):
        return False
    if not len(mistakes):
        return True
    is_inside = mistakes.min() >= 0 and mistakes.max() < len(answers)
    return bool(is_inside and max(labels.max(), answers.max()) < NUM_CLASSES)


def _confidence(series: Series, index: int) -> str:
    confidence = series.samples.get("confidence")
    if confidence is None or index >= len(confidence):
        return ""
    return f" ({float(confidence[index]):.2f})"


def _strip(series: Series) -> str:
    images = series.samples.get("example_images")
    if images is None or len(images) != NUM_CLASSES or not _are_images(images):
        return ""
    counts = series.samples.get("class_counts")
    totals = [None] * NUM_CLASSES if counts is None or len(counts) != NUM_CLASSES else counts
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
    arrays = [series.samples[name] for name in names if name in series.samples]
    return arrays if len(arrays) == len(names) else None


def _are_images(images: "Array") -> bool:
    return images.ndim == 3 and images.dtype == "uint8"


def _grid(items: Sequence[str]) -> str:
    return f'<ul class="grid">{"".join(items)}</ul>'


def _item(image: "Array", alt: str, *lines: str) -> str:
    text = "<br>".join(map(escaped, lines))
    return f'<li><img src="{data_uri(image)}" alt="{escaped(alt)}">{text}</li>'
