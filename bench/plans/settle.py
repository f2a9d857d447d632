"""Settles the plan of a session under `--plan auto`, by trying candidates on its real step."""

import time
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import nn, optim

from bench.engine.warmup import restored, time_group
from bench.machine.clock import make_clock
from bench.machine.compilers import compile_counts
from bench.plans.candidates import compiled_plans, expected_compile_s, hope, uncompiled_plans
from bench.plans.probe import Compilation, PlanCandidate, Probe, probe_seconds
from bench.plans.timings import cache_name, read_timings, write_timings
from bench.spec.named_recipes import AS_PUBLISHED
from bench.spec.plan import Plan, why_not
from bench.train.session import Session

PROBABLE_WATTS = 300.0  # only to weigh compiling against training under a budget in joules


@dataclass
class Trial:
    """Tries plans on a session's model; whatever the steps change is put back.

    Attributes:
        compilations: what compiled plans took to get ready.
    """

    session: Session
    model: nn.Module
    optimizer: optim.Optimizer
    generator: torch.Generator
    compilations: dict[Plan, Compilation] = field(default_factory=dict)

    def time_steps(self, plan: Plan) -> list[float]:
        """Seconds a step of two groups of steps, after one that is not timed."""
        session, clock = self.session, make_clock(self.session.device)
        # each plan starts without optimizer state: CUDA's fused kernels refuse the strides of a
        # memory format that the parameters no longer have
        with restored(self.model, self.optimizer, [self.generator]):
            engine = session.engine_for(plan, self.model, self.optimizer, self.generator)
            seconds = []
            for _ in range(3):
                group = [session.random_batch() for _ in range(engine.group_steps)]
                seconds.append(time_group(engine, group, session.small_rate(), clock))
            return [taken / engine.group_steps for taken in seconds[1:]]

    def compile(self, plan: Plan) -> Compilation:
        """Makes a plan ready for every shape of training."""
        started, before = time.perf_counter(), compile_counts()
        with restored(self.model, self.optimizer, [self.generator]):
            engine = self.session.engine_for(plan, self.model, self.optimizer, self.generator)
            self.session.meet_shapes(engine)
        is_cold = compile_counts().since(before).cache_misses > 0
        self.compilations[plan] = Compilation(time.perf_counter() - started, is_cold)
        return self.compilations[plan]


class Settled(NamedTuple):
    """What `auto` came to: the plan, all that was tried, and the seconds of its compilation."""

    plan: Plan
    tried: list[PlanCandidate]
    compile_s: float


def settle(
    session: Session, model: nn.Module, optimizer: optim.Optimizer, generator: torch.Generator
) -> Settled:
    """Find the plan that trains through the session's budget in the least time."""
    kind, recipe = session.device.type, session.spec.recipe
    trial = Trial(session, model, optimizer, generator)
    probe = Probe(
        time_steps=trial.time_steps,
        compile=trial.compile,
        expected_compile_s=expected_compile_s(model),
        steps_at=lambda step_s: num_steps(session, step_s),
        hope=hope(model, kind),
        now=time.perf_counter,
        why_not=lambda plan: why_not(plan, recipe),
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
    return Settled(plan, tried, compiled.seconds if compiled else 0.0)


def remember_compilation(session: Session, plan: Plan, compilation: Compilation) -> None:
    """Keep what a plan known from an earlier run took to get ready, if it is still in the cache."""
    name = cache_name(session.spec, session.device)
    known = read_timings(name).get(plan)
    if known:
        renewed = replace(known, compile_s=compilation.seconds, is_cold=compilation.is_cold)
        write_timings(name, [renewed])


def num_steps(session: Session, step_s: float) -> float:
    """Steps of all seeds that the budget pays for at so many seconds a step."""
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
