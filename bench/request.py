"""What the command line asks for, checked and turned into specs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.budget import Budget
from bench.child import CheckJob, check_request
from bench.errors import UsageError
from bench.plan import AUTO, Plan, check_plan
from bench.recipe import Recipe, override, read_config, read_settings
from bench.recipes import find_recipe
from bench.rungs import LADDER
from bench.spec import RunSpec
from fmnist_models import resolve_names

DEFAULTS = {"cpu": ("30s", 1), "cuda": ("3epochs", 3)}
MAX_SEEDS = 1000


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `run` as the user gave them; None where a default depends on the device."""

    models: str = "all"
    budget: str | None = None
    recipe: str = "default"
    seeds: int | None = None
    plan: str = AUTO
    precision: str = AUTO
    device: str = "auto"
    settings: Sequence[str] = ()
    config: Path | None = None
    full_train: bool = False
    deterministic: bool = False


@dataclass(frozen=True)
class Checked:
    """A request without a mistake that can be seen before a child has looked.

    Attributes:
        models: resolved names.
        recipe: with all overrides.
        plan: None for `auto`.
        budget: None for the device's default.
        seeds: None for the device's default.
        device: as asked for.
        is_deterministic: as asked for.
        is_ladder: whether all plans of a ladder are asked for; `plan` is None then.
    """

    models: tuple[str, ...]
    recipe: Recipe
    plan: Plan | None
    budget: Budget | None
    seeds: int | None
    device: str
    is_deterministic: bool
    is_ladder: bool = False

    def check_job(self, data_hash: str) -> CheckJob:
        """What a child must look at before the sweep."""
        needs_energy = self.budget is not None and self.budget.unit == "J"
        return CheckJob(self.models, self.recipe.augment, self.device, data_hash, needs_energy)

    def specs(self, device_kind: str) -> list[RunSpec]:
        """One spec a model, settled for the device but for a plan left to `auto`."""
        budget = self.budget or Budget.parse(DEFAULTS[device_kind][0])
        return [
            RunSpec(
                model=model,
                recipe=self.recipe,
                budget=budget,
                plan=self.plan,
                model_hash=file_hash(model),
                is_deterministic=self.is_deterministic,
            ).resolved_for(device_kind)
            for model in self.models
        ]

    def seed_list(self, device_kind: str) -> list[int]:
        """Seeds 0, 1, ..., as many as asked for."""
        return list(range(self.seeds or DEFAULTS[device_kind][1]))


def check_options(request: Request) -> Checked:
    """Reads every option of a request.

    Raises:
        UsageError: one of them cannot be; one line.
        ModelError: no such model.
    """
    is_ladder = request.plan.strip() == LADDER
    is_auto = is_ladder or check_plan(request.plan) == AUTO
    checked = Checked(
        models=tuple(resolve_names(request.models)),
        recipe=_recipe(request),
        plan=None if is_auto else Plan.parse(request.plan),
        budget=Budget.parse(request.budget) if request.budget else None,
        seeds=_seeds(request.seeds),
        device=request.device,
        is_deterministic=request.deterministic,
        is_ladder=is_ladder,
    )
    if is_ladder:
        _check_ladder(checked)
    if request.deterministic:
        _check_deterministic(checked)
    return checked


def ask_child(job: CheckJob) -> dict[str, Any]:
    """Device and environment, from a child that also tries the user's models.

    Raises:
        UsageError: the child refused, with its line.
    """
    from bench.isolation import ask

    answer: dict[str, Any] = ask(check_request, job)
    return answer


def file_hash(model: str) -> str | None:
    """12 hex digits over a user's model file, which no commit holds; None for other models."""
    file, _, _ = model.rpartition(":")
    if not file.endswith(".py"):
        return None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]


def _recipe(request: Request) -> Recipe:
    recipe = find_recipe(request.recipe)
    if request.config:
        recipe = override(recipe, read_config(request.config))
    recipe = override(recipe, read_settings(request.settings))
    if request.precision != AUTO:
        recipe = replace(recipe, precision=request.precision)
    return override(recipe, {"validation_fraction": 0.0}) if request.full_train else recipe


def _seeds(count: int | None) -> int | None:
    if count is not None and not 1 <= count <= MAX_SEEDS:
        raise UsageError(f"--seeds {count} is out of range; choose 1 to {MAX_SEEDS}")
    return count


def _check_ladder(checked: Checked) -> None:
    """Refuses what has no sense where plans are measured against each other."""
    if checked.is_deterministic:
        raise UsageError("--plan ladder measures speed; leave --deterministic out")
    if checked.seeds is not None and checked.seeds > 1:
        raise UsageError("--plan ladder repeats turns, not seeds; leave --seeds out")


def _check_deterministic(checked: Checked) -> None:
    if checked.plan is None:
        raise UsageError("--deterministic needs a plan, such as --plan channels_last: auto probes")
    if checked.budget is None or not checked.budget.is_counted:
        raise UsageError("--deterministic needs a counted budget, such as --budget 3epochs")
