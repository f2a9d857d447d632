"""Places for the labels of points, so that none lies on another label or on a point."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from results.report.charts.theme import CHARACTER_WIDTH, FONT_SIZE, ChartLayout

POINT_RADIUS = 6.0
HEIGHT = FONT_SIZE + 2.0
GAP = 3.0  # pixels between two labels in a line
DISTANCES = (4.0, 12.0, 22.0, 34.0)
DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))


class Place(NamedTuple):
    """Where a label's middle lies, in pixels from its point."""

    dx: float
    dy: float


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "_Box") -> float:
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0


def place_labels(
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    layout: ChartLayout,
    obstacles: Sequence[tuple[float, float]] = (),
) -> list[Place]:
    """A place for each label, greedily: the nearest of 32 where it covers least.

    Args:
        points: (x, y) in pixels from the top left of the plot area.
        texts: The labels.
        layout: Size of the plot area; labels stay inside where they can.
        obstacles: Further pixels to keep free, such as those of a line.
    """
    small = 2.0
    taken = [_around(x, y, POINT_RADIUS) for x, y in points]
    taken += [_around(x, y, small) for x, y in obstacles]
    places = []
    for (x, y), text in zip(points, texts, strict=True):
        best = min(_candidates(text), key=lambda c: _cost(_box(x, y, c, text), taken, layout))
        taken.append(_box(x, y, best, text))
        places.append(best)
    return places


def spread(wanted: Sequence[float], low: float, high: float, gap: float = HEIGHT) -> list[float]:
    """Positions in a column, as near to the wanted ones as `gap` between any two allows.

    Where the column is too short for all, they stand at equal distances.
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    # without the gaps only their order is left to keep: neighbours out of order share their mean
    blocks: list[list[float]] = []
    for rank, index in enumerate(order):
        blocks.append([wanted[index] - rank * gap])
        while len(blocks) > 1 and _mean(blocks[-2]) > _mean(blocks[-1]):
            blocks[-2:] = [[*blocks[-2], *blocks[-1]]]
    places = [_mean(block) for block in blocks for _ in block]
    last = high - (len(wanted) - 1) * gap
    found = dict(zip(order, places, strict=True))
    rank_of = {index: rank for rank, index in enumerate(order)}
    return [
        min(max(found[index], low), last) + rank_of[index] * gap for index in range(len(wanted))
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def along(points: Sequence[tuple[float, float]], gap: float = 12.0) -> list[tuple[float, float]]:
    """Pixels of the polyline through some points, one every `gap` pixels."""
    return [spot for start, end in pairwise(points) for spot in _between(start, end, gap)]


def _between(
    start: tuple[float, float], end: tuple[float, float], gap: float
) -> Iterator[tuple[float, float]]:
    steps = max(1, math.ceil(math.dist(start, end) / gap))
    for k in range(steps + 1):
        share = k / steps
        yield start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _candidates(text: str) -> Iterator[Place]:
    half = len(text) * CHARACTER_WIDTH / 2
    for distance in DISTANCES:
        for right, down in DIRECTIONS:
            yield Place(
                right * (half + GAP + POINT_RADIUS + distance) if right else 0.0,
                down * (HEIGHT / 2 + POINT_RADIUS + (distance if not right else distance / 2)),
            )


def _box(x: float, y: float, place: Place, text: str) -> _Box:
    half = len(text) * CHARACTER_WIDTH / 2
    middle, centre = x + place.dx, y + place.dy
    return _Box(middle - half - GAP, centre - HEIGHT / 2, middle + half + GAP, centre + HEIGHT / 2)


def _around(x: float, y: float, radius: float) -> _Box:
    return _Box(x - radius, y - radius, x + radius, y + radius)


def _cost(box: _Box, taken: Sequence[_Box], layout: ChartLayout) -> float:
    # candidates come from near to far and `min` keeps the first of equals: nearer places win
    outside = max(0.0, -box.left) + max(0.0, box.right - layout.width)
    outside += max(0.0, -box.top) + max(0.0, box.bottom - layout.height)
    return outside * HEIGHT * 2 + sum(box.overlap(other) for other in taken)
