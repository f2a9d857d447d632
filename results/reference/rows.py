"""Published numbers beside ours as rows for programs: keys, base units, fractions."""

from collections.abc import Iterable
from typing import Any

from results.records.record import RunRecord
from results.reference.judgement import deviations, interval, verdict
from results.reference.replication import (
    Replication,
    group_replications,
    never_predicted_by,
    protocol,
)
from results.reference.reported import Reported
from results.rows.summary import Summary

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
    "published_percent",
    "published_trained_on",
)


def published_rows(records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    """A row for each reference system and protocol, its keys exactly PUBLISHED_KEYS.

    None stands for what is unknown or not reported. Units are base units, accuracies fractions.
    """
    return [_row(replication) for replication in group_replications(records)]


def _row(replication: Replication) -> dict[str, Any]:
    reported, summary = replication
    columns = _published(reported) | _ours(replication) | _origin(summary)
    columns |= {
        "protocol": protocol(replication),
        "verdict": verdict(replication),
        "deviations": [str(deviation) for deviation in deviations(replication)],
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
        "published_percent": reported.percent,
        "published_trained_on": reported.trained_on,
        "recipe_epochs": reported.epochs,
        "notes": list(reported.notes),
    }


def _ours(replication: Replication) -> dict[str, Any]:
    summary, bounds = replication.summary, interval(replication)
    return {
        "test_accuracy": summary.mean("test_accuracy"),
        "test_accuracy_interval95": None if bounds is None else [bounds.low, bounds.high],
        "interval_of": None if bounds is None else bounds.kind,
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


def _remarks(summary: Summary) -> str:
    dead = never_predicted_by(summary)
    total = summary.n_seeds + summary.n_failed
    failed = f"{summary.n_failed} of {total} failed" if summary.n_failed else None
    return ", ".join(remark for remark in (dead, failed, *summary.flags) if remark)
