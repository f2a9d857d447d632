"""Ctrl-C and SIGTERM: once ends after the current run, twice (or SIGTERM) ends now."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

NOTICE = "\nstopping after the current {}; press Ctrl-C again to stop now\n"


@dataclass
class Interruption:
    """What the user has asked for so far.

    Attributes:
        count: how often Ctrl-C was pressed; SIGTERM counts for two.
        exit_code: 130 after SIGINT, 143 after SIGTERM, else None.
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
            # sys.stderr may be in the middle of a write
            os.write(2, NOTICE.format(self.unit).encode())


@contextmanager
def watch_signals(*, raises: bool = False, unit: str = "run") -> Iterator[Interruption]:
    """Counts SIGINT and SIGTERM while the block runs.

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

    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
