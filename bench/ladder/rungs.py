"""The rungs of a ladder: the plans measured against each other for a model, in their order."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from bench.errors import UsageError
from bench.spec.plan import AUTO, LADDER, Plan
from bench.spec.run_spec import RunSpec


class Rung(NamedTuple):
    """One plan of a ladder."""

    name: str  # the label of its row
    plan: str | None  # as text; None for what `--plan auto` comes to
    precision: str  # of the recipe
    adds: str  # what the rung adds to the one below, in some words
    refusal: str | None = None  # why the model cannot have it


@dataclass(frozen=True)
class RungSpec:
    """One rung of one model: its place from 0, what its child runs, or why it cannot be run."""

    rung: Rung
    index: int
    spec: RunSpec
    refusal: str | None = None

    @classmethod
    def settle(
        cls, base: RunSpec, rung: Rung, index: int, *, no_compiler: str | None = None
    ) -> Self:
        """The rung for a model; what the model's recipe cannot be is refused, not raised.

        `no_compiler` says why nothing can be compiled here, if so.
        """
        recipe = replace(base.recipe, precision=rung.precision)
        spec = replace(base, recipe=recipe, plan=None)
        if rung.plan is None:
            return cls(rung, index, spec)
        plan = Plan.parse(rung.plan)
        if rung.refusal is not None:
            return cls(rung, index, spec, rung.refusal)
        if _needs_set_up(plan) and no_compiler:
            return cls(rung, index, spec, no_compiler)
        try:
            return cls(rung, index, replace(spec, plan=plan))
        except UsageError as error:  # such as a precision that the plan has no place for
            return cls(rung, index, spec, str(error))

    @property
    def config_id(self) -> str:
        """12 hex digits that name rung and configuration."""
        text = json.dumps([self.spec.config_id, self.rung.name, self.rung.plan or AUTO])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def as_plain(self, plan: Plan | None) -> dict[str, Any]:
        """The spec as JSON values, for a record, under the plan that was really used."""
        used = plan or (Plan.parse(self.rung.plan) if self.rung.plan else None)
        return self.spec.as_plain() | {
            "plan": str(used or AUTO),
            "requested_plan": LADDER,
            "rung": self.rung.name,
            "rung_index": self.index,
            "rung_adds": self.rung.adds,
            "is_compiled": used is not None and _needs_set_up(used),
        }


def list_rungs(
    device_kind: str,
    precision: str = AUTO,
    *,
    has_bf16: bool = False,
    has_convolutions: bool,
    no_nhwc: str | None = None,
) -> list[Rung]:
    """The rungs of a model from the bottom up, `auto` last.

    Every technique stays in the rungs above it. Mixed precision alone stands beside full precision
    instead: on a CPU it may win or lose. Only a request's `auto` has rungs with mixed precision.
    A net that cannot have channels_last, as `no_nhwc` says, climbs on without it.
    """
    full = "fp32" if precision == AUTO else precision
    is_gpu = device_kind == "cuda"
    is_mixed = precision == AUTO and (has_bf16 or is_gpu)
    layout = "channels_last," if has_convolutions and no_nhwc is None else ""
    is_tiny = not has_convolutions and not is_gpu  # its steps are too short to be called one by one
    step, several = ("step:5", ", 5 steps a call") if is_tiny else (f"{layout}step", "")

    def in_both(name: str, plan: str, adds: str) -> Iterator[Rung]:
        yield Rung(name, plan, full, adds)
        if is_mixed:
            yield Rung(f"{name} + amp", plan, "bf16", f"{adds}, in bf16")

    rungs = [
        Rung("dataloader", "dataloader", full, "torch's DataLoader, eager: the yardstick"),
        Rung("resident", "resident", full, "data on the device, batches made there"),
    ]
    if has_convolutions:
        rungs.append(Rung("channels_last", "channels_last", full, "NHWC strides", no_nhwc))
    if is_mixed:
        rungs.append(Rung("amp", layout.rstrip(",") or "resident", "bf16", "bf16 autocast"))
    rungs += in_both("compile", f"{layout}compile", "torch.compile of forward and backward")
    rungs += in_both("step", step, f"the optimizer compiled too{several}")
    if is_gpu:
        rungs += in_both("graph", f"{layout}step,graph:8", "8 steps in one CUDA graph")
    if is_tiny:
        adds = "no second thread, which costs a tiny step more than it brings"
        rungs.append(Rung("one thread", f"{step},threads:1", full, adds))
    settled = "bf16" if is_mixed and is_gpu else full  # as `RunSpec.resolved_for` does
    return [*rungs, Rung(AUTO, None, settled, "what --plan auto takes for the budget")]


def _needs_set_up(plan: Plan) -> bool:
    """Whether a plan compiles or captures before its first step."""
    return plan.is_compiled or plan.graph_steps is not None
