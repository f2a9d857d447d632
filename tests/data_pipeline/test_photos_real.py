"""Images of the data set as files: unchanged as they are, mostly the same as photos on white."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from data_pipeline import place, read_photo
from tests.bench.keep.saved_by_hand import answers, fashion_mnist, trained_v0

pytestmark = pytest.mark.usefixtures("one_thread")
Change = Callable[[Image.Image], Image.Image]


def write_pngs(images: Tensor, folder: Path, change: Change) -> None:
    for index, image in enumerate(images):
        change(Image.fromarray(image[0].numpy())).save(folder / f"{index}.png")


def read_all(folder: Path, count: int, input_size: int = 28) -> Tensor:
    return torch.cat([read_photo(folder / f"{i}.png", input_size) for i in range(count)])


@pytest.mark.parametrize("size", [28, 16, 96])
def test_images_of_the_data_set_come_back_to_the_bit(
    data_root: Path, tmp_path: Path, size: int
) -> None:
    data = fashion_mnist(data_root)
    write_pngs(data.test_images[:60], tmp_path, lambda image: image)
    wanted = place(data.test_images[:60], data.test_labels[:60], "cpu", size).images
    assert torch.equal(read_all(tmp_path, 60, size), wanted)


def test_an_image_of_the_models_own_size_is_taken_as_it_is(data_root: Path, tmp_path: Path) -> None:
    data = fashion_mnist(data_root)
    images = place(data.test_images[:20], data.test_labels[:20], "cpu", 96).images
    write_pngs(images, tmp_path, lambda image: image.convert("RGB"))
    assert torch.equal(read_all(tmp_path, 20, 96), images)


def inverted(image: Image.Image) -> Image.Image:
    return image.point(lambda value: 255 - value)


def enlarged(image: Image.Image, margin: int) -> Image.Image:
    photo = Image.new("L", (280 + 2 * margin, 280 + 2 * margin), 255)
    photo.paste(inverted(image).resize((280, 280), Image.Resampling.BICUBIC), (margin, margin))
    return photo


@pytest.mark.slow
@pytest.mark.parametrize(  # over all 10,000 images: 0.999, 0.984 and 0.938
    ("change", "share"),
    [
        (inverted, 0.99),
        (lambda image: enlarged(image, 0), 0.97),
        (lambda image: enlarged(image, 40), 0.92),
    ],
    ids=["inverted", "enlarged", "framed"],
)
def test_the_same_article_on_white_is_classified_mostly_the_same(
    data_root: Path, tmp_path: Path, change: Change, share: float
) -> None:
    images, model = fashion_mnist(data_root).test_images[:300], trained_v0(data_root)
    write_pngs(images, tmp_path, change)
    same = answers(model, read_all(tmp_path, 300)) == answers(model, images)
    assert float(same.float().mean()) >= share
