"""The script that measures what a child costs: it measures, and says so."""

from pathlib import Path

import pytest

from tests.benchmarks.isolation_cost import Turn, row, spec_of, take_turns


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
