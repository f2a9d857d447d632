"""The real data set, where it is at hand, and the package's own manners."""

import os
from pathlib import Path

import pytest
import torch

import data_pipeline
from data_pipeline import (
    CLASS_NAMES,
    DataError,
    FashionMNIST,
    default_root,
    load_fashion_mnist,
    stratified_split,
)
from tests.command_line import REPOSITORY

ROOT = Path(os.environ.get("FMNIST_DATA") or REPOSITORY / "data")


@pytest.fixture(scope="module")
def fashion_mnist() -> FashionMNIST:
    """The data set; a bad file fails the tests, an absent one skips them."""
    if not (ROOT / "FashionMNIST" / "raw").is_dir():
        pytest.skip(f"no data in {ROOT}: run `fmnist-bench doctor --fetch`")
    return load_fashion_mnist(ROOT, fetch=False)


def test_shapes_types_and_classes(fashion_mnist: FashionMNIST) -> None:
    data, byte, number = fashion_mnist, torch.uint8, torch.int64
    tensors = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    assert [(*tensor.shape, tensor.dtype) for tensor in tensors] == [
        *((60_000, 1, 28, 28, byte), (60_000, number)),
        *((10_000, 1, 28, 28, byte), (10_000, number)),
    ]
    assert data.train_labels.bincount().tolist() == [6000] * 10
    assert data.test_labels.bincount().tolist() == [1000] * 10
    assert (data.data_hash, data.classes) == ("1cb5a4cf9ef3", CLASS_NAMES)


def test_the_normalization_named_dataset_is_of_these_images(fashion_mnist: FashionMNIST) -> None:
    counts = fashion_mnist.train_images.flatten().bincount(minlength=256).double()
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean = float((counts * levels).sum() / counts.sum())
    std = float((counts * (levels - mean) ** 2).sum() / counts.sum()) ** 0.5
    assert (mean, std) == pytest.approx(data_pipeline.NORMALIZATIONS["dataset"], abs=5e-6)


def test_the_default_split_is_54000_and_6000(fashion_mnist: FashionMNIST) -> None:
    train, validation = stratified_split(fashion_mnist.train_labels, 0.1, seed=0)
    assert (len(train), len(validation)) == (54_000, 6_000)
    assert fashion_mnist.train_labels[validation].bincount().tolist() == [600] * 10


def test_torchvision_reads_the_same(fashion_mnist: FashionMNIST) -> None:
    from torchvision import datasets  # takes 3 s

    test = datasets.FashionMNIST(ROOT, train=False, download=False)
    assert tuple(test.classes) == CLASS_NAMES
    assert torch.equal(test.data[:, None], fashion_mnist.test_images)
    assert torch.equal(test.targets, fashion_mnist.test_labels)


def test_the_default_root_is_data_or_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FMNIST_DATA", raising=False)
    assert default_root() == Path("data")
    monkeypatch.setenv("FMNIST_DATA", "/somewhere")
    assert default_root() == Path("/somewhere")


def test_absent_data_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"run `fmnist-bench doctor --fetch`$"):
        load_fashion_mnist(tmp_path, fetch=False)


@pytest.mark.parametrize("name", data_pipeline.__all__)
def test_every_public_name_is_what_it_says(name: str) -> None:
    value = getattr(data_pipeline, name)
    assert getattr(value, "__name__", name) == name
    assert name in dir(data_pipeline)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        data_pipeline.nonsense  # noqa: B018 - the look-up is the test
