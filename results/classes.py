"""The classes of Fashion-MNIST, and those that a confusion matrix never predicts."""

from collections.abc import Sequence

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


def never_predicted(confusion: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """Names of the classes that no image was taken for.

    Args:
        confusion: (K, K) counts; row: true class, column: predicted class.
    """
    totals = [sum(column) for column in zip(*confusion, strict=True)]
    return tuple(name for name, total in zip(CLASS_NAMES, totals, strict=True) if total == 0)
