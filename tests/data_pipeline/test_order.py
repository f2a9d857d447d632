"""The order of the images: torch's DataLoader to the image, and going on in mid-epoch."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from data_pipeline import BatchStream, DataError
from data_pipeline.batches.stream import ORDERS


def stream(order: str, seed: int = 42, num_images: int = 23) -> BatchStream:
    return BatchStream(
        num_images,
        5,
        drop_last=False,
        generator=torch.Generator().manual_seed(seed),
        device="cpu",
        order=order,
    )


def test_the_dataloader_order_is_that_of_a_script_with_the_same_seed() -> None:
    train = DataLoader(TensorDataset(torch.arange(23)), batch_size=5, shuffle=True)
    test = DataLoader(TensorDataset(torch.arange(7)), batch_size=5)
    ours = stream("dataloader")
    torch.manual_seed(42)
    for _ in range(3):
        for (batch,) in train:
            assert torch.equal(ours.take(1)[0], batch)
        for _ in test:  # a loader draws a base seed even if it shuffles nothing
            pass


def test_sequential_images_come_as_they_lie() -> None:
    batches = stream("sequential").take(5)
    assert torch.cat(batches).tolist() == list(range(23))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("taken", [0, 2, 5, 8])
def test_a_stream_goes_on_where_another_was(order: str, taken: int) -> None:
    first, second = stream(order), stream(order, seed=7)
    for _ in range(taken):
        first.take(1)
    second.load_state(first.state())
    assert (second.epoch, second.remaining) == (first.epoch, first.remaining)
    for _ in range(12):
        assert torch.equal(second.take(1)[0], first.take(1)[0])


def test_an_unknown_order_is_refused_with_the_choices() -> None:
    with pytest.raises(DataError, match="unknown order 'sorted'; choose from permutation"):
        stream("sorted")
