"""Pictures in the report: the very arrays of the samples, described and escaped."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from PIL import Image

from results.classes import CLASS_NAMES
from results.report.material import Material, Series
from results.report.pictures import MAX_MISTAKES, mistake_pictures, sample_strips
from tests.results.report.report_by_hand import AWKWARD

MISTAKES = ("mistakes", "mistake_images", "mistake_labels")


class Items(HTMLParser):
    """The images, their descriptions, and all text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.images: list[np.ndarray[Any, Any]] = []
        self.alts: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag, and of an image what it shows."""
        self.tags.append(tag)
        if tag == "img":
            found = dict(attrs)
            self.images.append(decoded(str(found["src"])))
            self.alts.append(str(found["alt"]))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.texts.append(data)


def decoded(uri: str) -> np.ndarray[Any, Any]:
    match = re.fullmatch(r"data:image/png;base64,([A-Za-z0-9+/=]+)", uri)
    assert match
    return np.array(Image.open(io.BytesIO(base64.b64decode(match[1]))))


def series_of(material: Material, label: str) -> Series:
    return next(series for series in material.series if series.label == label)


def changed(series: Series, **arrays: Any) -> Material:  # noqa: ANN401 - arrays or None
    """A material of one series with other samples; None takes an array away."""
    merged = {**series.samples, **arrays}
    samples = {name: array for name, array in merged.items() if array is not None}
    return Material((replace(series, samples=samples),))


def test_each_mistake_says_what_it_is_and_what_it_was_taken_for(material: Material) -> None:
    found = dict(mistake_pictures(material))
    assert list(found) == ["resnet8", "fashion_cnn", "v0", "v1", AWKWARD]
    for series in material.finished:
        arrays, items = series.samples, Items(found[series.label])
        assert np.array_equal(items.images, arrays["mistake_images"])
        wrong = zip(arrays["mistakes"], arrays["mistake_labels"], items.alts, strict=True)
        for index, label, alt in wrong:
            taken = CLASS_NAMES[arrays["predictions"][index]]
            sure = float(arrays["confidence"][index])
            assert f"{CLASS_NAMES[label]}, taken for {taken} ({sure:.2f})" in items.texts
            assert alt == f"evaluated image {index}: {CLASS_NAMES[label]}"
        assert items.texts[0] == f"Surest mistakes of {series.label}"  # names are escaped
        assert "b" not in items.tags


def test_the_sample_strip_stands_once_for_all_series(material: Material) -> None:
    items = Items(sample_strips(material))
    examples = series_of(material, "v0").samples["example_images"]
    assert np.array_equal(items.images, examples)
    assert [text for text in items.texts if text[0].isdigit() and "images" not in text] == [
        f"{label} {name}" for label, name in enumerate(CLASS_NAMES)
    ]
    assert items.texts.count("5,400 images") == 10
    assert items.alts[6] == "example of class 6: Shirt"


def test_different_data_sets_have_a_strip_each(material: Material) -> None:
    first, second = series_of(material, "v0"), series_of(material, AWKWARD)
    other = {**second.samples, "example_images": 255 - second.samples["example_images"]}
    items = Items(sample_strips(Material((first, replace(second, samples=other)))))
    assert len(items.images) == 20
    assert items.tags.count("h3") == 2
    assert {"v0", AWKWARD} <= set(items.texts)


def test_what_is_unknown_or_none_is_left_out(material: Material) -> None:
    v0 = series_of(material, "v0")
    strips = sample_strips(changed(v0, class_counts=None))
    assert len(Items(strips).images) == 10
    assert "5,400" not in strips
    ((_, html),) = mistake_pictures(changed(v0, confidence=None))
    assert "taken for" in html
    assert "(" not in html
    none = {name: v0.samples[name][:0] for name in MISTAKES}
    ((_, html),) = mistake_pictures(changed(v0, **none))
    assert "It made none." in html


@pytest.mark.parametrize(
    "arrays",
    [
        {"mistakes": None},
        {"predictions": None},
        {"predictions": np.zeros(1, dtype=np.uint8)},
        {"predictions": np.full(10_000, 10, dtype=np.uint8)},
        {"mistake_labels": np.zeros(3, dtype=np.uint8)},
        {"mistake_images": np.zeros((24, 28, 28), dtype=np.float32)},
    ],
)
def test_arrays_that_do_not_fit_are_left_out(material: Material, arrays: dict[str, Any]) -> None:
    assert mistake_pictures(changed(series_of(material, "v0"), **arrays)) == ()


def test_pictures_stay_few(material: Material) -> None:
    samples = series_of(material, "v0").samples
    many = {name: np.concatenate([samples[name]] * 3) for name in MISTAKES}
    ((_, html),) = mistake_pictures(changed(series_of(material, "v0"), **many))
    assert len(Items(html).images) == MAX_MISTAKES
    assert len(html) < 40_000
