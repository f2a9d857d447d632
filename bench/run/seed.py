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
from bench.machine.meters import Meters, make_meters, measure_idle_power
from bench.measure.findings import SHARED, Findings
from bench.measure.limit import count_model, count_step, count_step_kernels
from bench.measure.outcome import report_compilers, report_fit, report_quality, report_training
from bench.plans.probe import Compilation
from bench.plans.settle import remember_compilation, settle
from bench.run.record import Watcher
from bench.spec.artifacts import NOTHING, Artifacts
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from bench.train.control import Control
from bench.train.curve import in_whole_groups
from bench.train.live import Live
from bench.train.pacing import Pacer
from bench.train.schedule import learning_rate_at, momentum_at
from bench.train.session import AUGMENTATION_SEED, ORDER_SEED, Session
from bench.train.training import Pauses, Progress, Training
from data_pipeline import BatchStream
from fmnist_models.external import split_library
from fmnist_models.parts import has_stray_weights

MAX_NOTE_CHARS = 120  # a record is at most 4 KB


def run_seed(
    session: Session,
    spec: RunSpec,
    findings: Findings,
    watch: Watcher,
    artifacts: Artifacts = NOTHING,
) -> None:
    """Train and evaluate one seed.

    The session is shared by the seeds of a configuration: what one has settled, the next finds. The
    findings are filled on the way, so that a run that fails keeps what it has.

    Raises:
        RunError: the run ends without an answer; whatever else a model raises comes through.
    """
    tell = partial(watch, spec.seed)
    tell("set-up", None)
    report_set_up(session, findings)
    session.plan = session.plan or plan_gone_on_with(artifacts, spec)  # a resumed run keeps its own
    model = session.model_for(spec.seed)
    report_start(session, spec, model, findings)
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

    What is spent once a session is reported by its first seed, and missing from the others. The
    size of the images is noted where a trial has found it, so that nothing else tells it.
    """
    if split_library(session.spec.model):
        findings.conditions["input_size"] = session.splits.train.images.shape[-1]
    findings.add("data_load_time", session.setup_s.pop("data", None), SHARED)
    session.idle_power = session.idle_power or measure_idle_power(session.device)
    findings.add("ceilings_time", session.setup_s.pop("ceilings", None), SHARED)


def report_start(session: Session, spec: RunSpec, model: nn.Module, findings: Findings) -> None:
    """Note what is odd about the weights that it begins with."""
    if session.seeds_itself:
        findings.flags.append("seeds_itself")
    if has_stray_weights(model):
        findings.flags.append("stray_weights")
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
    count_model(session, model, findings)
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
    training.put_back = session.put_switches_back
    return Live(training, learner)


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
    session.put_switches_back()
    # those that `restored` kept
    copies = model_bytes(learner.model) + state_bytes(learner.optimizer)
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


def assemble(
    session: Session, spec: RunSpec, engine: Engine, meters: Meters, step_s: float
) -> Training:
    """Make the training of a seed, without a validation curve."""
    recipe, budget, stream = spec.recipe, spec.budget, batch_stream(session, spec)
    if budget.is_counted:
        steps = budget.total_steps(
            batch_size=recipe.batch_size,
            images_per_epoch=stream.images_per_epoch,
            flops_per_image=session.flops_per_image,
        )
        pacer = Pacer(limit=steps, per_step=1.0)
    else:
        counter = meters.counter if budget.unit == "J" else None
        watts = counter.power_watts() if counter else None
        cost = step_s if watts is None else watts * step_s
        pacer = Pacer(limit=budget.amount, per_step=cost)
    rate = partial(learning_rate_at, recipe)
    momentum = None if recipe.base_momentum is None else partial(momentum_at, recipe)
    return Training(engine, stream, budget, pacer, meters, rate, step_s, momentum)


def batch_stream(session: Session, spec: RunSpec) -> BatchStream:
    """Make the data order of a seed; it depends on the seed alone."""
    # torch's DataLoader draws on the CPU, and a script that is told a seed uses just that seed
    is_loaders = spec.recipe.order == "dataloader"
    generator = torch.Generator("cpu" if is_loaders else session.device)
    return BatchStream(
        len(session.splits.train),
        spec.recipe.batch_size,
        drop_last=spec.recipe.drop_last,
        generator=generator.manual_seed(spec.seed + (0 if is_loaders else ORDER_SEED)),
        device=session.device,
        order=spec.recipe.order,
    )


def add_curve(
    training: Training, session: Session, spec: RunSpec, model: nn.Module, findings: Findings
) -> None:
    """Add validation on the way: each epoch where the recipe acts on it, else as a fifth pays for.

    A target takes its own looks, at recipes of both kinds.
    """
    pacer, validation = training.pacer, session.splits.validation
    if validation is None:
        return
    training.validate = lambda: session.evaluate(model, validation)
    recipe, target = spec.recipe, spec.target
    if recipe.validates_each_epoch or target is not None:
        training.control = Control(recipe, model, target)
    training.pauses = Pauses(at_epochs=recipe.validates_each_epoch)
    if recipe.validates_each_epoch and target is None:
        return
    training_s = pacer.limit / pacer.per_step * training.step_s
    known_s = None if spec.is_deterministic else training_s
    training.curve_fractions = session.curve_points(model, validation, known_s)
    if target is not None and spec.budget.is_counted:
        training.curve_fractions = in_whole_groups(
            training.curve_fractions, int(pacer.limit), training.engine.group_steps
        )
    if not training.curve_fractions:
        findings.missing["curve"] = "one validation pass would cost over a fifth of the training"


def train(session: Session, live: Live, findings: Findings) -> None:
    """Train, then count what of a step can only be counted once the clock has stopped."""
    before = compile_counts()
    try:
        live.training.run()
    finally:
        report_compilers(compile_counts().since(before), findings)
    count_step_kernels(session, live, findings)
