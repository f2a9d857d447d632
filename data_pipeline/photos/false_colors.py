"""False colours, as `viridis` or `jet` gives them: the values behind them are found again."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[Any]]

GREY = 24  # levels between the channels of a pixel that is still grey
COLORFUL = 0.1  # of the pixels, at least, in a picture that is not grey
SEEN = 256  # pixels a side that are looked at
BITS = 3  # of eight that are dropped to count colours
RAREST = 0.0005  # of the pixels: a rarer colour is noise, or lies between two others
MOST_COLORS = 250  # a photo may have more
THIN = 20.0  # levels that colours may lie off their line
ON_LINE = 0.98  # of the pixels


def values_of(pixels: "Pixels", ground: "Pixels") -> "Pixels | None":
    """Return the values (H, W) float64 in [0, 255] that a picture shows in false colours.

    A value has one colour, and near values have near colours, so that all colours of such a picture
    lie on a line, whatever map it is. The line is the longest branch of their least spanning tree
    from the ground's colour on; the way along it is the value, also where brightness rises and
    falls again. It tells a map that returns to its first colour, as `hsv` does, no better than the
    eye does.

    Args:
        pixels: (H, W, 3) uint8.
        ground: the colour (3,) of what is zero.

    Returns:
        None where the picture is grey, or its colours lie on no line.
    """
    import numpy as np
    from scipy.spatial import cKDTree

    step = max(1, max(pixels.shape) // SEEN)
    seen = pixels[::step, ::step].reshape(-1, 3)
    if (np.ptp(seen, axis=1) > GREY).mean() < COLORFUL:
        return None
    colors, shares = _common_colors(seen)
    if not 2 <= len(colors) <= MOST_COLORS:
        return None
    way, off = _way_along(colors, ground)
    if shares[off <= THIN].sum() < ON_LINE * shares.sum():
        return None
    bins = pixels >> BITS
    number = bins @ np.array([1 << 16, 1 << 8, 1])  # one of each bin
    present, where = np.unique(number, return_inverse=True)
    middles = (np.stack([present >> 16, present >> 8 & 255, present & 255], 1) + 0.5) * (1 << BITS)
    values = way[cKDTree(colors).query(middles)[1]] * (255 / way.max())
    found: Pixels = values[where].reshape(number.shape)
    return found


def _common_colors(seen: "Pixels") -> "tuple[Pixels, Pixels]":
    """Return the colours (n, 3) that are not rare, alike ones as their mean, and their shares."""
    import numpy as np

    _, which, counts = np.unique(seen >> BITS, axis=0, return_inverse=True, return_counts=True)
    sums = [np.bincount(which, seen[:, channel], len(counts)) for channel in range(3)]
    is_common = counts >= RAREST * len(seen)
    return (np.stack(sums, axis=1) / counts[:, None])[is_common], counts[is_common] / len(seen)


def _way_along(colors: "Pixels", ground: "Pixels") -> "tuple[Pixels, Pixels]":
    """Return of each colour (n, 3) its way from the ground along the others, and off their line."""
    import numpy as np
    from scipy.sparse import csgraph
    from scipy.spatial.distance import cdist

    apart = cdist(colors, colors)
    start = int(np.abs(colors - ground).sum(axis=1).argmin())
    way, before = csgraph.dijkstra(
        csgraph.minimum_spanning_tree(apart),
        directed=False,
        indices=start,
        return_predecessors=True,
    )
    line = [int(way.argmax())]
    while before[line[-1]] >= 0:  # back to the ground
        line.append(int(before[line[-1]]))
    return way, apart[:, line].min(axis=1)
