"""Measures one seed: set up, warm up, train on the clock, evaluate; fills the findings."""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn, optim

from bench.engine.engine import Engine
from bench.engine.optimizer import make_optimizer
from bench.engine.warmup import restored
from bench.keep.checkpoints import plan_gone_on_with
from bench.keep.keeper import begin_keeping
from bench.machine.compilers import compile_counts
from bench.machine.memory import model_bytes, peak_of_graphs, state_bytes
from bench.machine.meters import Meters, make_meters
from bench.measure.energy import measure_idle_power
from bench.measure.findings import SHARED, Findings
from bench.measure.limit import count_step, count_step_kernels
from bench.measure.outcome import (
    batch_stream,
    report_compilers,
    report_fit,
    report_quality,
    report_training,
)
from bench.measure.workload import flops_per_image, num_parameters
from bench.plans.probe import Compilation
from bench.plans.settle import remember_compilation, settle
from bench.run.record import Watcher
from bench.spec.artifacts import NOTHING, Keep
from bench.spec.budget import Budget
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from bench.train.control import Control
from bench.train.curve import in_whole_groups
from bench.train.live import Live
from bench.train.pacing import Pacer
from bench.train.schedule import learning_rate_at, momentum_at
from bench.train.session import AUGMENTATION_SEED, Session
from bench.train.training import Pauses, Progress, Training
from data_pipeline import BatchStream

MAX_NOTE_CHARS = 120  # a record is at most 4 KB


def measure_seed(
    session: Session, spec: RunSpec, findings: Findings, watch: Watcher, keep: Keep = NOTHING
) -> None:
    """Trains and evaluates one seed.

    Raises:
        RunError: the run ends without an answer; whatever else a model raises comes through.
    """
    tell = partial(watch, spec.seed)
    tell("set-up", None)
    findings.add("data_load_time", session.setup_s.pop("data", None), SHARED)
    session.idle_power = session.idle_power or measure_idle_power(session.device)
    findings.add("ceilings_time", session.setup_s.pop("ceilings", None), SHARED)
    session.plan = session.plan or plan_gone_on_with(keep, spec)
    model = session.model_for(spec.seed)
    report_start(session, spec, findings)
    count_workload(session, model, findings)
    live = prepare(session, spec, model, findings, tell)
    kept = begin_keeping(session, spec, live, keep, findings)
    try:
        train(session, live, findings)
    finally:
        report_training(spec, session, live.training, findings)
        kept.close()
    tell("evaluate", None)
    kept.end_training()
    if live.training.control:
        live.training.control.use_best()
    report_fit(session, model, findings)
    report_quality(session, spec, model, findings)
    kept.end_run()


def train(session: Session, live: Live, findings: Findings) -> None:
    """The training, and what of its steps can only be counted once the clock has stopped."""
    before = compile_counts()
    try:
        live.training.run()
    finally:
        report_compilers(compile_counts().since(before), findings)
    count_step_kernels(session, live, findings)


def report_start(session: Session, spec: RunSpec, findings: Findings) -> None:
    """Whether the weights that the recipe asks for were there."""
    start = session.start
    if start is None or spec.recipe.weights == "random":
        return
    findings.conditions["pretrained"] = start.is_pretrained
    if start.note:
        findings.conditions["weights_note"] = start.note[:MAX_NOTE_CHARS]
    if not start.is_pretrained:
        findings.flags.append("not_pretrained")


def count_workload(session: Session, model: nn.Module, findings: Findings) -> None:
    """Parameters and FLOPs."""
    findings.add("num_params", num_parameters(model))
    findings.add("num_trainable_params", num_parameters(model, trainable_only=True))
    size = session.splits.train.images.shape[-1]
    session.flops_per_image = flops_per_image(model, size)
    findings.add("flops_per_image", session.flops_per_image)


def prepare(
    session: Session,
    spec: RunSpec,
    model: nn.Module,
    findings: Findings,
    tell: Callable[[str, Progress | None], None],
) -> Live:
    """Settles the plan, warms up and puts the training together, nothing of it on the clock."""
    optimizer = make_optimizer(spec.recipe, model)
    augmentation = torch.Generator(session.device).manual_seed(spec.seed + AUGMENTATION_SEED)
    tell("probe", None)
    plan = settle_plan(session, model, optimizer, augmentation)
    findings.add("probe_time", session.setup_s.pop("probe", None), SHARED)
    tell("warm-up", None)
    engine, step_s = warm_engine(session, plan, model, optimizer, augmentation, findings)
    meters = make_meters(session.device, model, optimizer, is_parallel=plan.parallel == "dp")
    meters.memory.count(session.graph_peak)
    training = assemble(session, spec, engine, meters, step_s, findings)
    add_curve(training, session, model, findings)
    training.report = partial(tell, "train")
    return Live(training, model, optimizer, augmentation)


def settle_plan(
    session: Session, model: nn.Module, optimizer: optim.Optimizer, generator: torch.Generator
) -> Plan:
    """The plan of this session: the one asked for, or what a probe finds best."""
    if session.plan is None:
        started = time.perf_counter()
        session.plan, tried, compile_s = settle(session, model, optimizer, generator)
        session.tried = [candidate.as_plain() for candidate in tried]
        session.setup_s["compile"] = compile_s
        session.setup_s["probe"] = time.perf_counter() - started - compile_s
    return session.plan


def warm_engine(
    session: Session,
    plan: Plan,
    model: nn.Module,
    optimizer: optim.Optimizer,
    augmentation: torch.Generator,
    findings: Findings,
) -> tuple[Engine, float]:
    """The engine, warm, and predicted seconds of a step; what the warm-up changed is put back."""
    started, before = time.perf_counter(), compile_counts()
    # made outside: the optimizer state that it prepares must last
    engine = session.engine_for(plan, model, optimizer, augmentation)
    with restored(model, optimizer, [augmentation]):
        with peak_of_graphs(session.device) as peaks:
            session.meet_shapes(engine)
        ready_s = time.perf_counter() - started
        step_s = session.predict_step(engine)
        seconds = time.perf_counter() - started
        counts = compile_counts().since(before)
        count_step(session, plan, model, optimizer, findings)
    engine.reset()
    copies = model_bytes(model) + state_bytes(optimizer)  # those that `restored` kept
    session.graph_peak = peaks[0] - copies if plan.graph_steps and peaks else 0
    is_first = plan not in session.warmed
    session.warmed.add(plan)
    if is_first and plan.is_compiled and counts.compilations and session.tried:
        compilation = Compilation(ready_s, counts.cache_misses > 0)
        remember_compilation(session, plan, compilation)
    seconds += session.setup_s.pop("compile", 0.0)  # what the probe compiled already
    findings.add("compile_time", seconds if is_first else None, SHARED)
    return engine, step_s


def assemble(
    session: Session,
    spec: RunSpec,
    engine: Engine,
    meters: Meters,
    step_s: float,
    findings: Findings,
) -> Training:
    """The training of a seed, without a validation curve."""
    stream = batch_stream(session, spec)
    flops = findings.measurements["flops_per_image"].values[0]
    rate = partial(learning_rate_at, spec.recipe)
    pacer = make_pacer(spec, stream, flops, predicted_cost(spec.budget, meters, step_s))
    momentum = None if spec.recipe.base_momentum is None else partial(momentum_at, spec.recipe)
    return Training(engine, stream, spec.budget, pacer, meters, rate, step_s, momentum)


def add_curve(training: Training, session: Session, model: nn.Module, findings: Findings) -> None:
    """Validation on the way: each epoch where the recipe acts on it, else as a fifth pays for.

    A target takes its own looks, at recipes of both kinds.
    """
    pacer, validation = training.pacer, session.splits.validation
    if validation is None:
        return
    training.validate = lambda: session.evaluate(model, validation)
    recipe, target = session.spec.recipe, session.spec.target
    if recipe.validates_each_epoch or target is not None:
        training.control = Control(recipe, model, target)
    training.pauses = Pauses(at_epochs=recipe.validates_each_epoch)
    if recipe.validates_each_epoch and target is None:
        return
    training_s = pacer.limit / pacer.per_step * training.step_s
    known_s = None if session.spec.is_deterministic else training_s
    training.curve_fractions = session.curve_points(model, validation, known_s)
    if target is not None and session.spec.budget.is_counted:
        training.curve_fractions = in_whole_groups(
            training.curve_fractions, int(pacer.limit), training.engine.group_steps
        )
    if not training.curve_fractions:
        findings.missing["curve"] = "one validation pass would cost over a fifth of the training"


def make_pacer(spec: RunSpec, stream: BatchStream, flops: float, step_cost: float) -> Pacer:
    """The pacer of a budget: counted in steps, or measured in seconds or joules."""
    if not spec.budget.is_counted:
        return Pacer(limit=spec.budget.amount, per_step=step_cost)
    steps = spec.budget.total_steps(
        batch_size=spec.recipe.batch_size,
        images_per_epoch=stream.images_per_epoch,
        flops_per_image=flops,
    )
    return Pacer(limit=steps, per_step=1.0)


def predicted_cost(budget: Budget, meters: Meters, step_s: float) -> float:
    """What a step costs in the unit of a measured budget, as far as one can tell beforehand."""
    watts = meters.gpu.power_watts() if budget.unit == "J" and meters.gpu else None
    return step_s if watts is None else watts * step_s
