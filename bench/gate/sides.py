"""What both commits say before anything is measured: models, plans, device."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.gate.process import PROTOCOL, Process, RefusedError
from bench.gate.speed import Workload
from results.errors import NotComparable
from results.gate.pairs import BASE, HEAD
from results.gate.verdict import Finding


@dataclass(frozen=True)
class GateGround:
    """What both commits are measured on, as the base resolved it."""

    workload: Workload
    stack: str  # what counts hold for; see `bench.counts.baseline.stack_of`
    environment: dict[str, Any]
    gone: Sequence[Finding]  # of models that the head no longer has
    new: Sequence[str]  # models that only the head has


def find_ground(
    running: Sequence[Process],
    *,
    models: str = "all",
    device: str = "auto",
    settings: Sequence[str] | None = None,
    plan: str | None = None,
) -> GateGround:
    """Asks both what they have; what the base answers holds for both.

    Args:
        running: a worker a side.
        models: as `resolve_names` reads them.
        device: as `pick_device` takes it.
        settings: of the recipe; None for the base's default on the device.
        plan: for all models; None for eager ones that the base chooses.

    Raises:
        UsageError: the base refuses the request.
        NotComparable: a commit speaks another protocol.
        WorkerError: a commit fails.
    """
    for process in running:
        _check_introduction(process)
    sides = {process.side: process for process in running}
    try:
        base: dict[str, Any] = sides[BASE].ask(
            "resolve", models=models, device=device, settings=settings, plan=plan
        )
    except RefusedError as error:
        raise UsageError(error.reason) from None
    theirs, ours = base["all_models"], sides[HEAD].ask("list_models")
    new = [model for model in ours if model not in theirs]
    gone = [model for model in base["plans"] if model in theirs and model not in ours]
    plans = {model: plan for model, plan in base["plans"].items() if model not in gone}
    hint = f"; renamed to {' or '.join(new)}?" if new else ""
    return GateGround(
        workload=Workload(plans, base["device"], base["settings"]),
        stack=base["stack"],
        environment=base["environment"],
        gone=[
            Finding(check="run", model=m, quantity="model", outcome="worse", evidence=f"gone{hint}")
            for m in gone
        ],
        new=new,
    )


def _check_introduction(process: Process) -> None:
    introduction = process.ask("introduce")
    if Path(introduction["root"]) != process.tree.resolve():
        raise UsageError(
            f"the worker of the {process.side} runs {introduction['root']}, not its commit: "
            "something comes before the worktree on Python's path; look at PYTHONPATH and .pth "
            "files"
        )
    if introduction.get("protocol") != PROTOCOL:
        raise NotComparable(
            f"the {process.side} speaks protocol {introduction.get('protocol')} and this gate "
            f"{PROTOCOL}; run the gate of a commit that is as old as both"
        )
