"""Parquet: what pandas reads back is what json says."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.commands.table import show
from results import ResultsError, RunRecord, read_records, summarize, table_rows
from results.history.rows import HISTORY_KEYS, history_rows
from results.ladder.rows import LADDER_KEYS, ladder_rows
from results.reference.rows import PUBLISHED_KEYS, published_rows
from results.render.formats import check_parquet, export_parquet
from results.rows.rows import ROW_KEYS
from tests.results.records_by_hand import make_record, make_sweep
from tests.results.reference.published_by_hand import all_systems

LADDER = Path(__file__).parents[3] / "results/tables/ladder-cpu-batch32.jsonl"


def read_back(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[Any]:
    """The rows as pandas reads them, its arrays and missing values turned back."""
    frame = pd.read_parquet(io.BytesIO(export_parquet(rows, keys)))
    assert list(frame) == list(rows[0]) == list(keys)
    return [
        {key: plain(value) for key, value in row.items()} for row in frame.to_dict(orient="records")
    ]


def plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if isinstance(value, float) and np.isnan(value) else value


@pytest.mark.parametrize(
    ("rows", "keys"),
    [
        (table_rows(summarize(make_sweep())), ROW_KEYS),
        (history_rows(summarize(make_sweep(), by="commit")), HISTORY_KEYS),
        (published_rows(all_systems()), PUBLISHED_KEYS),
    ],
)
def test_pandas_reads_what_json_says(rows: list[dict[str, Any]], keys: Sequence[str]) -> None:
    assert read_back(rows, keys) == rows


def test_a_column_with_words_among_its_numbers_is_text() -> None:
    rows = ladder_rows(read_records(LADDER))
    back = read_back(rows, LADDER_KEYS)
    key = "break_even_epochs"
    texts = [None if row[key] is None else str(row[key]) for row in rows]
    assert [row[key] for row in back] == texts
    assert [row | {key: 0} for row in back] == [row | {key: 0} for row in rows]


def test_what_no_row_knows_is_a_column_of_nulls_with_a_type() -> None:
    rows = table_rows(summarize([make_record(status="crashed")]))
    frame = pd.read_parquet(io.BytesIO(export_parquet(rows, ROW_KEYS)))
    assert str(frame["test_accuracy"].dtype) == "float64"
    assert frame["test_accuracy"].isna().all()
    assert list(frame["flags"][0]) == []
    none = pd.read_parquet(io.BytesIO(export_parquet([], ROW_KEYS)))
    assert (list(none), len(none)) == (list(ROW_KEYS), 0)


@pytest.mark.parametrize(
    ("records", "by"),
    [(make_sweep(), "model"), (make_sweep(), "commit"), (all_systems(), "published")],
)
def test_the_command_writes_bytes(
    records: list[RunRecord], by: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    show(records, fmt="parquet", by=by)
    frame = pd.read_parquet(io.BytesIO(capfdbinary.readouterr().out))
    known = {record.record_id for record in records}
    shown = {name for names in frame["record_ids"] for name in names}
    assert shown
    assert shown <= known


def test_a_terminal_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(ResultsError, match=r"parquet is bytes; .* > table\.parquet"):
        show(make_sweep(), fmt="parquet")


def test_without_pyarrow_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ResultsError, match=r"pip install 'fmnist-bench\[parquet\]'"):
        check_parquet()
