"""Augmentation against slow references that treat one image and one pixel at a time."""

import itertools
import pickle
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.measure.tally import Tally
from data_pipeline import (
    Augmentation,
    DataError,
    apply_augmentations,
    draw_augmentations,
    normalize,
    parse_augmentation,
)
from data_pipeline.batches.augmentation import flip

NAMES = ("flip", "shift2", "cutout8", "shift5", "cutout3")


def make_images(batch_size: int, size: int) -> Tensor:
    """Return (B, 1, S, S) uint8 without zeros, so that a fill is seen."""
    shape = (batch_size, 1, size, size)
    return torch.randint(1, 256, shape, generator=generator_of(0), dtype=torch.uint8)


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(name: str, batch_size: int = 64, size: int = 28, seed: int = 0) -> Tensor:
    return parse_augmentation(name).draw(batch_size, size, generator_of(seed), "cpu")


def augment(images: Tensor, augmentations: Sequence[Augmentation]) -> Tensor:
    drawn = draw_augmentations(augmentations, len(images), 28, generator_of(4), "cpu")
    return apply_augmentations(images, augmentations, drawn)


def slow_shift(image: Tensor, offset: list[int], _padding: int) -> Tensor:
    size, (down, right) = image.shape[-1], offset
    moved = torch.zeros_like(image)
    for row, column in itertools.product(range(size), repeat=2):
        if 0 <= row + down < size and 0 <= column + right < size:
            moved[0, row + down, column + right] = image[0, row, column]
    return moved


def slow_cutout(image: Tensor, center: list[int], size: int) -> Tensor:
    cut = image.clone()
    top, left = (pixel - size // 2 for pixel in center)
    cut[0, max(top, 0) : top + size, max(left, 0) : left + size] = 0
    return cut


SLOW = {"shift": slow_shift, "cutout": slow_cutout}


def test_flip_mirrors_the_chosen_images_left_to_right() -> None:
    images = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).expand(2, 1, 2, 2)
    flipped = flip(images, torch.tensor([0.49, 0.5]))
    assert flipped.tolist() == [[[[2, 1], [4, 3]]], [[[1, 2], [3, 4]]]]


@pytest.mark.parametrize("kind", SLOW)
@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 99))
def test_an_augmentation_equals_the_slow_reference(
    kind: str, size: int, num_pixels: int, seed: int
) -> None:
    images, name = make_images(6, size), f"{kind}{num_pixels}"
    drawn = draw(name, 6, size, seed)
    pairs = zip(images, drawn.tolist(), strict=True)
    expected = torch.stack([SLOW[kind](image, one, num_pixels) for image, one in pairs])
    assert torch.equal(parse_augmentation(name).apply(images, drawn), expected)


def test_draws_cover_their_whole_range_evenly() -> None:
    counts = Counter(map(tuple, draw("shift2", 10_000).tolist()))
    assert set(counts) == set(itertools.product(range(-2, 3), repeat=2))
    assert all(300 < count < 500 for count in counts.values())  # 400 each, 5 deviations
    centers = draw("cutout8", 10_000)
    assert [set(column.tolist()) for column in centers.unbind(1)] == [set(range(28))] * 2
    assert 4750 < int((draw("flip", 10_000) < 0.5).sum()) < 5250


@pytest.mark.parametrize("name", NAMES)
def test_a_draw_is_one_operation_on_its_generator_alone(name: str) -> None:
    """It is queued by itself beside a graph of whole steps, where a step takes microseconds."""
    before = torch.get_rng_state()
    with Tally(()) as tally:
        first = draw(name, seed=1)
    assert tally.operators == 1
    assert torch.equal(draw(name, seed=1), first)
    assert not torch.equal(draw(name, seed=2), first)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", NAMES)
def test_apply_leaves_its_input_alone_and_keeps_its_form(name: str) -> None:
    images = make_images(64, 28)
    copy = images.clone()
    augmented = augment(images, [parse_augmentation(name)])
    assert (augmented.shape, augmented.dtype) == (images.shape, torch.uint8)
    assert torch.equal(images, copy)
    assert not torch.equal(augmented, images)


def test_all_are_applied_in_order_each_by_its_own_draw() -> None:
    images = make_images(32, 28)
    augmentations = [parse_augmentation(name) for name in ("cutout8", "shift2", "flip")]
    generator, expected = generator_of(4), images
    for augmentation in augmentations:
        expected = augmentation.apply(expected, augmentation.draw(32, 28, generator, "cpu"))
    assert torch.equal(augment(images, augmentations), expected)
    assert not torch.equal(augment(images, augmentations[::-1]), expected)
    with pytest.raises(ValueError, match="zip"):
        apply_augmentations(images, augmentations, (draw("cutout8", 32),))


def test_augmentation_and_normalization_compile_into_one_graph() -> None:
    augmentations = [parse_augmentation(name) for name in ("flip", "shift2", "cutout8")]
    drawn = draw_augmentations(augmentations, 16, 28, generator_of(0), "cpu")

    def apply(images: Tensor, drawn: tuple[Tensor, ...]) -> Tensor:
        return normalize(apply_augmentations(images, augmentations, drawn), "dataset")

    compiled = torch.compile(apply, fullgraph=True, backend="eager")
    images = make_images(16, 28)
    assert torch.equal(compiled(images, drawn), apply(images, drawn))


@pytest.mark.parametrize(
    "wanted",
    [
        Augmentation("flip", "flip"),
        Augmentation("shift2", "shift", 2),
        Augmentation("cutout999", "cutout", 999),
    ],
    ids=lambda wanted: wanted.name,
)
def test_a_name_is_parsed_and_travels_to_a_child(wanted: Augmentation) -> None:
    assert parse_augmentation(wanted.name) == pickle.loads(pickle.dumps(wanted)) == wanted


@pytest.mark.parametrize("name", ["", "flop", "shift", "shift0", "shift-2", "cutout08", "Flip"])
def test_an_unknown_name_fails_with_the_choices(name: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_augmentation(name)
    assert str(caught.value) == (
        f"unknown augmentation {name!r}; choose from flip, shiftP (such as shift2), "
        "cutoutS (such as cutout8)"
    )
