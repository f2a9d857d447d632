"""The ladder of a model: its plans measured against each other, in turns, in one run.

Each rung has a child of its own. All are set up, one after the other, and stay alive; then they
take turns, round after round, so that whatever slows the machine down for a while slows all alike.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.ladder.child import RungJob
from bench.ladder.climber import Climber
from bench.ladder.rungs import RungSpec
from bench.measure.findings import UNITS as RUN_UNITS
from bench.run.record import make_record, shortened
from bench.spec.plan import LADDER
from bench.sweep.request import Request
from bench.workers.interruption import Interruption
from results import Measurement, RunRecord, RunStore

ROUNDS = 7
TURN_S = 0.5
SETUP_SHARE = 0.8  # of the time of a ladder, as far as one can tell: compilation is slow
UNITS = RUN_UNITS | {
    "turn_seconds": "s",
    "turn_images": "images",
    "turn_steps": "steps",
    "images_per_epoch": "images",
    "budget_images": "images",
    "setup_time": "s",
}
Report = Callable[[str, float], None]
"""Told what is under way, and which share of the model's ladder is done."""


@dataclass(frozen=True)
class Ladder:
    """The rungs of one model, and how they are measured."""

    model: str
    rungs: Sequence[RungSpec]  # from the bottom up
    device: str
    environment: dict[str, Any]  # of the device, for the records
    request: Request  # where the data lies; timeout (of a set-up or a turn) and memory of children
    rounds: int  # turns of each rung
    turn_s: float  # the least seconds of a turn


def climb_ladder(ladder: Ladder, interruption: Interruption, report: Report) -> list[RunRecord]:
    """Measure the rungs of a model and give a record each.

    One Ctrl-C ends it after the present round; without a single turn there is nothing to keep.
    """
    with TemporaryDirectory(prefix="fmnist-bench-", ignore_cleanup_errors=True) as caches:
        climbers = [
            Climber(
                rung,
                RungJob(
                    rung.spec,
                    ladder.device,
                    ladder.request.data,
                    ladder.turn_s,
                    ladder.rounds,
                    Path(caches) / str(rung.index),
                ),
                interruption,
                ladder.request,
            )
            for rung in ladder.rungs
        ]
        try:
            _set_up(climbers, interruption, report)
            _take_turns(climbers, ladder.rounds, interruption, report)
            if ladder.environment["device_kind"] == "cuda" and not interruption.after_run:
                for climber in climbers:
                    climber.count()
        finally:
            for climber in climbers:
                climber.stop()
    if interruption.after_run and not any(climber.turns for climber in climbers):
        return []
    ladder_id = uuid.uuid4().hex[:16]
    return [record_of(climber, ladder, ladder_id) for climber in climbers]


def _set_up(climbers: Sequence[Climber], interruption: Interruption, report: Report) -> None:
    for number, climber in enumerate(climbers):
        if interruption.after_run:
            return
        climber.set_up(report, SETUP_SHARE * number / len(climbers))


def _take_turns(
    climbers: Sequence[Climber], rounds: int, interruption: Interruption, report: Report
) -> None:
    """Rounds in which every rung takes a turn: forward, backward, forward and so on."""
    for number in range(rounds):
        if interruption.after_run:
            return
        share = SETUP_SHARE + (1 - SETUP_SHARE) * number / rounds
        report(f"round {number + 1} of {rounds}", share)
        for climber in climbers if number % 2 == 0 else reversed(climbers):
            if interruption.now:
                return
            climber.take_turn()


def is_complete(store: RunStore, rungs: Sequence[RungSpec]) -> bool:
    """Whether one ladder in the store holds an answer for each of these rungs."""
    wanted = {rung.config_id for rung in rungs}
    ladders: dict[str, set[str]] = {}
    for record in store.read():
        if record.is_final:
            ladders.setdefault(str(record.provenance.get(LADDER)), set()).add(record.config_id)
    return any(wanted <= found for found in ladders.values())


def record_of(climber: Climber, ladder: Ladder, ladder_id: str) -> RunRecord:
    """The record of a rung, measured or not."""
    record = make_record(
        climber.rung.spec,
        climber.status,
        climber.reason,
        environment=ladder.environment,
        conditions=climber.ready.conditions,
    )
    uncounted = {"kernels_per_step": climber.uncounted} if climber.uncounted else {}
    return shortened(
        replace(
            record,
            config_id=climber.rung.config_id,
            spec=climber.rung.as_plain(climber.ready.plan),
            provenance=record.provenance | {LADDER: ladder_id},
            measurements=_measurements(climber),
            missing=record.missing | uncounted,
        )
    )


def _measurements(climber: Climber) -> dict[str, Measurement]:
    values: dict[str, tuple[float, ...]] = {
        name: (value,) for name, value in climber.ready.measured.items() if name in UNITS
    }
    if climber.turns:
        values["turn_seconds"] = tuple(seconds for seconds, _ in climber.turns)
        values["turn_images"] = tuple(float(images) for _, images in climber.turns)
        values["throughput"] = tuple(images / seconds for seconds, images in climber.turns)
    return {name: Measurement(name, UNITS[name], value) for name, value in values.items()}
