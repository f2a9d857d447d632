"""Progress of a sweep or a ladder on stderr; silent where that is no terminal."""

import sys
import time
from typing import TYPE_CHECKING, Self

from bench.shell import make_console
from bench.workers.messages import MAX_SHOWN_CHARS
from results import RunRecord
from results.text import visible

if TYPE_CHECKING:
    from bench.train.training import Progress

MIN_FRACTION = 0.02  # before that the time left is a guess


class ProgressBars:
    """A bar for all runs and one for the run at hand; nothing where stderr is no terminal.

    Args:
        noun: what is counted: `runs`, or `models`.
        num_done: of `total`, those that an earlier sweep has left in the store.
        is_quiet: draws only when told something, so that nothing runs beside what is being timed.
    """

    def __init__(self, noun: str, total: int, num_done: int = 0, *, is_quiet: bool = False) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self.noun, self.total, self.num_done = noun, total, num_done
        self.is_quiet, self.num_before, self.started = is_quiet, num_done, time.monotonic()
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=make_console(stderr=True),
            transient=True,
            auto_refresh=not is_quiet,
            disable=not sys.stderr.isatty(),
        )
        self.whole = self.bars.add_task(
            f"all {noun}", total=total, completed=num_done, note=self._count()
        )
        self.current = self.bars.add_task("starting", total=1.0, note="")

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if not self.bars.disable:  # rich 13 would write an empty line
            self.bars.stop()

    def show(self, label: str, fraction: float | None, note: str = "") -> None:
        """Show what is under way, and which share of it is done; None leaves that as it is."""
        self.bars.update(
            self.current,
            description=visible(label),
            completed=fraction,
            note=visible(note),
            refresh=self.is_quiet,
        )

    def done(self, line: str) -> None:
        """Count one, and write a line about it above the bars."""
        self.num_done += 1
        self.bars.update(self.whole, completed=self.num_done, note=self._count())
        self.bars.update(self.current, completed=0.0, note="")
        if not self.bars.disable:
            self.bars.console.print(visible(line))

    def _count(self) -> str:
        count = f"{self.num_done} of {self.total} {self.noun}"
        done_here = self.num_done - self.num_before
        if not done_here:
            return count
        left_s = (time.monotonic() - self.started) / done_here * (self.total - self.num_done)
        return f"{count}, about {left_s / 60:.1f} min left"


def describe_run(
    seed: int, phase: str, progress: "Progress | None"
) -> tuple[str, float | None, str]:
    """Describe a run under way as `ProgressBars.show` takes it: label, share, note."""
    label = f"seed {seed} · {phase}"
    if progress is None:
        return label, None, ""
    note, seconds, fraction = "", progress.seconds, progress.fraction
    if seconds > 0:
        note = f"{progress.images_seen / seconds:,.0f} images/s, loss {progress.loss:.3f}"
        if fraction >= MIN_FRACTION:
            note += f", {max(seconds / fraction - seconds, 0.0):.0f} s left"
    return label, min(fraction, 1.0), note[:MAX_SHOWN_CHARS]


def describe_record(record: RunRecord, row: str) -> str:
    """One line about a run that is over, of a row of that name."""
    name = f"{row} · seed {record.spec['seed']}"
    accuracy, seconds = record.value("test_accuracy"), record.value("train_time")
    if record.status != "ok" or accuracy is None or seconds is None:
        return f"{name}: {record.status}: {record.reason}"
    return f"{name}: {accuracy * 100:.2f} % after {seconds:.1f} s of training"
