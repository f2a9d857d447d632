"""Where our runs lie, seen from a published number, and what keeps that from being a plain test.

A published number is one training of somebody else's, so the question is not where our mean lies
but whether one further run could have given it. The interval of the verdict is, at 95 %:

- one seed: that of test sampling (Wilson, for the images of the run's own evaluation). It knows
  nothing of how much seeds differ, so a number outside may still be a matter of the seed.
- several seeds, published number from the same images: where one further run falls (Student t:
  mean ± t s sqrt(1 + 1/n)). What the images do to the accuracy they do to both, so nothing is added
  for them; but it is never narrower than half of the last digit of the published number.
- several seeds, published number from other images: the root of the squares of that half-width and
  of 1.96 sqrt(p (1 - p) v), where v = 1/N + 1/M - 2 C/(N M) for our N images, their M, and the C
  that both are expected to share.
"""

import math
from typing import NamedTuple

from results.reference.replication import AS_PUBLISHED, FULL_TRAIN, Replication, protocol
from results.reference.reported import Reported
from results.rows.summary import Summary
from results.statistics import mean, prediction_interval, wilson_interval

TEST_SAMPLING, FURTHER_RUN = "test_sampling", "further_run"
FURTHER_RUN_ON_OTHERS = "further_run_and_test_sampling"
NUM_IMAGES = {"test": 10_000, "half_test": 5_000, "swapped": 60_000}  # of an evaluation, by split
Z95 = 1.96
SHORT, LONG, NOT_PRETRAINED, CHANGED = "short", "long", "not pretrained", "changed"
OTHER_PROTOCOL, ONE_SEED, WIDE, AT_CHANCE = "other protocol", "one seed", "wide", "at chance"
LETTERS = {  # of the words in brackets, for a table that has no room for them
    SHORT: "S",
    LONG: "L",
    NOT_PRETRAINED: "N",
    CHANGED: "C",
    OTHER_PROTOCOL: "P",
    ONE_SEED: "1",
    WIDE: "W",
    AT_CHANCE: "A",
}
SHORTEST = 0.99  # of the epochs: a ragged batch that is dropped does not make a training short
BROADEST = 0.05  # an interval beyond this says little by holding a number


class Deviation(NamedTuple):
    """What differs between our runs and a published number, or weakens their verdict.

    Attributes:
        mark: word that the verdict bears in brackets, one of LETTERS.
        detail: what it comes to; empty where the mark says all.
    """

    mark: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.mark}: {self.detail}" if self.detail else self.mark


class Interval(NamedTuple):
    """The interval of a verdict: fractions in [0, 1], and what it knows of."""

    low: float
    high: float
    kind: str


def interval(replication: Replication) -> Interval | None:
    """The verdict's interval, as the head of this module tells; None without a finished run."""
    reported, summary = replication
    values = summary.values("test_accuracy")
    if not values:
        return None
    further = prediction_interval(values)
    if further is None:
        return Interval(*wilson_interval(values[0], _num_images(summary)), TEST_SAMPLING)
    accuracy, unshared = mean(values), _unshared(reported, summary)
    sampling = Z95 * math.sqrt(accuracy * (1 - accuracy) * unshared)
    half = max(math.hypot(further[1] - accuracy, sampling), reported.half_digit)
    kind = FURTHER_RUN_ON_OTHERS if unshared else FURTHER_RUN
    return Interval(max(0.0, accuracy - half), min(1.0, accuracy + half), kind)


def verdict(replication: Replication) -> str:
    """Where ours lies, and in brackets what else differs; a status where no run ended well."""
    bounds = interval(replication)
    if bounds is None:
        status = replication.summary.status
        return status if status != "ok" else "unknown"
    place = _place(replication.reported.accuracy, bounds)
    marks = ", ".join(deviation.mark for deviation in deviations(replication))
    return f"{place} ({marks})" if marks else place


def deviations(replication: Replication) -> list[Deviation]:
    """What differs between our runs and a published number, each mark once."""
    reported, summary = replication
    found = [_length(reported, summary), _pretrained(summary), _changes(replication)]
    if reported.accuracy is not None and summary.values("test_accuracy"):
        found += [_protocol(replication), _seeds(summary), _width(replication)]
    found.append(_chance(summary))
    return [deviation for deviation in found if deviation]


def lettered(text: str) -> str:
    """A verdict with letters in place of the words in its brackets."""
    place, has_marks, marks = text.removesuffix(")").partition(" (")
    if not has_marks:
        return text
    return f"{place} ({''.join(LETTERS[mark] for mark in marks.split(', '))})"


def _place(published: float | None, bounds: Interval) -> str:
    if published is None:
        return "not reported"
    if bounds.low <= published <= bounds.high:
        return "inside"
    return "above" if published < bounds.low else "below"


def _length(reported: Reported, summary: Summary) -> Deviation | None:
    """Whether any run got another length than the recipe's, unless its own rule ended it."""
    budget = summary.spec["budget"]
    if budget == f"{reported.epochs}epochs":
        return None
    shares = [
        epochs / reported.epochs
        for record in summary.finished
        if "stopped_early" not in record.flags and (epochs := record.value("epochs")) is not None
    ]
    detail = f"{summary.mean('epochs') or 0:.3g} of {reported.epochs} epochs, budget {budget}"
    if shares and min(shares) < SHORTEST:
        return Deviation(SHORT, detail)
    return Deviation(LONG, detail) if shares and max(shares) > 1 / SHORTEST else None


def _pretrained(summary: Summary) -> Deviation | None:
    is_lost = any(record.conditions.get("pretrained") is False for record in summary.records)
    return Deviation(NOT_PRETRAINED) if is_lost else None


def _changes(replication: Replication) -> Deviation | None:
    spec = replication.summary.spec
    changes = [f"+{change}" for change in str(spec["recipe"]["name"]).split("+")[1:]]
    if protocol(replication) == AS_PUBLISHED and spec["precision"] != "fp32":
        changes.append(f"precision {spec['precision']}")
    return Deviation(CHANGED, " ".join(changes)) if changes else None


def _protocol(replication: Replication) -> Deviation | None:
    followed = protocol(replication)
    is_own = followed == AS_PUBLISHED or (
        followed == FULL_TRAIN and replication.reported.chooses_nothing
    )
    return None if is_own else Deviation(OTHER_PROTOCOL)


def _seeds(summary: Summary) -> Deviation | None:
    return Deviation(ONE_SEED) if summary.n_seeds == 1 else None


def _width(replication: Replication) -> Deviation | None:
    bounds = interval(replication)
    if bounds is None or (width := bounds.high - bounds.low) <= BROADEST:
        return None
    return Deviation(WIDE, f"{width * 100:.0f} points")


def _chance(summary: Summary) -> Deviation | None:
    lost = [str(r.spec["seed"]) for r in summary.finished if "at_chance" in r.flags]
    if not lost:
        return None
    is_all = len(lost) == len(summary.finished)
    return Deviation(AT_CHANCE, "" if is_all else f"seed {', '.join(lost)}")


def _unshared(reported: Reported, summary: Summary) -> float:
    """What other images add to the variance of a difference of accuracies, over p (1 - p)."""
    ours, theirs = _images(summary), reported.images
    if reported.accuracy is None or (ours == theirs and ours != "half_test"):
        return 0.0
    num_ours, num_theirs = NUM_IMAGES[ours], NUM_IMAGES[theirs]
    # Halves are of the same 10,000, each drawn without looking at the other.
    is_among_test = "swapped" not in {ours, theirs}
    shared = num_ours * num_theirs / NUM_IMAGES["test"] if is_among_test else 0.0
    return 1 / num_ours + 1 / num_theirs - 2 * shared / (num_ours * num_theirs)


def _images(summary: Summary) -> str:
    split = str(summary.spec["recipe"].get("split"))
    return split if split in NUM_IMAGES else "test"


def _num_images(summary: Summary) -> int:
    totals = [sum(map(sum, record.confusion)) for record in summary.finished if record.confusion]
    return max(totals, default=0) or NUM_IMAGES[_images(summary)]
