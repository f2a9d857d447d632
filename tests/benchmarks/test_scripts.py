"""The scripts that measure large stores and what a child costs: they measure, and say so."""

from pathlib import Path

import pytest
from msgspec import json

from results import read_records, summarize
from results.history.rows import history_rows
from tests.benchmarks.isolation_cost import Turn, row, spec_of, take_turns
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


@pytest.mark.slow
def test_it_takes_turns(data_root: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    monkeypatch.setenv("FMNIST_DATA", str(data_root.resolve()))
    here, child = take_turns(spec_of("threads:1", "cpu"), "cpu", 1)
    assert (len(here), len(child)) == (1, 1)
    assert 0 < here[0].ready_s < here[0].wall_s
    assert 0 < child[0].ready_s < child[0].wall_s


def test_the_cost_is_a_difference_of_medians() -> None:
    here = [Turn(1.0, 0.1), Turn(9.0, 0.9), Turn(1.2, 0.2)]
    child = [Turn(1.5, 0.3), Turn(1.4, 0.4), Turn(7.0, 0.5)]
    assert row("|", here, child).endswith("| 0.300 s | 0.200 s |\n")
