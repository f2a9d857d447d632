"""One run, from set-up to findings: `run_seed` tells it, and what it calls follows in that order.

`runner.py` opens the session, calls this for each seed, and makes the record, of failures too. What
happens inside a training is in `train/training.py`, how a step is executed in `engine/`.
"""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from bench.engine.engine import Engine
from bench.engine.optimizer import make_optimizer
from bench.engine.warmup import Learner, restored, warm_up
from bench.keep.checkpoints import plan_gone_on_with
from bench.keep.keeper import begin_keeping
from bench.machine.clock import make_clock
from bench.machine.compilers import compile_counts
from bench.machine.memory import model_bytes, peak_of_graphs, state_bytes
from bench.machine.meters import make_meters
from bench.machine.nvml import measure_idle_power
from bench.measure.findings import SHARED, Findings
from bench.measure.limit import count_step, count_step_kernels
from bench.measure.outcome import (
    report_compilers,
    report_fit,
    report_quality,
    report_training,
)
from bench.measure.workload import flops_per_image, num_parameters
from bench.plans.probe import Compilation
from bench.plans.settle import remember_compilation, settle
from bench.run.assembly import add_curve, assemble
from bench.run.record import Watcher
from bench.spec.artifacts import NOTHING, Artifacts
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from bench.train.live import Live
from bench.train.session import AUGMENTATION_SEED, Session
from bench.train.training import Progress

MAX_NOTE_CHARS = 120  # a record is at most 4 KB


def run_seed(
    session: Session,
    spec: RunSpec,
    findings: Findings,
    watch: Watcher,
    artifacts: Artifacts = NOTHING,
) -> None:
    """Train and evaluate one seed.

    Args:
        session: shared by the seeds of a configuration; what one has settled, the next finds.
        spec: with the seed.
        findings: filled on the way, so that a run that fails keeps what it has.
        watch: told the phase.
        artifacts: what to leave beside the record.

    Raises:
        RunError: the run ends without an answer; whatever else a model raises comes through.
    """
    tell = partial(watch, spec.seed)
    tell("set-up", None)
    report_set_up(session, findings)
    session.plan = session.plan or plan_gone_on_with(artifacts, spec)  # a resumed run keeps its own
    model = session.model_for(spec.seed)
    report_start(session, spec, findings)
    live = prepare(session, spec, model, findings, tell)
    keeper = begin_keeping(session, spec, live, artifacts, findings)
    try:
        train(session, live, findings)
    finally:
        report_training(spec, session, live.training, findings)
        keeper.close()
    tell("evaluate", None)
    keeper.end_training()
    if live.training.control:
        live.training.control.use_best()  # weights, where the recipe selects them by validation
    report_fit(session, model, findings)
    report_quality(session, spec, model, findings)
    keeper.end_run()


def report_set_up(session: Session, findings: Findings) -> None:
    """Note what opening the session took, and measure what the GPU draws while it idles.

    What is spent once a session is reported by its first seed, and missing from the others.
    """
    findings.add("data_load_time", session.setup_s.pop("data", None), SHARED)
    session.idle_power = session.idle_power or measure_idle_power(session.device)
    findings.add("ceilings_time", session.setup_s.pop("ceilings", None), SHARED)


def report_start(session: Session, spec: RunSpec, findings: Findings) -> None:
    """Note whether the weights that the recipe asks for were there."""
    start = session.start
    if start is None or spec.recipe.weights == "random":
        return
    findings.conditions["pretrained"] = start.is_pretrained
    if start.note:
        findings.conditions["weights_note"] = start.note[:MAX_NOTE_CHARS]
    if not start.is_pretrained:
        findings.flags.append("not_pretrained")


def prepare(
    session: Session,
    spec: RunSpec,
    model: nn.Module,
    findings: Findings,
    tell: Callable[[str, Progress | None], None],
) -> Live:
    """Get a seed ready for its first timed step: counts, plan, warm engine, training."""
    count_workload(session, model, findings)
    augmentation = torch.Generator(session.device).manual_seed(spec.seed + AUGMENTATION_SEED)
    learner = Learner(model, make_optimizer(spec.recipe, model), augmentation)
    tell("probe", None)
    plan = settle_plan(session, learner, findings)
    tell("warm-up", None)
    engine, step_s, graph_peak = warm_engine(session, plan, learner, findings)
    is_parallel = plan.parallel == "dp"
    meters = make_meters(session.device, model, learner.optimizer, is_parallel=is_parallel)
    if graph_peak:  # replays allocate nothing of their own
        meters.other_peaks.append(graph_peak)
    training = assemble(session, spec, engine, meters, step_s)
    add_curve(training, session, spec, model, findings)
    training.report = partial(tell, "train")
    return Live(training, learner)


def count_workload(session: Session, model: nn.Module, findings: Findings) -> None:
    """Count parameters and FLOPs."""
    findings.add("num_params", num_parameters(model))
    findings.add("num_trainable_params", num_parameters(model, trainable_only=True))
    size = session.splits.train.images.shape[-1]
    session.flops_per_image = flops_per_image(model, size)
    findings.add("flops_per_image", session.flops_per_image)


def settle_plan(session: Session, learner: Learner, findings: Findings) -> Plan:
    """Return the plan of this session: the one asked for, or what a probe finds best."""
    if session.plan is None:
        started = time.perf_counter()
        session.plan, tried, compile_s = settle(session, learner)
        session.tried = [candidate.as_plain() for candidate in tried]
        session.setup_s["compile"] = compile_s
        session.setup_s["probe"] = time.perf_counter() - started - compile_s
    findings.add("probe_time", session.setup_s.pop("probe", None), SHARED)
    return session.plan


def warm_engine(
    session: Session, plan: Plan, learner: Learner, findings: Findings
) -> tuple[Engine, float, int]:
    """Make the engine and warm it up; return it and the predicted seconds of a step.

    What the warm-up changed is put back: the first timed step starts from the seed's own weights.
    The third value is the peak memory of that warm-up in bytes; 0 without CUDA graphs.
    """
    started, before = time.perf_counter(), compile_counts()
    # made outside: the optimizer state that it prepares must last
    engine = session.engine_for(plan, learner)
    with restored(learner):
        with peak_of_graphs(session.device) as peaks:
            session.meet_shapes(engine)
        ready_s = time.perf_counter() - started
        clock = make_clock(session.device)
        step_s = warm_up(engine, session.random_batch, session.small_rate(), clock)
        seconds = time.perf_counter() - started
        counts = compile_counts().since(before)
        count_step(session, plan, learner, findings)
    engine.reset()
    copies = model_bytes(learner.model) + state_bytes(
        learner.optimizer
    )  # those that `restored` kept
    graph_peak = peaks[0] - copies if plan.graph_steps and peaks else 0
    compiled = Compilation(ready_s, counts.cache_misses > 0) if counts.compilations else None
    report_warm_up(session, plan, compiled, seconds, findings)
    return engine, step_s, graph_peak


def report_warm_up(
    session: Session,
    plan: Plan,
    compiled: Compilation | None,
    seconds: float,
    findings: Findings,
) -> None:
    """Note what the first warm-up of a plan took; where it compiled, `auto` remembers that."""
    is_first = plan not in session.warmed
    session.warmed.add(plan)
    if is_first and plan.is_compiled and compiled and session.tried:
        remember_compilation(session, plan, compiled)
    seconds += session.setup_s.pop("compile", 0.0)  # what the probe compiled already
    findings.add("compile_time", seconds if is_first else None, SHARED)


def train(session: Session, live: Live, findings: Findings) -> None:
    """Train, then count what of a step can only be counted once the clock has stopped."""
    before = compile_counts()
    try:
        live.training.run()
    finally:
        report_compilers(compile_counts().since(before), findings)
    count_step_kernels(session, live, findings)
