"""The summary of a `make gpu-proof`: what became of each stage, then each point by its numbers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.gpu_proof.points import Seen, point_lines, seconds_of
from tools.gpu_proof.stages import STAGES


def summary(
    out: Path, outcomes: Sequence[dict[str, Any]], device: str, *, is_rehearsal: bool
) -> str:
    """Markdown: what was seen and what was not.

    Args:
        out: folder of the proof.
        outcomes: of its stages, as plain values.
        device: what it ran on.
        is_rehearsal: whether it ran on a CPU, at a small size.
    """
    seen = Seen(out, outcomes)
    title = (
        "Rehearsal on a CPU: proves nothing about a GPU" if is_rehearsal else f"Seen on {device}"
    )
    lines = [f"# {title}", "", "| stage | points | shows | outcome | seconds |"]
    lines += ["|---|---|---|---|---:|", *_stages(seen), "", *point_lines(seen)]
    lines += ["## Seconds, all seeds of a model together", ""]
    for name, records in seen.records.items():
        lines += seconds_of(name, records)
    lines += [
        "## Commands",
        "",
        "OUT is the folder of this file.",
        "",
        *(f"- {one['name']}: `{one['command']}`" for one in outcomes),
    ]
    sources = dict.fromkeys(str(one["source"]) for one in outcomes)
    return "\n".join([*lines, "", f"Source: {', '.join(sources)}."]) + "\n"


def _stages(seen: Seen) -> Iterator[str]:
    """A row for each stage there is, also for one that was never due."""
    for stage in STAGES:
        one = seen.outcome(stage.name)
        points = ", ".join(map(str, stage.points))
        seconds = f"{one['seconds']:.0f}" if one else "-"
        outcome = _outcome(one) if one else "not asked for"
        yield f"| {stage.name} | {points} | {stage.claim} | {outcome} | {seconds} |"


def _outcome(one: Any) -> str:  # noqa: ANN401 - JSON
    return f"{one['status']} (exit code {one['exit_code']})" if one["exit_code"] else one["status"]
