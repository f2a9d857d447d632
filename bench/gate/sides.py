"""What both commits say before anything is measured: models, plans, device."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.gate.process import Process, RefusedError
from bench.gate.worker import PROTOCOL
from results.errors import NotComparable
from results.gate.pairs import BASE, HEAD
from results.gate.verdict import Finding


@dataclass(frozen=True)
class GateRequest:
    """What is to be compared, as the user asked for it.

    Attributes:
        models: as `resolve_names` reads them.
        device: as `pick_device` takes it.
        settings: of the recipe; None for the base's default on the device.
        plan: for all models; None for eager ones that the base chooses.
    """

    models: str = "all"
    device: str = "auto"
    settings: Sequence[str] | None = None
    plan: str | None = None


@dataclass(frozen=True)
class GateGround:
    """What both commits are measured on.

    Attributes:
        plans: by model, as the base resolved them.
        device: as torch names it.
        stack: what counts hold for; see `bench.counts.baseline.stack_of`.
        environment: of the device.
        settings: of the recipe.
        findings: of models that the head no longer has.
        new: models that only the head has.
    """

    plans: Mapping[str, str]
    device: str
    stack: str
    environment: Mapping[str, Any]
    settings: Sequence[str]
    findings: Sequence[Finding] = field(default_factory=list)
    new: Sequence[str] = ()


def find_ground(running: Mapping[str, Process], request: GateRequest) -> GateGround:
    """Asks both what they have; what the base answers holds for both.

    Raises:
        UsageError: the base refuses the request.
        NotComparable: a commit speaks another protocol.
        WorkerError: a commit fails.
    """
    for side, process in running.items():
        _check_introduction(side, process)
    base = _resolve(running[BASE], request)
    head_models = running[HEAD].ask("list_models")
    new = [model for model in head_models if model not in base["all_models"]]
    gone = [m for m in base["plans"] if m in base["all_models"] and m not in head_models]
    return GateGround(
        plans={model: plan for model, plan in base["plans"].items() if model not in gone},
        device=base["device"],
        stack=base["stack"],
        environment=base["environment"],
        settings=base["settings"],
        findings=[_gone(model, new) for model in gone],
        new=new,
    )


def _resolve(process: Process, request: GateRequest) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = process.ask("resolve", **asdict(request))
    except RefusedError as error:
        raise UsageError(error.reason) from None
    return answer


def _check_introduction(side: str, process: Process) -> None:
    introduction = process.ask("introduce")
    if Path(introduction["root"]) != process.tree.resolve():
        raise UsageError(
            f"the worker of the {side} runs {introduction['root']}, not its commit: something "
            "comes before the worktree on Python's path; look at PYTHONPATH and .pth files"
        )
    if introduction.get("protocol") != PROTOCOL:
        raise NotComparable(
            f"the {side} speaks protocol {introduction.get('protocol')} and this gate {PROTOCOL}; "
            "run the gate of a commit that is as old as both"
        )


def _gone(model: str, new: Sequence[str]) -> Finding:
    hint = f"; renamed to {' or '.join(new)}?" if new else ""
    return Finding(
        check="run", model=model, quantity="model", outcome="worse", evidence=f"gone{hint}"
    )
