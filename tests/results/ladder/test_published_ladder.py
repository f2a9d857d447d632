"""The published ladder follows from the records beside it, and holds what the README says of it."""

from results import read_records
from results.ladder.footer import ladder_sentences
from results.ladder.rows import LADDER_KEYS, ladder_rows
from results.ladder.table import ladder_columns
from results.render.formats import export
from tests.command_line import REPOSITORY

RECORDS = REPOSITORY / "results" / "tables" / "ladder-cpu-batch32.jsonl"
# what was asked of the best rung in fp32, as a ratio to the DataLoader loop
LEAST_FP32 = {"v0": 12.0, "v1": 12.0, "v2": 1.6, "fashion_cnn": 1.1, "resnet8": 1.1}


def test_the_table_follows_from_its_records() -> None:
    records = read_records(RECORDS)
    rows = ladder_rows(records)
    text = RECORDS.with_suffix(".md").read_text(encoding="utf-8")
    assert export(rows, "markdown", columns=ladder_columns(rows), keys=LADDER_KEYS) in text
    for sentence in ladder_sentences(records):
        assert sentence in text


def test_it_comes_from_one_clean_commit() -> None:
    origins = {(r.provenance["commit"], r.provenance["dirty"]) for r in read_records(RECORDS)}
    assert [dirty for _, dirty in origins] == [False]


def test_every_rung_was_measured_in_every_round() -> None:
    records = read_records(RECORDS)
    assert {record.status for record in records} == {"ok"}
    assert {len(record.measurements["throughput"].values) for record in records} == {7}


def test_the_best_fp32_rung_is_as_much_faster_as_was_asked() -> None:
    rows = [row for row in ladder_rows(read_records(RECORDS)) if row["precision"] == "fp32"]
    best = {model: max(r["ratio"] for r in rows if r["model"] == model) for model in LEAST_FP32}
    assert {model: best[model] >= least for model, least in LEAST_FP32.items()} == dict.fromkeys(
        LEAST_FP32, True
    )
