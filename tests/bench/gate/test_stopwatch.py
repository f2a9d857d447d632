"""Seconds of work with and without a wait for a core."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.gate import stopwatch
from bench.gate.stopwatch import busy_seconds


@pytest.mark.parametrize(
    ("before", "after", "clocks", "seconds"),
    [
        # the kernel counts half a second of waiting, in nanoseconds
        ("5000000 1000000 7\n", "9000000 501000000 9\n", {}, 2.5),
        # of two seconds of waiting other threads of this process took 1.5
        (
            "0 0 0\n",
            "0 2000000000 1\n",
            {"process_time": (1.0, 3.0), "thread_time": (1.0, 1.5)},
            2.5,
        ),
        ("0 0 0\n", "0 500000000 1\n", {"process_time": (1.0, 3.0)}, 3.0),
        ("", "", {}, 3.0),
        ("nonsense here\n", "nonsense here\n", {}, 3.0),
        (None, None, {}, 3.0),  # no Linux: the wall clock
    ],
)
def test_a_wait_for_a_core_is_taken_away_but_not_one_for_threads_of_its_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str | None,
    after: str | None,
    clocks: dict[str, tuple[float, float]],
    seconds: float,
) -> None:
    schedstat = tmp_path / "schedstat"

    def write(text: str | None) -> None:
        if text is not None:
            schedstat.write_text(text, encoding="ascii")

    read = {"perf_counter": (100.0, 103.0), "process_time": (0.0, 0.0), "thread_time": (0.0, 0.0)}
    readings = {name: iter(values).__next__ for name, values in (read | clocks).items()}
    monkeypatch.setattr(stopwatch, "time", SimpleNamespace(**readings))
    monkeypatch.setattr(stopwatch, "SCHEDSTAT", schedstat)
    write(before)
    assert busy_seconds(lambda: write(after)) == pytest.approx(seconds)


def test_sleep_counts_as_a_wait_for_a_core_does_not() -> None:
    started = time.perf_counter()
    found = busy_seconds(lambda: time.sleep(0.05))
    assert 0.045 < found <= time.perf_counter() - started  # all of it but for a late wake-up
