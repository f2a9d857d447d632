"""The stream of batches: properties of any, torch's DataLoader to the image, going on mid-epoch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from data_pipeline import BatchStream, DataError
from data_pipeline.batches.stream import ORDERS


def make_stream(
    num_images: int = 23,
    batch_size: int = 5,
    *,
    drop_last: bool = False,
    seed: int = 0,
    order: str = "permutation",
) -> BatchStream:
    generator = torch.Generator().manual_seed(seed)
    return BatchStream(
        num_images,
        batch_size,
        drop_last=drop_last,
        generator=generator,
        device="cpu",
        order=order,
    )


def take_epoch(stream: BatchStream, wishes: list[int]) -> list[Tensor]:
    """Take one epoch in pieces of the wished lengths, over and over."""
    epoch, batches, turn = stream.epoch, [], 0
    while stream.epoch == epoch:
        before = stream.remaining
        taken = stream.take(wishes[turn % len(wishes)])
        assert len(taken) == min(wishes[turn % len(wishes)], before)
        batches += taken
        turn += 1
    return batches


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.integers(1, 300),
    st.integers(1, 80),
    st.booleans(),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
)
def test_each_image_comes_exactly_once_an_epoch(
    num_images: int, batch_size: int, drop_last: bool, wishes: list[int]
) -> None:
    drop_last = drop_last and batch_size <= num_images
    stream = make_stream(num_images, batch_size, drop_last=drop_last)
    for epoch in range(3):
        assert (stream.epoch, stream.remaining) == (epoch, stream.steps_per_epoch)
        batches = take_epoch(stream, wishes)
        images = torch.cat(batches)
        assert len(batches) == stream.steps_per_epoch
        assert len(images) == len(images.unique()) == stream.images_per_epoch
        assert (int(images.min()) >= 0, int(images.max()) < num_images) == (True, True)
        assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    ragged = num_images % batch_size
    assert stream.images_per_epoch == num_images - (ragged if drop_last else 0)
    assert len(batches[-1]) == (batch_size if drop_last or not ragged else ragged)


def test_each_epoch_is_a_fresh_order_drawn_when_first_needed_from_its_generator_alone() -> None:
    before, twin = torch.get_rng_state(), torch.Generator().manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    stream = BatchStream(50, 50, drop_last=True, generator=generator, device="cpu")
    for _ in range(3):
        assert torch.equal(generator.get_state(), twin.get_state())
        assert torch.equal(stream.take(1)[0], torch.randperm(50, generator=twin))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_dataloader_order_is_that_of_a_script_with_the_same_seed() -> None:
    train = DataLoader(TensorDataset(torch.arange(23)), batch_size=5, shuffle=True)
    test = DataLoader(TensorDataset(torch.arange(7)), batch_size=5)
    ours = make_stream(seed=42, order="dataloader")
    torch.manual_seed(42)
    for _ in range(3):
        for (batch,) in train:
            assert torch.equal(ours.take(1)[0], batch)
        for _ in test:  # a loader draws a base seed even if it shuffles nothing
            pass


def test_sequential_images_come_as_they_lie() -> None:
    assert torch.cat(make_stream(order="sequential").take(5)).tolist() == list(range(23))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("taken", [0, 2, 5, 8])
def test_a_stream_goes_on_where_another_was(order: str, taken: int) -> None:
    first, second = make_stream(order=order), make_stream(order=order, seed=7)
    for _ in range(taken):
        first.take(1)
    second.load_state(first.state())
    assert (second.epoch, second.remaining) == (first.epoch, first.remaining)
    for _ in range(12):
        assert torch.equal(second.take(1)[0], first.take(1)[0])


def test_a_stream_that_could_give_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch size 32 is more than the 20 images"):
        make_stream(20, 32, drop_last=True)
    assert make_stream(20, 32).steps_per_epoch == make_stream(20, 20, drop_last=True).remaining == 1
    with pytest.raises(ValueError, match="no batches of 0 from 20 images"):
        make_stream(20, 0)
    with pytest.raises(ValueError, match="no batches of 1 from 0 images"):
        make_stream(0, 1)
    with pytest.raises(ValueError, match="cannot take 0 steps"):
        make_stream(20, 5).take(0)
    with pytest.raises(DataError, match="unknown order 'sorted'; choose from permutation"):
        make_stream(order="sorted")
