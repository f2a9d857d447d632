"""Accuracies, peaks and runs of two commits, as the rule of quality judges them."""

from results import RunRecord
from results.gate.quality import QualityRule
from tests.results.records_by_hand import make_record

RULE = QualityRule()
MIB = 2**20
BASE = dict(enumerate([0.851, 0.843, 0.848, 0.846, 0.852, 0.844]))


def shifted(*points: float) -> dict[int, float]:
    """Accuracies of the head: the base's with so many points more, by seed."""
    return {seed: BASE[seed] + point / 100 for seed, point in enumerate(points)}


def trained(
    seed: int, accuracy: float, *, mebibytes: float = 50.0, status: str = "ok", reason: str = ""
) -> RunRecord:
    measured = {"test_accuracy": accuracy, "peak_memory": mebibytes * MIB}
    values = measured if status == "ok" else {}
    return make_record("v2", seed, values=values, status=status, reason=reason or None)


def failed(seed: int, status: str = "diverged", reason: str = "the loss became nan") -> RunRecord:
    return trained(seed, 0.0, status=status, reason=reason)
