"""Seconds of work with and without a wait for a core."""

import time
from pathlib import Path

import pytest

from bench.gate import stopwatch
from bench.gate.stopwatch import busy_seconds


def test_the_wait_for_a_core_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedstat = tmp_path / "schedstat"
    schedstat.write_text("5000000 1000000 7\n", encoding="ascii")
    monkeypatch.setattr(stopwatch, "SCHEDSTAT", schedstat)
    seconds = iter([100.0, 103.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(seconds))
    found = busy_seconds(lambda: schedstat.write_text("9000000 501000000 9\n", encoding="ascii"))
    assert found == pytest.approx(2.5, abs=0.01)  # other threads of the tests may run


def test_sleep_counts_as_a_wait_for_a_core_does_not() -> None:
    started = time.perf_counter()
    found = busy_seconds(lambda: time.sleep(0.05))
    assert 0.045 < found <= time.perf_counter() - started  # all of it but for a late wake-up


def test_a_wait_for_threads_of_its_own_is_not_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedstat = tmp_path / "schedstat"
    schedstat.write_text("0 0 0\n", encoding="ascii")
    monkeypatch.setattr(stopwatch, "SCHEDSTAT", schedstat)
    for clock, ticks in {"perf_counter": (0.0, 3.0), "process_time": (1.0, 3.0)}.items():
        monkeypatch.setattr(time, clock, iter(ticks).__next__)
    monkeypatch.setattr(time, "thread_time", iter((1.0, 1.5)).__next__)  # others took 1.5 s
    found = busy_seconds(lambda: schedstat.write_text("0 2000000000 1\n", encoding="ascii"))
    assert found == pytest.approx(3.0 - (2.0 - 1.5))


@pytest.mark.parametrize("content", ["", "nonsense here\n", None])
def test_without_the_kernels_figure_it_is_the_wall_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    schedstat = tmp_path / "schedstat"
    if content is not None:
        schedstat.write_text(content, encoding="ascii")
    monkeypatch.setattr(stopwatch, "SCHEDSTAT", schedstat)
    seconds = iter([100.0, 103.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(seconds))
    assert busy_seconds(lambda: None) == pytest.approx(3.0)
