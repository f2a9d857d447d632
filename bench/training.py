"""The training loop: one loop for every budget, engine and device.

Training runs in legs. A leg is a window of the training clock between two evaluations of the
validation curve; inside it, chunks of steps are handed to the engine, and the clock is read where
that drains nothing.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from bench.budget import Budget
from bench.clock import Mark
from bench.engine import Engine
from bench.errors import RunError
from bench.meters import Meters
from bench.pacing import Pacer, chunk_steps
from data_pipeline import BatchStream


class CurvePoint(NamedTuple):
    """Validation accuracy on the way: off the clock, at a fixed fraction of the budget."""

    train_seconds: float
    budget_fraction: float
    images_seen: int
    validation_accuracy: float


@dataclass
class Trace:
    """What a training leaves behind, raw.

    Attributes:
        losses: training loss of every step. Numbers, not tensors: a tensor kept from each chunk
            would lie between the blocks that steps use again, and make the heap grow.
        chunk_steps: steps of each chunk.
        chunk_seconds: device seconds of each chunk.
        images_seen: images of all steps.
        seconds_in_steps: host seconds inside the engine; on a CPU that is the work itself.
        curve: validation accuracy on the way.
    """

    losses: list[float] = field(default_factory=list)
    chunk_steps: list[int] = field(default_factory=list)
    chunk_seconds: list[float] = field(default_factory=list)
    images_seen: int = 0
    seconds_in_steps: float = 0.0
    curve: list[CurvePoint] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Optimizer updates done."""
        return sum(self.chunk_steps)


class Progress(NamedTuple):
    """Where a training is, for whoever watches."""

    fraction: float
    images_seen: int
    seconds: float
    loss: float


class _Chunk(NamedTuple):
    steps: int
    losses: Tensor
    mark: Mark


@dataclass
class Training:
    """One training, ready to run.

    Attributes:
        engine: executes the steps.
        stream: gives the batches.
        budget: when to stop.
        pacer: how far the budget is spent.
        meters: seconds, joules, bytes.
        learning_rate_at: rate for a fraction of the budget.
        step_s: predicted seconds of a step, from the warm-up; corrected while training.
        curve_fractions: ascending; where `validate` is called, 1 for the end.
        validate: gives the validation accuracy; off the clock.
        report: called about once a chunk; must be cheap.
    """

    engine: Engine
    stream: BatchStream
    budget: Budget
    pacer: Pacer
    meters: Meters
    learning_rate_at: Callable[[float], float]
    step_s: float
    curve_fractions: Sequence[float] = ()
    validate: Callable[[], float] | None = None
    report: Callable[[Progress], None] = lambda _: None
    trace: Trace = field(default_factory=Trace)
    _pending: deque[_Chunk] = field(default_factory=deque, init=False)
    _last_mark: Mark = field(default=0.0, init=False)

    def run(self) -> Trace:
        """Trains until the budget is spent.

        Raises:
            RunError: the loss is no longer finite (`diverged`, with the step).
        """
        for stop in sorted({*self.curve_fractions, 1.0}):
            self._run_leg(stop)
            if self.validate and stop in self.curve_fractions:
                accuracy = self.validate()
                seen, seconds = self.trace.images_seen, self.meters.seconds
                self.trace.curve.append(CurvePoint(seconds, stop, seen, accuracy))
        return self.trace

    def run_turn(self, stop: float) -> tuple[float, int]:
        """One leg by itself, up to a fraction of the budget: its seconds and images."""
        seconds, images = self.meters.seconds, self.trace.images_seen
        self._run_leg(stop)
        return self.meters.seconds - seconds, self.trace.images_seen - images

    def _run_leg(self, stop: float) -> None:
        self._last_mark = self.meters.open()
        try:
            while fractions := self.pacer.next_fractions(self._chunk_limit(), stop):
                self._run_chunk(fractions)
            self._settle_all_but(0)
        finally:
            self.meters.close()

    def _chunk_limit(self) -> int:
        group = self.engine.group_steps  # a chunk holds whole groups, be it longer than 50 ms
        whole = max(group, chunk_steps(self.step_s) // group * group)
        return min(whole, self.stream.remaining)

    def _run_chunk(self, fractions: Sequence[float]) -> None:
        batches = self.stream.take(len(fractions))
        rates = [self.learning_rate_at(fraction) for fraction in fractions]
        started = self.meters.clock.now()
        losses = self.engine.run(batches, rates)
        self.trace.seconds_in_steps += self.meters.clock.now() - started
        self.trace.images_seen += sum(len(batch) for batch in batches)
        self._pending.append(_Chunk(len(batches), losses, self.meters.clock.mark()))
        self._settle_all_but(self.meters.clock.lag)

    def _settle_all_but(self, lag: int) -> None:
        while len(self._pending) > lag:
            self._settle(self._pending.popleft())

    def _settle(self, chunk: _Chunk) -> None:
        """Reads the time of a chunk that is done, and looks at its losses."""
        seconds = self.meters.clock.seconds_between(self._last_mark, chunk.mark)
        self._last_mark = chunk.mark
        self.trace.chunk_steps.append(chunk.steps)
        self.trace.chunk_seconds.append(seconds)
        losses = chunk.losses.tolist()
        self.trace.losses.extend(losses)
        self.step_s = seconds / chunk.steps
        self._check_finite(losses)
        so_far = self.meters.seconds_at(chunk.mark)
        self._observe(chunk, so_far)
        self.report(Progress(self.pacer.fraction, self.trace.images_seen, so_far, losses[-1]))

    def _observe(self, chunk: _Chunk, so_far: float) -> None:
        ahead = sum(pending.steps for pending in self._pending)
        if self.budget.unit == "s":
            self.pacer.observe(so_far, chunk.steps, ahead)
        elif self.budget.unit == "J":
            self.pacer.observe(self.meters.joules_now(), chunk.steps, ahead)

    def _check_finite(self, losses: Sequence[float]) -> None:
        for step, loss in enumerate(losses, start=self.trace.steps - len(losses) + 1):
            if not math.isfinite(loss):
                raise RunError("diverged", f"the loss became {loss} at step {step}")
