"""The published ladder follows from the records beside it, and holds what the README says of it."""

import pytest

from results import RunRecord, read_records
from results.ladder.footer import ladder_sentences
from results.ladder.rows import LADDER_KEYS, ladder_rows
from results.ladder.table import ladder_columns
from results.render.formats import export
from tests.command_line import REPOSITORY

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
