"""The stratified split and the stream of batches, by properties."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from data_pipeline import BatchStream, DataError, stratified_split

label_lists = st.lists(st.integers(0, 9), min_size=1, max_size=200)
fractions = st.floats(0, 1, exclude_max=True)
seeds = st.integers(0, 2**32)


@settings(deadline=None)  # a busy machine is no failure
@given(label_lists, fractions, seeds)
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


def make_stream(num_images: int, batch_size: int, *, drop_last: bool, seed: int = 0) -> BatchStream:
    generator = torch.Generator().manual_seed(seed)
    return BatchStream(
        num_images, batch_size, drop_last=drop_last, generator=generator, device="cpu"
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


def test_batches_depend_on_the_generator_and_not_on_the_pieces() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    singly = make_stream(20, 3, drop_last=False)
    at_once = make_stream(20, 3, drop_last=False)
    other = make_stream(20, 3, drop_last=False, seed=1)
    for _ in range(3):
        order = torch.cat(take_epoch(at_once, [99]))
        assert torch.equal(torch.cat(take_epoch(singly, [1])), order)
        assert not torch.equal(torch.cat(take_epoch(other, [99])), order)
    assert torch.equal(torch.get_rng_state(), before)


def test_each_epoch_is_a_fresh_order_drawn_when_first_needed() -> None:
    generator, twin = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    stream = BatchStream(50, 50, drop_last=True, generator=generator, device="cpu")
    assert torch.equal(generator.get_state(), twin.get_state())
    for epoch in range(3):
        assert stream.epoch == epoch
        assert torch.equal(stream.take(1)[0], torch.randperm(50, generator=twin))
        assert torch.equal(generator.get_state(), twin.get_state())


def test_a_stream_that_could_give_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch size 32 is more than the 20 images"):
        make_stream(20, 32, drop_last=True)
    assert make_stream(20, 32, drop_last=False).steps_per_epoch == 1
    with pytest.raises(ValueError, match="no batches of 0 from 20 images"):
        make_stream(20, 0, drop_last=False)
    with pytest.raises(ValueError, match="no batches of 1 from 0 images"):
        make_stream(0, 1, drop_last=False)
    with pytest.raises(ValueError, match="cannot take 0 steps"):
        make_stream(20, 5, drop_last=False).take(0)
