"""The script that measures large stores: its records are real ones, and it measures."""

from pathlib import Path

import pytest
from msgspec import json

from results import read_records, summarize
from results.history.rows import history_rows
from tests.benchmarks.records_at_scale import measure, synthetic_records, table_of, write_store


def test_synthetic_records_are_of_realistic_size_and_all_different(tmp_path: Path) -> None:
    path = write_store(tmp_path / "54.jsonl", 54)
    sizes = [len(line) for line in path.read_bytes().splitlines()]
    assert min(sizes) > 3000
    assert max(sizes) <= 4096
    records = read_records(path)
    assert len(records) == 54
    assert len(history_rows(summarize(records, by="commit"))) == 18
    assert json.encode(list(synthetic_records(3))) == json.encode(list(synthetic_records(3)))


@pytest.mark.slow
def test_it_measures_each_command_and_says_so(tmp_path: Path) -> None:
    costs = measure({27: write_store(tmp_path / "27.jsonl", 27)}, repeats=1)
    assert ("table --by commit", 27) in costs
    lines = table_of(costs).splitlines()
    assert len(lines) == 2 + len(costs)
    assert lines[2].startswith("| ")
    assert all(cost.peak_bytes > 10e6 and cost.wall_s > 0 for cost in costs["table", 27])
