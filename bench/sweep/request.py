"""What the command line asks for, checked and turned into specs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import UsageError
from bench.spec.budget import Budget
from bench.spec.hashes import file_hash, weights_hash
from bench.spec.named_recipes import AS_PUBLISHED, CLEAN, find_recipe
from bench.spec.plan import AUTO, LADDER, Plan, check_plan
from bench.spec.recipe import Recipe
from bench.spec.recipe_settings import override, read_config, read_settings
from bench.spec.run_spec import RunSpec
from bench.spec.systems import FIRST_SEED, PUBLISHED_RECIPES, asked_systems
from bench.spec.target import check_target
from bench.sweep.child import CheckJob, StartJob, check_request
from fmnist_models import resolve_names

DEFAULTS = {"cpu": ("30s", 1), "cuda": ("3epochs", 3)}
MAX_SEEDS = 1000


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `run` as the user gave them; None where a default depends on the device."""

    models: str = "all"
    budget: str | None = None
    recipe: str = "default"
    protocol: str | None = None
    seeds: int | None = None
    plan: str = AUTO
    precision: str = AUTO
    device: str = "auto"
    settings: Sequence[str] = ()
    config: Path | None = None
    full_train: bool = False
    deterministic: bool = False
    target: float | None = None


class Entry(NamedTuple):
    """A model, how it is trained, and how long; None for the device's default."""

    model: str
    recipe: Recipe
    budget: Budget | None


@dataclass(frozen=True)
class Checked:
    """A request without a mistake that can be seen before a child has looked.

    Attributes:
        entries: what is trained, with all overrides.
        plan: None for `auto`.
        seeds: None for the device's default.
        device: as asked for.
        is_deterministic: as asked for.
        is_ladder: whether all plans of a ladder are asked for; `plan` is None then.
        is_published: whether the reference systems are, each by its own recipe.
        target: validation accuracy at which a training ends; None for none.
    """

    entries: tuple[Entry, ...]
    plan: Plan | None
    seeds: int | None
    device: str
    is_deterministic: bool
    is_ladder: bool = False
    is_published: bool = False
    target: float | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """The models of all entries, each once."""
        return tuple(dict.fromkeys(entry.model for entry in self.entries))

    def check_job(self, data_hash: str, max_memory_bytes: int | None = None) -> CheckJob:
        """What a child must look at before the sweep."""
        names = (name for entry in self.entries for name in entry.recipe.augment)
        return CheckJob(
            self.models,
            tuple(dict.fromkeys(names)),
            self.device,
            data_hash,
            needs_energy=any(e.budget is not None and e.budget.unit == "J" for e in self.entries),
            starts=tuple(dict.fromkeys(_start(entry) for entry in self.entries)),
            max_memory_bytes=max_memory_bytes,
        )

    def specs(self, device_kind: str) -> list[RunSpec]:
        """One spec an entry, settled for the device but for a plan left to `auto`."""
        return [
            RunSpec(
                model=entry.model,
                recipe=entry.recipe,
                budget=entry.budget or Budget.parse(DEFAULTS[device_kind][0]),
                plan=self.plan,
                model_hash=file_hash(entry.model),
                weights_hash=weights_hash(entry.recipe.weights),
                is_deterministic=self.is_deterministic,
                target=self.target,
            ).resolved_for(device_kind)
            for entry in self.entries
        ]

    def seed_list(self, device_kind: str) -> list[int]:
        """Seeds 0, 1, ..., as many as asked for; from R4's own where its protocol is followed."""
        is_published = self.entries[0].recipe.protocol == AS_PUBLISHED
        first = FIRST_SEED if is_published else 0
        return list(range(first, first + (self.seeds or DEFAULTS[device_kind][1])))


def check_options(request: Request) -> Checked:
    """Reads every option of a request.

    Raises:
        UsageError: one of them cannot be; one line.
        ModelError: no such model.
    """
    is_ladder = request.plan.strip() == LADDER
    is_auto = is_ladder or check_plan(request.plan) == AUTO
    checked = Checked(
        entries=_entries(request),
        plan=None if is_auto else Plan.parse(request.plan),
        seeds=_seeds(request.seeds),
        device=request.device,
        is_deterministic=request.deterministic,
        is_ladder=is_ladder,
        is_published=request.recipe == PUBLISHED_RECIPES,
        target=request.target,
    )
    for entry in checked.entries:
        check_target(request.target, entry.recipe)
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
    from bench.workers.isolation import ask

    answer: dict[str, Any] = ask(check_request, job)
    return answer


def _start(entry: Entry) -> StartJob:
    recipe = entry.recipe
    return StartJob(entry.model, recipe.weights, recipe.stem, recipe.trainable)


def _entries(request: Request) -> tuple[Entry, ...]:
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
        Entry(model, changed, budget or (own_length(changed) if follows_source else None))
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
    if checked.is_published:
        raise UsageError("--plan ladder measures the plans of one recipe; name it with --recipe")
    if checked.is_deterministic:
        raise UsageError("--plan ladder measures speed; leave --deterministic out")
    if checked.seeds is not None and checked.seeds > 1:
        raise UsageError("--plan ladder repeats turns, not seeds; leave --seeds out")
    if checked.target is not None:
        raise UsageError("--plan ladder trains to no end; leave --target out")


def _check_deterministic(checked: Checked) -> None:
    if checked.plan is None:
        raise UsageError("--deterministic needs a plan, such as --plan channels_last: auto probes")
    if any(entry.budget is None or not entry.budget.is_counted for entry in checked.entries):
        raise UsageError("--deterministic needs a counted budget, such as --budget 3epochs")
