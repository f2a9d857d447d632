"""`gate`: whether a commit made something slower, larger or less accurate than another."""

import math
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.show import fraction, show_verdict
from bench.errors import UsageError
from bench.gate.run import CHECKS, QUALITY, Gate, GateOptions
from bench.gate.worktrees import checked_out, find_commits
from bench.shell import say, write_out
from bench.spec.amounts import FRACTIONS, SECONDS, reader
from bench.sweep.folders import make_folder, new_folder
from bench.sweep.request import Data, Notes
from bench.workers.interruption import exit_on_signals
from data_pipeline import default_root, ensure_data
from results.errors import RecordError
from results.gate.files import VERDICT_FILE, annotations, append_step_summary, write_verdict
from results.gate.markdown import summary_markdown
from results.gate.pairs import SpeedRule
from results.gate.quality import QualityRule
from results.gate.verdict import Commit, Verdict

GATES = Path("results/gates")
SHARED, DEDICATED = 0.10, 0.05
RECORDS = "records.jsonl"
SHORT_HASH = 12


def gate(
    base: Annotated[str, typer.Option(help="Commit, branch or tag that the head is held to.")],
    head: Annotated[str, typer.Option(help="Commit that is judged.")] = "HEAD",
    models: Annotated[
        str, typer.Option(help="'all', names or globs, separated by commas.")
    ] = "all",
    checks: Annotated[
        str, typer.Option(help="Some of counts, speed and quality, separated by commas.")
    ] = "counts,speed,quality",
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Share by which a step must be slower to fail.",
            parser=reader("--threshold", FRACTIONS, "0.1 or 10%"),
            metavar="FRACTION",
            show_default="0.10, or 0.05 with --dedicated",
        ),
    ] = None,
    dedicated: Annotated[
        bool, typer.Option("--dedicated", help="The machine does nothing else: threshold 0.05.")
    ] = False,
    margin: Annotated[
        float,
        typer.Option(
            help="Accuracy that may be lost: 0.01, or 1%, is one point.",
            parser=reader("--margin", FRACTIONS, "0.01 or 1%"),
            metavar="FRACTION",
        ),
    ] = 0.01,
    seeds: Annotated[
        int, typer.Option(help="Trainings of each model and commit.", min=2, max=20)
    ] = 3,
    train_seconds: Annotated[
        float,
        typer.Option(
            help="About how long each of these takes, in seconds, or 1min.",
            parser=reader("--train-seconds", SECONDS, "4, 4s or 1min"),
            metavar="TIME",
        ),
    ] = 4.0,
    plan: Annotated[
        str | None,
        typer.Option(
            help="How to execute, the same for all.",
            show_default="eager; on a CPU one thread",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Change a recipe field: key=value; may be repeated.",
            show_default="batch_size=32 on a CPU",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for verdict.json, summary.md and records.jsonl.",
            show_default="results/gates/DATE-TIME",
        ),
    ] = None,
    notes: Notes = False,
) -> None:
    """Fail when a commit made something slower, larger or less accurate, measured in turns."""
    if not 0.1 <= train_seconds < math.inf:
        raise UsageError(f"--train-seconds {train_seconds:g} is no length; name 0.1 or more")
    default = DEDICATED if dedicated else SHARED
    options = GateOptions(
        request={"models": models, "device": device, "settings": settings, "plan": plan},
        checks=_read_checks(checks),
        speed=SpeedRule(
            threshold=default if threshold is None else fraction("--threshold", threshold)
        ),
        quality=QualityRule(margin=fraction("--margin", margin)),
        train_s=train_seconds,
        seeds=seeds,
    )
    with exit_on_signals():
        verdict = hold(base, head, options, data, out)
    show_verdict(verdict, notes=notes)
    if warning := append_step_summary(summary_markdown(verdict), os.environ):
        say(warning)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        write_out("".join(f"{line}\n" for line in annotations(verdict)))
    raise typer.Exit(verdict.exit_code)


def hold(
    base: str, head: str, options: GateOptions, data: Path | None, out: Path | None
) -> Verdict:
    """Measure two commits against each other, and write what was found.

    Raises:
        UsageError: no such commits, an unclean work tree, or a request that the base refuses.
        NotComparable: the base has no harness that a gate could ask.
    """
    repository, commits = find_commits(base, head)
    if QUALITY in options.checks:
        ensure_data(data, say=say)
    if out and (out / VERDICT_FILE).exists():
        raise UsageError(f"{out} already holds a verdict; name another --out")
    folder = out or new_folder(GATES)
    make_folder(folder)
    say(f"{commits[1]} against {commits[0]}, into {folder}")
    with checked_out(repository, *commits) as trees:
        comparison = Gate(
            base=commits[0],
            head=commits[1],
            trees=trees,
            options=options,
            data=(data or default_root()).absolute(),
            folder=folder,
            command=_again(sys.argv[1:], *commits),
            say=say,
        )
        verdict = comparison.run()
        write_verdict(verdict, folder)  # before the worktrees go: git may fail to remove them
        try:
            records = b"".join(record.to_json_line() for record in comparison.records)
            (folder / RECORDS).write_bytes(records)
        except (OSError, RecordError) as error:
            say(f"warning: the records behind the verdict are not in {folder}: {error}")
    return verdict


def _again(arguments: Sequence[str], base: Commit, head: Commit) -> str:
    """Return the command that repeats a gate: commits by hash, as branches move on; no --out."""
    kept, fixed = [], ("--base", "--head", "--out")
    values = iter(arguments)
    for argument in values:
        if argument in fixed:
            next(values, None)
        elif argument.partition("=")[0] not in fixed:
            kept.append(argument)
    hashes = ["--base", base.commit[:SHORT_HASH], "--head", head.commit[:SHORT_HASH]]
    return shlex.join(["fmnist-bench", *kept, *hashes])


def _read_checks(text: str) -> tuple[str, ...]:
    asked = {part.strip() for part in text.split(",") if part.strip()}
    if not asked or asked - set(CHECKS):
        raise UsageError(f"cannot read --checks {text!r}; choose from {', '.join(CHECKS)}")
    return tuple(check for check in CHECKS if check in asked)
