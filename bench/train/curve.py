"""Which points of the validation curve a training can afford, and a record has room for."""

from collections.abc import Sequence

from results.rows.rows import TARGETS

MAX_SHARE = 0.2  # evaluation for the curve costs at most this share of the training time
# Nested, so that models with dear evaluations share their points with the others.
POINTS: tuple[tuple[float, ...], ...] = (
    (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    (0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
    (0.2, 0.6, 1.0),
    (1.0,),
    (),
)
MAX_CURVE_POINTS = 11  # in a record, of at most 4 KB; all of them lie in the samples
# Where a training ends at a target: how finely its end is seen, ten looks whatever they cost.
TARGET_POINTS = tuple(tuple(k / n for k in range(1, n + 1)) for n in (100, 50, 20, 10))


def affordable_points(
    evaluation_s: float, training_s: float | None, choices: Sequence[Sequence[float]] = POINTS
) -> Sequence[float]:
    """Return the densest set of budget fractions whose evaluations take at most a fifth.

    Args:
        evaluation_s: predicted seconds of one pass over the validation split.
        training_s: predicted seconds of the training; None where it is unknown or does not matter.
        choices: sets of fractions, the densest first; the last one is taken whatever it costs.
    """
    if training_s is None:
        return choices[0]
    allowed = MAX_SHARE * training_s
    fitting = (points for points in choices if len(points) * evaluation_s <= allowed)
    return next(fitting, choices[-1])


def in_whole_groups(points: Sequence[float], steps: int, group_steps: int) -> Sequence[float]:
    """Move the points to ends of groups, so that no look cuts steps that run in one call.

    Args:
        points: fractions of a counted budget, the last one 1.
        steps: of that budget.
        group_steps: steps that the engine runs in one call.
    """
    ends = {max(1, round(point * steps / group_steps)) * group_steps for point in points[:-1]}
    return tuple(sorted({min(1.0, end / steps) for end in ends} | {1.0}))


def chosen_points(
    accuracies: Sequence[float], target: float | None = None, most: int = MAX_CURVE_POINTS
) -> list[int]:
    """Choose the points that a record has room for: spread evenly, and those that tables need.

    The latter are the last, the best, and the first at each target accuracy, the run's own too;
    they stay whatever the most is.
    """
    if len(accuracies) <= most:
        return list(range(len(accuracies)))
    last = len(accuracies) - 1
    asked = {last, max(range(last + 1), key=lambda k: accuracies[k])}
    for wanted in {*map(float, TARGETS), *([] if target is None else [target])}:
        asked |= set([k for k, accuracy in enumerate(accuracies) if accuracy >= wanted][:1])
    room = max(most - len(asked), 0)
    return sorted(asked | {round(k * last / room) for k in range(room)})
