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
from data_pipeline.batches.augmentation import cutout, flip, shift

NAMES = ("flip", "shift2", "cutout8", "shift5", "cutout3")


def make_images(batch_size: int, size: int) -> Tensor:
    """Return (B, 1, S, S) uint8 without zeros, so that a fill is seen."""
    generator = torch.Generator().manual_seed(0)
    shape = (batch_size, 1, size, size)
    return torch.randint(1, 256, shape, generator=generator, dtype=torch.uint8)


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def augment(
    images: Tensor, augmentations: Sequence[Augmentation], generator: torch.Generator
) -> Tensor:
    drawn = draw_augmentations(augmentations, len(images), images.shape[-1], generator, "cpu")
    return apply_augmentations(images, augmentations, drawn)


def slow_shift(image: Tensor, down: int, right: int) -> Tensor:
    size = image.shape[-1]
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


def test_flip_mirrors_the_chosen_images_left_to_right() -> None:
    images = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).expand(2, 1, 2, 2)
    flipped = flip(images, torch.tensor([0.49, 0.5]))
    assert flipped.tolist() == [[[[2, 1], [4, 3]]], [[[1, 2], [3, 4]]]]


def test_shift_moves_down_and_right_and_fills_with_zero() -> None:
    image = torch.tensor([[[[1, 2], [3, 4]]]], dtype=torch.uint8)
    assert shift(image, torch.tensor([[1, 0]]), padding=1).tolist() == [[[[0, 0], [1, 2]]]]
    assert shift(image, torch.tensor([[0, 1]]), padding=1).tolist() == [[[[0, 1], [0, 3]]]]
    assert shift(image, torch.tensor([[-1, -1]]), padding=1).tolist() == [[[[4, 0], [0, 0]]]]


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 99))
def test_shift_equals_the_slow_reference(size: int, padding: int, seed: int) -> None:
    images = make_images(6, size)
    augmentation = parse_augmentation(f"shift{padding}")
    offsets = augmentation.draw(6, size, generator_of(seed), "cpu")
    pairs = zip(images, offsets.tolist(), strict=True)
    expected = torch.stack([slow_shift(image, *offset) for image, offset in pairs])
    assert torch.equal(augmentation.apply(images, offsets), expected)


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 99))
def test_cutout_equals_the_slow_reference(image_size: int, size: int, seed: int) -> None:
    images = make_images(6, image_size)
    augmentation = parse_augmentation(f"cutout{size}")
    centers = augmentation.draw(6, image_size, generator_of(seed), "cpu")
    pairs = zip(images, centers.tolist(), strict=True)
    expected = torch.stack([slow_cutout(image, center, size) for image, center in pairs])
    assert torch.equal(augmentation.apply(images, centers), expected)


def test_cutout_of_a_square_inside_removes_exactly_that_square() -> None:
    cut = cutout(make_images(1, 28), torch.tensor([[10, 20]]), size=8)
    rows, columns = (cut[0, 0] == 0).nonzero().unbind(1)
    assert sorted(set(rows.tolist())) == list(range(6, 14))
    assert sorted(set(columns.tolist())) == list(range(16, 24))
    assert len(rows) == 64


def test_draws_cover_their_whole_range_evenly() -> None:
    offsets = parse_augmentation("shift2").draw(10_000, 28, generator_of(0), "cpu")
    counts = Counter(map(tuple, offsets.tolist()))
    assert set(counts) == set(itertools.product(range(-2, 3), repeat=2))
    assert all(300 < count < 500 for count in counts.values())  # 400 each, 5 deviations
    centers = parse_augmentation("cutout8").draw(10_000, 28, generator_of(0), "cpu")
    assert [set(column.tolist()) for column in centers.unbind(1)] == [set(range(28))] * 2
    chances = parse_augmentation("flip").draw(10_000, 28, generator_of(0), "cpu")
    assert 4750 < int((chances < 0.5).sum()) < 5250


@pytest.mark.parametrize("name", NAMES)
def test_a_draw_uses_only_its_generator(name: str) -> None:
    draw = parse_augmentation(name).draw
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = draw(64, 28, generator_of(1), "cpu")
    assert torch.equal(draw(64, 28, generator_of(1), "cpu"), first)
    assert not torch.equal(draw(64, 28, generator_of(2), "cpu"), first)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", NAMES)
def test_apply_leaves_its_input_alone_and_keeps_its_form(name: str) -> None:
    images = make_images(64, 28)
    copy = images.clone()
    augmented = augment(images, [parse_augmentation(name)], generator_of(0))
    assert (augmented.shape, augmented.dtype) == (images.shape, torch.uint8)
    assert torch.equal(images, copy)
    assert not torch.equal(augmented, images)


def test_augment_applies_all_in_order() -> None:
    images = make_images(32, 28)
    augmentations = [parse_augmentation(name) for name in ("cutout8", "shift2", "flip")]
    generator = generator_of(4)
    expected = images
    for augmentation in augmentations:
        drawn = augmentation.draw(32, 28, generator, "cpu")
        expected = augmentation.apply(expected, drawn)
    assert torch.equal(augment(images, augmentations, generator_of(4)), expected)
    assert not torch.equal(augment(images, augmentations[::-1], generator_of(4)), expected)
    assert torch.equal(augment(images, [], generator_of(4)), images)


def test_a_draw_for_other_augmentations_is_refused() -> None:
    augmentations = [parse_augmentation("flip"), parse_augmentation("shift2")]
    drawn = draw_augmentations(augmentations, 4, 28, generator_of(0), "cpu")
    with pytest.raises(ValueError, match="zip"):
        apply_augmentations(make_images(4, 28), augmentations, drawn[:1])


def test_augmentation_and_normalization_compile_into_one_graph() -> None:
    augmentations = [parse_augmentation(name) for name in ("flip", "shift2", "cutout8")]
    drawn = draw_augmentations(augmentations, 16, 28, generator_of(0), "cpu")

    def apply(images: Tensor, drawn: tuple[Tensor, ...]) -> Tensor:
        return normalize(apply_augmentations(images, augmentations, drawn), "dataset")

    compiled = torch.compile(apply, fullgraph=True, backend="eager")
    images = make_images(16, 28)
    assert torch.equal(compiled(images, drawn), apply(images, drawn))


@pytest.mark.parametrize("name", NAMES)
def test_an_augmentation_keeps_its_name_and_travels_to_a_child(name: str) -> None:
    augmentation = parse_augmentation(name)
    copy: Augmentation = pickle.loads(pickle.dumps(augmentation))
    assert copy.name == augmentation.name == name
    images = make_images(8, 28)
    assert torch.equal(
        augment(images, [copy], generator_of(0)), augment(images, [augmentation], generator_of(0))
    )


@pytest.mark.parametrize("name", ["", "flop", "shift", "shift0", "shift-2", "cutout08", "Flip"])
def test_an_unknown_name_fails_with_the_choices(name: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_augmentation(name)
    assert str(caught.value) == (
        f"unknown augmentation {name!r}; choose from flip, shiftP (such as shift2), "
        "cutoutS (such as cutout8)"
    )


@pytest.mark.parametrize("name", ["flip", "shift2", "cutout8"])
def test_a_draw_is_one_operation(name: str) -> None:
    """It is queued by itself beside a graph of whole steps, where a step takes microseconds."""
    with Tally(()) as tally:
        parse_augmentation(name).draw(32, 28, generator_of(0), "cpu")
    assert tally.operators == 1
