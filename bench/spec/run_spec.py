"""What one run is: model x recipe x budget x resolved plan x seed."""

import errno
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from bench.errors import RunError, UsageError
from bench.shell import from_home
from bench.spec.budget import Budget
from bench.spec.learning_rates import peak_learning_rate
from bench.spec.plan import AUTO, Plan, why_not
from bench.spec.recipe import Recipe
from bench.spec.recipe_settings import as_plain

READS_TEST_IMAGES = ("test", "half_test")  # splits whose validation images are test images
EVALUATION_SPLITS = ("test", "validation")
TEST_IMAGES = {  # which images the final pass is over, by the recipe's split
    "train": "test",
    "test": "test, selected on",
    "half_test": "half of test",
    "swapped": "train (files swapped)",
}
RATE_SOURCES = {  # as tables print it
    "recipe": "the recipe's own",
    "sweep": "peak per model from one equal-effort validation sweep",
    "changed": "peak per model from the sweep of the unchanged recipe",
    "sibling": "rate of the swept model of which it is a variant",
    "base": "base rate for models outside that sweep",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One run, complete: two equal specs on one machine ask for the same training."""

    model: str  # a registered or external name; also the label of its row
    recipe: Recipe  # its learning rate and precision may be open until `resolved_for`
    budget: Budget
    plan: Plan | None = None  # until `auto` is resolved
    seed: int = 0  # of weights, data order, augmentation and dropout
    is_plan_chosen: bool = False  # by `auto`
    evaluation_split: str = "test"  # or `validation`: sweeps that must not see the test images
    model_hash: str | None = None  # of the text of a user's own model file, and of `model_files`
    model_files: tuple[str, ...] = ()  # that it imports from beside it, relative to its folder
    weights_hash: str | None = None  # of a file that the training starts from
    learning_rate_source: str = "recipe"  # a key of RATE_SOURCES
    is_deterministic: bool = False  # deterministic algorithms, and nothing decided by the clock
    target: float | None = None  # validation accuracy at which the training ends

    def __post_init__(self) -> None:
        if self.evaluation_split not in EVALUATION_SPLITS:
            choices = ", ".join(EVALUATION_SPLITS)
            raise UsageError(
                f"unknown evaluation split {self.evaluation_split!r}; choose from {choices}"
            )
        if self.plan and (reason := why_not(self.plan, self.recipe)):
            raise UsageError(reason)
        check_target(self.target, self.recipe)

    @property
    def requested_plan(self) -> str:
        """What was asked for: `auto`, or the plan itself."""
        return AUTO if self.plan is None or self.is_plan_chosen else str(self.plan)

    @property
    def evaluated_on(self) -> str:
        """The images of the final pass, in words: only runs with the same are comparable."""
        if self.evaluation_split == "validation":
            return "validation"
        return TEST_IMAGES[self.recipe.split]

    def with_chosen_plan(self, plan: Plan) -> Self:
        """Return the same run under the plan that `auto` chose."""
        return replace(self, plan=plan, is_plan_chosen=True)

    def resolved_for(self, device_kind: str) -> Self:
        """Return the same run with its learning rate and precision settled.

        Args:
            device_kind: `cpu` or `cuda`; bf16 autocast is the default precision on the second.
        """
        rate, source = peak_learning_rate(self.recipe, self.model)
        precision = self.recipe.precision
        if precision == AUTO:
            precision = "bf16" if device_kind == "cuda" else "fp32"
        recipe = replace(self.recipe, learning_rate=rate, precision=precision)
        if self.recipe.learning_rate is not None:  # already settled, or the recipe's own
            source = self.learning_rate_source
        return replace(self, recipe=recipe, learning_rate_source=source)

    def as_plain(self) -> dict[str, Any]:
        """Return the spec as JSON values, for a record."""
        source = RATE_SOURCES[self.learning_rate_source]
        recipe = as_plain(self.recipe) | {"learning_rate_source": source}
        plain = {
            "model": self.model,
            "model_hash": self.model_hash,
            "recipe": recipe,
            "budget": str(self.budget),
            "plan": str(self.plan or AUTO),
            "requested_plan": self.requested_plan,
            "seed": self.seed,
            "precision": self.recipe.precision,
            "evaluation_split": self.evaluated_on,
            "deterministic": self.is_deterministic,
        }
        # only where they are set: configurations of before keep their names
        plain |= {"weights_hash": self.weights_hash} if self.weights_hash else {}
        return plain | ({} if self.target is None else {"target": self.target})

    @property
    def config_id(self) -> str:
        """12 hex digits that name the configuration: everything asked for but the seed.

        The resolved plan stays out: under `auto` it may differ from machine to machine, and a
        resumed sweep must find its own runs again.
        """
        asked = {k: v for k, v in self.as_plain().items() if k not in {"seed", "plan"}}
        text = json.dumps(asked, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_target(target: float | None, recipe: Recipe) -> None:
    """Refuse a target that no training by this recipe may end at.

    Raises:
        UsageError: it is no fraction, or there are no validation images of the training's own.
    """
    if target is None:
        return
    if not 0 < target < 1:
        raise UsageError(f"--target {target:g} is out of range; give a fraction such as 0.90")
    if recipe.split in READS_TEST_IMAGES:
        raise UsageError(
            f"--target would stop recipe {recipe.name} by test images, which are its validation "
            "images; take --protocol clean"
        )
    if not recipe.has_validation:
        raise UsageError(
            f"--target looks at validation images, and recipe {recipe.name} keeps none; "
            "set validation_fraction, such as 0.1, and leave --full-train out"
        )


def target_text(target: float) -> str:
    """Write the fraction as a person does: 0.90, 0.925."""
    return f"{target:.2f}" if round(target, 2) == target else f"{target:g}"


def file_hash(model: str, beside: Sequence[str] = ()) -> str | None:
    """Return 12 hex digits over a user's model file; None for other models.

    Args:
        model: a registered or external name.
        beside: what the file imports from beside it, as paths relative to its folder.

    Raises:
        OSError: one of the files cannot be read.
    """
    file, _, _ = model.rpartition(":")
    if not file.endswith(".py"):
        return None
    place = Path(file).expanduser()
    digest = hashlib.sha256(place.read_bytes())
    for name in beside:
        digest.update(f"\0{name}\0".encode() + (place.parent / name).read_bytes())
    return digest.hexdigest()[:12]


def check_files(spec: RunSpec) -> None:
    """Refuse to train a user's net whose files are not those that its spec was made of.

    Raises:
        RunError: one of them has changed or is gone (`crashed`).
    """
    if spec.model_hash is None:
        return
    try:
        is_same = file_hash(spec.model, spec.model_files) == spec.model_hash
        what = "has changed, or a file that it imports has"
    except OSError as error:
        is_same, what = False, f"cannot be read any more: {error.filename}: {error.strerror}"
    if not is_same:
        raise RunError("crashed", f"{spec.model} {what}; run the sweep again")


def weights_hash(weights: str) -> str | None:
    """Return 12 hex digits over a file to start from; None for other weights.

    Raises:
        UsageError: there is no such file.
    """
    if weights in {"random", "imagenet"}:
        return None
    path = Path(from_home(weights))
    try:
        if path.exists() and not path.is_file():  # a pipe or a device may never end
            raise OSError(errno.EINVAL, "it is no file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as error:
        raise UsageError(
            f"cannot read weights {weights}: {error.strerror}; choose random, imagenet or a file"
        ) from None
