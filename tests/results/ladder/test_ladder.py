"""Ladders from hand-made records: ratios, intervals, break-even, text; and the published one."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from results import Measurement, RunRecord, read_records
from results.ladder.footer import ladder_footer_lines, ladder_sentences
from results.ladder.rows import LADDER_KEYS, ladder_rows
from results.ladder.table import ladder_columns, render_ladder
from results.render.formats import export
from results.rows.comparable import is_ladder
from tests.bench.ladder.ladder_by_hand import make_ladder, make_rung
from tests.command_line import REPOSITORY
from tests.golden_text import assert_golden, shown
from tests.results.records_by_hand import make_record

UNKNOWN_PLAN = "unknown plan 'dataloader'; choose from auto, resident, contiguous, channels_last"


def two_models() -> list[RunRecord]:
    """One ladder without a failure, and one of which two rungs failed."""
    failed = make_ladder("[my] net", "b" * 16)
    bare: dict[str, Any] = {"measurements": {}}
    failed[0] = replace(failed[0], status="unsupported", reason=UNKNOWN_PLAN, **bare)
    failed[3] = replace(failed[3], status="crashed", reason="the process exited with code 3")
    return [*make_ladder(), *failed]


def row_of(records: list[RunRecord], rung: str) -> dict[str, Any]:
    return next(row for row in ladder_rows(records) if row["rung"] == rung)


def drawn(records: list[RunRecord], width: int) -> str:
    return shown(render_ladder(ladder_rows(records), width=width, title="Ladder"), width=width)


def test_rows_have_the_promised_keys_in_the_order_of_the_rungs() -> None:
    rows = ladder_rows(reversed(make_ladder()))
    assert {tuple(row) for row in rows} == {LADDER_KEYS}
    names = ["dataloader", "resident", "amp", "compile", "step", "auto"]
    assert [row["rung"] for row in rows] == names


def test_a_ratio_is_taken_round_by_round() -> None:
    row = row_of(make_ladder(), "step")  # round 4 was slow for all, and that cancels out
    assert (row["ratio"], row["ratio_ci95"]) == (4.0, [4000 / 1010, 4000 / 990])
    assert (row["images_per_s"], row["rounds"]) == (4000, 7)
    first = row_of(make_ladder(), "dataloader")
    assert (first["ratio"], first["ratio_ci95"]) == (1.0, None)
    short = row_of(make_ladder(num_turns=5), "step")  # below six rounds there is no interval
    assert (short["ratio"], short["ratio_ci95"], short["rounds"]) == (4.0, None, 5)


def test_break_even_is_against_the_best_uncompiled_rung_of_the_precision() -> None:
    records = make_ladder()
    # 54,000 images: 27 s an epoch at 2000 images/s, 13.5 s at 4000; 54 s to win back
    assert row_of(records, "step")["break_even_epochs"] == pytest.approx(54 / 13.5)
    assert row_of(records, "compile")["break_even_epochs"] == "never"
    for rung in ("dataloader", "resident", "amp", "auto"):
        assert row_of(records, rung)["break_even_epochs"] is None
    alone = [make_rung("amp"), make_rung("step")]  # of another precision
    assert row_of(alone, "step")["break_even_epochs"] is None


@pytest.mark.parametrize(
    ("budget", "total_s", "epochs"),
    [("3epochs", 54 + 162_000 / 4000, None), ("60s", 54 + 60, 60 * 4000 / 54_000)],
)
def test_a_budget_comes_to_seconds_and_epochs(
    budget: str, total_s: float, epochs: float | None
) -> None:
    step = make_rung("step", spec={"budget": budget})
    row = row_of([make_rung("resident", spec={"budget": budget}), step], "step")
    assert row["total_s"] == pytest.approx(total_s)
    assert row["epochs_in_budget"] == (None if epochs is None else pytest.approx(epochs))


def test_a_rung_with_a_floor_says_how_near_it_came_and_what_binds() -> None:
    limit = {"binds": "latency", "flops_per_s": 1e9, "bytes_per_s": 1e9, "latency_s": 1e-6}
    resident = make_rung("resident", conditions={"limit": limit})  # 2000 images/s: 64 ms a step
    values = {"floor": 0.016, "flops_per_step": 3.2e6, "kernels_per_step": 40.0}
    measured = {name: Measurement(name, "any", (value,)) for name, value in values.items()}
    resident = replace(resident, measurements={**resident.measurements, **measured})
    rows = ladder_rows([make_rung("dataloader"), resident])
    assert rows[1]["percent_of_floor"] == pytest.approx(25.0)
    assert rows[1]["mfu"] == pytest.approx(0.05)
    assert (rows[1]["binding_term"], rows[1]["kernels_per_step"]) == ("latency", 40.0)
    table = export(rows, "markdown", columns=ladder_columns(rows))
    assert "25 % latency" in table
    assert "5.0%" in table
    assert rows[0]["percent_of_floor"] is None
    uncounted = {**resident.measurements}
    del uncounted["flops_per_step"]
    (row,) = ladder_rows([replace(resident, measurements=uncounted)])
    assert (row["percent_of_floor"], row["mfu"]) == (pytest.approx(25.0), None)


def test_a_rung_that_failed_late_shows_its_reason_and_no_numbers() -> None:
    failed = make_rung("compile", num_turns=2, status="crashed", reason="the process exited")
    records = [make_rung("resident"), failed]
    row = row_of(records, "compile")
    assert (row["ratio"], row["status"], row["rounds"]) == (None, "crashed", 2)


def test_a_ladder_of_another_program_may_lack_a_plan_and_the_seconds_of_its_turns() -> None:
    first, second = make_rung("resident"), make_rung("step")
    rates = {"throughput": second.measurements["throughput"]}
    second = replace(second, spec=second.spec | {"plan": None}, measurements=rates)
    *_, plans, _ = ladder_columns(ladder_rows([first, second]))
    assert (plans.header, plans.cells[1]) == ("plan", "-")
    assert "step" in drawn([first, second], 200)
    assert "7 rounds" in ladder_footer_lines([first, second])[2]
    assert "no turn was measured" in ladder_footer_lines([second])[2]


def test_ratios_refer_to_the_first_rung_that_was_measured() -> None:
    lost = make_rung("dataloader", measurements={}, status="unsupported", reason="why")
    records = [lost, make_rung("resident"), make_rung("step")]
    assert row_of(records, "step")["ratio"] == 2.0
    assert "ratio: images/s over those of resident in" in "\n".join(ladder_footer_lines(records))


def test_a_ladder_that_was_broken_off_and_run_again_does_not_count() -> None:
    def broken_off(**fields: Any) -> list[RunRecord]:  # noqa: ANN401
        ladder = make_ladder(num_turns=2)
        return [replace(rung, status="interrupted", **fields) for rung in ladder]

    again = make_ladder(ladder="c" * 16)
    assert [row["rounds"] for row in ladder_rows([*broken_off(), *again])] == [7] * 6
    assert len(ladder_rows(broken_off())) == 6
    elsewhere = broken_off(environment={"device": "another"})
    assert len(ladder_rows([*elsewhere, *again])) == 12
    assert len(ladder_rows([*make_ladder(), *again])) == 12  # two whole ones stay apart


def test_ordinary_records_are_no_ladder() -> None:
    assert not is_ladder(make_record())
    assert not ladder_rows([make_record()])
    assert not ladder_footer_lines([make_record()])


def test_the_ladder_looks_as_it_should_and_nothing_wraps() -> None:
    for width in (40, 80, 120, 160):
        text = drawn(two_models(), width)
        if width in {80, 120}:
            assert_golden(f"ladder_{width}.txt", text)
        lines = text.splitlines()
        assert max(map(len, lines)) <= width
        assert len(lines) == 3 + 2 * (1 + 6)
        assert any("4.00x*" in line for line in lines)


def test_the_lines_below_and_the_markdown_read_as_they_should() -> None:
    records = two_models()
    lines = [*ladder_sentences(records), "", *ladder_footer_lines(records)]
    assert_golden("ladder_footer.txt", "\n".join(lines) + "\n")
    rows = ladder_rows(records)
    assert_golden("ladder.md", export(rows, "markdown", columns=ladder_columns(rows)))


def test_json_and_csv_hold_raw_values() -> None:
    rows = ladder_rows(two_models())
    columns = ladder_columns(rows)
    assert json.loads(export(rows, "json", columns=columns)) == rows
    header, first, *_ = export(rows, "csv", columns=columns).splitlines()
    assert header.split(",") == list(LADDER_KEYS)
    assert first.startswith("v2,dataloader,dataloader,fp32,1000,1.0,")
    assert export([], "csv", keys=LADDER_KEYS).strip() == ",".join(LADDER_KEYS)


def slowed(factor: float, name: str, **spec: Any) -> RunRecord:  # noqa: ANN401
    """A rung whose turns have so much of their rate."""
    record = make_rung(name, spec=spec)
    turns = record.measurements["throughput"]
    rates = Measurement("throughput", turns.unit, tuple(rate * factor for rate in turns.values))
    return replace(record, measurements={**record.measurements, "throughput": rates})


@pytest.mark.parametrize(
    ("rungs", "sentence"),
    [
        (map(make_rung, ["resident", "amp"]), "nothing is faster than resident"),
        (
            map(make_rung, ["dataloader", "resident", "compile"]),
            "resident is 2.00x the DataLoader loop (1.98 to 2.02); compiling never pays",
        ),
        (
            map(make_rung, ["resident", "auto"]),
            "auto (channels_last,step) is 2.00x resident (1.98 to 2.05)",
        ),
        (  # no other rung has the plan that auto came to
            [*map(make_rung, ["resident", "step"]), slowed(0.75, "auto", plan="resident")],
            "step is 2.00x resident (1.98 to 2.00); compiling pays after 4 epochs; "
            "auto comes to 1.50x",
        ),
        (
            [
                make_rung("resident", spec={"rung_index": 0}),
                make_rung("amp"),
                slowed(0.45, "step", precision="bf16", rung="step + amp", rung_index=9),
            ],
            "nothing is faster than resident; compiling (step + amp) pays after 9 epochs",
        ),
    ],
)
def test_the_sentence_of_a_model(rungs: Iterable[RunRecord], sentence: str) -> None:
    assert ladder_sentences(rungs) == [f"v2: {sentence}."]


def test_a_ladder_without_numbers_has_no_sentence() -> None:
    record = make_rung(measurements={}, status="crashed", reason="why")
    assert ladder_sentences([record]) == []
    assert "no turn was measured" in "\n".join(ladder_footer_lines([record]))
    assert drawn([], 80) == "Ladder\nno records\n"


def test_a_rung_that_stood_still_for_a_turn_has_no_ratio() -> None:
    still = two_models()
    slow = Measurement("throughput", "images/s", (0.0, 1.0))
    still[0] = replace(still[0], measurements={**still[0].measurements, "throughput": slow})
    rows = ladder_rows(still)
    assert rows[0]["ratio"] is None
    assert rows[1]["ratio"] == 1.0


RECORDS = REPOSITORY / "results" / "tables" / "ladder-cpu-batch32.jsonl"
# what was asked of the best rung in fp32, as a ratio to the DataLoader loop
LEAST_FP32 = {"v0": 12.0, "v1": 12.0, "v2": 1.6, "fashion_cnn": 1.1, "resnet8": 1.1}


@pytest.fixture(scope="module")
def records() -> list[RunRecord]:
    return read_records(RECORDS)


def test_the_table_follows_from_its_records(records: list[RunRecord]) -> None:
    rows = ladder_rows(records)
    text = RECORDS.with_suffix(".md").read_text(encoding="utf-8")
    assert export(rows, "markdown", columns=ladder_columns(rows), keys=LADDER_KEYS) in text
    assert [sentence for sentence in ladder_sentences(records) if sentence not in text] == []


def test_every_rung_was_measured_in_every_round_of_one_clean_commit(
    records: list[RunRecord],
) -> None:
    assert len({record.provenance["commit"] for record in records}) == 1
    assert {(record.status, record.provenance["dirty"]) for record in records} == {("ok", False)}
    assert {len(record.measurements["throughput"].values) for record in records} == {7}


def test_the_best_fp32_rung_is_as_much_faster_as_was_asked(records: list[RunRecord]) -> None:
    rows = [row for row in ladder_rows(records) if row["precision"] == "fp32"]
    best = {model: max(r["ratio"] for r in rows if r["model"] == model) for model in LEAST_FP32}
    assert [model for model, least in LEAST_FP32.items() if best[model] < least] == []
