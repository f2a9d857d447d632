"""Which points of the validation curve a training can afford."""

from collections.abc import Sequence

MAX_SHARE = 0.2  # evaluation for the curve costs at most this share of the training time
# Nested, so that models with dear evaluations share their points with the others.
POINTS: tuple[tuple[float, ...], ...] = (
    (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    (0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
    (0.2, 0.6, 1.0),
    (1.0,),
    (),
)


def affordable_points(evaluation_s: float, training_s: float | None) -> Sequence[float]:
    """The densest set of fixed budget fractions whose evaluations stay within a fifth.

    Args:
        evaluation_s: predicted seconds of one pass over the validation split.
        training_s: predicted seconds of the training; None where it is unknown or does not matter.
    """
    if training_s is None:
        return POINTS[0]
    allowed = MAX_SHARE * training_s
    return next(points for points in POINTS if len(points) * evaluation_s <= allowed)
