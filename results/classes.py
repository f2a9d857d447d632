"""The classes of Fashion-MNIST, and what a confusion matrix says of each: precision, recall, F1."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

Confusion = Sequence[Sequence[int]]  # (K, K) counts; row: true class, column: predicted class
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
    """How well one class is told from the others, as fractions in [0, 1]."""

    precision: float | None  # of what was taken for the class; None where nothing was
    recall: float | None  # of the images of the class; None where there are none
    f1: float | None  # harmonic mean of both; None where one of them is
    support: int  # images of the class


def never_predicted(confusion: Confusion) -> tuple[str, ...]:
    """Names of the classes that no image was taken for."""
    totals = [sum(column) for column in zip(*confusion, strict=True)]
    return tuple(name for name, total in zip(CLASS_NAMES, totals, strict=True) if total == 0)


def precision_recall_f1(confusion: Confusion) -> tuple[ClassQuality, ...]:
    """The quality of each class; unknown is None, where others would write 0."""
    found = []
    for k, (row, column) in enumerate(zip(confusion, zip(*confusion, strict=True), strict=True)):
        right, taken, support = row[k], sum(column), sum(row)
        precision = right / taken if taken else None
        recall = right / support if support else None
        f1 = 2 * right / (taken + support) if taken and support else None
        found.append(ClassQuality(precision, recall, f1, support))
    return tuple(found)


def sum_confusions(matrices: Iterable[Confusion]) -> list[list[int]] | None:
    """The counts of several runs together, all of one size; None without any."""
    runs = list(matrices)
    if not runs:
        return None
    return [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*runs, strict=True)]
