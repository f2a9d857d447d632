"""The machine's limit for a run: counts of a step against the measured ceilings.

Nothing here is on the training clock.
"""

import math
import os
from dataclasses import replace

from torch import nn

from bench.engine.warmup import Learner, restored
from bench.errors import RunError
from bench.machine.roofline import Roofline, StepCost, roofline_of
from bench.measure.findings import Findings
from bench.measure.workload import (
    count_kernels,
    count_or_reason,
    flops_per_image,
    has_other_heads,
    num_parameters,
    passes_of_step,
)
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from bench.train.live import Live
from bench.train.session import Session
from fmnist_models.external import is_external
from fmnist_models.users.compiled import came_compiled

LEAST_PROFILED_STEPS = 4
ON_CPU = "a CPU queues no kernels"
UNSEEN = "torch's profiler saw no kernels: it has no CUPTI here, or may not use it"
NOT_LINEAR = "the model calls other operations for other batch sizes"
BEAT_FLOOR = "beat_floor"  # the footer of a table says what that means


def count_model(session: Session, model: nn.Module, findings: Findings) -> None:
    """Parameters and FLOPs of the model of a seed; it stays as it is.

    Raises:
        RunError: the FLOPs are the budget, and cannot be counted (`unsupported`).
    """
    size = session.splits.train.images.shape[-1]
    findings.add("num_params", num_parameters(model))
    findings.add("num_trainable_params", num_parameters(model, trainable_only=True))
    flops, reason = count_or_reason(lambda: flops_per_image(model, size))
    findings.add("flops_per_image", flops, reason)
    session.flops_per_image = flops
    if session.spec.budget.unit == "flops" and not flops:
        why = reason or "it has no convolution or matrix product that is counted"
        remedy = "choose a budget in epochs, steps or seconds"
        raise RunError("unsupported", f"no budget in FLOPs for this net: {why}; {remedy}")
    if came_compiled(model):
        findings.flags.append("came_compiled")
    if is_external(session.spec.model) and has_other_heads(model, size):
        findings.flags.append("main_logits_only")


def count_step(session: Session, plan: Plan, learner: Learner, findings: Findings) -> None:
    """FLOPs and bytes of a step, counted once a plan; random states move on.

    Must come after the warm-up, which has made the optimizer's state, and have everything put back.
    """
    recipe, flops = session.spec.recipe, session.flops_per_image
    if plan not in session.costs:
        model, optimizer = learner.model, learner.optimizer
        size, batch = session.splits.train.images.shape[-1], recipe.batch_size
        passes, reason = count_or_reason(
            lambda: passes_of_step(model, optimizer, size, batch, recipe.precision)
        )
        session.costs[plan] = StepCost(
            flops=None if flops is None else flops * batch,
            passes=passes,
            no_passes=reason or NOT_LINEAR,
        )
    cost = session.costs[plan]
    findings.add("flops_per_step", cost.flops, findings.missing.get("flops_per_image", ""))
    findings.add("bytes_per_step", cost.num_bytes, cost.no_passes)


def count_step_kernels(session: Session, live: Live, findings: Findings) -> None:
    """Kernels of a step, counted once a session, after the first training: see `count_kernels`."""
    engine, plan = live.training.engine, session.plan
    assert plan is not None, "it was settled before the training"
    if session.device.type != "cuda":
        findings.missing["kernels_per_step"] = ON_CPU
        return
    if plan not in session.profiled:
        session.profiled.add(plan)
        if session.num_seeds > 1:  # has the profiler let go of CUPTI before the next training
            os.environ.setdefault("TEARDOWN_CUPTI", "1")
        steps = engine.group_steps * math.ceil(LEAST_PROFILED_STEPS / engine.group_steps)
        with restored(live.learner):
            batches = [session.random_batch() for _ in range(steps)]
            rates = [session.small_rate()] * steps
            kernels = count_kernels(lambda: engine.run(batches, rates), steps)
        engine.reset()
        session.costs[plan] = replace(session.costs[plan], kernels=kernels)
    findings.add("kernels_per_step", session.costs[plan].kernels, UNSEEN)


def report_limit(session: Session, spec: RunSpec, findings: Findings) -> None:
    """The floor of a step, how near the training came to it, and what binds."""
    roofline = report_floor(session, findings)
    if roofline is None:
        for quantity in ("percent_of_floor", "mfu", "bandwidth"):
            findings.add(quantity, None, findings.missing["floor"])
        return
    seconds, images = (
        findings.measurements[name].values[0] for name in ("train_time", "images_seen")
    )
    step_s = seconds * spec.recipe.batch_size / images  # a ragged batch is its share of a step
    percent = roofline.percent_of_floor(step_s)
    findings.add("percent_of_floor", rounded(percent))
    no_rate = f"no matmul rate in {spec.recipe.precision} was measured here"
    no_mfu = findings.missing.get("flops_per_step", no_rate)
    findings.add("mfu", rounded(roofline.mfu(step_s)), no_mfu)
    findings.add("bandwidth", rounded(roofline.bandwidth(step_s)), roofline.cost.no_passes)
    if percent > 100:
        findings.flags.append(BEAT_FLOOR)


def report_floor(session: Session, findings: Findings) -> Roofline | None:
    """The floor of a step and what binds: all that is known where no training comes to its end."""
    plan, ceilings, reason = session.plan, session.ceilings, ""
    if ceilings is None:
        reason = "no ceilings were measured"
    elif plan is None or plan not in session.costs:
        reason = "no step was counted"
    elif plan.parallel == "dp":
        reason = "plan dp: the ceilings are those of one GPU"
    else:
        roofline = roofline_of(session.costs[plan], ceilings, session.spec.recipe.precision)
        findings.add("floor", rounded(roofline.floor_s))
        findings.conditions["limit"] = {
            "binds": roofline.binding_term,
            "flops_per_s": rounded(roofline.flops_per_s),
            "bytes_per_s": rounded(roofline.bytes_per_s),
            "latency_s": rounded(roofline.latency_s),
        }
        return roofline
    findings.add("floor", None, reason)
    return None


def rounded(value: float | None) -> float | None:
    """Three significant digits: no ceiling is measured to more, and a record is at most 4 KB."""
    return None if value is None else float(f"{value:.3g}")
