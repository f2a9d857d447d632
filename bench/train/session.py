"""A session: all seeds of one configuration on one device, sharing data, model and compilation."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.engine.engine import MEMORY_FORMATS, Engine, Feed
from bench.engine.maker import EngineMaker
from bench.engine.warmup import Learner, refill, time_group
from bench.errors import RunError
from bench.import_path import cwd_ignored
from bench.machine.ceilings import Ceilings, ceilings_of
from bench.machine.clock import make_clock
from bench.machine.cores import default_threads
from bench.machine.device import check_supported, prepare_determinism, prepare_process
from bench.machine.environment import describe_environment
from bench.machine.roofline import StepCost
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec, check_files
from bench.train.curve import POINTS, TARGET_POINTS, affordable_points
from bench.train.evaluation import BATCH_SIZES, Quality, evaluate
from bench.train.seeding import build_from, fingerprint
from bench.train.splits import Splits, load_splits, single_image
from data_pipeline import ResidentSplit, parse_augmentation
from fmnist_models import build_model
from fmnist_models.freezing import freeze, needs_two_images, train_mode
from fmnist_models.pretrained import Start, start_from
from fmnist_models.users.code import SwitchRecord, kept_randomness, surroundings_of
from fmnist_models.users.unchanged import Attributes

# Added to the seed, so that weights, data order and augmentation draw from streams of their own. A
# CPU generator looks at the lowest 32 bits alone.
ORDER_SEED = 1 << 20
AUGMENTATION_SEED = 2 << 20


@dataclass
class Session:
    """Data, model and compiled code of one configuration.

    The spec is resolved but for the plan under `auto`; its seed is not looked at.
    """

    spec: RunSpec
    device: torch.device
    splits: Splits
    plan: Plan | None = None  # until a probe has chosen
    tried: list[dict[str, Any]] = field(default_factory=list)  # by a probe, as records show them
    setup_s: dict[str, float] = field(default_factory=dict)  # that no record has reported yet
    warmed: set[Plan] = field(default_factory=set)  # first warm-up, with any compilation, is done
    num_seeds: int = 1
    flops_per_image: float | None = None  # of a training step, until it is counted
    idle_power: tuple[float | None, str] | None = None  # watts, or why unknown
    ceilings: Ceilings | None = None  # where they were not measured
    costs: dict[Plan, StepCost] = field(default_factory=dict)
    profiled: set[Plan] = field(default_factory=set)  # kernels were counted, or could not be
    start: Start | None = None  # of the model of the last seed
    seeds_itself: bool = False  # whether the weights of the last seed were its own choice
    switches: SwitchRecord = field(init=False)  # of the process, as we have set them
    _fingerprint: int | None = field(default=None, init=False)  # of the weights of the last seed
    _model: nn.Module | None = field(default=None, init=False)
    _as_built: Attributes | None = field(default=None, init=False)
    _maker: EngineMaker | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Record the switches of the process, which all are as we want them."""
        self.switches = SwitchRecord(surroundings_of(self.spec.model).touched)

    def put_switches_back(self) -> None:
        """Set the switches that the model's code has turned to what we have set."""
        self.switches.put_back()

    @classmethod
    def open(
        cls, spec: RunSpec, device: torch.device, data: Path | None = None, num_seeds: int = 1
    ) -> "Session":
        """Measure the ceilings, prepare the process and load the data.

        Raises:
            RunError: the plan or the precision cannot be had on this device.
        """
        check_files(spec)
        check_supported(spec, device)
        prepare_determinism(spec)
        begun = time.perf_counter()
        # before glibc is told to keep what is freed: the copies take half a gigabyte
        ceilings = ceilings_of(device, describe_environment(device, data_hash=""))
        started = time.perf_counter()
        prepare_process(spec, device)
        splits = load_splits(spec, device, data)
        setup_s = {"ceilings": started - begun, "data": time.perf_counter() - started}
        setup_s |= {} if spec.plan is None else {"probe": 0.0}  # known: nothing was probed
        return cls(
            spec, device, splits, spec.plan, setup_s=setup_s, ceilings=ceilings, num_seeds=num_seeds
        )

    def model_for(self, seed: int) -> nn.Module:
        """Return the model with the weights of this seed: always the same module, compiled once.

        Weights are drawn on the CPU, so that every device starts from the same ones.
        """
        recipe = self.spec.recipe
        fresh, is_own = build_from(seed, lambda: build_model(self.spec.model, recipe.input_size))
        drawn, before = fingerprint(fresh), self._fingerprint
        self.seeds_itself, self._fingerprint = is_own or drawn == before, drawn
        self.start = start_from(fresh, self.spec.model, recipe.weights, recipe.stem)
        if self._model is None:
            freeze(fresh, self.spec.model, recipe.trainable)
            self._check_size(fresh)
            self._check_batches(fresh)
            self._model = fresh.to(self.device)
            self._as_built = Attributes(self._model)
        else:
            assert self._as_built is not None, "made with the model"
            self._as_built.put_back()  # the last seed may have left something in them
            refill(self._model, fresh)
            self._model.zero_grad()
        self.put_switches_back()
        # an evaluation that failed may have left it in eval mode
        return train_mode(self._model, recipe.frozen_batchnorm)

    def _check_size(self, model: nn.Module) -> None:
        """Refuse images of a size that the recipe asks for and the model cannot take.

        Raises:
            RunError: it fails on one image (`unsupported`).
        """
        size = self.splits.train.images.shape[-1]
        if self.spec.recipe.input_size is None:
            return
        was_training, image = model.training, torch.zeros(1, 1, size, size)
        try:
            with torch.no_grad():
                model.eval()  # whose own may return nothing
                model(image)
        except RuntimeError as error:
            reason = f"{self.spec.model} does not take {size}x{size} images"
            raise RunError("unsupported", f"{reason}: {str(error).splitlines()[0]}") from None
        finally:
            model.train(was_training)

    def _check_batches(self, model: nn.Module) -> None:
        """Refuse a batch of one image where BatchNorm could not train on it.

        Raises:
            RunError: the training would fail at that batch, an epoch later (`unsupported`).
        """
        recipe, split = self.spec.recipe, self.splits.train
        reason = single_image(recipe, len(split))
        size = split.images.shape[-1]
        if reason and needs_two_images(model, size, recipe.frozen_batchnorm):
            raise RunError("unsupported", f"it cannot train on {reason}")

    def engine_for(self, plan: Plan, learner: Learner) -> Engine:
        """Make the engine of a plan, and set the threads of this process."""
        self.put_switches_back()
        torch.set_num_threads(plan.threads or default_threads())
        self.switches = SwitchRecord(self.switches.touched)
        memory_format = MEMORY_FORMATS[plan.memory_format]
        learner.model.to(memory_format=memory_format)
        if self._maker is None:
            self._maker = EngineMaker(learner.model, self.spec.recipe)
        feed = Feed(
            split=self.splits.train,
            augmentations=tuple(map(parse_augmentation, self.spec.recipe.augment)),
            normalization=self.spec.recipe.normalize,
            generator=learner.augmentation,
            memory_format=memory_format,
        )
        return self._maker.make(plan, learner.optimizer, feed)

    @cwd_ignored()  # by Python processes of the compiler
    def meet_shapes(self, engine: Engine) -> None:
        """Run each shape of call that training can meet once, so that all is compiled or captured.

        These are a whole group of steps, a single one that is left over, and a ragged last batch.
        """
        clock, rate = make_clock(self.device), self.small_rate()
        time_group(engine, [self.random_batch() for _ in range(engine.group_steps)], rate, clock)
        if engine.group_steps > 1:
            time_group(engine, [self.random_batch()], rate, clock)
        ragged = len(self.splits.train) % self.spec.recipe.batch_size
        if ragged and not self.spec.recipe.drop_last:
            time_group(engine, [self.random_batch(ragged)], rate, clock)

    def random_batch(self, size: int | None = None) -> Tensor:
        """Draw indices (B,) of any training images, on the device."""
        count = size or self.spec.recipe.batch_size
        return torch.randint(len(self.splits.train), (count,), device=self.device)

    def small_rate(self) -> float:
        """Return a learning rate at which no untimed step overflows."""
        return (self.spec.recipe.learning_rate or 0.0) * 1e-3

    def evaluate(
        self, model: nn.Module, split: ResidentSplit, see: Callable[[Tensor], None] | None = None
    ) -> Quality:
        """Evaluate with the recipe's normalisation and precision; see `evaluate`.

        A model that draws random numbers in evaluation does not change how it trains on: how often
        it is evaluated on the way hangs on the clock.
        """
        recipe = self.spec.recipe
        try:
            with kept_randomness():
                return evaluate(
                    model,
                    split,
                    normalization=recipe.normalize,
                    precision=recipe.precision,
                    see=see,
                )
        finally:
            self.put_switches_back()

    def curve_points(
        self, model: nn.Module, validation: ResidentSplit, training_s: float | None
    ) -> tuple[float, ...]:
        """Return the budget fractions at which a training of so many seconds can be evaluated."""
        size = BATCH_SIZES[self.device.type]
        sample = ResidentSplit(validation.images[:size], validation.labels[:size])
        self.evaluate(model, sample)
        started = time.perf_counter()
        self.evaluate(model, sample)
        cost = (time.perf_counter() - started) * len(validation) / len(sample)
        choices = POINTS if self.spec.target is None else TARGET_POINTS
        return tuple(affordable_points(cost, training_s, choices))
