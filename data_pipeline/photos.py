"""Image files of any kind as the data set has its own: one article, light on black.

After section 2 of the paper (Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747): trim what is within 5 %
of the colour at the corners, bring the longest edge to 28 pixels, sharpen, put the article in the
middle of a square, negate. Where the paper skips rows and columns, pixels are averaged here, as
photos are noisy: then a little sharpening gives back what a network looks for. Of the 10,000 test
images, inverted and enlarged tenfold (bicubic), FashionCNN names 98 % as before, and 95 % with a
white margin around them; V0 98 and 94 %, ResNet-8 99 and 95 %.
"""

import stat
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import Tensor

    Pixels = np.ndarray[Any, np.dtype[Any]]

INVERSIONS = ("auto", "yes", "no")
# What a photo comes as. Others stay out: to read EPS, Pillow would start Ghostscript.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA")
SIDE = 28  # of the data set
LARGEST_SIDE = 1024  # pixels in which edges are sought
TOLERANCE = 0.05 * 255  # of the background's colour, in each channel
SPECKS = 0.005  # a row or column with fewer article pixels than this share is background
FULL = 27 / 28  # a margin of a pixel of 28 is no margin
MIDDLE = 127.5
LUMA = (0.299, 0.587, 0.114)  # as Pillow turns colours into grey
WHITE, BLACK = (255, 255, 255, 255), (0, 0, 0, 255)


def read_photo(path: Path, input_size: int = SIDE, *, invert: str = "auto") -> "Tensor":
    """Return the first picture of an image file as (1, 1, S, S) uint8, light on black.

    It becomes 28x28 first and then, as the data set itself in training, the size of the model. An
    image that is 28x28 or SxS and dark at its corners is taken as it is, so that an image of the
    data set comes back unchanged; of one whose article fills its frame nothing is trimmed.

    Args:
        path: PNG, JPEG, GIF, BMP, TIFF, WEBP or another of FORMATS; any mode, rotated by EXIF.
        input_size: S, in pixels.
        invert: "yes", "no", or "auto": where the corners are light.

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
    from PIL import Image, ImageOps, UnidentifiedImageError

    _check_file(path)
    Image.init()  # makes all formats known, and AVIF only where it is built in
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            formats = [name for name in FORMATS if name in Image.OPEN]
            with Image.open(path, formats=formats) as image:
                backdrop = BLACK if invert == "no" else WHITE
                picture = _flattened(ImageOps.exif_transpose(image), backdrop)
    except UnidentifiedImageError:
        raise DataError(f"{path} is no image that can be read; make it a PNG or a JPEG") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        limit = (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise DataError(f"{path} has more than {limit} million pixels; make it smaller") from None
    except Exception as error:  # a damaged file may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} is a damaged image: {reason}") from None
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    return picture


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


def _flattened(image: "Image", backdrop: tuple[int, int, int, int]) -> "Image":
    """Return a picture of any mode in RGB; what is transparent shows the backdrop."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_as_bytes(image)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    picture = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, backdrop), picture).convert("RGB")


def _as_bytes(image: "Image") -> "Pixels":
    """Return numbers of 16 or 32 bits as bytes; Pillow would clip them. White is 1, 255 or 65535.

    The least of these that no pixel exceeds, 1 for floats only; else the brightest pixel.
    """
    import numpy as np

    values = np.nan_to_num(np.asarray(image).astype(np.float64)).clip(0)
    brightest = float(values.max(initial=0))
    levels = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    white = next((level for level in levels if brightest <= level), brightest)
    return (values * (255 / white)).round().astype(np.uint8)


def _as_article(path: Path, picture: "Image", input_size: int, invert: str) -> "Pixels":
    """Return (28, 28) uint8, or (S, S) where the picture already is that, and dark."""
    import numpy as np

    pixels = np.asarray(picture)  # (H, W, 3)
    color = _corner_color(pixels)
    box = _article_box(pixels, color)
    if box is None:
        remedy = "for a white article on a transparent ground say --invert no"
        raise DataError(f"{path} shows nothing but its background; {remedy}")
    level = float(color @ LUMA)
    is_inverted = invert == "yes" or (invert == "auto" and level > MIDDLE)
    is_ready = picture.size in {(SIDE, SIDE), (input_size, input_size)} and level <= MIDDLE
    if is_ready and not is_inverted:
        return np.asarray(picture.convert("L"))
    article = _shrunk(picture.convert("L").crop(box))
    if is_inverted:
        article, level = 255 - article, 255 - level
    if level <= MIDDLE:  # a lighter one was left so on purpose: --invert says so
        stretched = (article - level) * (255 / (255 - level))  # turns the background black
        article = stretched.clip(0, 255).round().astype(np.uint8)
    square = np.zeros((SIDE, SIDE), dtype=np.uint8)
    top, left = ((SIDE - edge) // 2 for edge in article.shape)
    square[top : top + article.shape[0], left : left + article.shape[1]] = article
    return square


def _corner_color(pixels: "Pixels") -> "Pixels":
    """Return the median colour (3,) float64 of the four corners of a picture (H, W, 3)."""
    import numpy as np

    size = max(1, max(pixels.shape) // 32)
    ends = (slice(None, size), slice(-size, None))
    corners = [pixels[rows, columns].reshape(-1, 3) for rows in ends for columns in ends]
    color: Pixels = np.median(np.concatenate(corners), axis=0)
    return color


def _article_box(pixels: "Pixels", color: "Pixels") -> tuple[int, int, int, int] | None:
    """Return left, top, right, bottom of what is not background; None where all is.

    The whole frame where the article fills it already.
    """
    import numpy as np

    is_article = np.abs(pixels - color).max(axis=2) > TOLERANCE  # (H, W)
    rows, columns = (np.flatnonzero(is_article.mean(axis=axis) > SPECKS) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return None
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    height, width = is_article.shape
    longest = max(box[2] - box[0], box[3] - box[1])
    return (0, 0, width, height) if longest >= FULL * max(width, height) else box


def _shrunk(article: "Image") -> "Pixels":
    """Return the article (h, w) uint8, its longest edge 28 pixels."""
    import numpy as np
    from PIL import Image, ImageFilter

    scale = SIDE / max(article.size)
    width, height = (max(1, round(edge * scale)) for edge in article.size)
    if (width, height) == article.size:
        return np.asarray(article)
    kernel = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    small = article.resize((width, height), kernel)
    return np.asarray(small.filter(ImageFilter.UnsharpMask(radius=1, percent=50, threshold=0)))
