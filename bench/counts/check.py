"""Counts of every model held against tests/counts.toml: `python -m bench.counts`.

Parameters, FLOPs, operators and bytes of a step, graphs of compiled plans, images of an epoch, size
of a record. They need no quiet machine: a difference is a change of the code, and ends with exit
code 1. `--renew` (`make counts`) takes what is so now into the file.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from bench.counts.baseline import (
    EPOCHS,
    FILE,
    Baseline,
    Rows,
    compiled_row,
    differences,
    remedy,
    stack_of,
    without_stack,
)
from bench.errors import UsageError
from bench.machine.compilers import find_compiler
from bench.shell import run_app
from bench.spec.plan import Plan
from fmnist_models import build_model, list_models, model_info

COMPILED = {"compile": ("v0", "v2", "resnet8"), "step:2": ("v0",)}  # the cheap ones


def main(
    renew: Annotated[bool, typer.Option("--renew", help="Write the file anew.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda:N.")] = "cpu",
    file: Annotated[Path, typer.Option(help="The file of counts.")] = FILE,
) -> None:
    """Compare the counts of every model, compiled plan and epoch with the file, or renew it."""
    baseline = Baseline() if renew and not file.exists() else Baseline.read(file)
    chosen, missing = check_device(device), unavailable()
    if renew and missing:
        raise UsageError(f"cannot renew {file}: {'; '.join(missing.values())}")
    sys.stderr.write("counting, about half a minute\n")
    found, stack = count_all(chosen), stack_of(chosen)
    expected = {row: c for row, c in baseline.rows_for(stack).items() if row not in missing}
    lines = list(differences(expected, comparable(found, baseline, stack)))
    if renew:
        _write(file, baseline.renewed(found, stack).as_toml())
    else:
        lines = [f"{line}; {remedy(file)}" for line in lines]
        sys.stdout.writelines(f"{note}\n" for note in notes(baseline, stack, file))
    sys.stdout.writelines(f"{line}\n" for line in [*lines, _summary(found, stack, lines)])
    raise typer.Exit(1 if lines and not renew else 0)


def count_all(device: str = "cpu") -> Rows:
    """The counts of all shipped models, of the compiled plans that can be had, and of an epoch."""
    from bench.counts.count import count_epoch, count_graphs, count_net

    rows: Rows = {}
    for name in _shipped():
        rows[name] = count_net(build_model(name), model_info(name).input_size, device)
    for row, name, plan in _compiled():
        if row not in unavailable():
            rows[row] = count_graphs(build_model(name), model_info(name).input_size, plan, device)
    for row, drop_last in EPOCHS.items():
        rows[row] = count_epoch(drop_last=drop_last, device=device)
    return rows


def comparable(found: Rows, baseline: Baseline, stack: str) -> Rows:
    """Everything, or what is the same everywhere where the file does not know the stack."""
    return found if stack in baseline.stacks else without_stack(found)


def notes(baseline: Baseline, stack: str, file: Path) -> Iterator[str]:
    """A line for whatever is not compared."""
    if stack not in baseline.stacks:
        yield (
            f"not compared: operators, peak bytes and graphs, for {file} has none of {stack}; "
            "`make counts` adds them"
        )
    yield from unavailable().values()


def unavailable() -> dict[str, str]:
    """Rows that cannot be counted here, and why."""
    if find_compiler() is not None:
        return {}
    reason = "there is no C++ compiler; on Debian: apt-get install g++"
    whole = [row for row, _, plan in _compiled() if plan.mode == "step"]
    return {row: f"not compared: {row}, for {reason}" for row in whole}


def check_device(request: str) -> str:
    """The device as torch names it.

    Raises:
        UsageError: there is no such device here.
    """
    from bench.machine.device import pick_device

    return str(pick_device(request))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None


def _summary(found: Rows, stack: str, lines: Sequence[str]) -> str:
    nouns = "" if len(found) == 1 else "s", "" if len(lines) == 1 else "s"
    return f"{len(found)} row{nouns[0]} on {stack}, {len(lines)} difference{nouns[1]}"


def _shipped() -> list[str]:
    return [name for name in list_models() if model_info(name).source != "user"]


def _compiled() -> Iterator[tuple[str, str, Plan]]:
    for plan, models in COMPILED.items():
        yield from ((compiled_row(name, plan), name, Plan.parse(plan)) for name in models)


def run(arguments: list[str]) -> int:
    """Runs the command line and gives its exit code."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    return run_app(app, arguments, "bench.counts")
