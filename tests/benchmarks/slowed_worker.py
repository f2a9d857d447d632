"""A worker whose steps can be slowed down by real work, to see whether a gate notices."""

import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from bench.child import settle_in
from bench.gate.worker import Worker, serve

CALIBRATION_LOOPS = 20_000


class SlowedWorker(Worker):
    """Does so many loops of pure Python after each step: work, not sleep, as load slows it too."""

    def calibrate(self, model: str, steps: int) -> dict[str, float]:
        """Seconds of an undisturbed step and of an undisturbed loop, each the best of some."""
        step_s = min(seconds for _ in range(3) for _, seconds in self.turn(model, steps))
        loop_s = min(_seconds_of(CALIBRATION_LOOPS) for _ in range(20)) / CALIBRATION_LOOPS
        return {"step_s": step_s, "loop_s": loop_s}

    def turn(self, model: str, steps: int, loops: int = 0) -> list[tuple[int, float]]:
        """Trains so many steps, each followed by loops."""
        engine = self.ready[model].engine
        whole: Any = engine.run

        def slowed(batches: Any, *rest: Any) -> Any:  # noqa: ANN401 - as the engine has it
            losses = whole(batches, *rest)
            for _ in batches:
                _loop(loops)
            return losses

        if not loops:
            return super().turn(model, steps)
        engine.run = slowed  # type: ignore[assignment, method-assign]
        try:
            return super().turn(model, steps)
        finally:
            engine.run = whole  # type: ignore[method-assign]


def _loop(count: int) -> None:
    for _ in range(count):
        pass


def _seconds_of(count: int) -> float:
    started = time.perf_counter()
    _loop(count)
    return time.perf_counter() - started


def main(arguments: Sequence[str]) -> None:
    """Serves as `bench.gate.worker` does."""
    settle_in()
    serve(Connection(int(arguments[0])), SlowedWorker())


if __name__ == "__main__":
    main(sys.argv[1:])
