"""Published numbers beside ours as rows for programs: keys, base units, fractions."""

from collections.abc import Callable, Iterable
from typing import Any

from results.records.record import RunRecord
from results.reference.replication import (
    Replication,
    deviations,
    group_replications,
    interval,
    never_predicted_by,
    verdict,
)


def _remarks(replication: Replication) -> str:
    summary = replication.summary
    total = summary.n_seeds + summary.n_failed
    failed = f"{summary.n_failed} of {total} failed" if summary.n_failed else None
    return ", ".join(filter(None, [never_predicted_by(summary), failed, *summary.flags]))


_VALUES: dict[str, Callable[[Replication], Any]] = {  # keys are only ever added, at the end
    "system": lambda run: run.reported.system,
    "model": lambda run: run.reported.model,
    "protocol": lambda run: run.protocol,
    "published_accuracy": lambda run: run.reported.accuracy,
    "published_loss": lambda run: run.reported.loss,
    "published_time_s": lambda run: run.reported.seconds,
    "published_device": lambda run: run.reported.device,
    "published_evaluated_on": lambda run: run.reported.evaluated_on,
    "test_accuracy": lambda run: run.summary.mean("test_accuracy"),
    "test_accuracy_interval95": lambda run: (at := interval(run)) and [at.low, at.high],
    "interval_of": lambda run: (at := interval(run)) and at.kind,
    "n_seeds": lambda run: run.summary.n_seeds,
    "n_failed": lambda run: run.summary.n_failed,
    "test_loss": lambda run: run.summary.mean("test_loss"),
    "train_time_s": lambda run: run.summary.mean("train_time"),
    "epochs": lambda run: run.summary.mean("epochs"),
    "recipe_epochs": lambda run: run.reported.epochs,
    "verdict": verdict,
    "deviations": lambda run: [f"{m}: {d}" if d else m for m, d in deviations(run).items()],
    "remarks": _remarks,
    "notes": lambda run: list(run.reported.notes),
    "status": lambda run: run.summary.status,
    "reason": lambda run: run.summary.reason,
    "flags": lambda run: list(run.summary.flags),
    "budget": lambda run: run.summary.spec["budget"],
    "recipe": lambda run: run.summary.spec["recipe"]["name"],
    "precision": lambda run: run.summary.spec["precision"],
    "device": lambda run: run.summary.environment.get("device"),
    "record_ids": lambda run: list(run.summary.record_ids),
    "published_percent": lambda run: run.reported.percent,
    "published_trained_on": lambda run: run.reported.trained_on,
}
PUBLISHED_KEYS = tuple(_VALUES)


def published_rows(records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    """A row for each reference system and protocol, its keys exactly PUBLISHED_KEYS.

    None stands for what is unknown or not reported. Units are base units, accuracies fractions.
    """
    replications = group_replications(records)
    return [{key: value(run) for key, value in _VALUES.items()} for run in replications]
