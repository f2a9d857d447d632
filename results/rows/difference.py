"""Whether the accuracies of two configurations can be told apart.

Two things make accuracies differ by chance, and a verdict must know both:

- the seed: over at least two seeds on either side, Welch's interval of the difference of the means.
- the test images: 1.96 sqrt(p (1 - p) / N + q (1 - q) / M). That is an upper bound: both models see
  the same images, most of which are easy or hard for both, so the true share is smaller.

The half-widths are combined as the root of their squares. With one seed on either side nobody knows
what seeds do: a difference that the test images alone explain is none, a larger one is unknown.
"""

import math
from dataclasses import dataclass
from typing import Literal

from results.rows.summary import Summary
from results.statistics import mean, welch_interval

Verdict = Literal["different", "not told apart", "unknown"]
DIFFERENT: Verdict = "different"
NOT_TOLD_APART: Verdict = "not told apart"
UNKNOWN: Verdict = "unknown"
Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Difference:
    """The test accuracy of one configuration less that of another.

    Attributes:
        estimate: difference of the means over the seeds, a fraction.
        half_width: of the 95 % interval, a fraction; knows no seeds where there is only one, and
            is None where the number of test images is unknown.
        verdict: different, not told apart, or unknown.
        knows_seeds: whether both have the seeds that tell how much seeds differ.
    """

    estimate: float
    half_width: float | None
    verdict: Verdict
    knows_seeds: bool

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval (low, high) of the difference, or None where it is unknown."""
        if self.half_width is None:
            return None
        return self.estimate - self.half_width, self.estimate + self.half_width


def difference(ours: Summary, theirs: Summary) -> Difference | None:
    """How much more accurate one configuration is than another, and how sure that is.

    Args:
        ours: A configuration that may stand beside the other, as check_comparable has it.
        theirs: The other.

    Returns:
        The difference, or None where the accuracy of either is unknown.
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
