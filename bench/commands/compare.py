"""`compare`: what got worse between two sets of finished runs, and how sure that is."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.show import fraction, show_verdict
from bench.errors import UsageError
from bench.shell import say, write_out
from bench.spec.amounts import FRACTIONS, reader
from bench.sweep.request import Notes
from results import RunRecord, read_records
from results.compare.checks import Rule
from results.compare.compare import compare_records
from results.gate.files import verdict_json, write_verdict
from results.gate.markdown import summary_markdown
from results.gate.verdict import Commit, Verdict
from results.records.store import RECORDS_FILE
from results.rows.names import under_one_name, with_short_names

FORMATS = ("rich", "markdown", "json")


def compare(
    base: Annotated[Path, typer.Argument(help="Run folder, or file of records, to compare with.")],
    head: Annotated[Path, typer.Argument(help="Run folder, or file of records, that is judged.")],
    threshold: Annotated[
        float,
        typer.Option(
            help="Change of seconds, joules or memory that counts: 0.1 or 10%.",
            parser=reader("--threshold", FRACTIONS, "0.1 or 10%"),
            metavar="FRACTION",
        ),
    ] = 0.1,
    margin: Annotated[
        float,
        typer.Option(
            help="Mean test accuracy that may be lost: 0.01, or 1%, is a point.",
            parser=reader("--margin", FRACTIONS, "0.01 or 1%"),
            metavar="FRACTION",
        ),
    ] = 0.01,
    fmt: Annotated[
        str, typer.Option("--format", help="rich, markdown, or json: what verdict.json holds.")
    ] = "rich",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for verdict.json and summary.md.", show_default=False),
    ] = None,
    notes: Notes = False,
) -> None:
    """Tell what got slower, larger or less accurate between two sets of runs; needs no torch.

    Exits with 1 where something did, with 3 where that is unclear, with 4 where nothing is
    comparable. Stored runs were not measured in turns: where a side is one process, a change of
    speed below 49 % cannot be seen.
    """
    if fmt not in FORMATS:
        raise UsageError(f"unknown format {fmt!r}; choose from {', '.join(FORMATS)}")
    rule = Rule(threshold=fraction("--threshold", threshold), margin=fraction("--margin", margin))
    before, after = (read_records(path, say=say) for path in (base, head))
    after, own_names = under_one_name(before, after)
    for name, other in own_names.items():
        say(f"{name} of the head is taken for {other} of the base")
    together = with_short_names([*before, *after])
    shown = judge((base, head), together[: len(before)], together[len(before) :], rule)
    whole = shown  # for programs: with the names that the records have
    if fmt == "json" or out is not None:
        whole = judge((base, head), before, after, rule)
    if out is not None:
        write_verdict(whole, out, shown)
    show(whole if fmt == "json" else shown, fmt, notes=notes)
    raise typer.Exit(shown.exit_code)


def show(verdict: Verdict, fmt: str, *, notes: bool = False) -> None:
    """Write a verdict to stdout in one of FORMATS."""
    if fmt == "json":
        write_out(verdict_json(verdict).decode())
    elif fmt == "markdown":
        write_out(summary_markdown(verdict), is_drawn=True)  # marks of no width part mentions
    else:
        show_verdict(verdict, notes=notes)


def judge(
    paths: Sequence[Path],
    base: Sequence[RunRecord],
    head: Sequence[RunRecord],
    rule: Rule,
) -> Verdict:
    """Judge two sets of records, read from two paths.

    Raises:
        NotComparable: They must not be held against each other.
    """
    found = compare_records(base, head, rule)
    names = [_name(path) for path in paths]
    names = names if len(set(names)) > 1 else [str(path) for path in paths]
    options = ("--threshold", f"{rule.threshold:g}", "--margin", f"{rule.margin:g}")
    return Verdict(
        base=_commit(names[0], base),
        head=_commit(names[1], head),
        findings=found.findings,
        command=shlex.join(["fmnist-bench", "compare", *map(str, paths), *options]),
        environment=head[0].environment,
        rule=asdict(rule),
        measured={"record_ids": found.record_ids},
        notes=found.notes,
    )


def _name(path: Path) -> str:
    """What a set is called: the name of its folder, or of a file of another name than usual."""
    whole = path.resolve()
    return whole.parent.name if whole.name == RECORDS_FILE else whole.name


def _commit(name: str, records: Sequence[RunRecord]) -> Commit:
    """A set of records by its name, and by its commit where it has only one."""
    commits = {str(record.provenance.get("commit") or "") for record in records}
    return Commit(name, commits.pop() if len(commits) == 1 else "", "")
