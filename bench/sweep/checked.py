"""A request, checked and turned into specs."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from bench.errors import UsageError
from bench.spec.artifacts import parse_every
from bench.spec.budget import Budget
from bench.spec.grid import listed_fields, make_grid
from bench.spec.named_recipes import (
    AS_PUBLISHED,
    CLEAN,
    FIRST_SEED,
    PUBLISHED_RECIPES,
    asked_systems,
    find_recipe,
)
from bench.spec.plan import AUTO, LADDER, Plan
from bench.spec.recipe import Recipe
from bench.spec.recipe_settings import override, read_config, read_settings
from bench.spec.run_spec import RunSpec, file_hash, weights_hash
from bench.sweep.child import CheckJob, RequestedTraining
from bench.sweep.request import Request
from bench.sweep.tryout import Tryout
from fmnist_models import resolve_names
from fmnist_models.external import is_external

DEFAULTS = {"cpu": ("30s", 1), "cuda": ("3epochs", 3)}
MAX_SEEDS = 1000
MAX_LIMIT_GB = 1e6  # no machine has a petabyte
Beside = Mapping[str, tuple[str, ...]]
"""The files that users' nets import from beside theirs, by model."""

NO_FILES: Beside = {}


@dataclass(frozen=True)
class CheckedRequest:
    """A request without a mistake that can be seen before a child has looked."""

    request: Request
    trainings: tuple[RequestedTraining, ...]  # with all overrides
    plan: Plan | None  # None for `auto`, and for the plans of a ladder
    save_every: Budget

    @property
    def is_ladder(self) -> bool:
        """Whether all plans of a ladder are asked for."""
        return self.request.plan.strip() == LADDER

    @property
    def is_published(self) -> bool:
        """Whether the reference systems are asked for, each by its own recipe."""
        return self.request.recipe == PUBLISHED_RECIPES

    @property
    def models(self) -> tuple[str, ...]:
        """The models of all trainings, each once."""
        return tuple(dict.fromkeys(one.model for one in self.trainings))

    @property
    def num_settings(self) -> int:
        """In how many settings each model is trained: more than one where values are listed."""
        bases = Counter((one.model, one.recipe.name.partition("+")[0]) for one in self.trainings)
        return max(bases.values())

    def check_job(self, data_hash: str) -> CheckJob:
        """Return what a child must look at before the sweep."""
        request = self.request
        return CheckJob(request.device, data_hash, self.trainings, request.max_memory_bytes)

    def tryouts(self) -> list[Tryout]:
        """Return what must be tried of the nets that are not ours, one a net."""
        recipes: dict[str, dict[Recipe, None]] = {}
        for one in self.trainings:
            if is_external(one.model):
                recipes.setdefault(one.model, {})[one.recipe] = None
        layout = self.plan.memory_format if self.plan else Plan().memory_format
        data = self.request.data
        return [Tryout(model, tuple(own), layout, data) for model, own in recipes.items()]

    def specs(self, device_kind: str, beside: Beside = NO_FILES) -> list[RunSpec]:
        """Return one spec a training, settled for the device but for a plan left to `auto`.

        `beside` are the files that the users' nets import, by model.
        """
        hash_model, hash_weights = cache(file_hash), cache(weights_hash)  # each file is read once
        return [
            replace(
                self.spec_of(one, device_kind),
                model_hash=hash_model(one.model, beside.get(one.model, ())),
                model_files=beside.get(one.model, ()),
                weights_hash=hash_weights(one.recipe.weights),
            ).resolved_for(device_kind)
            for one in self.trainings
        ]

    def spec_of(self, one: RequestedTraining, device_kind: str) -> RunSpec:
        """Return the spec of a training, before reading any file that it names.

        Raises:
            UsageError: plan, target and recipe cannot be together.
        """
        return RunSpec(
            model=one.model,
            recipe=one.recipe,
            budget=one.budget or Budget.parse(DEFAULTS[device_kind][0]),
            plan=self.plan,
            is_deterministic=self.request.deterministic,
            target=self.request.target,
        )

    def seed_list(self, device_kind: str) -> list[int]:
        """Return the seeds: 0, 1, ..., or as published, from R4's own on."""
        is_published = self.trainings[0].recipe.protocol == AS_PUBLISHED
        first = FIRST_SEED if is_published else 0
        return list(range(first, first + (self.request.seeds or DEFAULTS[device_kind][1])))


def check_options(request: Request) -> CheckedRequest:
    """Read every option of a request.

    Raises:
        UsageError: one of them cannot be; one line.
        ModelError: no such model.
    """
    plan = request.plan.strip()
    checked = CheckedRequest(
        request=request,
        plan=None if plan in {AUTO, LADDER} else Plan.parse(plan),
        trainings=_trainings(request),
        save_every=parse_every(request.save_every),
    )
    for one in checked.trainings:
        checked.spec_of(one, "cpu")
    _check_numbers(request)
    if checked.is_ladder:
        _check_ladder(checked)
    if request.deterministic:
        _check_deterministic(checked)
    return checked


def _trainings(request: Request) -> tuple[RequestedTraining, ...]:
    """List the trainings: of each model all settings, as listed.

    One that follows a source lasts as long as there unless --budget is given.
    """
    budget = Budget.parse(request.budget) if request.budget else None
    changes = _changes(request)
    if request.recipe == PUBLISHED_RECIPES:
        protocol = request.protocol or CLEAN
        systems = asked_systems(request.models)
        pairs = [
            (system.model, _changed(find_recipe(system.recipe, protocol), changes, request))
            for system in systems
        ]
    else:
        recipes = _changed(find_recipe(request.recipe, request.protocol), changes, request)
        pairs = [(model, recipes) for model in resolve_names(request.models)]
    follows_source = request.recipe == PUBLISHED_RECIPES or request.protocol is not None

    def length(recipe: Recipe) -> Budget | None:
        own = Budget(recipe.epochs, "epochs") if follows_source and recipe.epochs else None
        return budget or own

    return tuple(
        RequestedTraining(model, recipe, length(recipe))
        for model, recipes in pairs
        for recipe in recipes
    )


def _changes(request: Request) -> dict[str, Any]:
    """Return the values of recipe fields, or lists of them, that the options give.

    Raises:
        UsageError: a list of values for what another option settles.
    """
    changes = read_config(request.config) if request.config else {}
    changes |= read_settings(request.settings or ())
    settled = {
        "precision": ("--precision", request.precision != AUTO),
        "validation_fraction": ("--full-train", request.full_train),
    }
    listed = listed_fields(changes)
    for key in listed:
        option, is_settled = settled.get(key, ("", False))
        if is_settled:
            raise UsageError(f"{option} settles {key}, of which values are listed; leave one out")
    if listed and request.recipe == PUBLISHED_RECIPES:
        raise UsageError(
            f"--recipe published trains each system once; give {listed[0]} one value, or name one "
            "recipe, such as --recipe r2_resnet8"
        )
    return changes


def _changed(named: Recipe, changes: Mapping[str, Any], request: Request) -> list[Recipe]:
    """Change the recipe by the options; its name does not tell of the precision."""
    recipes = make_grid(named, changes)
    if request.precision != AUTO:
        recipes = [replace(recipe, precision=request.precision) for recipe in recipes]
    if request.full_train:
        recipes = [override(recipe, {"validation_fraction": 0.0}) for recipe in recipes]
    return recipes


def _check_numbers(request: Request) -> None:
    """Refuse numbers out of range, where the command line has not done so."""
    seeds, limit_gb, timeout_s = request.seeds, request.max_memory_gb, request.timeout_s
    if seeds is not None and not 1 <= seeds <= MAX_SEEDS:
        raise UsageError(f"--seeds {seeds} is out of range; choose 1 to {MAX_SEEDS}")
    if limit_gb is not None and not 0 < limit_gb < MAX_LIMIT_GB:
        raise UsageError(f"--max-memory-gb must be a positive number of GB, not {limit_gb:g}")
    if limit_gb is not None and request.in_process:
        raise UsageError("--max-memory-gb limits child processes; leave --in-process out")
    if timeout_s is not None and not 1 <= timeout_s < math.inf:
        raise UsageError(
            f"--timeout takes 1 second or more, not {timeout_s:g}; leave it out for no limit"
        )


def _check_ladder(checked: CheckedRequest) -> None:
    """Refuse options that make no sense where plans are measured against each other."""
    request = checked.request
    keeps = request.save or request.save_every or request.tensorboard
    for is_asked, why in (
        (checked.is_published, "measures the plans of one recipe; name it with --recipe"),
        (request.deterministic, "measures speed; leave --deterministic out"),
        ((request.seeds or 1) > 1, "repeats turns, not seeds; leave --seeds out"),
        (request.target is not None, "trains to no end; leave --target out"),
        (request.in_process, "needs its child processes; leave --in-process out"),
        (keeps, "trains to no end; leave --save and --tensorboard out"),
        (checked.num_settings > 1, "measures the plans of one recipe; give each field one value"),
    ):
        if is_asked:
            raise UsageError(f"--plan ladder {why}")


def _check_deterministic(checked: CheckedRequest) -> None:
    if checked.plan is None:
        raise UsageError("--deterministic needs a plan, such as --plan channels_last: auto probes")
    if not all(one.budget and one.budget.is_counted for one in checked.trainings):
        raise UsageError("--deterministic needs a counted budget, such as --budget 3epochs")
