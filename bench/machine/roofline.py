"""The floor of a training step: the least time that its counts and the machine's ceilings allow.

`floor = max(FLOPs / matmul rate, bytes / bandwidth, kernels x latency)`; the largest term binds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.machine.ceilings import Ceilings


@dataclass(frozen=True, slots=True)
class StepCost:
    """The counted cost of a step; None is unknown."""

    flops: float | None  # of convolutions and matrix products
    passes: Sequence[float] | None  # bytes of each: `bench.measure.workload.passes_of_step`
    kernels: float | None = None  # that a step queues on CUDA; unknown until a training is over
    no_passes: str = ""  # why they are unknown

    @property
    def num_bytes(self) -> float | None:
        """Bytes of all passes."""
        return None if self.passes is None else sum(self.passes)


@dataclass(frozen=True, slots=True)
class Roofline:
    """The ceilings over one step, and the seconds that each asks for; None is unknown."""

    cost: StepCost
    flops_per_s: float | None  # the matmul rate in the precision of the run
    bytes_per_s: float | None  # the bandwidth over all passes, each at the rate of its own size
    latency_s: float  # of one kernel

    @property
    def terms(self) -> Mapping[str, float]:
        """Seconds by the name of what asks for them, as far as they are known."""
        asked = {
            "compute": _ratio(self.cost.flops, self.flops_per_s),
            "bandwidth": _ratio(self.cost.num_bytes, self.bytes_per_s),
            # a step is at least one operation, whatever the number is
            "latency": self.latency_s * max(self.cost.kernels or 1.0, 1.0),
        }
        return {name: seconds for name, seconds in asked.items() if seconds is not None}

    @property
    def floor_s(self) -> float:
        """The least seconds of a step: where a term is unknown, the others still are a floor."""
        return max(self.terms.values())

    @property
    def binding_term(self) -> str:
        """`compute`, `bandwidth` or `latency`."""
        return max(self.terms, key=self.terms.__getitem__)

    def percent_of_floor(self, step_s: float) -> float:
        """How near a step came to its floor; 100 is as fast as can be."""
        return 100.0 * self.floor_s / step_s

    def mfu(self, step_s: float) -> float | None:
        """The share of the matmul rate that a step reached (model FLOPs utilisation)."""
        compute_s = self.terms.get("compute")
        return None if compute_s is None else compute_s / step_s

    def bandwidth(self, step_s: float) -> float | None:
        """Counted bytes a second of a step."""
        return None if self.cost.num_bytes is None else self.cost.num_bytes / step_s


def roofline_of(cost: StepCost, ceilings: Ceilings, precision: str) -> Roofline:
    """The ceilings that hold for a step of this cost in this precision."""
    seconds = [_ratio(size, ceilings.bandwidth(int(size))) for size in cost.passes or ()]
    all_s = math.fsum(spent for spent in seconds if spent is not None)
    return Roofline(
        cost=cost,
        flops_per_s=ceilings.matmul_flops_per_s.get(precision),
        bytes_per_s=cost.num_bytes / all_s if cost.num_bytes and all_s > 0 else None,
        latency_s=ceilings.latency_s,
    )


def _ratio(amount: float | None, per_s: float | None) -> float | None:
    return None if amount is None or per_s is None else amount / per_s
