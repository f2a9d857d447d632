"""The usual DataLoader loop: the same batches as resident data makes, in the order it is given."""

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from bench.engine.engine import MEMORY_FORMATS, Feed
from data_pipeline import ImageDataset, LoaderStream, parse_augmentation
from tests.bench.train.training_by_hand import random_split, some_batches

CPU = torch.device("cpu")
NAMES = ("flip", "shift2", "cutout3")


def resident(normalization: str, names: tuple[str, ...]) -> Feed:
    return Feed(
        split=random_split(),
        augmentations=tuple(map(parse_augmentation, names)),
        normalization=normalization,
        generator=torch.Generator().manual_seed(3),
        memory_format=MEMORY_FORMATS["contiguous"],
    )


@pytest.mark.parametrize("names", [(), NAMES], ids=["plain", "augmented"])
@pytest.mark.parametrize("normalization", ["unit", "dataset", "half"])
def test_loaded_batches_equal_resident_ones(normalization: str, names: tuple[str, ...]) -> None:
    feed = resident(normalization, names)
    dataset = ImageDataset(feed.split, feed.augmentations, normalization)
    indices: list[Tensor] = [*some_batches(2), torch.tensor([5, 0, 63])]
    drawn = [feed.draw(len(index)) for index in indices]
    loaded = list(LoaderStream(dataset, CPU).batches(indices, drawn))
    for (images, labels), index, draw in zip(loaded, indices, drawn, strict=True):
        expected = feed.gather(feed.split.images, feed.split.labels, index, draw)
        assert torch.equal(images, expected[0])
        assert torch.equal(labels, expected[1])


def test_a_stream_serves_chunk_after_chunk_and_draws_nothing_where_dropout_draws() -> None:
    split, before = random_split(), torch.get_rng_state()
    dataset = ImageDataset(split, (), "unit")
    assert len(dataset) == len(split)
    stream = LoaderStream(dataset, CPU)
    for index in some_batches(3):
        ((images, labels),) = stream.batches([index], [()])
        assert torch.equal(images, split.images[index] / 255)
        assert torch.equal(labels, split.labels[index])
    assert torch.equal(before, torch.get_rng_state())


def test_what_goes_to_a_worker_has_no_tensors() -> None:
    """Each would be a handle of shared memory, and slow the yardstick down on a GPU alone."""
    feed = resident("unit", NAMES)
    stream = LoaderStream(ImageDataset(feed.split, feed.augmentations, "unit"), CPU)
    index = some_batches(1)[0]
    next(stream.batches([index], [feed.draw(len(index))]))
    (items,) = stream._order
    assert [number for number, _ in items] == index.tolist()
    assert not any(isinstance(leaf, Tensor) for leaf in tree_leaves(items))


def test_there_are_no_more_workers_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    # a container's processes may run on fewer than there are
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 5})
    stream = LoaderStream(ImageDataset(random_split(), (), "unit"), torch.device("cuda", 0))
    assert stream._loader.num_workers == 2
