"""Published tables: each still follows from the records beside it."""

from pathlib import Path

import pytest

from results import read_records, summarize, table_rows
from results.reference.table import export_published
from results.render.formats import export
from tests.command_line import REPOSITORY

TABLES = sorted((REPOSITORY / "results" / "tables").glob("cpu-*.jsonl"))


@pytest.mark.parametrize("records", TABLES, ids=lambda path: path.stem)
def test_a_published_table_follows_from_its_records(records: Path) -> None:
    table = export(table_rows(summarize(read_records(records))), "markdown")
    assert table in records.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("records", TABLES, ids=lambda path: path.stem)
def test_published_records_come_from_one_clean_commit(records: Path) -> None:
    origins = {
        (record.provenance["commit"], record.provenance["dirty"])
        for record in read_records(records)
    }
    assert [dirty for _, dirty in origins] == [False]


def test_tables_are_published() -> None:
    assert len(TABLES) >= 3


PUBLISHED = sorted((REPOSITORY / "results" / "tables").glob("published-*.jsonl"))


@pytest.mark.parametrize("records", PUBLISHED, ids=lambda path: path.stem)
def test_a_table_beside_published_numbers_follows_from_its_records(records: Path) -> None:
    found = read_records(records)
    assert {record.provenance["dirty"] for record in found} == {False}
    assert len({record.provenance["commit"] for record in found}) == 1
    text = records.with_suffix(".md").read_text(encoding="utf-8")
    assert export_published(found, "markdown") in text
