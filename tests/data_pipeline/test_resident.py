"""Splits by properties; placing and normalising: the same values as torchvision and PIL give."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from data_pipeline import NORMALIZATIONS, DataError, normalize, place, stratified_split
from data_pipeline.batches import resident


def make_images(num_images: int) -> Tensor:
    """Return (N, 1, 28, 28) uint8 noise, the hardest to resize."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (num_images, 1, 28, 28), generator=generator, dtype=torch.uint8)


def pil_resize(image: Tensor, size: int) -> Tensor:
    """Return (1, S, S) uint8 by PIL's bilinear filter."""
    resized = Image.fromarray(image[0].numpy()).resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized))[None]


@pytest.mark.parametrize(("size", "share_off"), [(16, 0.05), (32, 0.0), (96, 0.0)])
def test_resizing_equals_pil_but_for_a_level_here_and_there(size: int, share_off: float) -> None:
    images = make_images(20)
    split = place(images, torch.arange(20), "cpu", size)
    expected = torch.stack([pil_resize(image, size) for image in images])
    assert (split.images.shape, split.images.dtype) == ((20, 1, size, size), torch.uint8)
    difference = split.images.int() - expected.int()
    assert int(difference.abs().max()) <= 1
    assert float((difference != 0).float().mean()) <= share_off


def test_chunks_do_not_change_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = make_images(23), torch.arange(23)
    whole = place(images, labels, "cpu", 16).images
    monkeypatch.setattr(resident, "_CHUNK_BYTES", 5 * 16 * 16)
    assert torch.equal(place(images, labels, "cpu", 16).images, whole)


@pytest.mark.parametrize("size", [28, 16])
def test_indices_choose_images_with_their_labels(size: int) -> None:
    images, labels = make_images(10), torch.arange(10)
    everything = place(images, labels, "cpu", size)
    assert size != 28 or torch.equal(everything.images, images)
    chosen = place(images, labels, torch.device("cpu"), size, torch.tensor([7, 2]))
    assert (len(everything), len(chosen)) == (10, 2)
    assert chosen.labels.tolist() == [7, 2]
    assert torch.equal(chosen.images, everything.images[[7, 2]])
    assert len(place(images, labels, "cpu", size, torch.tensor([], dtype=torch.int64))) == 0


@pytest.mark.gpu
def test_a_gpu_holds_the_same_bytes() -> None:
    images, labels = make_images(10), torch.arange(10)
    for size in (28, 16):
        split = place(images, labels, "cuda", size)
        assert (split.images.is_cuda, split.labels.is_cuda) == (True, True)
        assert torch.equal(split.images.cpu(), place(images, labels, "cpu", size).images)


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_normalize_equals_torchvision(kind: str) -> None:
    from torchvision.transforms import Compose, Normalize, ToTensor  # takes 3 s

    mean, std = NORMALIZATIONS[kind]
    transform = Compose([ToTensor(), Normalize(mean, std)])
    every_byte = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    expected = transform(Image.fromarray(every_byte[0, 0].numpy()))[None]
    normalized = normalize(every_byte, kind)
    assert (normalized.dtype, normalized.shape) == (torch.float32, (1, 1, 16, 16))
    assert float((normalized - expected).abs().max()) <= 1e-6
    if kind == "unit":
        assert torch.equal(normalized, expected)


def test_normalize_leaves_its_input_alone_and_rounds_once() -> None:
    images = make_images(4)
    copy = images.clone()
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        normalized = normalize(images, "dataset", dtype)
        assert normalized.dtype == dtype
        assert torch.equal(normalized, normalize(images, "dataset").to(dtype))
    assert torch.equal(images, copy)


def test_half_reaches_from_minus_one_to_one() -> None:
    ends = torch.tensor([0, 255], dtype=torch.uint8)
    assert normalize(ends, "half").tolist() == pytest.approx([-1, 1])


def test_an_unknown_normalization_fails_with_the_choices() -> None:
    with pytest.raises(DataError, match="unknown normalization 'mean'; choose from unit, dataset"):
        normalize(make_images(1), "mean")


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=200),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 2**32),
)
def test_a_split_is_disjoint_covering_sorted_and_exact(
    values: list[int], fraction: float, seed: int
) -> None:
    labels = torch.tensor(values)
    train, validation = stratified_split(labels, fraction, seed)
    assert train.dtype == validation.dtype == torch.int64
    assert sorted(train.tolist() + validation.tolist()) == list(range(len(values)))
    assert train.tolist() == sorted(train.tolist())
    assert validation.tolist() == sorted(validation.tolist())
    for label in set(values):
        expected = round(fraction * values.count(label))
        assert int((labels[validation] == label).sum()) == expected


def test_a_split_depends_on_the_seed_and_on_nothing_else() -> None:
    labels = torch.arange(10).repeat(100)
    torch.manual_seed(1)
    first = stratified_split(labels, 0.1, seed=0)[1]
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(stratified_split(labels, 0.1, seed=0)[1], first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(stratified_split(labels, 0.1, seed=1)[1], first)


def test_every_example_of_a_class_may_come_into_validation() -> None:
    labels = torch.zeros(20, dtype=torch.int64)
    chosen = {i for seed in range(40) for i in stratified_split(labels, 0.25, seed)[1].tolist()}
    assert chosen == set(range(20))


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 6000.0, float("nan")])
def test_a_fraction_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(DataError, match=r"is not in \[0, 1\)"):
        stratified_split(torch.arange(10), fraction, seed=0)
