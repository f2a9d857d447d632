"""Our runs of the reference systems, and where they lie seen from a published number.

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
from collections.abc import Iterable
from typing import NamedTuple

from results.classes import CLASS_NAMES, never_predicted
from results.records.record import RunRecord
from results.reference.reported import REPORTED, Reported, find_reported
from results.rows.comparable import is_ladder
from results.rows.summary import Summary, summarize
from results.statistics import mean, prediction_interval, wilson_interval

CLEAN, FULL_TRAIN, AS_PUBLISHED = PROTOCOLS = ("clean", "full train", "as published")
TEST_SAMPLING, FURTHER_RUN = "test_sampling", "further_run"
FURTHER_RUN_ON_OTHERS = "further_run_and_test_sampling"
NUM_IMAGES = {"test": 10_000, "half_test": 5_000, "swapped": 60_000}  # of an evaluation, by split
Z95 = 1.96
SHORTEST = 0.99  # of the epochs: a ragged batch that is dropped does not make a training short
BROADEST = 0.05  # an interval beyond this says little by holding a number
FEW = 4  # classes that are still named one by one where they are never predicted


class Interval(NamedTuple):
    """The interval of a verdict: fractions in [0, 1], and what it knows of."""

    low: float
    high: float
    kind: str


class Replication(NamedTuple):
    """A reference system and our runs of it: one configuration in one environment."""

    reported: Reported
    summary: Summary

    @property
    def protocol(self) -> str:
        """Whose rules for split and selection the runs follow.

        `full train` keeps no validation images and selects nothing, but is not as published.
        """
        recipe = self.summary.spec["recipe"]
        if recipe.get("protocol") == "as_published":
            return AS_PUBLISHED
        return CLEAN if recipe.get("validation_fraction") else FULL_TRAIN

    @property
    def label(self) -> str:
        """What lines below the table call a row."""
        return f"{self.reported.system} {self.protocol}"


def is_published(record: RunRecord) -> bool:
    """Whether a record is a run of a reference system by its own recipe, changed or not."""
    return not is_ladder(record) and _reported(record) is not None


def group_replications(records: Iterable[RunRecord]) -> list[Replication]:
    """Our runs of the reference systems, in the order of the systems; other records are left out.

    Of one system, `clean` comes before what is nearer to its publication.
    """
    found = [
        Replication(reported, summary)
        for summary in summarize(record for record in records if not is_ladder(record))
        if (reported := _reported(summary.records[0]))
    ]
    return sorted(found, key=lambda r: (REPORTED.index(r.reported), PROTOCOLS.index(r.protocol)))


def interval(replication: Replication) -> Interval | None:
    """The verdict's interval, as the head of this module tells; None without a finished run."""
    reported, summary = replication
    values = summary.values("test_accuracy")
    if not values:
        return None
    further = prediction_interval(values)
    if further is None:
        totals = [sum(map(sum, run.confusion)) for run in summary.finished if run.confusion]
        num_images = max(totals, default=0) or NUM_IMAGES[_images(summary)]
        return Interval(*wilson_interval(values[0], num_images), TEST_SAMPLING)
    accuracy, unshared = mean(values), _unshared(reported, summary)
    sampling = Z95 * math.sqrt(accuracy * (1 - accuracy) * unshared)
    half = max(math.hypot(further[1] - accuracy, sampling), reported.half_digit)
    kind = FURTHER_RUN_ON_OTHERS if unshared else FURTHER_RUN
    return Interval(max(0.0, accuracy - half), min(1.0, accuracy + half), kind)


def verdict(replication: Replication) -> str:
    """Where ours lies, and in brackets what else differs; a status where no run ended well."""
    bounds, published = interval(replication), replication.reported.accuracy
    if bounds is None:
        status = replication.summary.status
        return status if status != "ok" else "unknown"
    if published is None:
        place = "not reported"
    elif bounds.low <= published <= bounds.high:
        place = "inside"
    else:
        place = "above" if published < bounds.low else "below"
    marks = ", ".join(deviations(replication))
    return f"{place} ({marks})" if marks else place


def deviations(replication: Replication) -> dict[str, str]:
    """What differs between our runs and a published number, or weakens their verdict.

    Returns:
        For each of the `MARKS` of the footer that applies, what it comes to; empty where the mark
        says all.
    """
    reported, summary = replication
    bounds, protocol = interval(replication), replication.protocol
    found = _length(reported, summary)
    if any(record.conditions.get("pretrained") is False for record in summary.records):
        found["not pretrained"] = ""
    if changes := _changes(replication):
        found["changed"] = changes
    if reported.accuracy is not None and bounds is not None:
        is_own = protocol == FULL_TRAIN and reported.chooses_nothing
        width = bounds.high - bounds.low
        weak = {
            "other protocol": protocol != AS_PUBLISHED and not is_own,
            "one seed": summary.n_seeds == 1,
            "wide": width > BROADEST,
        }
        found |= {mark: "" for mark, applies in weak.items() if applies}
        if "wide" in found:
            found["wide"] = f"{width * 100:.0f} points"
    lost = [str(run.spec["seed"]) for run in summary.finished if "at_chance" in run.flags]
    if lost:
        is_all = len(lost) == len(summary.finished)
        found["at chance"] = "" if is_all else f"seed {', '.join(lost)}"
    return found


def never_predicted_by(summary: Summary) -> str | None:
    """Which classes were never predicted, by which seeds; None where all were, or it is unknown."""
    seeds: dict[str, list[str]] = {}
    for record in summary.finished:
        if names := never_predicted(record.confusion) if record.confusion else ():
            many = f"{len(names)} of {len(CLASS_NAMES)} classes"
            classes = " and ".join(names) if len(names) <= FEW else many
            seeds.setdefault(classes, []).append(str(record.spec["seed"]))
    if not seeds:
        return None
    is_single = len(summary.finished) == 1
    parts = [f"{who}" if is_single else f"{who} (seed {', '.join(s)})" for who, s in seeds.items()]
    return f"{'; '.join(parts)} never predicted"


def _length(reported: Reported, summary: Summary) -> dict[str, str]:
    """Whether any run got another length than the recipe's, unless its own rule ended it."""
    budget = summary.spec["budget"]
    shares = [
        epochs / reported.epochs
        for record in summary.finished
        if "stopped_early" not in record.flags and (epochs := record.value("epochs")) is not None
    ]
    if budget == f"{reported.epochs}epochs" or not shares:
        return {}
    detail = f"{summary.mean('epochs') or 0:.3g} of {reported.epochs} epochs, budget {budget}"
    if min(shares) < SHORTEST:
        return {"short": detail}
    return {"long": detail} if max(shares) > 1 / SHORTEST else {}


def _changes(replication: Replication) -> str:
    spec = replication.summary.spec
    changes = [f"+{change}" for change in str(spec["recipe"]["name"]).split("+")[1:]]
    if replication.protocol == AS_PUBLISHED and spec["precision"] != "fp32":
        changes.append(f"precision {spec['precision']}")
    return " ".join(changes)


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


def _reported(record: RunRecord) -> Reported | None:
    return find_reported(str(record.spec["model"]), str(record.spec["recipe"]["name"]))
