"""Frames, bars, margins and axes around a picture: found by their straight sides, and taken off."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[Any]]
    Box = tuple[int, int, int, int]  # left, top, right, bottom

TOLERANCE = 0.05 * 255  # in each channel, between pixels of one colour
MOST_FRAMES = 6  # one in another
SMALLEST_SIDE = 56  # pixels: of less, a frame and a rectangular article look alike
SMALLEST_SHARE = 0.1  # of the picture's area
SMALLEST_ARTICLE = 0.02  # of the area in a frame
SHADED = 3 * TOLERANCE  # between corners of one ground
STRAIGHT = 0.9  # of a side must end sharply
TICKS = 0.5  # a row or column of which less is filled belongs to what stands out of a frame
EDGE = 3  # pixels over which a sharp side may be smoothed


def apart(a: "Pixels", b: "Pixels") -> "Pixels":
    """Return the difference (...) of colours (..., 3) in the channel where it is largest."""
    import numpy as np

    channels = np.abs(a - b)
    largest: Pixels = np.maximum.reduce([channels[..., i] for i in range(3)])  # faster than max()
    return largest


def corner_color(pixels: "Pixels") -> "Pixels":
    """Return the colour (C,) float64 in that corner of (H, W, C) which the others are most like."""
    import numpy as np

    colors = _corner_colors(pixels)
    distances = np.abs(colors[:, None] - colors).sum(axis=2)  # (4, 4)
    color: Pixels = colors[np.sort(distances, axis=1)[:, :3].sum(axis=1).argmin()]
    return color


def _corner_colors(pixels: "Pixels") -> "Pixels":
    """Return the median colours (4, C) of the four corners."""
    import numpy as np

    size = max(1, max(pixels.shape) // 32)
    ends = (slice(None, size), slice(-size, None))
    corners = [pixels[rows, columns] for rows in ends for columns in ends]
    return np.stack([np.median(corner, axis=(0, 1)) for corner in corners])


def without_frames(pixels: "Pixels") -> "Pixels":
    """Return what lies inside of all frames, bars, margins and axes of a picture (H, W, 3) uint8.

    What counts as one is a rectangle on a ground of one colour, that of any corner, if all its
    sides are straight and sharp, and if it holds a picture: three corners alike, and something else
    between them. A plain rectangle is an article itself. Axes with ticks, a title and a colour bar
    beside them are such a rectangle once the largest connected thing is taken and what stands out
    of it is cut off.
    """
    import numpy as np

    for _ in range(MOST_FRAMES):
        if min(pixels.shape[:2]) < SMALLEST_SIDE:
            break
        boxes = [_rectangle(pixels, c) for c in np.unique(_corner_colors(pixels), axis=0)]
        left, top, right, bottom = max((box for box in boxes if box), key=_area, default=[0] * 4)
        if not right:
            break
        inset = 1 + max(right - left, bottom - top) // 100  # the line itself goes too
        inside = pixels[top + inset : bottom - inset, left + inset : right - inset]
        if not _is_picture(inside):
            break
        pixels = inside
    return pixels


def _is_picture(pixels: "Pixels") -> bool:
    color = corner_color(pixels)
    corners = apart(_corner_colors(pixels), color)
    is_other = apart(pixels, color) > TOLERANCE
    return bool((corners <= SHADED).sum() >= 3 and is_other.mean() >= SMALLEST_ARTICLE)


def _area(box: "Box") -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _rectangle(pixels: "Pixels", color: "Pixels") -> "Box | None":
    """Return the largest connected thing that is not of this colour, if it is a rectangle."""
    from scipy import ndimage

    is_other = apart(pixels, color) > TOLERANCE  # (H, W)
    things = ndimage.find_objects(ndimage.label(is_other)[0])
    if not things:
        return None
    left, top, right, bottom = max(
        ((x.start, y.start, x.stop, y.stop) for y, x in things), key=_area
    )
    top, bottom = _trimmed(is_other[:, left:right].mean(axis=1), top, bottom)
    left, right = _trimmed(is_other[top:bottom].mean(axis=0), left, right)
    box = (left, top, right, bottom)
    is_large = _area(box) >= SMALLEST_SHARE * is_other.size
    return box if is_large and all(_are_sharp(pixels, color, box)) else None


def _trimmed(filled: "Pixels", start: int, stop: int) -> tuple[int, int]:
    """Return the first and the last line, plus one, that are filled and not mere ticks."""
    import numpy as np

    lines = start + np.flatnonzero(filled[start:stop] >= TICKS)
    return (int(lines[0]), int(lines[-1]) + 1) if len(lines) else (start, stop)


def _are_sharp(pixels: "Pixels", color: "Pixels", box: "Box") -> "Iterator[bool]":
    """Yield of each side whether it is of another colour, and whether that begins at once there.

    Light that falls off over the ground has straight sides as well, but none that begin at once.
    """
    left, top, right, bottom = box
    across = pixels[:, left:right].astype(float)  # (H, w, 3)
    down = pixels[top:bottom].swapaxes(0, 1).astype(float)  # (W, h, 3)
    for lines, start, stop in ((across, top, bottom), (down, left, right)):
        for edge, outside in (
            (lines[start : start + EDGE], start - EDGE),
            (lines[stop - EDGE : stop], stop + EDGE - 1),
        ):
            before = lines[outside] if 0 <= outside < len(lines) else color
            for other in (color, before):
                is_apart = apart(edge, other).max(axis=0) > TOLERANCE
                yield bool(is_apart.mean() >= STRAIGHT)
