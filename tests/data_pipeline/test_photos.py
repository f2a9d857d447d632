"""Photos: any image file becomes what the data set would have made of it, or one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFile
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from data_pipeline import DataError, read_photo
from data_pipeline.photos.frames import without_frames

pytestmark = pytest.mark.usefixtures("one_thread")
LIGHT, DARK = 250, 40
Change = Callable[[Image.Image], Image.Image]


def drawn(ground: int = LIGHT, article: int = DARK) -> Image.Image:
    """A wide article of 100x50 pixels, its left half of one grey, off the middle of 200x300."""
    image = Image.new("L", (200, 300), ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 30, 119, 79), fill=(ground + article) // 2)
    draw.rectangle((20, 30, 69, 79), fill=article)
    return image


def expected(ground: int = LIGHT, article: int = DARK) -> Tensor:
    """What the data set would have made of it: 28x14 in the middle, its edges aside."""
    square = torch.zeros(28, 28)
    square[7:21] = abs((ground + article) // 2 - ground)
    square[7:21, :14] = abs(article - ground)
    return square


def read(path: Path, invert: str = "auto") -> Tensor:
    photo = read_photo(path, invert=invert)
    assert (photo.shape, photo.dtype) == ((1, 1, 28, 28), torch.uint8)
    return photo[0, 0]


def read_saved(image: Image.Image, folder: Path, invert: str = "auto") -> Tensor:
    image.save(folder / "photo.png")
    return read(folder / "photo.png", invert)


def assert_close(found: Tensor, wanted: Tensor, tolerance: float = 3.0) -> None:
    """Alike in contrast to the dark half, but for columns beside the edges, which are sharpened.

    The brightest pixel is 255, as in the data set; it is where the sharpening is.
    """
    assert int(found.max()) >= 254
    found = found * (wanted[14, 7] / found[14, 7])
    plain = [column for column in range(28) if column not in {12, 13, 14, 15}]
    rows = [*range(6), *range(9, 19), *range(22, 28)]
    difference = (found - wanted)[rows][:, plain].abs()
    assert float(difference.max()) <= tolerance


def as_palette_with_transparency(image: Image.Image) -> Image.Image:
    palette = image.convert("P")
    palette.info["transparency"] = LIGHT  # the ground's index in a grey palette
    return palette


def as_16_bits(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.uint16(np.asarray(image)) * np.uint16(257))


def with_alpha(mode: str, hidden: int) -> Change:
    """The article with its ground transparent, over a colour that must not be seen."""

    def make(image: Image.Image) -> Image.Image:
        alpha = image.point(lambda value: 0 if value == LIGHT else 255)
        image = Image.composite(image, Image.new("L", image.size, hidden), alpha)
        picture = image.convert(mode)
        picture.putalpha(alpha)
        return picture

    return make


def rotated(image: Image.Image) -> Image.Image:
    """As a phone held upright writes it: lying, with a note."""
    lying = image.rotate(90, expand=True)
    lying.getexif()[0x0112] = 6
    return lying


FORMS: dict[str, tuple[str, Change, dict[str, Any]]] = {
    "L": ("png", lambda image: image, {}),
    "RGB": ("png", lambda image: image.convert("RGB"), {}),
    "LA": ("png", with_alpha("L", hidden=0), {}),
    "RGBA": ("png", with_alpha("RGB", hidden=77), {}),
    "P": ("png", lambda image: image.convert("P"), {}),
    "P transparent": ("png", as_palette_with_transparency, {}),
    "I;16": ("png", as_16_bits, {}),
    "12 of 16 bits": ("tiff", lambda image: as_16_bits(image).point(lambda v: v / 16), {}),
    "I": ("tiff", lambda image: image.convert("I"), {}),
    "F": ("tiff", lambda image: Image.fromarray(np.float32(np.asarray(image)) / 255), {}),
    "CMYK": ("tiff", lambda image: image.convert("RGB").convert("CMYK"), {}),
    "CMYK jpeg": ("jpg", lambda image: image.convert("CMYK"), {"quality": 95}),
    "jpeg": ("jpg", lambda image: image.convert("RGB"), {"quality": 90}),
    "upright by EXIF": ("jpg", rotated, {"quality": 95}),
    "gif": ("gif", lambda image: image, {}),
    "webp": ("webp", lambda image: image.convert("RGB"), {"lossless": True}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_file_gives_the_same(tmp_path: Path, form: str) -> None:
    ending, make, options = FORMS[form]
    path = tmp_path / f"photo.{ending}"
    image = make(drawn())
    if "EXIF" in form:
        options = options | {"exif": image.getexif()}
    image.save(path, **options)
    is_transparent = form in {"LA", "RGBA", "P transparent"}
    wanted = expected(255 if is_transparent else LIGHT)  # what is transparent counts as white
    assert_close(read(path), wanted, tolerance=8.0 if ending == "jpg" else 3.0)


def test_black_and_white(tmp_path: Path) -> None:
    found = read_saved(
        drawn(ground=255, article=0).convert("1", dither=Image.Dither.NONE), tmp_path
    )
    assert found.unique().tolist() == [0, 255]
    assert found[10, :14].tolist() == [255] * 14


def test_the_first_picture_of_an_animation_counts(tmp_path: Path) -> None:
    others = [Image.new("L", (200, 300), 0), drawn(ground=DARK, article=LIGHT)]
    drawn().save(tmp_path / "a.gif", save_all=True, append_images=others)
    drawn().save(tmp_path / "b.gif")
    assert torch.equal(read(tmp_path / "a.gif"), read(tmp_path / "b.gif"))


@pytest.mark.parametrize(("ground", "article"), [(250, 40), (20, 230), (200, 0), (70, 255)])
def test_a_light_ground_is_inverted_and_every_ground_turns_black(
    tmp_path: Path, ground: int, article: int
) -> None:
    found = read_saved(drawn(ground, article), tmp_path)
    assert_close(found, expected(ground, article))
    assert not found[:6].any()


def test_an_inversion_that_is_asked_for_is_kept_to(tmp_path: Path) -> None:
    light, dark = (
        {how: read_saved(photo, tmp_path, how) for how in ("auto", "yes", "no")}
        for photo in (drawn(LIGHT, DARK), drawn(255 - LIGHT, 255 - DARK))
    )
    assert torch.equal(light["auto"], light["yes"])
    assert torch.equal(dark["auto"], dark["no"])
    assert_close(light["auto"], dark["auto"].float())
    assert light["no"][10, 2] == DARK  # its contrast is left as well
    assert dark["yes"][10, 2] == DARK


def test_what_is_transparent_is_dark_where_nothing_is_inverted(tmp_path: Path) -> None:
    alpha = drawn().point(lambda value: 0 if value == LIGHT else 255)
    shirt = Image.new("L", alpha.size, 255)
    shirt.putalpha(alpha)
    found = read_saved(shirt, tmp_path, invert="no")
    assert found[10].tolist() == [255] * 28
    assert not found[:6].any()


@pytest.mark.parametrize("size", [(28, 28), (8, 4), (1, 40), (2000, 900)])
def test_an_article_of_any_size_fills_its_longer_side(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    photo = Image.new("L", (size[0] * 2, size[1] * 2), 255)
    photo.paste(0, (size[0] // 2, size[1] // 3, size[0] // 2 + size[0], size[1] // 3 + size[1]))
    lit = (read_saved(photo, tmp_path) > 127).nonzero()
    height, width = (lit.amax(0) - lit.amin(0) + 1).tolist()
    scale = 28 / max(size)
    assert max(width, height) == 28
    assert abs(min(width, height) - max(1, round(min(size) * scale))) <= 1
    assert abs(int((lit.amax(0) + lit.amin(0))[0]) - 27) <= 1  # in the middle


def test_noise_and_specks_do_not_keep_the_ground(tmp_path: Path) -> None:
    pixels = np.asarray(drawn(230, DARK)) + np.random.default_rng(0).normal(0, 3, (300, 200))
    pixels[200, 150] = 0
    photo = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    assert_close(read_saved(photo, tmp_path), expected(230, DARK), tolerance=10.0)


def test_an_article_is_told_by_its_colour_where_its_grey_is_the_grounds(tmp_path: Path) -> None:
    photo = Image.new("RGB", (200, 200), (0, 160, 0))
    photo.paste((255, 0, 150), (50, 50, 100, 150))  # the same grey
    photo.paste((255, 255, 255), (70, 50, 80, 60))
    found = read_saved(photo, tmp_path)
    assert int(found[:, 7:21].min()) > 90  # the article, half as wide as high
    assert not found[:, :6].any()


def test_edges_are_sharpened(tmp_path: Path) -> None:
    row = read_saved(drawn(), tmp_path)[14].int()
    assert row[13] > row[5] + 5  # the dark half, beside the edge
    assert row[14] < row[22] - 5


def write_half(path: Path, kind: str = "PNG") -> None:
    Image.effect_noise((100, 100), 50).save(path, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_light_on_a_transparent_ground_is_seen_as_dark_is(tmp_path: Path) -> None:
    photo = Image.new("RGBA", (200, 200), (255, 255, 255, 0))
    photo.paste((250, 250, 250, 255), (50, 20, 150, 180))
    assert int(read_saved(photo, tmp_path)[:, 8:20].min()) > 200


def test_light_on_a_middle_grey_is_not_inverted(tmp_path: Path) -> None:
    assert_close(read_saved(drawn(150, 250), tmp_path), expected(150, 250))


def test_texts_too_long_to_unpack_are_passed_over(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("prompt", "x" * 3_000_000, zip=True)  # as image generators leave them
    drawn().save(tmp_path / "a.png", pnginfo=info)
    assert torch.equal(read(tmp_path / "a.png"), read_saved(drawn(), tmp_path))


@pytest.mark.parametrize(("kind", "cut"), [("jpg", 2), ("jpg", 40), ("png", 15)])
def test_a_file_that_lacks_its_last_bytes_is_read(tmp_path: Path, kind: str, cut: int) -> None:
    path = tmp_path / f"a.{kind}"
    drawn().save(path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert_close(read(path), expected(), tolerance=8.0)


@pytest.mark.slow
def test_a_photo_of_108_million_pixels_is_read(tmp_path: Path) -> None:
    drawn().resize((9_000, 12_000)).save(tmp_path / "a.jpg")
    found = read(tmp_path / "a.jpg")
    assert not found[:6].any()
    assert int(found[14, 3]) > int(found[14, 24]) + 50 > 100


def test_pillows_switches_are_put_back(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    (tmp_path / "a.png").write_bytes(b"GIF89a")
    with pytest.raises(DataError):
        read(tmp_path / "a.png")
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_a_rectangle_is_an_article_and_a_rectangle_with_a_picture_is_a_frame() -> None:
    bag = np.full((200, 200, 3), 255, np.uint8)
    bag[50:150, 40:160] = 90
    assert without_frames(bag).shape == (200, 200, 3)
    bag[60:140, 50:150] = 200  # a print in a passe-partout
    bag[80:120, 70:130] = 0
    inside = without_frames(bag)
    assert inside[0, 0].tolist() == [200] * 3
    assert inside.shape[0] < 80


WRONG_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("hello"), "is no image that can be read"),
    "eps": (lambda path: drawn().save(path, format="EPS"), "is no image that can be read"),
    "empty": (lambda path: path.touch(), "is empty; name an image file"),
    "missing": (lambda path: None, "there is no image"),
    "folder": (lambda path: path.mkdir(), "is a folder; name image files"),
    "large": (
        lambda path: path.write_bytes(b"P5 20000 20000 255 "),
        "has more than 256 million pixels; make it smaller",
    ),
    "half": (write_half, "is a damaged image: image file is truncated"),
    "half a JPEG": (
        lambda path: write_half(path, "JPEG"),
        "is a damaged image: image file is trun",
    ),
    "flat": (lambda path: Image.new("RGB", (50, 50), "red").save(path), "nothing but its back"),
}


@pytest.mark.parametrize("fault", WRONG_FILES)
def test_what_is_no_photo_is_one_line_with_its_name(tmp_path: Path, fault: str) -> None:
    write, wanted = WRONG_FILES[fault]
    path = tmp_path / "photo.png"
    write(path)
    with pytest.raises(DataError) as refused:
        read_photo(path)
    assert str(path) in str(refused.value)
    assert wanted in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_inversion_is_one_line() -> None:
    with pytest.raises(DataError, match="unknown inversion 'maybe'; choose from auto, yes, no"):
        read_photo(Path("photo.png"), invert="maybe")
