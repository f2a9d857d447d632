"""What a recipe is: how to train, everything that changes the mathematics.

A recipe is a frozen value. `replace`, a TOML file or `--set key=value` gives a changed one, checked
by name and type; nothing else does.
"""

import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass

from bench.errors import UsageError

AUTO = "auto"
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
EPOCHWISE = ("step", "triangular", "triangular2")
CYCLIC = ("one_cycle", "triangular", "triangular2")
RISING = (*CYCLIC, "step")  # and what counts epochs from the first: no warm-up comes before
CHOICES = {
    "optimizer": ("sgd", "adam", "adamw", "rmsprop", "muon"),
    "schedule": ("constant", "linear", "cosine", "one_cycle", *EPOCHWISE, "plateau"),
    "normalize": ("unit", "dataset", "half"),
    "precision": (AUTO, *PRECISIONS),
    "selection": ("last", "accuracy", "loss"),
    "split": ("train", "test", "half_test", "swapped"),
    "order": ("permutation", "dataloader", "sequential"),
    "stem": ("rgb_sum", "random"),
    "trainable": ("all", "stem_head", "head"),
    "frozen_batchnorm": ("update", "eval"),
    "protocol": ("clean", "as_published"),
}
MAX_EPOCHS = 100_000
TRAIN_IMAGES, TEST_IMAGES = 60_000, 10_000
MAX_AUGMENTATIONS = 16  # a record has room for them
IN_RANGE: dict[str, Callable[[float], bool]] = {  # where the field is not None
    "learning_rate": lambda rate: 0 < rate < 1e3,
    "momentum": lambda momentum: 0 <= momentum < 1,
    "weight_decay": lambda decay: 0 <= decay < 10,
    "warmup_fraction": lambda fraction: 0 <= fraction < 1,
    "batch_size": lambda images: 1 <= images <= TRAIN_IMAGES,
    "label_smoothing": lambda smoothing: 0 <= smoothing < 1,
    "input_size": lambda pixels: 1 <= pixels <= 512,
    "validation_fraction": lambda fraction: 0 <= fraction <= 0.5,
    "epochs": lambda epochs: 1 <= epochs <= MAX_EPOCHS,
    "base_learning_rate": lambda rate: 0 < rate < 1e3,
    "base_momentum": lambda momentum: 0 <= momentum < 1,
    "schedule_epochs": lambda epochs: 1 <= epochs <= MAX_EPOCHS,
    "schedule_factor": lambda factor: 0 < factor < 1,
    "schedule_patience": lambda epochs: 0 <= epochs <= MAX_EPOCHS,
    "stop_patience": lambda epochs: 1 <= epochs <= MAX_EPOCHS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to train. Optimizers have torch's own defaults beyond these fields."""

    name: str  # the label of rows trained this way
    source: str
    optimizer: str = "sgd"  # `muon`: AdamW for what is no matrix
    learning_rate: float | None = None  # peak; None takes the model's from learning_rates.toml
    momentum: float = 0.0  # of SGD
    nesterov: bool = False
    weight_decay: float = 0.0  # on all parameters, as torch applies it
    # after the warm-up; `step` and the triangles count epochs, `plateau` follows validation loss
    schedule: str = "constant"
    warmup_fraction: float = 0.0  # share of the budget over which the learning rate rises
    batch_size: int = 32
    drop_last: bool = False  # the ragged last batch of an epoch
    label_smoothing: float = 0.0  # in training; evaluation uses none
    augment: tuple[str, ...] = ()  # such as `flip`, `shift2`, `cutout8`, applied in this order
    normalize: str = "unit"  # [0, 1]; `dataset`: zero mean, unit variance; `half`: [-1, 1]
    input_size: int | None = None  # pixels a side; None takes the size that the model registered
    precision: str = AUTO  # bf16 on CUDA, fp32 on a CPU
    validation_fraction: float = 0.0  # stratified share of the training set kept for the curve
    # length of the training in its source: the default budget, and what schedules by epochs count
    # in; under another budget they stretch with it
    epochs: int | None = None
    base_learning_rate: float | None = None  # the lowest of a triangular schedule
    # the lowest of SGD under a cyclic schedule, at the highest rate; None keeps it constant
    base_momentum: float | None = None
    schedule_epochs: int | None = None  # between drops of `step`; up one side of a triangle
    schedule_factor: float = 0.1  # of a drop under `step` and `plateau`
    schedule_patience: int = 10  # of `plateau`: epochs without a better validation loss
    stop_patience: int | None = None  # the same for the end of the training; None never ends early
    selection: str = "last"  # weights that are scored; or of the epoch best in `accuracy`, `loss`
    # where validation images come from: `test` (the test images themselves), `half_test` (half of
    # them; the other half is the test), `swapped` (files exchanged, then a share of the training)
    split: str = "train"
    # of the images: a fresh `permutation` an epoch, that of torch's DataLoader for the same seed
    # (`dataloader`), or `sequential`
    order: str = "permutation"
    weights: str = "random"  # or `imagenet`, or a file to start from
    stem: str = "rgb_sum"  # of one channel from pretrained weights for three; or `random`
    trainable: str = "all"  # parameters, or those of the `head` or of `stem_head` alone
    # BatchNorm in frozen parts goes on to `update` its statistics, or stays as in `eval`
    frozen_batchnorm: str = "update"
    # selection on training images and test images read once, or `as_published`
    protocol: str = "clean"

    def __post_init__(self) -> None:
        """Refuse what nobody can train by.

        Raises:
            UsageError: a field is out of its choices or range, or two contradict each other.
        """
        _check_choices(self)
        for key, is_in_range in IN_RANGE.items():
            value = getattr(self, key)
            if value is not None and not is_in_range(value):
                raise UsageError(f"recipe field {key} is out of range: {value}")
        _check_batches(self)
        _check_schedule(self)
        _check_validation(self)

    @property
    def has_validation(self) -> bool:
        """Whether some images are kept to look at on the way."""
        return self.split in {"test", "half_test"} or self.validation_fraction > 0

    @property
    def validates_each_epoch(self) -> bool:
        """Whether the training itself depends on what validation says."""
        is_closed_loop = self.schedule == "plateau" or self.stop_patience is not None
        return is_closed_loop or self.selection != "last"


def _check_choices(recipe: Recipe) -> None:
    for key, choices in CHOICES.items():
        value = getattr(recipe, key)
        if value not in choices:
            raise UsageError(f"unknown {key} {value!r}; choose from {', '.join(choices)}")
    if not recipe.weights or "\0" in recipe.weights:
        raise UsageError(f"unknown weights {recipe.weights!r}; choose random, imagenet or a file")
    are_names = all(re.fullmatch(r"[A-Za-z0-9_]{1,32}", word) for word in recipe.augment)
    if len(recipe.augment) > MAX_AUGMENTATIONS or not are_names:
        raise UsageError(
            f"augment takes up to {MAX_AUGMENTATIONS} names such as flip, shift2 and cutout8, "
            f"not {reprlib.repr(list(recipe.augment))}"
        )


def _check_batches(recipe: Recipe) -> None:
    available = TEST_IMAGES if recipe.split == "swapped" else TRAIN_IMAGES
    num_kept = int(available * (1 - recipe.validation_fraction))
    if recipe.drop_last and recipe.batch_size > num_kept:
        raise UsageError(f"batch_size {recipe.batch_size} is more than the {num_kept} images left")
    if recipe.nesterov and not recipe.momentum:
        raise UsageError("nesterov needs a momentum above 0")


def _check_schedule(recipe: Recipe) -> None:
    schedule = recipe.schedule
    if schedule in EPOCHWISE and not (recipe.epochs and recipe.schedule_epochs):
        raise UsageError(f"schedule {schedule} counts epochs; set epochs and schedule_epochs")
    if schedule in RISING and recipe.warmup_fraction:
        raise UsageError(
            f"schedule {schedule} begins where it says; set warmup_fraction=0 to go with it"
        )
    _check_lowest_rate(recipe)
    if recipe.base_momentum is None:
        return
    if recipe.optimizer != "sgd" or schedule not in CYCLIC:
        choices = ", ".join(CYCLIC)
        raise UsageError(f"base_momentum needs optimizer sgd and a schedule of {choices}")
    if recipe.base_momentum > recipe.momentum:
        raise UsageError("base_momentum is the lowest; it cannot be above momentum")


def _check_lowest_rate(recipe: Recipe) -> None:
    lowest, peak = recipe.base_learning_rate, recipe.learning_rate
    is_triangle = recipe.schedule.startswith("triangular")
    if is_triangle and lowest is None:
        raise UsageError(f"schedule {recipe.schedule} needs a base_learning_rate")
    if lowest is not None and not is_triangle:
        raise UsageError("base_learning_rate is of a triangular schedule; leave it out")
    if lowest is not None and peak is not None and lowest >= peak:
        raise UsageError(f"base_learning_rate {lowest:g} must lie below learning_rate {peak:g}")


def _check_validation(recipe: Recipe) -> None:
    if recipe.validates_each_epoch and not recipe.has_validation:
        raise UsageError(
            f"selection {recipe.selection}, plateau and stop_patience look at validation images; "
            "set validation_fraction, such as 0.1, and leave --full-train out"
        )
    is_clean = recipe.protocol == "clean"
    if is_clean and recipe.split != "train":
        raise UsageError(
            f"split {recipe.split} shows test images to the training; only a reference recipe "
            "with --protocol as_published may"
        )
    # a project's own patience is kept, where its schedule acts as the training ends
    margin = 2 if is_clean else 1
    least = recipe.schedule_patience + margin
    if recipe.schedule == "plateau" and (recipe.stop_patience or least) < least:
        raise UsageError(
            f"stop_patience {recipe.stop_patience} would end the training before plateau can act; "
            f"choose {least} or more, as schedule_patience is {recipe.schedule_patience}"
        )
