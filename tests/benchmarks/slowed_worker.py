"""A worker whose steps are slowed down by real work, to see whether a gate notices.

By how much says the file `slow_down` in its tree, a share of the step; without one, by nothing.
"""

import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.gate.stopwatch import busy_seconds
from bench.gate.worker import Worker, serve
from bench.workers.confinement import settle_in

SLOW_DOWN = Path("slow_down")
LOOPS = 20_000
REPEATS = 20


class SlowedWorker(Worker):
    """Does loops of pure Python after each step: work, not sleep, so that load slows it as well."""

    loops = 0  # of the model that is ready: there is one at a time

    def prepare(
        self, model: str, plan: str, device: str, settings: Sequence[str], turn_s: float
    ) -> dict[str, Any]:
        """Makes a model ready; what a step will do in addition is measured against its fastest."""
        self.loops = 0
        ready = super().prepare(model, plan, device, settings, turn_s)
        share = float(SLOW_DOWN.read_text(encoding="ascii")) if SLOW_DOWN.exists() else 0.0
        if share:
            step_s = min(self.turn(model, ready["steps"]) for _ in range(3))
            loop_s = min(busy_seconds(lambda: do_loops(LOOPS)) for _ in range(REPEATS)) / LOOPS
            self.loops = round(share * step_s / loop_s)
        return ready

    def turn(self, model: str, steps: int) -> float:
        """Trains so many steps, each followed by its loops."""
        engine = self.ready[model].engine
        whole: Any = engine.run

        def slowed(batches: Any, *rest: Any) -> Any:  # noqa: ANN401 - as the engine has it
            losses = whole(batches, *rest)
            for _ in batches:
                do_loops(self.loops)
            return losses

        engine.run = slowed  # type: ignore[assignment, method-assign]
        try:
            return super().turn(model, steps)
        finally:
            engine.run = whole  # type: ignore[method-assign]


def do_loops(count: int) -> None:
    """So many loops that do nothing."""
    for _ in range(count):
        pass


def main(arguments: Sequence[str]) -> None:
    """Serves as `bench.gate.worker` does."""
    settle_in()
    serve(Connection(int(arguments[0])), SlowedWorker())


if __name__ == "__main__":
    main(sys.argv[1:])
