"""Progress of a sweep on stderr: models done, phase, throughput, time left. Silent in a pipe."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bench.spec.run_spec import RunSpec

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from results import RunRecord

MIN_FRACTION = 0.02  # before that the time left is a guess


class SweepProgress:
    """One bar for the sweep, one for the run at hand; nothing at all where stderr is no terminal.

    Args:
        num_runs: runs of the whole sweep.
        num_done: runs that an earlier sweep has left in the store.
    """

    def __init__(self, num_runs: int, num_done: int = 0) -> None:
        self.num_runs = num_runs
        self.num_done = self.num_done_before = num_done
        self.started = time.monotonic()
        self.bars: Progress | None = make_bars() if sys.stderr.isatty() else None
        self.whole: TaskID | None = None
        self.current: TaskID | None = None

    def __enter__(self) -> Self:
        if self.bars:
            self.bars.start()
            self.whole = self.bars.add_task(
                "all runs", total=self.num_runs, completed=self.num_done, note=self._count()
            )
            self.current = self.bars.add_task("starting", total=1.0, note="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bars:
            self.bars.stop()

    def report(self, spec: RunSpec, content: dict[str, Any]) -> None:
        """Shows where a run is."""
        if self.bars is None or self.current is None:
            return
        label = f"{spec.model} · seed {content['seed']} · {content['phase']}"
        progress = content["progress"]
        if progress is None:
            self.bars.update(self.current, description=label, note="")
            return
        fraction = min(progress["fraction"], 1.0)
        self.bars.update(
            self.current, description=label, completed=fraction, note=describe(progress)
        )

    def done(self, record: "RunRecord") -> None:
        """Counts a run and writes one line about it above the bars."""
        self.num_done += 1
        if self.bars is None or self.whole is None or self.current is None:
            return
        self.bars.update(self.whole, completed=self.num_done, note=self._count())
        self.bars.update(self.current, completed=0.0, note="")
        self.bars.console.print(describe_record(record), markup=False, highlight=False)

    def _count(self) -> str:
        count = f"{self.num_done} of {self.num_runs} runs"
        done_here = self.num_done - self.num_done_before
        if not done_here:
            return count
        left_s = (time.monotonic() - self.started) / done_here * (self.num_runs - self.num_done)
        return f"{count}, about {left_s / 60:.1f} min left"


class LadderProgress:
    """One bar for all models, one for the ladder at hand; drawn between turns, never beside one.

    Args:
        num_models: models of the whole request.
        num_done: models whose ladders were in the store before.
    """

    def __init__(self, num_models: int, num_done: int = 0) -> None:
        self.bars: Progress | None = make_bars(is_quiet=True) if sys.stderr.isatty() else None
        self.num_models = num_models
        self.num_done = num_done

    def __enter__(self) -> Self:
        if self.bars:
            self.bars.start()
            self.whole = self.bars.add_task(
                "all models", total=self.num_models, completed=self.num_done, note=""
            )
            self.current = self.bars.add_task("starting", total=1.0, note="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bars:
            self.bars.stop()

    def reporter(self, model: str) -> Callable[[str, float], None]:
        """What shows where the ladder of a model is: a few words, and the share that is done."""

        def report(what: str, share: float) -> None:
            if self.bars:
                label = f"{model} · {what}"
                self.bars.update(self.current, description=label, completed=share, refresh=True)

        return report

    def done(self, model: str) -> None:
        """Counts a model and writes a line about it above the bars."""
        self.num_done += 1
        if self.bars:
            self.bars.update(self.whole, completed=self.num_done)
            self.bars.console.print(f"{model}: done", markup=False, highlight=False)


def describe(progress: dict[str, Any]) -> str:
    """Throughput, loss and time left, for one line."""
    seconds, fraction = progress["seconds"], progress["fraction"]
    if seconds <= 0:
        return ""
    rate = f"{progress['images_seen'] / seconds:,.0f} images/s, loss {progress['loss']:.3f}"
    if fraction < MIN_FRACTION:
        return rate
    return f"{rate}, {max(seconds / fraction - seconds, 0.0):.0f} s left"


def describe_record(record: "RunRecord") -> str:
    """One line about a run that is over."""
    name = f"{record.spec['model']} · seed {record.spec['seed']}"
    accuracy, seconds = record.value("test_accuracy"), record.value("train_time")
    if record.status != "ok" or accuracy is None or seconds is None:
        return f"{name}: {record.status}: {record.reason}"
    return f"{name}: {accuracy * 100:.2f} % after {seconds:.1f} s of training"


def make_bars(*, is_quiet: bool = False) -> "Progress":
    """Empty bars on stderr.

    Args:
        is_quiet: draws only when told to, so that nothing runs beside what is being timed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=not is_quiet,
    )
