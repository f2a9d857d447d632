"""Counts of every model held against tests/counts.toml: `python -m bench.counts`.

Parameters, FLOPs, operators and bytes of a step, graphs of compiled plans, images of an epoch, size
of a record. They need no quiet machine: a difference is a change of the code, and ends with exit
code 1. `--renew` (`make counts`) takes what is so now into the file.
"""

import sys
from collections.abc import Iterator
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
    stack_of,
    without_stack,
)
from bench.errors import UsageError
from bench.machine.compilers import find_compiler
from bench.spec.plan import Plan
from fmnist_models import build_model, list_models, model_info

# the cheap ones, as model and plan
COMPILED = (("v0", "compile"), ("v2", "compile"), ("resnet8", "compile"), ("v0", "step:2"))


def main(
    renew: Annotated[bool, typer.Option("--renew", help="Write the file anew.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda:N.")] = "cpu",
    file: Annotated[Path, typer.Option(help="The file of counts.")] = FILE,
) -> None:
    """Compare the counts of every model, compiled plan and epoch with the file, or renew it."""
    from bench.machine.device import pick_device

    baseline = Baseline() if renew and not file.exists() else Baseline.read(file)
    chosen, missing = str(pick_device(device)), unavailable()
    if renew and missing:
        raise UsageError(f"cannot renew {file}: {'; '.join(missing.values())}")
    sys.stderr.write("counting, about half a minute\n")
    found, stack = count_all(chosen), stack_of(chosen)
    expected = {row: c for row, c in baseline.rows_for(stack).items() if row not in missing}
    comparable = found if stack in baseline.stacks else without_stack(found)
    lines = list(differences(expected, comparable))
    if renew:
        _write(file, baseline.renewed(found, stack).as_toml())
    else:
        sys.stdout.writelines(f"{note}\n" for note in notes(baseline, stack, file))
    remedy = "" if renew else f"; if that is meant, `make counts` renews {file}"
    sys.stdout.writelines(f"{line}{remedy}\n" for line in lines)
    nouns = "" if len(found) == 1 else "s", "" if len(lines) == 1 else "s"
    summary = f"{len(found)} row{nouns[0]} on {stack}, {len(lines)} difference{nouns[1]}"
    sys.stdout.write(f"{summary}\n")
    raise typer.Exit(1 if lines and not renew else 0)


def count_all(device: str = "cpu") -> Rows:
    """Count all shipped models, the compiled plans that can be had, and an epoch."""
    from bench.counts.count import count_epoch, count_graphs, count_net

    rows: Rows = {}
    for name in list_models():
        if model_info(name).source != "user":
            rows[name] = count_net(build_model(name), model_info(name).input_size, device)
    for name, text in COMPILED:
        row, plan = compiled_row(name, text), Plan.parse(text)
        if row not in unavailable():
            rows[row] = count_graphs(build_model(name), model_info(name).input_size, plan, device)
    for row, drop_last in EPOCHS.items():
        rows[row] = count_epoch(drop_last=drop_last, device=device)
    return rows


def notes(baseline: Baseline, stack: str, file: Path) -> Iterator[str]:
    """Yield a line for whatever is not compared."""
    if stack not in baseline.stacks:
        yield (
            f"not compared: operators, peak bytes and graphs, for {file} has none of {stack}; "
            "`make counts` adds them"
        )
    yield from unavailable().values()


def unavailable() -> dict[str, str]:
    """Return the rows that cannot be counted here, and why."""
    if find_compiler() is not None:
        return {}
    reason = "there is no C++ compiler; on Debian: apt-get install g++"
    whole = [compiled_row(name, plan) for name, plan in COMPILED if plan.startswith("step")]
    return {row: f"not compared: {row}, for {reason}" for row in whole}


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
