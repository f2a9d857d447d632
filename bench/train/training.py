"""The training loop: one loop for every budget, engine and device.

Training runs in legs. A leg is a window of the training clock between two pauses: evaluations of
the validation curve, ends of epochs where the recipe acts on validation, checkpoints. Inside it,
chunks of steps are handed to the engine, and the clock is read where that drains nothing.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from bench.engine.engine import Engine
from bench.errors import RunError
from bench.machine.clock import Mark
from bench.machine.meters import Meters
from bench.spec.budget import Budget
from bench.train.control import Control, Scores
from bench.train.pacing import Pacer, chunk_steps
from data_pipeline import BatchStream


class CurvePoint(NamedTuple):
    """Validation on the way, off the clock: at fixed fractions of the budget, or each epoch."""

    train_seconds: float
    budget_fraction: float
    images_seen: int
    validation_accuracy: float
    validation_loss: float


@dataclass
class Trace:
    """What a training leaves behind, raw.

    Losses are numbers, not tensors: a tensor kept from each chunk would lie between the blocks that
    steps use again, and make the heap grow.
    """

    losses: list[float] = field(default_factory=list)  # of every step
    learning_rates: list[float] = field(default_factory=list)  # of every step
    chunk_steps: list[int] = field(default_factory=list)
    chunk_seconds: list[float] = field(default_factory=list)  # by the clock of the device
    images_seen: int = 0
    seconds_in_steps: float = 0.0  # of the host inside the engine; on a CPU the work itself
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


class Pauses(NamedTuple):
    """Where training pauses besides the points of the curve."""

    at_epochs: bool = False
    every_steps: int | None = None
    every_s: float | None = None  # at the first chunk after so many training seconds


NO_PAUSES = Pauses()


@dataclass
class Training:
    """One training, ready to run.

    Attributes:
        learning_rate_at: rate for a fraction of the budget.
        step_s: predicted seconds of a step, from the warm-up; corrected while training.
        momentum_at: momentum for a fraction of the budget; None keeps the optimizer's.
        curve_fractions: ascending; where `validate` is called, 1 for the end.
        validate: scores the model on the validation images; off the clock.
        control: acts on the scores; None where the training is the same whatever they are.
        on_pause: called at every pause, after any validation, off the clock.
        put_back: sets the switches that the model's code has turned; called outside of windows.
        report: called about once a chunk; must be cheap.
    """

    engine: Engine
    stream: BatchStream
    budget: Budget
    pacer: Pacer
    meters: Meters
    learning_rate_at: Callable[[float], float]
    step_s: float
    momentum_at: Callable[[float], float] | None = None
    curve_fractions: Sequence[float] = ()
    validate: Callable[[], Scores] | None = None
    control: Control | None = None
    pauses: Pauses = NO_PAUSES
    on_pause: Callable[[], None] = lambda: None
    put_back: Callable[[], None] = lambda: None
    report: Callable[[Progress], None] = lambda _: None
    trace: Trace = field(default_factory=Trace)
    _pending: deque[_Chunk] = field(default_factory=deque, init=False)
    _last_mark: Mark = field(default=0.0, init=False)
    _paused: tuple[int, float] = field(default=(0, 0.0), init=False)  # epochs, seconds
    _scores: Scores | None = field(default=None, init=False)  # of the last look

    def run(self) -> Trace:
        """Train until the budget is spent, or the control ends it.

        Raises:
            RunError: the loss is no longer finite (`diverged`, with the step).
        """
        self._paused = self.stream.epoch, self.meters.seconds  # not 0 after a checkpoint
        looked = {point.budget_fraction for point in self.trace.curve}
        for stop in sorted({*self.curve_fractions, 1.0} - looked):
            while not (self.control and self.control.is_over):
                if self._run_leg(stop):
                    self._arrive(stop)
                    break
                self._pause()
        return self.trace

    def _pause(self) -> None:
        """Stop between two legs; look at validation where an epoch has just ended."""
        is_epoch_end = self.stream.epoch > self._paused[0]
        self._paused = self.stream.epoch, self.meters.seconds
        if self.control and self.control.recipe.validates_each_epoch and is_epoch_end:
            self.control.end_epoch(float(self.stream.epoch), self._look(self.pacer.fraction))
        self.on_pause()

    def _arrive(self, stop: float) -> None:
        """Stop at a point of the curve, or at the end; look at an epoch cut short as well."""
        is_unseen_end = self.control is not None and not self._has_looked
        if self.validate and (stop in self.curve_fractions or is_unseen_end):
            scores = self._look(stop)
            if self.control and (stop == 1.0 or self.control.is_over):
                epoch = self.trace.images_seen / self.stream.images_per_epoch
                self.control.select(epoch, scores)
        self.on_pause()

    @property
    def _has_looked(self) -> bool:
        curve = self.trace.curve
        return bool(curve) and curve[-1].images_seen == self.trace.images_seen

    def _look(self, fraction: float) -> Scores:
        """Validate now; where no step came after the last look, take what that found."""
        assert self.validate is not None, "a recipe that looks at validation has some images for it"
        if self._scores is None or not self._has_looked:
            self._scores = self.validate()
        scores, seen, seconds = self._scores, self.trace.images_seen, self.meters.seconds
        point = CurvePoint(seconds, fraction, seen, scores.accuracy, scores.loss)
        self.trace.curve.append(point)
        if self.control:
            self.control.see(scores)
        return scores

    def run_turn(self, stop: float) -> tuple[float, int]:
        """Train one leg, up to a fraction of the budget; return its seconds and images."""
        seconds, images = self.meters.seconds, self.trace.images_seen
        self._run_leg(stop)
        return self.meters.seconds - seconds, self.trace.images_seen - images

    def _run_leg(self, stop: float) -> bool:
        """Train in one window of the clock, up to a fraction; False where a pause came first."""
        self.put_back()  # what a pause has turned: it traces and evaluates the model
        self._last_mark = self.meters.open()
        has_arrived = True
        try:
            while fractions := self.pacer.next_fractions(self._chunk_limit(), stop):
                self._run_chunk(fractions)
                if self._is_pause_due():
                    has_arrived = False
                    break
            self._settle_all_but(0)
        finally:
            self.meters.close()
            self.put_back()
        return has_arrived

    def _is_pause_due(self) -> bool:
        pauses, (epoch, seconds) = self.pauses, self._paused
        if pauses.every_steps and self._steps_given % pauses.every_steps == 0:
            return True
        # seconds up to the last chunk whose time is known
        if pauses.every_s and self.meters.seconds_at(self._last_mark) - seconds >= pauses.every_s:
            return True
        return pauses.at_epochs and self.stream.epoch > epoch

    @property
    def _steps_given(self) -> int:
        """Steps handed to the engine, whether their time is known yet or not."""
        return len(self.trace.learning_rates)

    def _chunk_limit(self) -> int:
        group = self.engine.group_steps  # a chunk holds whole groups, be it longer than 50 ms
        whole = max(group, chunk_steps(self.step_s) // group * group)
        limit = min(whole, self.stream.remaining)
        every = self.pauses.every_steps
        return min(limit, every - self._steps_given % every) if every else limit

    def _run_chunk(self, fractions: Sequence[float]) -> None:
        scale = self.control.rate_scale if self.control else 1.0
        batches = self.stream.take(len(fractions))
        rates = [self.learning_rate_at(at) * scale for at in fractions]
        momenta = [self.momentum_at(at) for at in fractions] if self.momentum_at else None
        started = self.meters.clock.now()
        losses = self.engine.run(batches, rates, momenta)
        self.trace.seconds_in_steps += self.meters.clock.now() - started
        self.trace.learning_rates.extend(rates)
        self.trace.images_seen += sum(len(batch) for batch in batches)
        self._pending.append(_Chunk(len(batches), losses, self.meters.clock.mark()))
        self._settle_all_but(self.meters.clock.lag)

    def _settle_all_but(self, lag: int) -> None:
        while len(self._pending) > lag:
            self._settle(self._pending.popleft())

    def _settle(self, chunk: _Chunk) -> None:
        """Read the time of a chunk that is done, and look at its losses."""
        trace, first = self.trace, self.trace.steps + 1
        seconds = self.meters.clock.seconds_between(self._last_mark, chunk.mark)
        self._last_mark = chunk.mark
        trace.chunk_steps.append(chunk.steps)
        trace.chunk_seconds.append(seconds)
        losses = chunk.losses.tolist()
        trace.losses.extend(losses)
        self.step_s = seconds / chunk.steps
        for step, loss in enumerate(losses, start=first):
            if not math.isfinite(loss):
                raise RunError("diverged", f"the loss became {loss} at step {step}")
        so_far = self.meters.seconds_at(chunk.mark)
        if not self.budget.is_counted:
            spent = so_far if self.budget.unit == "s" else self.meters.joules_now()
            self.pacer.observe(spent, chunk.steps, sum(ahead.steps for ahead in self._pending))
        self.report(Progress(self.pacer.fraction, trace.images_seen, so_far, losses[-1]))


def set_budget(training: Training, steps: int) -> None:
    """Make the next turns of the training so many steps together."""
    training.budget = Budget(steps, "steps")
    training.pacer = Pacer(limit=steps, per_step=1.0)
