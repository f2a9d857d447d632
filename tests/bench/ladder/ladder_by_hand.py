"""Hand-made ladders, and children that only play their part."""

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench import RECIPES, Budget, RunSpec
from bench.ladder.child import COUNTED, FAILURE, READY, TURN, RungJob
from bench.workers import messages
from results import Measurement, RunRecord
from tests.results.records_by_hand import ENVIRONMENT, make_record

SPEC = RunSpec(model="v2", recipe=RECIPES["default"], budget=Budget(3, "epochs")).resolved_for(
    "cpu"
)

TURN_IMAGES = 1280
# what a child says in the turn that its name tells, in place of its seconds and images
MISBEHAVED: dict[str, tuple[str, dict[str, Any]]] = {
    "diverges": (FAILURE, {"status": "diverged", "reason": "the loss became nan"}),
    "babbles": ("babble", {}),
    "lies": (TURN, {"seconds": -1.0, "images": "many"}),
}
PLAYED = "played.txt"  # the order of all turns, in the folder that stands for the data
# rung -> (plan, precision, images/s of seven rounds, compile seconds)
RUNGS: dict[str, tuple[str, str, tuple[float, ...], float]] = {
    "dataloader": ("dataloader", "fp32", (1000, 1010, 990, 500, 1000, 1005, 995), 0.2),
    "resident": ("resident", "fp32", (2000, 2000, 2000, 1000, 2020, 2000, 2000), 0.2),
    "amp": ("channels_last", "bf16", (1500, 1500, 1500, 1500, 1500, 1500, 1500), 0.3),
    "compile": ("channels_last,compile", "fp32", (1900, 1900, 1900, 950, 1900, 1900, 1900), 30.0),
    "step": ("channels_last,step", "fp32", (4000, 4000, 4000, 2000, 4000, 4000, 4000), 54.0),
    "auto": ("channels_last,step", "fp32", (4100, 4000, 4000, 2000, 4000, 4000, 4000), 0.0),
}


def make_rung(
    rung: str = "step",
    *,
    model: str = "v2",
    ladder: str = "a" * 16,
    num_turns: int = 7,
    spec: dict[str, Any] | None = None,
    **fields: Any,  # noqa: ANN401
) -> RunRecord:
    """The record of one of RUNGS; `fields` replace any other."""
    plan, precision, rates, compile_s = RUNGS[rung]
    own = {
        "plan": plan,
        "precision": precision,
        "requested_plan": "ladder",
        "rung": rung,
        "rung_index": list(RUNGS).index(rung),
        "rung_adds": f"what {rung} adds",
        "is_compiled": "compile" in plan or "step" in plan,
        "recipe": {"name": "default", "batch_size": 128},
    }
    values: dict[str, tuple[str, tuple[float, ...]]] = {
        "throughput": ("images/s", rates[:num_turns]),
        "turn_seconds": ("s", tuple(TURN_IMAGES / rate for rate in rates[:num_turns])),
        "compile_time": ("s", (compile_s,)),
        "images_per_epoch": ("images", (54_000.0,)),
        "budget_images": ("images", (162_000.0,)),
    }
    measured = {
        name: Measurement(name, unit, found) for name, (unit, found) in values.items() if found
    }
    whole: dict[str, Any] = {
        "measurements": measured,
        "provenance": {"commit": "0" * 40, "dirty": False, "ladder": ladder},
        "environment": ENVIRONMENT,
    }
    return make_record(model, spec=own | (spec or {}), **(whole | fields))


def make_ladder(model: str = "v2", ladder: str = "a" * 16, num_turns: int = 7) -> list[RunRecord]:
    """All rungs, measured."""
    return [make_rung(name, model=model, ladder=ladder, num_turns=num_turns) for name in RUNGS]


def play(pipe: Connection, job: RungJob) -> None:
    """Entry point of a child that trains nothing; the name of its model says how it misbehaves."""
    if job.spec.model == "fails at once":
        messages.send(pipe, FAILURE, {"status": "out_of_memory", "reason": "no more"})
        return
    if job.spec.model == "is greedy":
        messages.send(pipe, FAILURE, _greed())
        return
    if job.spec.model == "is not ready":
        messages.send(pipe, READY, {"plan": 3})
    messages.send(pipe, messages.PROGRESS, "warm-up")
    ready = {"plan": "resident", "measured": {"compile_time": 2.5, "odd": 1.0}, "conditions": {}}
    messages.send(pipe, READY, ready)
    for number in range(1, job.num_turns + 1):
        messages.receive(pipe)
        messages.send(pipe, *_turn(job, number))
    messages.receive(pipe)
    messages.send(pipe, *_count(job, ready))
    messages.receive(pipe)


def _count(job: RungJob, ready: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What is told once all turns are over, on a GPU only."""
    assert job.data is not None
    with (job.data / PLAYED).open("a", encoding="utf-8") as file:
        file.write(f"counts {job.spec.model}\n")
    if job.spec.model == "fails to count":
        return FAILURE, {"status": "crashed", "reason": "CUPTI is gone"}
    kernels = {} if job.spec.model == "sees nothing" else {"kernels_per_step": 12.0}
    return COUNTED, ready | {"measured": ready["measured"] | kernels}


def _greed() -> dict[str, str]:
    """What becomes of a rung that wants four gigabytes."""
    from bench.engine.failures import classify

    try:
        bytearray(4 * 10**9)
    except MemoryError as error:
        status, reason = classify(error)
        return {"status": status, "reason": reason}
    return {"status": "ok", "reason": "there is no limit"}


def _turn(job: RungJob, number: int) -> tuple[str, dict[str, Any]]:
    assert job.data is not None
    with (job.data / PLAYED).open("a", encoding="utf-8") as file:
        file.write(f"{number} {job.spec.model}\n")
    name, _, place = job.spec.model.rpartition(" in ")
    return misbehave(name if place == str(number) else "", job.data)


def misbehave(name: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """What a child does in the turn that its name tells."""
    if name == "dies":
        os._exit(3)
    if name == "hangs":
        (folder / "hangs").touch()
        time.sleep(3600)
    if name == "waits":
        (folder / "waiting").touch()
        while not (folder / "go").exists():
            time.sleep(0.02)
    answered = TURN, {"seconds": 0.5, "images": TURN_IMAGES}
    return MISBEHAVED.get(name, answered)
