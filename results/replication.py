"""Our runs of the reference systems beside the numbers that their projects report.

A published number is one training of somebody else's, so the question is not where our mean lies
but whether one further run could have given it. The verdict's interval is, at 95 %:

- one seed: that of test sampling (Wilson, for the images of the run's own evaluation). It knows
  nothing of how much seeds differ, so a number outside may still be a matter of the seed.
- several seeds: where one further run falls (Student t: mean ± t s sqrt(1 + 1/n)), and on neither
  side narrower than test sampling, as the published number may be from other images.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from results.classes import CLASS_NAMES, never_predicted
from results.ladder import is_ladder
from results.published import REPORTED, Reported, find_reported
from results.records import RunRecord
from results.statistics import prediction_interval, wilson_interval
from results.summary import Summary, summarize

PUBLISHED_KEYS = (  # keys are only ever added, at the end: programs read them
    "system",
    "model",
    "protocol",
    "published_accuracy",
    "published_loss",
    "published_time_s",
    "published_device",
    "published_evaluated_on",
    "test_accuracy",
    "test_accuracy_interval95",
    "interval_of",
    "n_seeds",
    "n_failed",
    "test_loss",
    "train_time_s",
    "epochs",
    "recipe_epochs",
    "verdict",
    "deviations",
    "remarks",
    "notes",
    "status",
    "reason",
    "flags",
    "budget",
    "recipe",
    "precision",
    "device",
    "record_ids",
)
TEST_SAMPLING, FURTHER_RUN = "test_sampling", "further_run"
EVALUATION_IMAGES = {"half_test": 5_000, "swapped": 60_000}  # by split, where no matrix is kept
CLEAN, FULL_TRAIN, AS_PUBLISHED = "clean", "full train", "as published"
SHORTEST = 0.99  # of the epochs: a ragged batch that is dropped does not make a training short
SHORT, LONG, NOT_PRETRAINED, CHANGED = "short", "long", "not pretrained", "changed"
FEW = 4  # classes that are still named one by one where they are never predicted


class Deviation(NamedTuple):
    """One way in which our runs are not what was published.

    Attributes:
        mark: word that the verdict bears, one of SHORT, LONG, NOT_PRETRAINED and CHANGED.
        detail: what it comes to.
    """

    mark: str
    detail: str


class Replication(NamedTuple):
    """A reference system and our runs of it: one configuration in one environment."""

    reported: Reported
    summary: Summary


def is_published(record: RunRecord) -> bool:
    """Whether a record is a run of a reference system by its own recipe, changed or not."""
    return not is_ladder(record) and _reported(record) is not None


def group_replications(records: Iterable[RunRecord]) -> list[Replication]:
    """Our runs of the reference systems, in the order of the systems; other records are left out.

    Of one system, `clean` comes before what is nearer to its publication.
    """
    summaries = summarize(record for record in records if is_published(record))
    found = [
        Replication(reported, summary)
        for summary in summaries
        if (reported := _reported(summary.records[0]))
    ]
    order = (CLEAN, FULL_TRAIN, AS_PUBLISHED)
    return sorted(found, key=lambda r: (REPORTED.index(r.reported), order.index(protocol(r))))


def published_rows(records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    """A row for each reference system and protocol, its keys exactly PUBLISHED_KEYS.

    None stands for what is unknown or not reported. Units are base units, accuracies fractions.
    """
    return [_row(replication) for replication in group_replications(records)]


def protocol(replication: Replication) -> str:
    """Whose rules for split and selection the runs follow.

    `full train` keeps no validation images and selects nothing, but is not as published.
    """
    recipe = replication.summary.spec["recipe"]
    if recipe.get("protocol") == "as_published":
        return AS_PUBLISHED
    return CLEAN if recipe.get("validation_fraction") else FULL_TRAIN


def label(replication: Replication) -> str:
    """What lines below the table call a row."""
    return f"{replication.reported.system} {protocol(replication)}"


def interval(summary: Summary) -> tuple[float, float] | None:
    """The interval of the verdict, as the head of this module tells; None without a finished run.

    Returns:
        (low, high), fractions in [0, 1].
    """
    accuracy = summary.mean("test_accuracy")
    if accuracy is None:
        return None
    low, high = wilson_interval(accuracy, _num_images(summary))
    further = prediction_interval(summary.values("test_accuracy")) or (low, high)
    return max(0.0, min(low, further[0])), min(1.0, max(high, further[1]))


def deviations(replication: Replication) -> list[Deviation]:
    """In what our runs are not what was published, beyond the protocol."""
    reported, summary = replication
    found = [_length(reported, summary)]
    if any(record.conditions.get("pretrained") is False for record in summary.records):
        found.append(Deviation(NOT_PRETRAINED, "pretrained: false"))
    changes = str(summary.spec["recipe"]["name"]).split("+")[1:]
    if changes:
        found.append(Deviation(CHANGED, f"+{' +'.join(changes)}"))
    if protocol(replication) == AS_PUBLISHED and summary.spec["precision"] != "fp32":
        found.append(Deviation(CHANGED, f"precision {summary.spec['precision']}"))
    return [deviation for deviation in found if deviation]


def never_predicted_by(summary: Summary) -> str | None:
    """Which classes were never predicted, by which seeds; None where all were, or it is unknown."""
    seeds: dict[str, list[str]] = {}
    for record in summary.finished:
        names = never_predicted(record.confusion) if record.confusion else ()
        if names:
            seeds.setdefault(_listed(names), []).append(str(record.spec["seed"]))
    if not seeds:
        return None
    is_single = len(summary.finished) == 1
    parts = [f"{who}" if is_single else f"{who} (seed {', '.join(s)})" for who, s in seeds.items()]
    return f"{'; '.join(parts)} never predicted"


def _row(replication: Replication) -> dict[str, Any]:
    reported, summary = replication
    columns = _published(reported) | _ours(summary) | _origin(summary)
    columns |= {
        "protocol": protocol(replication),
        "verdict": _verdict(replication),
        "deviations": [f"{mark}: {detail}" for mark, detail in deviations(replication)],
        "remarks": _remarks(summary),
    }
    return {key: columns[key] for key in PUBLISHED_KEYS}


def _published(reported: Reported) -> dict[str, Any]:
    return {
        "system": reported.system,
        "model": reported.model,
        "published_accuracy": reported.accuracy,
        "published_loss": reported.loss,
        "published_time_s": reported.seconds,
        "published_device": reported.device,
        "published_evaluated_on": reported.evaluated_on,
        "recipe_epochs": reported.epochs,
        "notes": list(reported.notes),
    }


def _ours(summary: Summary) -> dict[str, Any]:
    bounds = interval(summary)
    kind = FURTHER_RUN if summary.n_seeds > 1 else TEST_SAMPLING
    return {
        "test_accuracy": summary.mean("test_accuracy"),
        "test_accuracy_interval95": None if bounds is None else list(bounds),
        "interval_of": None if bounds is None else kind,
        "n_seeds": summary.n_seeds,
        "n_failed": summary.n_failed,
        "test_loss": summary.mean("test_loss"),
        "train_time_s": summary.mean("train_time"),
        "epochs": summary.mean("epochs"),
    }


def _origin(summary: Summary) -> dict[str, Any]:
    return {
        "status": summary.status,
        "reason": summary.reason,
        "flags": list(summary.flags),
        "budget": summary.spec["budget"],
        "recipe": summary.spec["recipe"]["name"],
        "precision": summary.spec["precision"],
        "device": summary.environment.get("device"),
        "record_ids": list(summary.record_ids),
    }


def _verdict(replication: Replication) -> str:
    """Where ours lies, seen from the published number; with what keeps it from being a test."""
    reported, summary = replication
    bounds = interval(summary)
    if bounds is None:
        return summary.status if summary.status != "ok" else "unknown"
    if reported.accuracy is None:
        return "not reported"
    place = _place(reported.accuracy, *bounds)
    marks = ", ".join(dict.fromkeys(deviation.mark for deviation in deviations(replication)))
    return f"{place} ({marks})" if marks else place


def _place(published: float, low: float, high: float) -> str:
    if low <= published <= high:
        return "inside"
    return "above" if published < low else "below"


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


def _num_images(summary: Summary) -> int:
    totals = [sum(map(sum, record.confusion)) for record in summary.finished if record.confusion]
    split = str(summary.spec["recipe"].get("split"))
    return max(totals, default=0) or EVALUATION_IMAGES.get(split, 10_000)


def _remarks(summary: Summary) -> str:
    dead = never_predicted_by(summary)
    total = summary.n_seeds + summary.n_failed
    failed = f"{summary.n_failed} of {total} failed" if summary.n_failed else None
    return ", ".join(remark for remark in (dead, failed, *summary.flags) if remark)


def _listed(names: Sequence[str]) -> str:
    if len(names) > FEW:
        return f"{len(names)} of {len(CLASS_NAMES)} classes"
    return " and ".join(names)


def _reported(record: RunRecord) -> Reported | None:
    return find_reported(str(record.spec["model"]), str(record.spec["recipe"]["name"]))
