"""Fakes with which tests train without a model, and small synthetic data for tests with one."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bench import Budget, Plan, Recipe
from bench.engine.engine import MEMORY_FORMATS, Batches, Engine, Feed, Rates, StepEngine
from bench.engine.maker import EngineMaker
from bench.engine.optimizer import make_optimizer
from bench.engine.warmup import Learner
from bench.machine.clock import Mark
from bench.machine.meters import Meters
from bench.machine.nvml import Gpu
from bench.train.pacing import Pacer
from bench.train.training import Training
from data_pipeline import BatchStream, ResidentSplit, parse_augmentation

STEP_S = 1 / 64  # exact in binary: three to a chunk
RECIPE = Recipe(name="test", source="tests", learning_rate=0.1, batch_size=8, precision="fp32")

OPTIMIZERS = {
    "sgd": RECIPE,
    "sgd, decay": replace(RECIPE, weight_decay=0.05),
    "momentum": replace(RECIPE, momentum=0.9, weight_decay=0.05),
    "nesterov": replace(RECIPE, momentum=0.9, nesterov=True),
    "adam": replace(RECIPE, optimizer="adam"),
    "adam, decay": replace(RECIPE, optimizer="adam", weight_decay=0.05),
    "adamw": replace(RECIPE, optimizer="adamw", weight_decay=0.05),
    "rmsprop": replace(RECIPE, optimizer="rmsprop", weight_decay=0.05),
    "rmsprop, momentum": replace(RECIPE, optimizer="rmsprop", momentum=0.9),
}


class HandScores(NamedTuple):
    """Scores of a validation that never was."""

    accuracy: float
    loss: float = 1.0


@dataclass
class FakeClock:
    """A device whose time passes by its work; with lag 1 the host only queues, as on CUDA."""

    lag: int = 0
    host_s: float = 0.0
    device_s: float = 0.0
    num_synchronized: int = 0

    def work(self, seconds: float) -> None:
        """Gives the device that much to do."""
        self.device_s = max(self.device_s, self.host_s) + seconds
        if not self.lag:
            self.host_s = self.device_s

    def pass_time(self, seconds: float) -> None:
        """Lets the host spend time elsewhere."""
        self.host_s += seconds

    def slow_validation(self) -> "HandScores":
        """Stands for a validation that takes the host 100 seconds."""
        self.pass_time(100.0)
        return HandScores(0.5)

    def synchronize(self) -> None:
        """Waits for the device."""
        self.num_synchronized += 1
        self.host_s = max(self.host_s, self.device_s)

    def now(self) -> float:
        """Host seconds."""
        return self.host_s

    def mark(self) -> Mark:
        """Where the device will be when it has done all it was given."""
        return max(self.host_s, self.device_s)

    def seconds_between(self, start: Mark, end: Mark) -> float:
        """Device seconds; waits for the later mark."""
        assert isinstance(start, float)
        assert isinstance(end, float)
        self.host_s = max(self.host_s, end)
        return end - start


@dataclass
class FakeMemory:
    """Counts its windows."""

    num_opened: int = 0
    num_closed: int = 0

    def open(self) -> None:
        """Begins a window."""
        self.num_opened += 1

    def close(self) -> None:
        """Ends it."""
        self.num_closed += 1

    def peak_bytes(self) -> tuple[float | None, str]:
        """Nothing is measured."""
        return None, "fake"


@dataclass
class FakeEngine:
    """Works for some time a step; the loss of a step is its number, from 1."""

    clock: FakeClock
    cost_of: Callable[[int], float] = lambda _step: STEP_S
    not_finite_at: int | None = None
    rates: list[float] = field(default_factory=list)
    momenta: list[float | None] = field(default_factory=list)
    chunks: list[int] = field(default_factory=list)
    group_steps: int = 1

    def reset(self) -> None:
        """Nothing to forget."""

    def run(self, batches: Batches, learning_rates: Rates, momenta: Rates | None = None) -> Tensor:
        """Notes what it was given."""
        assert len(batches) == len(learning_rates)
        first = len(self.rates) + 1
        self.rates += learning_rates
        self.momenta += momenta or [None] * len(batches)
        self.chunks.append(len(batches))
        steps = range(first, first + len(batches))
        self.clock.work(sum(map(self.cost_of, steps)))
        losses = [float("nan") if step == self.not_finite_at else float(step) for step in steps]
        return torch.tensor(losses)


def random_split(num_images: int = 64, size: int = 8, seed: int = 0) -> ResidentSplit:
    """Images of noise and labels of chance."""
    generator = torch.Generator().manual_seed(seed)
    shape = (num_images, 1, size, size)
    images = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    return ResidentSplit(images, torch.randint(10, (num_images,), generator=generator))


def small_net(*, size: int = 8, dropout: float = 0.0, seed: int = 0) -> nn.Sequential:
    """Two convolutions with BatchNorm, dropout and a linear layer."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),  # BatchNorm takes every bias out again
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),  # (B, 4 S S)
        nn.Dropout(dropout),
        nn.Linear(4 * size**2, 10),
    )


def make_engine(
    model: nn.Module,
    recipe: Recipe = RECIPE,
    plan: Plan | None = None,
    split: ResidentSplit | None = None,
) -> StepEngine:
    """That of a plan that takes a step at a time."""
    engine = engine_of(model, recipe, plan or Plan(), split)
    assert isinstance(engine, StepEngine)
    return engine


def feed_of(
    recipe: Recipe = RECIPE,
    memory_format: str = "contiguous",
    split: ResidentSplit | None = None,
    dtype: torch.dtype = torch.float32,
) -> Feed:
    return Feed(
        split=split or random_split(),
        augmentations=tuple(map(parse_augmentation, recipe.augment)),
        normalization=recipe.normalize,
        generator=torch.Generator().manual_seed(1),
        memory_format=MEMORY_FORMATS[memory_format],
        dtype=dtype,
    )


def engine_of(
    model: nn.Module,
    recipe: Recipe,
    plan: Plan,
    split: ResidentSplit | None = None,
    maker: EngineMaker | None = None,
) -> Engine:
    """The real engine of any plan over small synthetic data, in the dtype of the model."""
    model.to(memory_format=MEMORY_FORMATS[plan.memory_format])
    feed = feed_of(recipe, plan.memory_format, split, next(model.parameters()).dtype)
    maker = maker or EngineMaker(model, recipe)
    return maker.make(plan, make_optimizer(recipe, model), feed)


def learner_of(engine: Any) -> Learner:  # noqa: ANN401 - any engine, of which the protocol tells less
    return Learner(engine.model, engine.optimizer, engine.feed.generator)


def some_batches(count: int, size: int = 8, num_images: int = 64) -> list[Tensor]:
    """Index batches (B,) int64, always the same."""
    generator = torch.Generator().manual_seed(2)
    return [torch.randint(num_images, (size,), generator=generator) for _ in range(count)]


def flat_state(model: nn.Module) -> Tensor:
    """All parameters and buffers as one float64 vector."""
    return torch.cat([tensor.detach().double().flatten() for tensor in model.state_dict().values()])


def tensors_in(state: Any) -> list[Tensor]:  # noqa: ANN401 - an optimizer's nested state
    """The tensors of a nested state, in a fixed order."""
    if isinstance(state, Tensor):
        return [state]
    if isinstance(state, dict):
        return [tensor for key in sorted(state, key=str) for tensor in tensors_in(state[key])]
    return []


WATTS = 200.0


@dataclass
class Rig:
    """A training and the fakes in it."""

    training: Training
    engine: FakeEngine
    clock: FakeClock
    memory: FakeMemory


def make_rig(
    budget: str = "96steps",
    *,
    lag: int = 0,
    num_images: int = 1000,
    cost_of: Callable[[int], float] = lambda _step: STEP_S,
    not_finite_at: int | None = None,
    step_s: float = STEP_S,
    **options: Any,  # noqa: ANN401
) -> Rig:
    clock, memory, parsed = FakeClock(lag), FakeMemory(), Budget.parse(budget)
    engine = FakeEngine(clock, cost_of, not_finite_at)
    millijoules = SimpleNamespace(
        nvmlDeviceGetTotalEnergyConsumption=lambda _handle: clock.host_s * WATTS * 1000
    )
    training = Training(
        engine=engine,
        stream=BatchStream(
            num_images,
            10,
            drop_last=False,
            generator=torch.Generator().manual_seed(0),
            device="cpu",
        ),
        budget=parsed,
        pacer=Pacer(parsed.amount, 1.0 if parsed.is_counted else step_s),
        meters=Meters(clock, memory, Gpu(millijoules, None)),
        learning_rate_at=lambda fraction: fraction,
        step_s=step_s,
        **options,
    )
    return Rig(training, engine, clock, memory)
