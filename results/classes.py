"""The classes of Fashion-MNIST, and what a confusion matrix says of each: precision, recall, F1."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

Confusion = Sequence[Sequence[int]]
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class ClassQuality(NamedTuple):
    """How well one class is told from the others, as fractions in [0, 1].

    Attributes:
        precision: Share of what was taken for the class that is of it; None where nothing was.
        recall: Share of the class that was taken for it; None where it has no images.
        f1: Harmonic mean of both; None where one of them is.
        support: Images of the class.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    support: int


def never_predicted(confusion: Confusion) -> tuple[str, ...]:
    """Names of the classes that no image was taken for.

    Args:
        confusion: (K, K) counts; row: true class, column: predicted class.
    """
    totals = [sum(column) for column in zip(*confusion, strict=True)]
    return tuple(name for name, total in zip(CLASS_NAMES, totals, strict=True) if total == 0)


def precision_recall_f1(confusion: Confusion) -> tuple[ClassQuality, ...]:
    """The quality of each class; unknown is None, where others would write 0.

    Args:
        confusion: (K, K) counts; row: true class, column: predicted class.
    """
    taken = [sum(column) for column in zip(*confusion, strict=True)]
    return tuple(_quality(row[k], taken[k], sum(row)) for k, row in enumerate(confusion))


def _quality(right: int, taken: int, support: int) -> ClassQuality:
    precision = right / taken if taken else None
    recall = right / support if support else None
    f1 = 2 * right / (taken + support) if taken and support else None
    return ClassQuality(precision, recall, f1, support)


def sum_confusions(matrices: Iterable[Confusion]) -> list[list[int]] | None:
    """The counts of several runs together; None without any.

    Args:
        matrices: (K, K) counts each, all of one size.
    """
    runs = list(matrices)
    if not runs:
        return None
    return [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*runs, strict=True)]
