"""The real data set, where it is at hand, and the package's own manners."""

import os
import subprocess
import sys
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
from tests.command_line import LIMIT_S, REPOSITORY

ROOT = Path(os.environ.get("FMNIST_DATA") or REPOSITORY / "data")


@pytest.fixture(scope="module")
def fashion_mnist() -> FashionMNIST:
    """The data set; a bad file fails the tests, an absent one skips them."""
    if not (ROOT / "FashionMNIST" / "raw").is_dir():
        pytest.skip(f"no data in {ROOT}: run `fmnist-bench doctor --fetch`")
    return load_fashion_mnist(ROOT, fetch=False)


def test_shapes_and_types(fashion_mnist: FashionMNIST) -> None:
    data = fashion_mnist
    assert (data.train_images.shape, data.test_images.shape) == (
        (60_000, 1, 28, 28),
        (10_000, 1, 28, 28),
    )
    assert (data.train_labels.shape, data.test_labels.shape) == ((60_000,), (10_000,))
    assert data.train_images.dtype == data.test_images.dtype == torch.uint8
    assert data.train_labels.dtype == data.test_labels.dtype == torch.int64
    assert (data.data_hash, data.classes) == ("1cb5a4cf9ef3", CLASS_NAMES)


def test_every_class_has_6000_and_1000(fashion_mnist: FashionMNIST) -> None:
    assert fashion_mnist.train_labels.bincount().tolist() == [6000] * 10
    assert fashion_mnist.test_labels.bincount().tolist() == [1000] * 10


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


def test_fetching_needs_no_torch() -> None:
    script = (
        "import sys, data_pipeline\n"
        "from data_pipeline import ensure_data, DataError, CLASS_NAMES, data_hash\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'pandas', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True, timeout=LIMIT_S)
