"""`proof.md`: the outcome of each stage, then the numbers of each point that a GPU must show."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.text import format_percent, format_seconds
from tools.gpu_proof.archive import table_of
from tools.gpu_proof.classic import classic_lines
from tools.gpu_proof.run import Outcome
from tools.gpu_proof.stages import ISSUE_POINTS, PARETO_S, STAGES, Stage

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
TESTS = ("tests", "tests-plans", "tests-failures")
LARGE_TARGET = 50.0  # percent of the floor
NOTHING = "Nothing was measured."


@dataclass(frozen=True)
class Seen:
    """A folder of a proof, and the outcome of each stage that was due."""

    out: Path
    outcomes: Mapping[str, Outcome]

    @cached_property
    def records(self) -> "dict[str, list[RunRecord]]":
        """By folder, as far as there are any."""
        from results import read_records
        from results.records.store import RECORDS_FILE

        paths = sorted(self.out.glob(f"*/{RECORDS_FILE}"))
        return {path.parent.name: found for path in paths if (found := read_records(path))}

    def text(self, name: str) -> list[str]:
        """What a stage printed."""
        path = self.out / f"{name}.txt"
        return path.read_text("utf-8", "replace").splitlines() if path.exists() else []


def summary(out: Path, outcomes: Mapping[str, Outcome], device: str, *, is_rehearsal: bool) -> str:
    """Write in Markdown what the records and outputs in a folder show."""
    seen = Seen(out, outcomes)
    title = (
        "Rehearsal on a CPU: proves nothing about a GPU" if is_rehearsal else f"Seen on {device}"
    )
    lines = [f"# {title}", "", "| stage | points | shows | outcome | seconds |"]
    lines += ["|---|---|---|---|---:|"]
    lines += [_row_of_stage(stage, outcomes.get(stage.name)) for stage in STAGES]
    lines += [""]
    for number, shown in ISSUE_POINTS.items():
        lines += [f"## {number}. {shown[0].upper()}{shown[1:]}", ""]
        lines += [*(list(POINTS[number](seen)) or [NOTHING]), ""]
    lines += ["## Seconds, all seeds of a model together", ""]
    for name, records in seen.records.items():
        lines += seconds_of(name, records)
    lines += [
        "## Commands",
        "",
        "OUT is the folder of this file.",
        "",
        *(f"- {one.name}: `{one.command}`" for one in outcomes.values()),
    ]
    sources = dict.fromkeys(str(one.source) for one in outcomes.values())
    return "\n".join([*lines, "", f"Source: {', '.join(sources)}."]) + "\n"


def _row_of_stage(stage: Stage, outcome: Outcome | None) -> str:
    told, seconds = "not asked for", "-"  # a stage that was never due has a row as well
    if outcome is not None:
        code = f" (exit code {outcome.exit_code})" if outcome.exit_code else ""
        told, seconds = f"{outcome.status}{code}", f"{outcome.seconds:.0f}"
    points = ", ".join(map(str, stage.points))
    return f"| {stage.name} | {points} | {stage.claim} | {told} | {seconds} |"


def results_of_tests(seen: Seen, names: Sequence[str] = TESTS) -> Iterator[str]:
    """Yield the last line of pytest for each part, and the tests that failed."""
    for name in names:
        lines = seen.text(name)
        ends = [line.strip("= ") for line in lines if re.match(r"=+ .*\d+ \w+.* in [\d.]+s", line)]
        if lines:
            yield f"- {name}: {ends[-1] if ends else 'it did not come to its end'}"
        yield from (f"    - {line}" for line in lines if line.startswith(("FAILED ", "ERROR ")))


def _machine(seen: Seen) -> Iterator[str]:
    yield from results_of_tests(seen)
    if said := seen.text("doctor"):
        yield from ("", "```", *said, "```")


def _bench(seen: Seen) -> Iterator[str]:
    records = seen.records.get("bench")
    if not records:
        return
    stage = seen.outcomes.get("bench")
    failed = [record for record in records if record.status != "ok"]
    models = {record.spec["model"] for record in records}
    wall = f", {stage.seconds:.0f} s of wall time" if stage else ""
    yield f"{len(models)} models, {len(records)} runs, {len(failed)} not ok{wall}."
    for record in failed:
        run = f"{record.spec['model']}, seed {record.spec['seed']}"
        yield f"- {run}: {record.status}: {record.reason}"
    yield from ("", *table_of(records).splitlines())


def _ladders(seen: Seen) -> Iterator[str]:
    for name in ("large", "large-compiled"):
        if records := seen.records.get(name):
            yield from (*_shares_of_floor(name, records), "")
    for name, records in seen.records.items():
        if name.startswith("ladder-"):
            yield from (f"{name}:", "", *table_of(records).splitlines(), "")


def _shares_of_floor(name: str, records: "Sequence[RunRecord]") -> Iterator[str]:
    from results import summarize, table_rows
    from results.render.columns import share_of_floor

    for row in table_rows(summarize(records)):
        if row["percent_of_floor"] is None:
            yield f"- {name}, {row['model']}: {row['status']}: {row['reason'] or 'no floor known'}"
            continue
        verdict = "reached" if row["percent_of_floor"] >= LARGE_TARGET else "missed"
        mfu = "unknown" if row["mfu"] is None else format_percent(row["mfu"])
        yield (
            f"- {name}, {row['model']} ({row['plan']}): {share_of_floor(row)}, MFU {mfu}, "
            f"{row['images_per_s']:,.0f} images/s; half of the floor: {verdict}"
        )


def _mathematics(seen: Seen) -> Iterator[str]:
    yield from results_of_tests(seen, TESTS[1:2])
    records = [record for found in seen.records.values() for record in found]
    for quantity in ("compilations_in_clock", "graph_breaks"):
        counts = [(record, record.value(quantity)) for record in records]
        known = [(record, count) for record, count in counts if count is not None]
        if known:
            yield f"- {quantity} of {len(known)} runs: {sum(count for _, count in known):g} in all"
        yield from (
            f"    - {record.spec['model']} ({record.spec['plan']}): {count:g}"
            for record, count in known
            if count
        )


def _failures(seen: Seen) -> Iterator[str]:
    yield from results_of_tests(seen, TESTS[2:])
    for line in seen.text("tests-failures"):
        if match := re.match(r"\S+::(\S+).* (PASSED|FAILED|SKIPPED|ERROR)\b", line):
            yield f"    - {match[1].replace('_', ' ')}: {match[2].lower()}"


def _loader(seen: Seen) -> Iterator[str]:
    if said := seen.text("loader"):
        yield from ("```", *said, "```", "", "Raw turns: `loader.json`.")


def _accuracy_for_time(seen: Seen) -> Iterator[str]:
    from results import summarize, table_rows

    for seconds in PARETO_S:
        records = seen.records.get(f"pareto-{seconds}s", [])
        rows = [row for row in table_rows(summarize(records)) if row["status"] == "ok"]
        if rows:
            yield f"- {seconds} s: " + ", ".join(map(_scored, rows))
    if (seen.out / "report.html").exists():
        yield from ("", "The page: `report.html`.")
    elif any(name.startswith("pareto-") for name in seen.records):
        yield from ("", "The page: `python -m bench report --mixed OUT/pareto-*/`.")


def _scored(row: Mapping[str, Any]) -> str:
    interval = row["test_accuracy_ci95"]
    half = f" ± {50 * (interval[1] - interval[0]):.2f}" if interval else ""
    return f"{row['model']} {100 * row['test_accuracy']:.2f}{half} %"


def seconds_of(name: str, records: "Sequence[RunRecord]") -> Iterator[str]:
    """Yield where the seconds of a sweep went, a row a model, summed over its runs."""
    from results.rows.comparable import is_ladder

    runs = [record for record in records if not is_ladder(record)]
    if not runs:
        return
    yield from (f"### {name}", "", f"| model | runs | not ok | {' | '.join(PARTS)} |")
    yield f"|---|---:|---:|{'---:|' * len(PARTS)}"
    for model in dict.fromkeys(record.spec["model"] for record in runs):
        yield _row(model, [record for record in runs if record.spec["model"] == model])
    yield _row("all", runs)
    yield ""


def _row(model: str, records: "Sequence[RunRecord]") -> str:
    num_failed = sum(record.status != "ok" for record in records)
    seconds = (sum(r.value(quantity) or 0.0 for r in records) for quantity in PARTS.values())
    cells = " | ".join(format_seconds(value) if value else "-" for value in seconds)
    return f"| {model} | {len(records)} | {num_failed} | {cells} |"


POINTS: dict[int, Callable[[Seen], Iterator[str]]] = {
    1: _machine,
    2: _bench,
    3: lambda seen: classic_lines(seen.records),
    4: _ladders,
    5: _mathematics,
    6: _failures,
    7: _loader,
    8: _accuracy_for_time,
}
