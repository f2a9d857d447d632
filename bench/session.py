"""A session: all seeds of one configuration on one device, sharing data, model and compilation."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn, optim

from bench.ceilings import Ceilings, ceilings_of
from bench.clock import make_clock
from bench.curve import affordable_points
from bench.device import check_supported, prepare_process, usable_cores
from bench.engine import MEMORY_FORMATS, Engine, Feed, StepEngine, make_loss
from bench.environment import describe_environment
from bench.evaluation import BATCH_SIZES, Quality, evaluate
from bench.plan import Plan
from bench.probe import Candidate, candidate_plans, fastest, probe_seconds
from bench.roofline import StepCost
from bench.spec import RunSpec
from bench.warmup import restored, time_step, warm_up
from data_pipeline import (
    ResidentSplit,
    load_fashion_mnist,
    parse_augmentation,
    place,
    stratified_split,
)
from fmnist_models import build_model, model_info

SPLIT_SEED = 0  # the same validation images for every model, seed and day
# Added to the seed, so that weights, data order and augmentation draw from streams of their own. A
# CPU generator looks at the lowest 32 bits alone.
ORDER_SEED = 1 << 20
AUGMENTATION_SEED = 2 << 20


@dataclass(frozen=True)
class Splits:
    """The three parts of the data on the device; validation is None where nothing was kept."""

    train: ResidentSplit
    validation: ResidentSplit | None
    test: ResidentSplit
    data_hash: str


def load_splits(spec: RunSpec, device: torch.device, data: Path | None) -> Splits:
    """Loads, verifies, splits and places the data for a run."""
    loaded = load_fashion_mnist(data)
    size = spec.recipe.input_size or model_info(spec.model).input_size
    kept, held = stratified_split(loaded.train_labels, spec.recipe.validation_fraction, SPLIT_SEED)
    images, labels = loaded.train_images, loaded.train_labels
    validation = place(images, labels, device, size, held) if len(held) else None
    everything = kept if len(held) else None
    return Splits(
        train=place(images, labels, device, size, everything),
        validation=validation,
        test=place(loaded.test_images, loaded.test_labels, device, size),
        data_hash=loaded.data_hash,
    )


@dataclass
class Session:
    """Data, model and compiled code of one configuration.

    Attributes:
        spec: resolved but for the plan under `auto`; its seed is not looked at.
        device: where everything lives.
        splits: the data.
        plan: settled; None until a probe has chosen.
        tried: what the probe tried.
        setup_s: seconds of set-up that no record has reported yet.
        warmed: plans whose first warm-up, with any compilation, is done.
        ceilings: of the machine; None where they were not measured.
        costs: of a step, by the plans that have been counted.
    """

    spec: RunSpec
    device: torch.device
    splits: Splits
    plan: Plan | None = None
    tried: list[Candidate] = field(default_factory=list)
    setup_s: dict[str, float] = field(default_factory=dict)
    warmed: set[Plan] = field(default_factory=set)
    ceilings: Ceilings | None = None
    costs: dict[Plan, StepCost] = field(default_factory=dict)
    _model: nn.Module | None = field(default=None, init=False)
    _losses: dict[Plan, Callable[..., Tensor]] = field(default_factory=dict, init=False)

    @classmethod
    def open(cls, spec: RunSpec, device: torch.device, data: Path | None = None) -> "Session":
        """Measures the ceilings, prepares the process and loads the data.

        Raises:
            RunError: the plan or the precision cannot be had on this device.
        """
        check_supported(spec, device)
        begun = time.perf_counter()
        # before glibc is told to keep what is freed: the copies take half a gigabyte
        ceilings = ceilings_of(device, describe_environment(device, data_hash=""))
        started = time.perf_counter()
        prepare_process(spec, device)
        splits = load_splits(spec, device, data)
        setup_s = {"ceilings": started - begun, "data": time.perf_counter() - started}
        return cls(spec, device, splits, spec.plan, setup_s=setup_s, ceilings=ceilings)

    def model_for(self, seed: int) -> nn.Module:
        """The model with the weights of this seed; always the same module, compiled only once.

        Weights are drawn on the CPU, so that every device starts from the same ones.
        """
        torch.manual_seed(seed)
        fresh = build_model(self.spec.model)
        if self._model is None:
            self._model = fresh.to(self.device)
        else:
            self._model.load_state_dict(fresh.state_dict())
            self._model.zero_grad()
        return self._model.train()  # an evaluation that failed may have left it in eval mode

    def engine_for(
        self, plan: Plan, model: nn.Module, optimizer: optim.Optimizer, generator: torch.Generator
    ) -> Engine:
        """The engine of a plan around this model; sets the threads of this process."""
        torch.set_num_threads(plan.threads or usable_cores())
        model.to(memory_format=MEMORY_FORMATS[plan.memory_format])
        if plan not in self._losses:
            self._losses[plan] = make_loss(model, self.spec.recipe, plan, self.device.type)
        return StepEngine(
            model,
            optimizer,
            self.feed(plan, generator),
            self._losses[plan],
            self.spec.recipe.precision,
        )

    def feed(self, plan: Plan, generator: torch.Generator) -> Feed:
        """Batches of the training split, augmented as the recipe says."""
        return Feed(
            split=self.splits.train,
            augmentations=tuple(parse_augmentation(name) for name in self.spec.recipe.augment),
            normalization=self.spec.recipe.normalize,
            generator=generator,
            memory_format=MEMORY_FORMATS[plan.memory_format],
        )

    def settle_plan(
        self, model: nn.Module, optimizer: optim.Optimizer, generator: torch.Generator
    ) -> Plan:
        """The plan of this session: the one asked for, or the fastest of a short probe."""
        if self.plan is None:
            started = time.perf_counter()
            time_steps = self._step_timer(model, optimizer, generator)
            plans = candidate_plans(model, self.device.type)
            cap_s = probe_seconds(self.spec.budget)
            self.plan, self.tried = fastest(plans, time_steps, time.perf_counter, cap_s)
            self.setup_s["probe"] = time.perf_counter() - started
        return self.plan

    def _step_timer(
        self, model: nn.Module, optimizer: optim.Optimizer, generator: torch.Generator
    ) -> Callable[[Plan], list[float]]:
        clock = make_clock(self.device)
        rate = self.small_rate()

        def time_steps(plan: Plan) -> list[float]:
            # each plan starts without optimizer state: CUDA's fused kernels refuse the strides
            # of a memory format that the parameters no longer have
            with restored(model, optimizer, [generator]):
                engine = self.engine_for(plan, model, optimizer, generator)
                time_step(engine, self.random_batch(), rate, clock)  # the change of format
                return [time_step(engine, self.random_batch(), rate, clock) for _ in range(2)]

        return time_steps

    def warm(self, engine: Engine) -> float:
        """Warms the engine up and gives the predicted seconds of a step.

        A ragged last batch has a shape of its own, which compiled code must have seen too.
        """
        clock = make_clock(self.device)
        ragged = len(self.splits.train) % self.spec.recipe.batch_size
        if ragged and not self.spec.recipe.drop_last:
            time_step(engine, self.random_batch(ragged), self.small_rate(), clock)
        return warm_up(engine, self.random_batch, self.small_rate(), clock)

    def random_batch(self, size: int | None = None) -> Tensor:
        """Indices (B,) of any training images, on the device."""
        count = size or self.spec.recipe.batch_size
        return torch.randint(len(self.splits.train), (count,), device=self.device)

    def small_rate(self) -> float:
        """A learning rate at which no untimed step overflows."""
        return (self.spec.recipe.learning_rate or 0.0) * 1e-3

    def evaluate(self, model: nn.Module, split: ResidentSplit) -> Quality:
        """One pass in eval mode with the recipe's normalisation and precision."""
        recipe = self.spec.recipe
        return evaluate(model, split, normalization=recipe.normalize, precision=recipe.precision)

    def curve_points(
        self, model: nn.Module, validation: ResidentSplit, training_s: float | None
    ) -> tuple[float, ...]:
        """Budget fractions whose evaluations a training of so many seconds can afford."""
        size = BATCH_SIZES[self.device.type]
        sample = ResidentSplit(validation.images[:size], validation.labels[:size])
        self.evaluate(model, sample)
        started = time.perf_counter()
        self.evaluate(model, sample)
        cost = (time.perf_counter() - started) * len(validation) / len(sample)
        return tuple(affordable_points(cost, training_s))
