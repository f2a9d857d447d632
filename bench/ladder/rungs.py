"""The rungs of a ladder: the plans measured against each other for a model, in their order."""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import Any, Self

from bench.errors import UsageError
from bench.machine.compilers import NO_COMPILER
from bench.spec.plan import AUTO, LADDER, Plan
from bench.spec.run_spec import RunSpec

COMPILED = {"compile", "step", "graph"}  # plan parts that cost seconds before the first step


@dataclass(frozen=True, slots=True)
class Rung:
    """One plan of a ladder.

    Attributes:
        name: the label of its row.
        plan: as `Plan.parse` reads it; None for what `--plan auto` comes to.
        precision: of the recipe.
        adds: what the rung adds to the one below, in some words.
    """

    name: str
    plan: str | None
    precision: str
    adds: str

    @property
    def is_compiled(self) -> bool:
        """Whether it compiles or captures before its first step; unknown beforehand for `auto`."""
        return self.plan is not None and is_compiled(self.plan)


@dataclass(frozen=True, slots=True)
class RungGround:
    """What the rungs depend on beside the model.

    Attributes:
        device_kind: `cpu` or `cuda`.
        precision: what the request says; under `auto` there are rungs with mixed precision too.
        has_bf16: whether the device computes in bf16.
    """

    device_kind: str
    precision: str = AUTO
    has_bf16: bool = False


@dataclass(frozen=True)
class RungSpec:
    """One rung of one model.

    Attributes:
        rung: its name and plan.
        index: its place in the ladder, from 0.
        spec: what its child runs.
        refusal: why it cannot be, where that is known beforehand.
    """

    rung: Rung
    index: int
    spec: RunSpec
    refusal: str | None = None

    @classmethod
    def settle(cls, base: RunSpec, rung: Rung, index: int, *, has_compiler: bool) -> Self:
        """The rung for a model; a plan that this version does not know is refused, not raised."""
        recipe = replace(base.recipe, precision=rung.precision)
        spec = replace(base, recipe=recipe, plan=None)
        if rung.is_compiled and not has_compiler:
            return cls(rung, index, spec, NO_COMPILER)
        try:
            plan = Plan.parse(rung.plan) if rung.plan else None
            return cls(rung, index, replace(spec, plan=plan))
        except UsageError as error:  # also a precision that the plan has no place for
            return cls(rung, index, spec, str(error))

    @property
    def asked(self) -> str:
        """The plan as text, before `auto` has come to one."""
        return self.rung.plan or AUTO

    @property
    def config_id(self) -> str:
        """12 hex digits that name rung and configuration."""
        text = json.dumps([self.spec.config_id, self.rung.name, self.asked])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def as_plain(self, plan: str | None) -> dict[str, Any]:
        """The spec as JSON values, for a record, under the plan that was really used."""
        used = plan or (str(self.spec.plan) if self.spec.plan else self.asked)
        return self.spec.as_plain() | {
            "plan": used,
            "requested_plan": LADDER,
            "rung": self.rung.name,
            "rung_index": self.index,
            "rung_adds": self.rung.adds,
            "is_compiled": is_compiled(used),
        }


def list_rungs(ground: RungGround, *, has_convolutions: bool) -> list[Rung]:
    """The rungs of a model from the bottom up, `auto` last.

    Every technique stays in the rungs above it. Mixed precision alone stands beside full precision
    instead: on a CPU it may win or lose.
    """
    return [
        *_uncompiled(ground, has_convolutions=has_convolutions),
        *_compiled(ground, has_convolutions=has_convolutions),
        Rung(AUTO, None, _default_precision(ground), "what --plan auto takes for the budget"),
    ]


def is_compiled(plan: str) -> bool:
    """Whether a plan, as text, compiles or captures before its first step."""
    return any(part.partition(":")[0] in COMPILED for part in plan.split(","))


def steps_per_call(plan: str) -> int:
    """Steps that a plan, as text, runs at once: a turn is a multiple of them."""
    parts = [part.partition(":") for part in plan.split(",")]
    counts = [int(count) for name, _, count in parts if name in COMPILED and count.isdigit()]
    return math.lcm(*counts)


def _uncompiled(ground: RungGround, *, has_convolutions: bool) -> list[Rung]:
    precision = _base_precision(ground)
    layout = "channels_last" if has_convolutions else "resident"
    rungs = [
        Rung("dataloader", "dataloader", precision, "torch's DataLoader, eager: the yardstick"),
        Rung("resident", "resident", precision, "data on the device, batches made there"),
    ]
    if has_convolutions:
        rungs.append(Rung("channels_last", layout, precision, "NHWC strides"))
    if _has_mixed(ground):
        rungs.append(Rung("amp", layout, "bf16", "bf16 autocast"))
    return rungs


def _compiled(ground: RungGround, *, has_convolutions: bool) -> list[Rung]:
    prefix = "channels_last," if has_convolutions else ""
    is_tiny = not has_convolutions and ground.device_kind == "cpu"
    step = "step:5" if is_tiny else f"{prefix}step"
    rungs = [
        *_pair(ground, "compile", f"{prefix}compile", "torch.compile of forward and backward"),
        *_pair(ground, "step", step, "the optimizer compiled too" + ", 5 steps a call" * is_tiny),
    ]
    if ground.device_kind == "cuda":
        rungs += _pair(ground, "graph", f"{prefix}step,graph:8", "8 steps in one CUDA graph")
    if is_tiny:
        adds = "no second thread, which costs a tiny step more than it brings"
        rungs.append(Rung("one thread", f"{step},threads:1", _base_precision(ground), adds))
    return rungs


def _pair(ground: RungGround, name: str, plan: str, adds: str) -> list[Rung]:
    full = Rung(name, plan, _base_precision(ground), adds)
    mixed = [Rung(f"{name} + amp", plan, "bf16", f"{adds}, in bf16")] if _has_mixed(ground) else []
    return [full, *mixed]


def _has_mixed(ground: RungGround) -> bool:
    return ground.precision == AUTO and (ground.has_bf16 or ground.device_kind == "cuda")


def _base_precision(ground: RungGround) -> str:
    return "fp32" if ground.precision == AUTO else ground.precision


def _default_precision(ground: RungGround) -> str:
    """What a sweep settles on (`RunSpec.resolved_for`)."""
    is_mixed = ground.precision == AUTO and ground.device_kind == "cuda"
    return "bf16" if is_mixed else _base_precision(ground)
