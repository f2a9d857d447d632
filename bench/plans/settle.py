"""Settle the plan of a session under `--plan auto`, by trying candidates on its real step.

What was timed is kept for later runs on this machine: timings, not choices, as the best plan
depends on the budget, and is chosen anew each time.
"""

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from bench.engine.engine import Engine
from bench.engine.warmup import Learner, restored, time_group
from bench.errors import UsageError
from bench.machine.cache import read_cached, write_cached
from bench.machine.clock import make_clock
from bench.machine.compilers import compile_counts
from bench.machine.environment import describe_environment
from bench.machine.provenance import source_hash
from bench.plans.candidates import compiled_plans, expected_compile_s, hope, uncompiled_plans
from bench.plans.probe import Compilation, PlanCandidate, Probe, probe_seconds
from bench.spec.named_recipes import AS_PUBLISHED
from bench.spec.plan import Plan, why_not
from bench.spec.run_spec import RunSpec
from bench.train.session import Session

ALL = 1_000_000  # steps: more than a probe ever takes
PROBABLE_WATTS = 300.0  # only to weigh compiling against training under a budget in joules


@dataclass
class Trial:
    """Tries plans on a session's model; whatever the steps change is put back."""

    session: Session
    learner: Learner
    compilations: dict[Plan, Compilation] = field(default_factory=dict)

    @contextmanager
    def _engine(self, plan: Plan) -> Iterator[Engine]:
        # each plan starts without optimizer state: CUDA's fused kernels refuse the strides of a
        # memory format that the parameters no longer have
        try:
            with restored(self.learner):
                yield self.session.engine_for(plan, self.learner)
        finally:
            self.session.put_switches_back()

    def time_steps(self, plan: Plan) -> list[float]:
        """Return the seconds a step of two groups of steps, after one that is not timed."""
        session, clock = self.session, make_clock(self.session.device)
        with self._engine(plan) as engine:
            seconds = []
            for _ in range(3):
                group = [session.random_batch() for _ in range(engine.group_steps)]
                seconds.append(time_group(engine, group, session.small_rate(), clock))
            return [taken / engine.group_steps for taken in seconds[1:]]

    def compile(self, plan: Plan) -> Compilation:
        """Make a plan ready for every shape of training."""
        started, before = time.perf_counter(), compile_counts()
        with self._engine(plan) as engine:
            self.session.meet_shapes(engine)
        is_cold = compile_counts().since(before).cache_misses > 0
        self.compilations[plan] = Compilation(time.perf_counter() - started, is_cold)
        return self.compilations[plan]


def settle(session: Session, learner: Learner) -> tuple[Plan, list[PlanCandidate], float]:
    """Return the plan that trains through the session's budget in the least time.

    With it come all that was tried, and the seconds of its compilation in this run.
    """
    model, kind, recipe = learner.model, session.device.type, session.spec.recipe
    trial = Trial(session, learner)
    probe = Probe(
        time_steps=trial.time_steps,
        compile=trial.compile,
        expected_compile_s=expected_compile_s(model),
        steps_at=partial(num_steps, session),
        hope=hope(model, kind),
        now=time.perf_counter,
        why_not=partial(why_not, recipe=recipe),
    )
    name = cache_name(session.spec, session.device)
    # a published figure is one training, and a compiler rounds in another order
    may_compile = recipe.protocol != AS_PUBLISHED
    plan, tried = probe.choose(
        uncompiled_plans(model, kind),
        lambda best: compiled_plans(best, model, kind) if may_compile else (),
        probe_seconds(session.spec.budget),
        read_timings(name),
    )
    write_timings(name, tried)
    compiled = trial.compilations.get(plan)
    return plan, tried, compiled.seconds if compiled else 0.0


def remember_compilation(session: Session, plan: Plan, compilation: Compilation) -> None:
    """Keep what a plan known from an earlier run took to get ready, if it is still in the cache."""
    name = cache_name(session.spec, session.device)
    known = read_timings(name).get(plan)
    if known:
        renewed = replace(known, compile_s=compilation.seconds, is_cold=compilation.is_cold)
        write_timings(name, [renewed])


def num_steps(session: Session, step_s: float) -> float:
    """Return the steps of all seeds that the budget pays for at so many seconds a step."""
    budget, recipe = session.spec.budget, session.spec.recipe
    if budget.unit == "J":
        return session.num_seeds * budget.amount / PROBABLE_WATTS / step_s
    if budget.unit == "s":
        return session.num_seeds * budget.amount / step_s
    size = len(session.splits.train)
    steps = budget.total_steps(
        batch_size=recipe.batch_size,
        images_per_epoch=size - size % recipe.batch_size if recipe.drop_last else size,
        flops_per_image=session.flops_per_image,
    )
    return session.num_seeds * steps


def cache_name(spec: RunSpec, device: torch.device) -> str:
    """Name the file of a model's timings under a recipe, on this device, with this source."""
    plain = spec.as_plain()
    parts = [
        *(plain[key] for key in ("model", "model_hash", "recipe", "deterministic")),
        describe_environment(device, data_hash=""),
        source_hash(),
    ]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"plans/{digest[:16]}.json"


def read_timings(name: str) -> dict[Plan, PlanCandidate]:
    """Return the plans that were timed before; empty where nothing usable is kept."""
    kept = (read_cached(name) or {}).get("timings")
    found: dict[Plan, PlanCandidate] = {}
    for plain in kept if isinstance(kept, list) else ():
        with suppress(KeyError, TypeError, ValueError, OverflowError, AttributeError, UsageError):
            candidate = PlanCandidate.from_plain(plain)
            # damaged ones would choose a plan by what nobody has measured
            seconds, compile_s = candidate.step_seconds, candidate.compile_s
            are_times = bool(seconds) and all(0 < s < math.inf for s in seconds)
            if are_times and 0 <= compile_s < math.inf:
                found[candidate.plan] = candidate
    return found


def write_timings(name: str, candidates: Iterable[PlanCandidate]) -> None:
    """Add new timings to those kept already; a failure is tried again the next time."""
    timed = {c.plan: c for c in candidates if c.step_seconds and c.error is None}
    merged = read_timings(name) | timed
    write_cached(name, {"timings": [c.as_plain(digits=12, fastest=ALL) for c in merged.values()]})
