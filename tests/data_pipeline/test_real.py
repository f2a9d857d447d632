"""The real data set, where it is at hand: as it is, and its images as photos; public names."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

import data_pipeline
from data_pipeline import (
    CLASS_NAMES,
    DataError,
    FashionMNIST,
    default_root,
    load_fashion_mnist,
    place,
    read_photo,
    stratified_split,
)
from tests.bench.keep.saved_by_hand import answers, trained_v0
from tests.data_pipeline.pictures import KINDS, write
from tests.tiers import slow_but

Change = Callable[[Image.Image], Image.Image]


@pytest.fixture(scope="module")
def fashion_mnist(data_root: Path) -> FashionMNIST:
    return load_fashion_mnist(data_root, fetch=False)


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


def test_torchvision_reads_the_same(data_root: Path, fashion_mnist: FashionMNIST) -> None:
    from torchvision import datasets  # takes 3 s

    test = datasets.FashionMNIST(data_root, train=False, download=False)
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
    monkeypatch.setenv("FMNIST_DATA", "~/somewhere")  # no shell stands between a CI and us
    assert default_root() == Path.home() / "somewhere"


def test_absent_data_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"or `fmnist-bench doctor --fetch --data \S+` fetches"):
        load_fashion_mnist(tmp_path, fetch=False)


@pytest.mark.parametrize("name", data_pipeline.__all__)
def test_every_public_name_is_what_it_says(name: str) -> None:
    value = getattr(data_pipeline, name)
    assert getattr(value, "__name__", name) == name
    assert name in dir(data_pipeline)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        data_pipeline.nonsense  # noqa: B018 - the look-up is the test


def write_pngs(images: Tensor, folder: Path, change: Change) -> None:
    for index, image in enumerate(images):
        change(Image.fromarray(image[0].numpy())).save(folder / f"{index}.png")


def read_all(folder: Path, count: int, input_size: int = 28) -> Tensor:
    return torch.cat([read_photo(folder / f"{i}.png", input_size) for i in range(count)])


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("own", "size"), [(28, 28), (28, 16), (28, 96), (96, 96)])
def test_an_image_of_the_data_set_s_or_the_model_s_size_comes_back_to_the_bit(
    fashion_mnist: FashionMNIST, tmp_path: Path, own: int, size: int
) -> None:
    data, labels = fashion_mnist.test_images[:40], fashion_mnist.test_labels[:40]
    images = place(data, labels, "cpu", own).images
    write_pngs(images, tmp_path, lambda image: image.convert("RGB" if own == 96 else "L"))
    wanted = place(data, labels, "cpu", size).images
    assert torch.equal(read_all(tmp_path, 40, size), wanted)


QUICK = {"thin_frame", "figure_in_grey", "jet"}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("kind", slow_but(QUICK, KINDS))
def test_a_picture_of_any_kind_becomes_what_the_data_set_has(
    fashion_mnist: FashionMNIST, tmp_path: Path, kind: str
) -> None:
    """Would catch a frame, bars, axes or a false colour that is taken for a part of the article.

    Where a margin is trimmed the article is larger than in the data set, or askew in the picture.
    """
    for index in (0, 2):  # an ankle boot and trousers
        image = fashion_mnist.test_images[index, 0]
        photo = read_photo(write(kind, image.numpy(), tmp_path / "photo", seed=index))
        both = torch.stack([photo.flatten(), image.flatten()]).float()
        assert float(torch.corrcoef(both)[0, 1]) > (0.9 if kind in QUICK else 0.45)


def inverted(image: Image.Image) -> Image.Image:
    return image.point(lambda value: 255 - value)


def enlarged(image: Image.Image, margin: int) -> Image.Image:
    photo = Image.new("L", (280 + 2 * margin, 280 + 2 * margin), 255)
    photo.paste(inverted(image).resize((280, 280), Image.Resampling.BICUBIC), (margin, margin))
    return photo


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("change", "share"),
    [
        (inverted, 0.99),
        (lambda image: enlarged(image, 0), 0.97),
        (lambda image: enlarged(image, 40), 0.92),
    ],
    ids=["inverted", "enlarged", "framed"],
)
def test_the_same_article_on_white_is_classified_mostly_the_same(
    data_root: Path, fashion_mnist: FashionMNIST, tmp_path: Path, change: Change, share: float
) -> None:
    images, model = fashion_mnist.test_images[:100], trained_v0(data_root)
    write_pngs(images, tmp_path, change)
    same = answers(model, read_all(tmp_path, 100)) == answers(model, images)
    assert float(same.float().mean()) >= share
