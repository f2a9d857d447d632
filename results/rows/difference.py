"""Whether the accuracies of two configurations can be told apart, and the line that says so.

Two things make accuracies differ by chance, and a verdict must know both:

- the seed: over at least two seeds on either side, Welch's interval of the difference of the means.
- the test images: 1.96 sqrt(p (1 - p) / N + q (1 - q) / M). That is an upper bound: both models see
  the same images, most of which are easy or hard for both, so the true share is smaller.

The half-widths are combined as the root of their squares. With one seed on either side nobody knows
what seeds do: a difference that the test images alone explain is none, a larger one is unknown.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from results.rows.comparable import Row, is_at_chance, labels
from results.rows.summary import Summary
from results.statistics import mean, welch_interval
from results.text import listed, points

Verdict = Literal["different", "not told apart", "unknown"]
DIFFERENT: Verdict = "different"
NOT_TOLD_APART: Verdict = "not told apart"
UNKNOWN: Verdict = "unknown"
Z95 = 1.96
MOST_NAMED = 3  # rows that a line calls by name


@dataclass(frozen=True, slots=True)
class Difference:
    """The test accuracy of one configuration less that of another."""

    estimate: float  # difference of the means over the seeds, a fraction
    # of the 95 % interval, a fraction; None where the number of test images is unknown
    half_width: float | None
    verdict: Verdict
    knows_seeds: bool  # whether both have the two seeds that tell how much seeds differ

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval (low, high) of the difference, or None where it is unknown."""
        if self.half_width is None:
            return None
        return self.estimate - self.half_width, self.estimate + self.half_width


def difference(ours: Summary, theirs: Summary) -> Difference | None:
    """How much more accurate one configuration is than another, and how sure that is.

    None where the accuracy of either is unknown. Whether the two may stand side by side is for
    check_comparable.
    """
    values = ours.values("test_accuracy"), theirs.values("test_accuracy")
    if not all(values):
        return None
    estimate = mean(values[0]) - mean(values[1])
    seeds, variances = welch_interval(*values), (_variance(ours), _variance(theirs))
    if None in variances:
        return Difference(estimate, None, UNKNOWN, seeds is not None)
    images = Z95 * math.sqrt(sum(filter(None, variances)))
    half = images if seeds is None else math.hypot((seeds[1] - seeds[0]) / 2, images)
    verdict = NOT_TOLD_APART if abs(estimate) <= half else DIFFERENT
    if verdict == DIFFERENT and seeds is None:
        verdict = UNKNOWN
    return Difference(estimate, half, verdict, seeds is not None)


def _variance(summary: Summary) -> float | None:
    """What test images alone do to an accuracy."""
    accuracy, num_images = summary.mean("test_accuracy"), summary.num_images
    if accuracy is None or num_images is None:
        return None
    return accuracy * (1 - accuracy) / num_images


def certainty_lines(summaries: Sequence[Summary], rows: Sequence[Row]) -> list[str]:
    """Whose accuracy the best one's is not told apart from, and whose lead is unknown; often none.

    The rows are those of comparable summaries, in any order.
    """
    of_ids = {summary.record_ids: summary for summary in summaries}
    rivals = [
        (row["test_accuracy"], label, of_ids[tuple(row["record_ids"])])
        for row, label in zip(rows, labels(rows), strict=True)
        if row["test_accuracy"] is not None and not is_at_chance(row)
    ]
    if not rivals:
        return []
    _, best, summary = leader = max(rivals, key=lambda rival: rival[0])
    gaps = [
        (label, gap)
        for _, label, other in (rival for rival in rivals if rival is not leader)
        if (gap := difference(summary, other))
    ]
    close = [
        f"{label} ({points(gap.estimate)} points less, {half_width_text(gap)})"
        for label, gap in gaps
        if gap.verdict == NOT_TOLD_APART
    ]
    unknown = [label for label, gap in gaps if gap.verdict == UNKNOWN and not gap.knows_seeds]
    lines = []
    if close:
        names = listed(close, MOST_NAMED)
        lines.append(f"accuracy: {names} cannot be told apart from {best}.")
    if unknown:
        lines.append(
            f"accuracy: how much seeds differ is not known (one seed), so whether {best} leads "
            f"{listed(unknown, MOST_NAMED)} for other seeds too is unknown."
        )
    return lines


def half_width_text(gap: Difference) -> str:
    """How far chance reaches in a difference, and what chance that is: ±0.83 by test images."""
    if gap.half_width is None:
        return "number of test images unknown"
    source = "seeds and test images" if gap.knows_seeds else "test images alone"
    return f"±{points(gap.half_width)} by {source}"
