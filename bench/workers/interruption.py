"""Ctrl-C once ends after the current run, twice ends now; so do SIGTERM and a closed terminal."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

Handler = Callable[[int, FrameType | None], None]
NOTICE = "\nstopping after the current {}; press Ctrl-C again to stop now\n"


@dataclass
class Interruption:
    """What the user has asked for so far."""

    count: int = 0  # how often Ctrl-C was pressed; SIGTERM and SIGHUP count for two
    exit_code: int | None = None  # 128 + the number of the last signal
    unit: str = "run"  # what the first Ctrl-C lets come to its end

    @property
    def after_run(self) -> bool:
        """Whether no further run, or round of a ladder, should begin."""
        return self.count >= 1

    @property
    def now(self) -> bool:
        """Whether the current run should end too."""
        return self.count >= 2

    def count_signal(self, number: int) -> None:
        """Count a signal; at the first Ctrl-C, say what the next will do."""
        self.count += 1 if number == signal.SIGINT else 2
        self.exit_code = 128 + number
        if not self.now:
            with suppress(OSError):  # whoever read it may be gone
                # sys.stderr may be in the middle of a write
                os.write(2, NOTICE.format(self.unit).encode())


@contextmanager
def watch_signals(*, raises: bool = False, unit: str = "run") -> Iterator[Interruption]:
    """Count SIGINT, SIGTERM and SIGHUP while the block runs.

    With `raises`, the signal that means *now* also raises KeyboardInterrupt, for work in this very
    process.
    """
    interruption = Interruption(unit=unit)

    def handle(number: int, _frame: FrameType | None) -> None:
        interruption.count_signal(number)
        if raises and interruption.now:
            raise KeyboardInterrupt

    with _handled(handle, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield interruption


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Raise SystemExit at SIGTERM and SIGHUP while the block runs."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    with _handled(leave, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _handled(handler: Handler, *numbers: signal.Signals) -> Iterator[None]:
    """Handle signals while the block runs; a SIGHUP that is ignored, as under `nohup`, stays so."""
    is_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    old = {
        number: signal.signal(number, handler)
        for number in numbers
        if not (is_ignored and number == signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, before in old.items():
            signal.signal(number, before)
