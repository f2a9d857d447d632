"""The summary of a `make gpu-proof`: a line a stage, where the seconds went, what doctor said."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results import RunRecord

PARTS = {  # of a cold total, as records name them
    "data": "data_load_time",
    "ceilings": "ceilings_time",
    "probe": "probe_time",
    "compile": "compile_time",
    "train": "train_time",
    "evaluate": "evaluation_time",
}


def summary(out: Path, outcomes: Sequence[dict[str, Any]], *, is_rehearsal: bool) -> str:
    """Markdown: what was seen and what was not.

    Args:
        out: folder of the proof.
        outcomes: of its stages, as plain values.
        is_rehearsal: whether it ran on a CPU, at a small size.
    """
    title = "Rehearsal on a CPU: proves nothing about a GPU" if is_rehearsal else "Seen on a GPU"
    lines = [f"# {title}", "", "| stage | shows | outcome | seconds |", "|---|---|---|---:|"]
    lines += [
        f"| {one['name']} | {one['claim']} | {_outcome(one)} | {one['seconds']:.0f} |"
        for one in outcomes
    ]
    lines += ["", *_doctor(out)]
    for one in outcomes:
        lines += _seconds_of(out / one["name"], one["name"])
    lines += ["## Commands", "", *(f"- {one['name']}: `{one['command']}`" for one in outcomes)]
    return "\n".join(lines) + "\n"


def _outcome(one: dict[str, Any]) -> str:
    return f"{one['status']} (exit code {one['exit_code']})" if one["exit_code"] else one["status"]


def _doctor(out: Path) -> list[str]:
    path = out / "doctor.txt"
    if not path.exists():
        return []
    return ["## The machine", "", "```", *path.read_text(encoding="utf-8").splitlines(), "```", ""]


def _seconds_of(folder: Path, name: str) -> Iterator[str]:
    """Where the seconds of a sweep went, a row a model, summed over its runs."""
    from results import is_ladder, read_records
    from results.store import RECORDS_FILE

    if not (folder / RECORDS_FILE).exists():
        return
    records = [record for record in read_records(folder) if not is_ladder(record)]
    if not records:
        return
    yield from (f"## Seconds of {name}, all seeds", "", _header(), _rule())
    for model in dict.fromkeys(record.spec["model"] for record in records):
        yield _row(model, [r for r in records if r.spec["model"] == model])
    yield ""


def _header() -> str:
    return f"| model | runs | not ok | {' | '.join(PARTS)} |"


def _rule() -> str:
    return f"|---|---:|---:|{'---:|' * len(PARTS)}"


def _row(model: str, records: "Sequence[RunRecord]") -> str:
    num_failed = sum(record.status != "ok" for record in records)
    seconds = (sum(r.value(quantity) or 0.0 for r in records) for quantity in PARTS.values())
    cells = " | ".join(f"{value:.1f}" for value in seconds)
    return f"| {model} | {len(records)} | {num_failed} | {cells} |"
