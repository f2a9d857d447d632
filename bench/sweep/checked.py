"""A request, checked and turned into specs."""

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from bench.errors import UsageError
from bench.spec.artifacts import parse_every
from bench.spec.budget import Budget
from bench.spec.hashes import file_hash, weights_hash
from bench.spec.named_recipes import AS_PUBLISHED, CLEAN, find_recipe
from bench.spec.plan import AUTO, LADDER, Plan, check_plan
from bench.spec.recipe import Recipe
from bench.spec.recipe_settings import override, read_config, read_settings
from bench.spec.run_spec import RunSpec, check_target
from bench.spec.systems import FIRST_SEED, PUBLISHED_RECIPES, asked_systems
from bench.sweep.child import CheckJob, StartJob, check_request
from bench.sweep.request import Request
from fmnist_models import resolve_names

DEFAULTS = {"cpu": ("30s", 1), "cuda": ("3epochs", 3)}
MAX_SEEDS = 1000
MAX_LIMIT_GB = 1e6  # no machine has a petabyte


class RequestedTraining(NamedTuple):
    """A model, how it is trained, and how long; None for the device's default."""

    model: str
    recipe: Recipe
    budget: Budget | None


@dataclass(frozen=True)
class CheckedRequest:
    """A request without a mistake that can be seen before a child has looked.

    Attributes:
        request: as the user gave it.
        trainings: what is trained, with all overrides.
        plan: None for `auto`, and for the plans of a ladder.
    """

    request: Request
    trainings: tuple[RequestedTraining, ...]
    plan: Plan | None

    @property
    def is_ladder(self) -> bool:
        """Whether all plans of a ladder are asked for."""
        return self.request.plan.strip() == LADDER

    @property
    def is_published(self) -> bool:
        """Whether the reference systems are asked for, each by its own recipe."""
        return self.request.recipe == PUBLISHED_RECIPES

    @property
    def save_every(self) -> Budget:
        """How often to save models, where they are saved."""
        return parse_every(self.request.save_every)

    @property
    def models(self) -> tuple[str, ...]:
        """The models of all trainings, each once."""
        return tuple(dict.fromkeys(one.model for one in self.trainings))

    def check_job(self, data_hash: str) -> CheckJob:
        """What a child must look at before the sweep."""
        names = (name for one in self.trainings for name in one.recipe.augment)
        budgets = [one.budget for one in self.trainings]
        return CheckJob(
            self.models,
            tuple(dict.fromkeys(names)),
            self.request.device,
            data_hash,
            needs_energy=any(budget is not None and budget.unit == "J" for budget in budgets),
            starts=tuple(dict.fromkeys(_start(one) for one in self.trainings)),
            max_memory_bytes=self.request.max_memory_bytes,
        )

    def specs(self, device_kind: str) -> list[RunSpec]:
        """One spec a training, settled for the device but for a plan left to `auto`."""
        return [
            RunSpec(
                model=one.model,
                recipe=one.recipe,
                budget=one.budget or Budget.parse(DEFAULTS[device_kind][0]),
                plan=self.plan,
                model_hash=file_hash(one.model),
                weights_hash=weights_hash(one.recipe.weights),
                is_deterministic=self.request.deterministic,
                target=self.request.target,
            ).resolved_for(device_kind)
            for one in self.trainings
        ]

    def seed_list(self, device_kind: str) -> list[int]:
        """Seeds 0, 1, ..., as many as asked for; from R4's own where its protocol is followed."""
        is_published = self.trainings[0].recipe.protocol == AS_PUBLISHED
        first = FIRST_SEED if is_published else 0
        return list(range(first, first + (self.request.seeds or DEFAULTS[device_kind][1])))


def check_options(request: Request) -> CheckedRequest:
    """Read every option of a request.

    Raises:
        UsageError: one of them cannot be; one line.
        ModelError: no such model.
    """
    is_auto = request.plan.strip() == LADDER or check_plan(request.plan) == AUTO
    trainings = _trainings(request)
    _check_seeds(request.seeds)
    checked = CheckedRequest(
        request=request,
        trainings=trainings,
        plan=None if is_auto else Plan.parse(request.plan),
    )
    for one in trainings:
        check_target(request.target, one.recipe)
    if checked.is_ladder:
        _check_ladder(checked)
    if request.deterministic:
        _check_deterministic(checked)
    _check_memory(request)
    if request.timeout_s is not None and not math.isfinite(request.timeout_s):
        raise UsageError(f"--timeout {request.timeout_s:g} never comes; leave it out for no limit")
    parse_every(request.save_every)
    return checked


def ask_child(job: CheckJob) -> dict[str, Any]:
    """Device and environment, from a child that also tries the user's models.

    Raises:
        UsageError: the child refused, with its line.
    """
    from bench.workers.isolation import ask

    answer: dict[str, Any] = ask(check_request, job)
    return answer


def _start(one: RequestedTraining) -> StartJob:
    recipe = one.recipe
    return StartJob(one.model, recipe.weights, recipe.stem, recipe.trainable)


def _trainings(request: Request) -> tuple[RequestedTraining, ...]:
    budget = Budget.parse(request.budget) if request.budget else None
    if request.recipe == PUBLISHED_RECIPES:
        protocol = request.protocol or CLEAN
        systems = asked_systems(request.models)
        pairs = [(system.model, find_recipe(system.recipe, protocol)) for system in systems]
    else:
        recipe = find_recipe(request.recipe, request.protocol)
        pairs = [(model, recipe) for model in resolve_names(request.models)]
    follows_source = request.recipe == PUBLISHED_RECIPES or request.protocol is not None
    return tuple(
        RequestedTraining(
            model, changed, budget or (own_length(changed) if follows_source else None)
        )
        for model, recipe in pairs
        for changed in [_changed(recipe, request)]
    )


def own_length(recipe: Recipe) -> Budget | None:
    """The budget that a recipe's source gives."""
    return Budget(recipe.epochs, "epochs") if recipe.epochs else None


def _changed(recipe: Recipe, request: Request) -> Recipe:
    """The recipe as the options change it; precision is no change of its name."""
    if request.config:
        recipe = override(recipe, read_config(request.config))
    recipe = override(recipe, read_settings(request.settings or ()))
    if request.precision != AUTO:
        recipe = replace(recipe, precision=request.precision)
    return override(recipe, {"validation_fraction": 0.0}) if request.full_train else recipe


def _check_seeds(count: int | None) -> None:
    if count is not None and not 1 <= count <= MAX_SEEDS:
        raise UsageError(f"--seeds {count} is out of range; choose 1 to {MAX_SEEDS}")


def _check_memory(request: Request) -> None:
    limit_gb = request.max_memory_gb
    if limit_gb is None:
        return
    if not 0 < limit_gb < MAX_LIMIT_GB:
        raise UsageError(f"--max-memory-gb must be a positive number of GB, not {limit_gb:g}")
    if request.in_process:
        raise UsageError("--max-memory-gb limits child processes; leave --in-process out")


def _check_ladder(checked: CheckedRequest) -> None:
    """Refuse what has no sense where plans are measured against each other."""
    request = checked.request
    if checked.is_published:
        raise UsageError("--plan ladder measures the plans of one recipe; name it with --recipe")
    if request.deterministic:
        raise UsageError("--plan ladder measures speed; leave --deterministic out")
    if request.seeds is not None and request.seeds > 1:
        raise UsageError("--plan ladder repeats turns, not seeds; leave --seeds out")
    if request.target is not None:
        raise UsageError("--plan ladder trains to no end; leave --target out")
    if request.in_process:
        raise UsageError("--plan ladder needs its child processes; leave --in-process out")
    if request.save or request.save_every or request.tensorboard:
        raise UsageError("--plan ladder trains to no end; leave --save and --tensorboard out")


def _check_deterministic(checked: CheckedRequest) -> None:
    if checked.plan is None:
        raise UsageError("--deterministic needs a plan, such as --plan channels_last: auto probes")
    budgets = [one.budget for one in checked.trainings]
    if any(budget is None or not budget.is_counted for budget in budgets):
        raise UsageError("--deterministic needs a counted budget, such as --budget 3epochs")
