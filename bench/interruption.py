"""Ctrl-C once ends after the current run, twice ends now; so do SIGTERM and a closed terminal."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

NOTICE = "\nstopping after the current {}; press Ctrl-C again to stop now\n"


@dataclass
class Interruption:
    """What the user has asked for so far.

    Attributes:
        count: how often Ctrl-C was pressed; SIGTERM and SIGHUP count for two.
        exit_code: 130 after SIGINT, 143 after SIGTERM, 129 after SIGHUP, else None.
        unit: what the first Ctrl-C lets come to its end.
    """

    count: int = 0
    exit_code: int | None = None
    unit: str = "run"

    @property
    def after_run(self) -> bool:
        """Whether no further run, or round of a ladder, should begin."""
        return self.count >= 1

    @property
    def now(self) -> bool:
        """Whether the current run should end too."""
        return self.count >= 2

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        self.count += 1 if number == signal.SIGINT else 2
        self.exit_code = 128 + number
        if not self.now:
            with suppress(OSError):  # whoever read it may be gone
                # sys.stderr may be in the middle of a write
                os.write(2, NOTICE.format(self.unit).encode())


@contextmanager
def watch_signals(*, raises: bool = False, unit: str = "run") -> Iterator[Interruption]:
    """Counts SIGINT, SIGTERM and SIGHUP while the block runs; under `nohup` no SIGHUP.

    Args:
        raises: whether the signal that means *now* also raises KeyboardInterrupt, for work that
            is done in this very process.
        unit: what the first Ctrl-C lets come to its end.
    """
    interruption = Interruption(unit=unit)

    def handle(number: int, frame: FrameType | None) -> None:
        interruption.handle(number, frame)
        if raises and interruption.now:
            raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    old = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
