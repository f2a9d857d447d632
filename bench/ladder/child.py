"""What runs inside the child of a rung. Torch-free itself: the parent imports this module too.

The child sets one plan up, says so, and then trains a turn each time its parent asks for one.
"""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.machine.cache import use_empty_cache
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from bench.sweep.child import REFUSALS
from bench.workers import messages
from bench.workers.confinement import leave

if TYPE_CHECKING:
    from bench.measure.findings import Findings
    from bench.train.live import Live
    from bench.train.session import Session
    from bench.train.training import Progress, Training

READY, TURN, COUNTED, FAILURE = "ready", "turn", "counted", "failure"
MARGIN = 1.2  # so that a turn that goes faster than the untimed one is still long enough


@dataclass(frozen=True)
class RungJob:
    """One rung, and the turns it will be asked for."""

    spec: RunSpec  # its plan is None where `auto` shall choose
    device: str
    data: Path | None
    turn_s: float  # the least seconds of a turn
    num_turns: int
    # an empty folder, so that compile seconds do not hang on what ran before; None for the user's
    cache: Path | None = None


def survey(pipe: Connection, models: tuple[str, ...]) -> None:
    """Answer what rungs each of the models can have: the entry point of a child."""
    try:
        messages.send(pipe, messages.ANSWER, {model: _surveyed(model) for model in models})
    except REFUSALS as error:
        messages.refuse(pipe, error)
    pipe.close()


def _surveyed(name: str) -> dict[str, Any]:
    """Whether a model has convolutions, and why it cannot be in channels_last, if it cannot."""
    from bench.plans.candidates import has_convolutions
    from bench.train.memory_format import why_not_channels_last
    from fmnist_models import build_model, model_info
    from fmnist_models.external import is_external

    model = build_model(name)
    is_spatial, reason = has_convolutions(model), None
    if is_spatial and is_external(name):  # our own can
        reason = why_not_channels_last(model, model_info(name).input_size)
    return {"has_convolutions": is_spatial, "no_nhwc": reason}


def climb(pipe: Connection, job: RungJob) -> None:
    """Set the rung up, then train a turn for every frame: the entry point of a child."""
    from bench.engine.failures import classify

    try:
        _climb(pipe, job)
    except EOFError:  # the parent has heard enough, or is gone
        leave()
    except BaseException as error:  # a model may exit, too
        status, reason = classify(error)
        with contextlib.suppress(OSError):  # the parent may have gone
            messages.send(pipe, FAILURE, {"status": status, "reason": reason})
    pipe.close()


def _climb(pipe: Connection, job: RungJob) -> None:
    from bench.measure.limit import count_step_kernels

    def tell(phase: str, _progress: "Progress | None") -> None:
        messages.send_progress(pipe, phase)

    session, live, findings, found = _set_up(job, tell)
    messages.send(pipe, READY, _told(session, findings, found))
    for number in range(1, job.num_turns + 1):
        messages.receive(pipe)
        seconds, images = live.training.run_turn(number / job.num_turns)
        messages.send(pipe, TURN, {"seconds": seconds, "images": images})
    messages.receive(pipe)  # all rungs have taken their turns, or the end
    count_step_kernels(session, live, findings)  # the profiler slows down whatever comes after it
    messages.send(pipe, COUNTED, _told(session, findings, found))
    messages.receive(pipe)  # nothing more comes but the end


def _set_up(
    job: RungJob, tell: Callable[[str, "Progress | None"], None]
) -> "tuple[Session, Live, Findings, dict[str, float]]":
    """Get ready for the first timed turn; the last of what is returned is no finding of a run."""
    from bench.machine.device import pick_device
    from bench.machine.environment import describe_conditions
    from bench.measure.findings import Findings
    from bench.run.seed import prepare
    from bench.train.session import Session

    started = time.perf_counter()
    tell("set-up", None)
    session = Session.open(job.spec, pick_device(job.device), job.data)
    if job.cache:  # not before: the ceilings are in the user's
        use_empty_cache(job.cache)
    findings = Findings()
    findings.add("data_load_time", session.setup_s.pop("data", None))
    live = prepare(session, job.spec, session.model_for(job.spec.seed), findings, tell)
    live.training.report = lambda _progress: None  # nothing but training happens in a turn
    assert session.plan is not None
    found = {"turn_steps": float(fix_turns(live.training, job, session.plan))}
    found |= _sizes(job.spec, live.training, session)
    found["setup_time"] = time.perf_counter() - started
    findings.conditions = describe_conditions(session.device) | findings.conditions
    return session, live, findings, found


def _told(session: "Session", findings: "Findings", found: dict[str, float]) -> dict[str, Any]:
    """What the parent is told of a rung that is set up, or has been counted."""
    from bench.measure.limit import report_floor

    report_floor(session, findings)  # which the latency of the kernels may raise
    measured = {name: measurement.values[0] for name, measurement in findings.measurements.items()}
    return {
        "plan": str(session.plan),
        "measured": measured | found,
        "conditions": findings.conditions,
    }


def fix_turns(training: "Training", job: RungJob, plan: Plan) -> int:
    """Take an untimed turn, then fix the steps of every turn to come, and give them.

    From here on the budget of the training is all its turns, so that each ends at a fraction.
    """
    from bench.train.training import set_budget

    def whole_calls(steps: float) -> int:
        return max(1, math.ceil(steps / plan.group_steps)) * plan.group_steps

    set_budget(training, whole_calls(job.turn_s / training.step_s))
    training.run_turn(1.0)
    chunks = zip(training.trace.chunk_seconds, training.trace.chunk_steps, strict=True)
    fastest_s = min(seconds / count for seconds, count in chunks)  # whatever disturbed the others
    steps = whole_calls(MARGIN * job.turn_s / fastest_s)
    set_budget(training, steps * job.num_turns)
    return steps


def _sizes(spec: RunSpec, training: "Training", session: "Session") -> dict[str, float]:
    """Images of an epoch and, where they are known beforehand, of the request's budget."""
    stream = training.stream
    sizes: dict[str, float] = {"images_per_epoch": stream.images_per_epoch}
    if spec.budget.is_counted:
        steps = spec.budget.total_steps(
            batch_size=spec.recipe.batch_size,
            images_per_epoch=stream.images_per_epoch,
            flops_per_image=session.flops_per_image,
        )
        sizes["budget_images"] = steps * stream.images_per_epoch / stream.steps_per_epoch
    return sizes
