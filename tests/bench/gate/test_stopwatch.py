"""Seconds of work with and without a wait for a core."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.gate import stopwatch
from bench.gate.stopwatch import busy_seconds


def set_clocks(monkeypatch: pytest.MonkeyPatch, **readings: tuple[float, float]) -> None:
    """Lets the stopwatch read these, before and after; clocks that are not named stand still."""
    clocks = dict.fromkeys(("perf_counter", "process_time", "thread_time"), (0.0, 0.0)) | readings
    read = {name: iter(values).__next__ for name, values in clocks.items()}
    monkeypatch.setattr(stopwatch, "time", SimpleNamespace(**read))


def test_the_wait_for_a_core_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedstat = tmp_path / "schedstat"
    schedstat.write_text("5000000 1000000 7\n", encoding="ascii")
    monkeypatch.setattr(stopwatch, "SCHEDSTAT", schedstat)
    set_clocks(monkeypatch, perf_counter=(100.0, 103.0))
    found = busy_seconds(lambda: schedstat.write_text("9000000 501000000 9\n", encoding="ascii"))
    assert found == pytest.approx(2.5)


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
    others = {"process_time": (1.0, 3.0), "thread_time": (1.0, 1.5)}  # took 1.5 s
    set_clocks(monkeypatch, perf_counter=(0.0, 3.0), **others)
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
    set_clocks(monkeypatch, perf_counter=(100.0, 103.0))
    assert busy_seconds(lambda: None) == pytest.approx(3.0)
