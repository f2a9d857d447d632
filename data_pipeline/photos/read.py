"""Image files of any kind as the data set has its own: one article, light on black.

How the article is found in a picture: articles.py. What that costs in accuracy: docs/predict.md.
"""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import DataError
from data_pipeline.photos.articles import MIDDLE, SIDE, as_article
from data_pipeline.photos.frames import corner_color

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import Tensor

    Pixels = np.ndarray[Any, np.dtype[Any]]

INVERSIONS = ("auto", "yes", "no")
# What a photo comes as. Others stay out: to read EPS, Pillow would start Ghostscript.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA")
LARGEST_SIDE = 1024  # pixels in which edges are sought
MOST_PIXELS = 256 * 10**6  # a phone has up to 200; docs/predict.md has what they take
AVERAGED = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr")  # modes whose numbers may be averaged
LOST = 0.1  # of the rows that a file may lack which is cut short
GREY = 8  # levels between the channels of a pixel: a JPEG of a grey picture has some
WHITE, BLACK = (255, 255, 255, 255), (0, 0, 0, 255)


def read_photo(path: Path, input_size: int = SIDE, *, invert: str = "auto") -> "Tensor":
    """Return the first picture of an image file as (1, 1, S, S) uint8, light on black.

    It becomes 28x28 first and then, as the data set itself in training, the size of the model. An
    image that is 28x28 or SxS, grey and dark at its corners is taken as it is, so that an image of
    the data set comes back unchanged; of one whose article fills its frame nothing is trimmed.

    Args:
        path: PNG, JPEG, GIF, BMP, TIFF, WEBP or another of FORMATS; any mode, rotated by EXIF.
        input_size: S, in pixels.
        invert: "yes", "no", or "auto": where the article is darker than its ground.

    Raises:
        DataError: no such file, no image, a damaged or an enormous one, or nothing but background.
    """
    import torch

    from data_pipeline.batches.resident import place

    if invert not in INVERSIONS:
        raise DataError(f"unknown inversion {invert!r}; choose from {', '.join(INVERSIONS)}")
    pixels = _as_article(path, _open(path, invert), input_size, invert)
    images = torch.tensor(pixels)[None, None]
    return place(images, torch.zeros(1, dtype=torch.int64), "cpu", input_size).images


def _open(path: Path, invert: str) -> "Image":
    """Return the first picture, upright, in RGB, with no edge above LARGEST_SIDE."""
    from PIL import Image, UnidentifiedImageError

    _check_file(path)
    Image.init()  # makes all formats known, and AVIF only where it is built in
    reason = ""
    for is_lenient in (False, True):
        try:
            with _pillow(is_lenient):
                return _read(path, invert)
        except UnidentifiedImageError:
            what = "is no image that can be read; make it a PNG or a JPEG"
            raise DataError(f"{path} {what}") from None
        except Image.DecompressionBombError:
            limit = MOST_PIXELS // 10**6
            raise DataError(
                f"{path} has more than {limit} million pixels; make it smaller"
            ) from None
        except Exception as error:  # a damaged file may raise anything
            reason = reason or " ".join(str(error).split()) or type(error).__name__
    raise DataError(f"{path} is a damaged image: {reason}")


@contextmanager
def _pillow(is_lenient: bool) -> Iterator[None]:
    """Turn Pillow's switches, which are the whole process's, for a reading.

    A lenient one passes over the end of a file that is cut short and over texts in it that are too
    long to unpack. Pillow refuses twice the pixels at which it warns.
    """
    from PIL import Image, ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = MOST_PIXELS // 2, is_lenient
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata and of many pixels
            yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _read(path: Path, invert: str) -> "Image":
    from PIL import Image, ImageFile, ImageOps

    formats = [name for name in FORMATS if name in Image.OPEN]
    with Image.open(path, formats=formats) as image:
        image.draft(None, (LARGEST_SIDE, LARGEST_SIDE))  # a JPEG is decoded no larger than needed
        image.load()
        picture = _without_lost_rows(image) if ImageFile.LOAD_TRUNCATED_IMAGES else image
        if image.mode in AVERAGED:
            picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))  # before there are copies of it
        ImageOps.exif_transpose(picture, in_place=True)  # a copy would take a gigabyte
        picture = _flattened(picture, invert)
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    return picture


def _without_lost_rows(image: "Image") -> "Image":
    """Return what was read of a file that is cut short.

    Rows that were not read are zero, or in a JPEG of a middle grey from some place on.

    Raises:
        OSError: more than LOST of its rows are.
    """
    import numpy as np

    pixels = np.asarray(image)
    ends, unread = (pixels[:, -8:], 128) if image.format in {"JPEG", "MPO"} else (pixels, 0)
    is_read = (ends.reshape(len(pixels), -1) != unread).any(axis=1)
    height = int(np.flatnonzero(is_read)[-1]) + 1 if is_read.any() else 0
    if height < (1 - LOST) * len(pixels):
        raise OSError("it is cut short")
    return image.crop((0, 0, image.width, height)) if height < image.height else image


def _check_file(path: Path) -> None:
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
    except OSError as error:
        what = f"there is no image {path} ({error.strerror}); name an image file"
        raise DataError(what) from None
    if stat.S_ISDIR(mode):
        raise DataError(f"{path} is a folder; name image files")
    if not stat.S_ISREG(mode):  # a pipe or a device may never end
        raise DataError(f"{path} is no file; name an image file")
    if not size:
        raise DataError(f"{path} is empty; name an image file")


def _flattened(image: "Image", invert: str) -> "Image":
    """Return a picture of any mode in RGB; what is transparent gets a backdrop.

    Black where that is not inverted, or where a tenth is transparent and the rest light.
    """
    import numpy as np
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_as_bytes(image)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    picture = image.convert("RGBA")
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    alpha = np.asarray(picture.getchannel("A"), dtype=np.float64)
    light = float((np.asarray(picture.convert("L")) * alpha).sum() / max(1, alpha.sum()))
    is_black = invert == "no" or (invert == "auto" and light > MIDDLE and alpha.mean() < 0.9 * 255)
    backdrop = Image.new("RGBA", picture.size, BLACK if is_black else WHITE)
    return Image.alpha_composite(backdrop, picture).convert("RGB")


def _as_bytes(image: "Image") -> "Pixels":
    """Return numbers of up to 32 bits as bytes; Pillow would clip them.

    White is the highest number of 8, 10, 12, 14 or 16 bits: the least that no pixel exceeds, else
    the brightest pixel. Of floats it is 1, 255 or 65535.
    """
    import numpy as np

    # of larger ones every step-th pixel will do
    step = max(1, max(image.size) // (2 * LARGEST_SIDE))
    values = np.nan_to_num(np.asarray(image)[::step, ::step].astype(np.float64)).clip(0)
    brightest = float(values.max(initial=0))
    levels = [2.0**bits - 1 for bits in ((1, 8, 16) if image.mode == "F" else (8, 10, 12, 14, 16))]
    white = next((level for level in levels if brightest <= level), brightest)
    return (values * (255 / white)).round().astype(np.uint8)


def _as_article(path: Path, picture: "Image", input_size: int, invert: str) -> "Pixels":
    """Return (28, 28) uint8, or (S, S) where the picture already is that, grey and dark."""
    import numpy as np

    pixels = np.asarray(picture)  # (H, W, 3)
    is_ready = picture.size in {(SIDE, SIDE), (input_size, input_size)}
    is_grey = int(np.ptp(pixels, axis=2).max()) <= GREY
    if is_ready and is_grey and invert != "yes" and corner_color(pixels).mean() <= MIDDLE:
        return np.asarray(picture.convert("L"))
    try:
        return as_article(pixels, invert)
    except DataError as error:
        raise DataError(f"{path} {error}; choose a picture with an article in it") from None
