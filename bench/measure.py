"""Measures one seed: set up, warm up, train on the clock, evaluate; fills the findings."""

import math
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn, optim

from bench.budget import Budget
from bench.compile_counters import CompileCounts, compile_counts
from bench.energy import measure_idle_power, report_gpu
from bench.engine import Engine
from bench.errors import RunError
from bench.findings import SHARED, Findings
from bench.limit import count_step, report_limit
from bench.memory import model_bytes, peak_of_graphs, state_bytes
from bench.meters import Meters, make_meters
from bench.optimizer import make_optimizer
from bench.pacing import Pacer
from bench.plan import Plan
from bench.probe import Compilation
from bench.runner import Watcher
from bench.schedule import learning_rate_at
from bench.session import AUGMENTATION_SEED, ORDER_SEED, Session
from bench.settle import remember_compilation
from bench.spec import RunSpec
from bench.training import Progress, Trace, Training
from bench.warmup import restored
from bench.workload import flops_per_image, num_parameters
from data_pipeline import BatchStream

CHANCE = 0.1
CHANCE_STANDARD_ERRORS = 3  # a model within this of guessing has learnt nothing that shows


def measure_seed(session: Session, spec: RunSpec, findings: Findings, watch: Watcher) -> None:
    """Trains and evaluates one seed.

    Raises:
        RunError: the run ends without an answer; whatever else a model raises comes through.
    """
    tell = partial(watch, spec.seed)
    tell("set-up", None)
    findings.add("data_load_time", session.setup_s.pop("data", None), SHARED)
    session.idle_power = session.idle_power or measure_idle_power(session.device)
    findings.add("ceilings_time", session.setup_s.pop("ceilings", None), SHARED)
    model = session.model_for(spec.seed)
    count_workload(session, model, findings)
    training, meters = prepare(session, spec, model, findings, tell)
    trace, before = training.trace, compile_counts()
    try:
        training.run()
    finally:
        report_compilers(compile_counts().since(before), findings)
        report_training(spec, session, trace, meters, findings)
    tell("evaluate", None)
    report_quality(session, spec, model, findings)


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
) -> tuple[Training, Meters]:
    """Settles the plan, warms up and puts the training together, nothing of it on the clock."""
    optimizer = make_optimizer(spec.recipe, model)
    augmentation = torch.Generator(session.device).manual_seed(spec.seed + AUGMENTATION_SEED)
    tell("probe", None)
    plan = session.settle_plan(model, optimizer, augmentation)
    findings.add("probe_time", session.setup_s.pop("probe", None), SHARED)
    tell("warm-up", None)
    engine, step_s = warm_engine(session, plan, model, optimizer, augmentation, findings)
    meters = make_meters(session.device, model, optimizer, is_parallel=plan.parallel == "dp")
    meters.memory.count(session.graph_peak)
    training = assemble(session, spec, engine, meters, step_s, findings)
    add_curve(training, session, model, findings)
    training.report = partial(tell, "train")
    return training, meters


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
        count_step(session, plan, engine, model, optimizer, findings)
    engine.reset()
    copies = model_bytes(model) + state_bytes(optimizer)  # those that `restored` kept
    session.graph_peak = peaks[0] - copies if plan.graph_steps and peaks else 0
    is_first = plan not in session.warmed
    session.warmed.add(plan)
    if is_first and plan.is_compiled and counts.compilations and session.tried:
        compilation = Compilation(ready_s, counts.cache_misses > 0)
        remember_compilation(session, plan, session.tried, compilation)
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
    return Training(engine, stream, spec.budget, pacer, meters, rate, step_s)


def add_curve(training: Training, session: Session, model: nn.Module, findings: Findings) -> None:
    """Evaluations on the way, as many of the fixed points as a fifth of the training pays for."""
    pacer, validation = training.pacer, session.splits.validation
    if validation is None:
        return
    training_s = pacer.limit / pacer.per_step * training.step_s
    known_s = None if session.spec.is_deterministic else training_s
    training.curve_fractions = session.curve_points(model, validation, known_s)
    training.validate = lambda: session.evaluate(model, validation).accuracy
    if not training.curve_fractions:
        findings.missing["curve"] = "one validation pass would cost over a fifth of the training"


def batch_stream(session: Session, spec: RunSpec) -> BatchStream:
    """The data order of a seed; it depends on the seed alone."""
    return BatchStream(
        len(session.splits.train),
        spec.recipe.batch_size,
        drop_last=spec.recipe.drop_last,
        generator=torch.Generator(session.device).manual_seed(spec.seed + ORDER_SEED),
        device=session.device,
    )


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


def report_training(
    spec: RunSpec, session: Session, trace: Trace, meters: Meters, findings: Findings
) -> None:
    """Everything that the training clock, the counters and the losses tell."""
    findings.add("train_time", meters.seconds)
    findings.add("steps", trace.steps)
    findings.add("images_seen", trace.images_seen)
    findings.add("peak_memory", *meters.memory.peak_bytes())
    report_gpu(meters, session.idle_power or (None, "not measured"), findings)
    # seconds to the microsecond, accuracy to a hundredth of an image: a record is at most 4 KB
    findings.curve = [
        [round(point.train_seconds, 6), *point[1:3], round(point.validation_accuracy, 6)]
        for point in trace.curve
    ] or None
    if not trace.steps:
        return
    size = len(session.splits.train)
    findings.add("epochs", trace.images_seen / size)
    findings.add("throughput", trace.images_seen / meters.seconds)
    findings.add("epoch_time", meters.seconds * size / trace.images_seen)
    _report_overrun(spec.budget, meters, findings)
    _report_steps(session, trace, meters, findings)
    report_limit(session, spec, findings)
    if trace.images_seen < batch_stream(session, spec).images_per_epoch:
        findings.flags.append("under_trained")


def _report_overrun(budget: Budget, meters: Meters, findings: Findings) -> None:
    """A measured budget is met to a chunk (below 0: undershot); a counted one to the step."""
    if budget.unit == "s":
        findings.add("overrun", meters.seconds - budget.amount)
    elif budget.unit == "J" and meters.gpu:  # else its counter was lost on the way
        findings.add("overrun_energy", meters.joules - budget.amount)


def _report_steps(session: Session, trace: Trace, meters: Meters, findings: Findings) -> None:
    steps = torch.tensor(trace.chunk_steps)
    seconds = torch.tensor(trace.chunk_seconds, dtype=torch.float64)
    per_step = (seconds / steps).repeat_interleave(steps)  # a chunk's mean stands for its steps
    findings.add("step_time_p50", float(per_step.quantile(0.5)))
    findings.add("step_time_p95", float(per_step.quantile(0.95)))
    if session.device.type == "cpu":
        findings.add("time_in_steps", trace.seconds_in_steps / meters.seconds)
    else:
        findings.missing["time_in_steps"] = "on CUDA the host only queues the steps"
    findings.add("train_loss", *_finite(trace.losses[-1]))
    findings.samples |= {
        "loss": torch.tensor(trace.losses).numpy(),
        "chunk_steps": steps.numpy(),
        "chunk_seconds": seconds.numpy(),
    }


def report_compilers(in_clock: CompileCounts, findings: Findings) -> None:
    """What compilers did while training; a plan that compiles on the clock is flagged."""
    findings.add("compilations_in_clock", in_clock.compilations)
    findings.add("graph_breaks", compile_counts().graph_breaks)
    if in_clock.compilations:
        findings.flags.append("compiled_in_clock")


def report_quality(session: Session, spec: RunSpec, model: nn.Module, findings: Findings) -> None:
    """Accuracy, loss and confusion matrix of the one final pass.

    Raises:
        RunError: the evaluation split is the validation split and the recipe keeps none.
    """
    split = session.splits.test if spec.evaluation_split == "test" else session.splits.validation
    if split is None:
        raise RunError("unsupported", "evaluating on validation needs a validation_fraction")
    started = time.perf_counter()
    quality = session.evaluate(model, split)
    findings.add("evaluation_time", time.perf_counter() - started)
    findings.add("test_accuracy", quality.accuracy)
    findings.add("test_loss", *_finite(quality.loss))
    findings.confusion = [list(row) for row in quality.confusion]
    margin = CHANCE_STANDARD_ERRORS * math.sqrt(CHANCE * (1 - CHANCE) / len(split))
    if quality.accuracy <= CHANCE + margin:
        findings.flags.append("at_chance")


def _finite(value: float) -> tuple[float | None, str]:
    return (value, "") if math.isfinite(value) else (None, f"not finite: {value}")
