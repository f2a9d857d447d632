"""What a record keeps of a long curve, and how it is made to fit."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bench import Budget, Plan, RunSpec
from bench.measure.findings import Findings
from bench.run.record import make_record
from bench.spec.named_recipes import find_recipe
from bench.train.curve import MAX_CURVE_POINTS, chosen_points
from results.records.record import MAX_LINE_BYTES
from results.rows.rows import TARGETS

accuracies = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=200)


@given(accuracies, st.none() | st.floats(0.01, 0.99))
def test_a_record_keeps_the_points_that_tables_ask_for(
    found: list[float], own: float | None
) -> None:
    chosen = chosen_points(found, own)
    assert len(chosen) <= MAX_CURVE_POINTS
    assert chosen == sorted(set(chosen))
    assert {len(found) - 1, found.index(max(found))} <= set(chosen)
    for target in [*map(float, TARGETS), *([] if own is None else [own])]:
        first = next((k for k, accuracy in enumerate(found) if accuracy >= target), None)
        assert first is None or first in chosen


def test_a_record_loses_points_of_its_curve_before_the_confusion_matrix() -> None:
    recipe = find_recipe("r2_resnet18", "as_published")
    spec = RunSpec(
        model="resnet18", recipe=recipe, budget=Budget(60, "s"), plan=Plan.parse("channels_last")
    ).resolved_for("cpu")
    findings = Findings(confusion=[[111] * 10] * 10)
    findings.curve = [[123.456789, 0.123456, 60_000 * k, 0.8912] for k in range(11)]
    for quantity in ("train_time", "epoch_time", "throughput", "overrun", "test_loss"):
        findings.add(quantity, 1234.56789)
    for length in range(1000, 4000, 20):  # until it does not fit any more
        found = {"text": "x" * length}
        record = make_record(spec, "ok", None, environment={}, conditions=found, findings=findings)
        assert (
            len(record.to_json_line()) <= MAX_LINE_BYTES - 100
        )  # the store adds where samples lie
        assert record.curve is not None
        if len(record.curve) < 11:
            break
    assert record.curve is not None
    assert 1 < len(record.curve) <= 5
    assert record.curve[-1][2] == 600_000
    assert record.confusion is not None


def test_a_long_path_of_weights_fits_a_record() -> None:
    recipe = replace(find_recipe("default"), weights="/folder" * 300 + "/w.pt")
    spec = RunSpec(model="v0", recipe=recipe, budget=Budget(1, "steps"), plan=Plan())
    record = make_record(spec.resolved_for("cpu"), "ok", None, environment={})
    assert record.spec["recipe"]["weights"] == "w.pt"
    assert len(record.to_json_line()) < 1500
