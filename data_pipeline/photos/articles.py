"""Find the article in a picture, and show it as the data set does: light on black.

After section 2 of the paper (Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747): trim the ground, bring
the longest edge to 28 pixels, sharpen, extend the range to 255, put the article in the middle of a
square, negate. Where the paper skips rows and columns, pixels are averaged here, as photos are
noisy: then a little sharpening gives back what a network looks for. Before that goes what the
paper's pictures had not: frames, false colours, and light that falls off over the ground.
"""

from typing import TYPE_CHECKING, Any

from data_pipeline.errors import DataError
from data_pipeline.photos.false_colors import values_of
from data_pipeline.photos.frames import TOLERANCE, apart, corner_color, without_frames

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[Any]]
    Box = tuple[int, int, int, int]  # left, top, right, bottom

SIDE = 28  # of the data set
MIDDLE = 127.5
LUMA = (0.299, 0.587, 0.114)  # as Pillow turns colours into grey
SPECKS = 0.005  # a row or column with fewer article pixels than this share is ground
FULL = 27 / 28  # a margin of a pixel of 28 is no margin
NOISE = 6.0  # times the median deviation of the border from the ground's surface
MOST_NOISE = 3 * TOLERANCE
DIMMEST = 254  # of the brightest pixels of all images in the data set
EVEN = TOLERANCE / 4  # a ground that differs less is of one colour
FITS = 12  # of the ground's surface, one after another


def as_article(pixels: "Pixels", invert: str = "auto") -> "Pixels":
    """Return the article in a picture (H, W, 3) uint8 as (28, 28) uint8, light on black.

    Raises:
        DataError: there is nothing but a ground; the message is the reason alone.
    """
    import numpy as np

    pixels = without_frames(pixels)
    ground, tolerance = _ground(pixels)
    box = _article_box(apart(pixels, ground) > tolerance)
    if box is None:
        raise DataError("shows nothing but its background")
    grey, level = pixels @ np.array(LUMA), ground @ np.array(LUMA)
    values = values_of(pixels, np.median(ground, axis=(0, 1))) if invert == "auto" else None
    if values is not None:
        grey, level = values, np.zeros_like(values)
    left, top, right, bottom = box
    is_darker = float((level - grey)[top:bottom, left:right].sum()) > 0
    if invert == "yes" or (invert == "auto" and is_darker):
        grey, level = 255 - grey, 255 - level
    # a ground that is light by now was asked for
    is_black = invert == "auto" or float(np.median(level)) <= MIDDLE
    if is_black:
        grey = (grey - level) * (255 / (255 - level).clip(1))
    article = _shrunk(grey.clip(0, 255).round().astype(np.uint8), box)
    if is_black and article.max() < DIMMEST:
        article = (article * (255 / max(1, article.max()))).round().astype(np.uint8)
    return _in_a_square(article)


def _ground(pixels: "Pixels") -> "tuple[Pixels, float]":
    """Return the ground's colour (H, W, 3) at each place, and how far pixels of it may stray.

    The light on it may fall off: it is a quadratic surface through those pixels of the border that
    are like the corners, then through those that are like this surface, and so on, so that an
    article that touches the border stays out.
    """
    import numpy as np

    height, width, _ = pixels.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)  # (H, W, 6)
    size = max(1, max(height, width) // 32)
    is_border = np.ones((height, width), dtype=bool)
    is_border[size:-size, size:-size] = False
    some = slice(None, None, 1 + int(is_border.sum()) // 5000)
    seen, basis = pixels[is_border][some].astype(float), terms[is_border][some]
    surface = np.zeros((6, 3))
    surface[0] = color = corner_color(pixels)
    for _ in range(FITS):
        strays = apart(seen, basis @ surface)
        tolerance = float(np.clip(NOISE * np.median(strays), TOLERANCE, MOST_NOISE))
        is_ground = strays <= tolerance
        if is_ground.sum() < 2 * len(surface):
            break
        surface = np.linalg.lstsq(basis[is_ground], seen[is_ground], rcond=None)[0]
    ground = (terms @ surface).clip(0, 255)
    if float(apart(ground, color).max()) <= EVEN:
        ground[:] = color
    return ground, tolerance


def _article_box(is_article: "Pixels") -> "Box | None":
    """Return the box of what is not ground in (H, W) bool; None where all is.

    The whole frame where the article fills it already.
    """
    import numpy as np

    rows, columns = (np.flatnonzero(is_article.mean(axis=axis) > SPECKS) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return None
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    height, width = is_article.shape
    longest = max(box[2] - box[0], box[3] - box[1])
    return (0, 0, width, height) if longest >= FULL * max(width, height) else box


def _shrunk(grey: "Pixels", box: "Box") -> "Pixels":
    """Return the article (h, w) uint8, its longest edge 28 pixels."""
    import numpy as np
    from PIL import Image, ImageFilter

    article = Image.fromarray(grey).crop(box)
    scale = SIDE / max(article.size)
    width, height = (max(1, round(edge * scale)) for edge in article.size)
    if (width, height) == article.size:
        return np.asarray(article)
    kernel = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    small = article.resize((width, height), kernel)
    return np.asarray(small.filter(ImageFilter.UnsharpMask(radius=1, percent=50, threshold=0)))


def _in_a_square(article: "Pixels") -> "Pixels":
    import numpy as np

    square = np.zeros((SIDE, SIDE), dtype=np.uint8)
    top, left = ((SIDE - edge) // 2 for edge in article.shape)
    square[top : top + article.shape[0], left : left + article.shape[1]] = article
    return square
