"""Fill the findings of a run once its training is over."""

import math
import time

import torch
from torch import nn

from bench.errors import RunError
from bench.machine.compilers import CompileCounts, compile_counts
from bench.machine.meters import Meters
from bench.measure.findings import Findings
from bench.measure.limit import report_limit
from bench.measure.portrait import report_portrait, sitting
from bench.spec.budget import Budget
from bench.spec.run_spec import RunSpec, target_text
from bench.train.curve import chosen_points
from bench.train.session import Session
from bench.train.training import Trace, Training
from data_pipeline import ResidentSplit

CHANCE = 0.1
CHANCE_STANDARD_ERRORS = 3  # a model within this of guessing has learnt nothing that shows
MAX_FIT_IMAGES = 5_000  # of the training split, spread evenly over it


def report_training(
    spec: RunSpec, session: Session, training: Training, findings: Findings
) -> None:
    """Report time, memory, energy, speed and losses of a training."""
    trace, meters = training.trace, training.meters
    findings.add("train_time", meters.seconds)
    findings.add("steps", trace.steps)
    findings.add("images_seen", trace.images_seen)
    findings.add("peak_memory", *meters.peak_bytes())
    report_energy(meters, session.idle_power or (None, "not measured"), findings)
    chosen = chosen_points([point.validation_accuracy for point in trace.curve], spec.target)
    # seconds to the microsecond, accuracy to a hundredth of an image
    findings.curve = [[round(x, 6) for x in trace.curve[k][:4]] for k in chosen] or None
    if not trace.steps:
        return
    size = len(session.splits.train)
    findings.add("epochs", trace.images_seen / size)
    findings.add("throughput", trace.images_seen / meters.seconds)
    findings.add("epoch_time", meters.seconds * size / trace.images_seen)
    _report_overrun(spec.budget, training, findings)
    _report_steps(session, trace, meters, findings)
    has_reached = training.control is not None and training.control.has_reached
    _report_control(training, findings)
    if spec.target is not None:
        if has_reached:
            findings.flags.append("reached_target")
        seconds = trace.curve[-1].train_seconds if has_reached else None
        reason = f"never reached {target_text(spec.target)} on validation"
        findings.add("time_to_target", seconds, reason)
    report_limit(session, spec, findings)
    is_short = trace.images_seen < training.stream.images_per_epoch
    if is_short and not has_reached:  # what has reached its target is trained enough
        findings.flags.append("under_trained")


def report_energy(meters: Meters, idle: tuple[float | None, str], findings: Findings) -> None:
    """Energy and idle power; of a GPU conditions too, and the raw readings among the samples.

    Rounded to NVML's own millijoules and milliwatts, as a record is at most 4 KB.
    """
    sampler = meters.sampler
    has_sensor = meters.counter is not None or sampler is not None
    joules, no_energy = meters.energy_j()
    watts, no_idle = idle if has_sensor else (None, meters.no_energy)
    above = None if joules is None or watts is None else joules - watts * meters.seconds
    findings.add("energy", joules, no_energy, digits=3)
    findings.add("idle_power", watts, no_idle, digits=3)
    findings.add("energy_above_idle", above, no_energy or no_idle, digits=3)
    findings.conditions["energy_method"] = None if joules is None else meters.energy_method
    if sampler is not None:
        findings.conditions |= sampler.conditions()
        findings.samples |= sampler.samples()
        if sampler.throttled_by():
            findings.flags.append("throttled")


def _report_control(training: Training, findings: Findings) -> None:
    """Early stopping and the selected weights."""
    control = training.control
    if control is None:
        return
    if control.is_over and not control.has_reached:
        findings.flags.append("stopped_early")
    if control.best:
        epoch, accuracy, loss = control.best
        selected = {"epoch": epoch, "accuracy": accuracy, "loss": loss}
        findings.conditions["selected"] = {key: round(x, 6) for key, x in selected.items()}


def _report_overrun(budget: Budget, training: Training, findings: Findings) -> None:
    """A measured budget is met to a chunk (below 0: undershot); a counted one to the step."""
    meters = training.meters
    if training.control and training.control.is_over and training.pacer.fraction < 1:
        return
    if budget.unit == "s":
        findings.add("overrun", meters.seconds - budget.amount)
    elif budget.unit == "J" and meters.counter:  # else its counter was lost on the way
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
        "learning_rate": torch.tensor(trace.learning_rates).numpy(),
        "chunk_steps": steps.numpy(),
        "chunk_seconds": seconds.numpy(),
    }
    if trace.curve:  # (points, 5), as CurvePoint names them
        findings.samples["curve"] = torch.tensor(trace.curve, dtype=torch.float64).numpy()


def report_compilers(in_clock: CompileCounts, findings: Findings) -> None:
    """Compilations and graph breaks; a plan that compiles on the clock is flagged."""
    findings.add("compilations_in_clock", in_clock.compilations)
    findings.add("graph_breaks", compile_counts().graph_breaks)
    if in_clock.compilations:
        findings.flags.append("compiled_in_clock")


def report_quality(session: Session, spec: RunSpec, model: nn.Module, findings: Findings) -> None:
    """Accuracy, loss and confusion matrix of the one final pass, and a portrait of it.

    Raises:
        RunError: the evaluation split is the validation split and the recipe keeps none.
    """
    split = session.splits.test if spec.evaluation_split == "test" else session.splits.validation
    if split is None:
        raise RunError("unsupported", "evaluating on validation needs a validation_fraction")
    started = time.perf_counter()
    with sitting(model) as seen:
        quality = session.evaluate(model, split, seen.see)
    findings.add("evaluation_time", time.perf_counter() - started)
    findings.add("test_accuracy", quality.accuracy)
    findings.add("test_loss", *_finite(quality.loss))
    findings.confusion = [list(row) for row in quality.confusion]
    margin = CHANCE_STANDARD_ERRORS * math.sqrt(CHANCE * (1 - CHANCE) / len(split))
    if quality.accuracy <= CHANCE + margin:
        findings.flags.append("at_chance")
    if seen.are_probabilities:
        findings.flags.append("ends_in_softmax")
    with findings.aside():
        report_portrait(seen, split, session.splits.train, findings)


def report_fit(session: Session, model: nn.Module, findings: Findings) -> None:
    """Accuracy on some training images as they are, beside which over-fitting shows."""
    train = session.splits.train
    count = min(len(train), MAX_FIT_IMAGES)
    spread = torch.arange(count, device=session.device) * len(train) // count
    some = ResidentSplit(train.images[spread], train.labels[spread])
    with findings.aside():
        findings.add("train_accuracy", session.evaluate(model, some).accuracy)


def _finite(value: float) -> tuple[float | None, str]:
    return (value, "") if math.isfinite(value) else (None, f"not finite: {value}")
