"""The sweep that chose the peak learning rates: the same grid and steps for every model.

`python -m tools.lr_sweep` trains each model at each rate of the grid under the default recipe and
judges it on the validation images alone; the test images stay unread. It puts the records into
results/tables/learning_rates.jsonl, the grid beside them and the choices into
bench/spec/learning_rates.toml; models that it was not asked for keep what is there. Runs that are
in its store already are not repeated, so it can be stopped and begun again.
"""

import math
import statistics
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bench.shell import run_main
from bench.spec.budget import Budget
from bench.spec.learning_rates import TABLE
from bench.spec.named_recipes import DEFAULT
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from bench.sweep.child import CheckJob, check_request
from bench.sweep.request import Request
from bench.sweep.sweep import Sweep, run_shown
from bench.workers.isolation import ask, start_server
from data_pipeline import ensure_data
from fmnist_models import list_models, resolve_names
from results import RunRecord, RunStore, read_records

GRID = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032)
STEPS = 200
NUM_VALIDATION_IMAGES = 6_000
PLAN = Plan(memory_format="channels_last")
MARKDOWN = Path("results/tables/learning_rates.md")
RECORDS = MARKDOWN.with_suffix(".jsonl")
Grid = dict[str, dict[float, float | None]]
"""Validation accuracy by model and rate; None for a run that failed."""


def main(
    models: Annotated[str, typer.Option(help="As in `fmnist-bench run`.")] = "*",
    out: Annotated[Path, typer.Option(help="Store of the runs.")] = Path("results/runs/lr-sweep"),
    data: Annotated[Path | None, typer.Option(help="Root of the data.")] = None,
) -> None:
    """Sweep the peak learning rate of the default recipe, then write the table and the choices."""
    start_server()
    store = RunStore(out)
    names = resolve_names(models)
    answer = ask(check_request, CheckJob("auto", ensure_data(data).data_hash))
    kind = answer["environment"]["device_kind"]
    specs = [spec_of(name, rate).resolved_for(kind) for name in names for rate in GRID]

    request = Request(data=data)
    sweep = Sweep(specs, [0], answer["device"], answer["environment"], store, request)
    ended = run_shown(sweep, store.read)
    if ended.exit_code is not None:
        raise typer.Exit(ended.exit_code)
    publish(store)


def publish(store: RunStore) -> None:
    """Put the runs of a store among the committed records; write table and choices from all."""
    swept = store.read()
    models = {record.spec["model"] for record in swept}
    committed = read_records(RECORDS) if RECORDS.exists() else []
    records = [r for r in committed if r.spec["model"] not in models] + swept
    grid = read_grid(records)
    RECORDS.parent.mkdir(parents=True, exist_ok=True)
    RECORDS.write_bytes(b"".join(record.to_json_line() for record in records))
    devices = dict.fromkeys(str(record.environment["device"]) for record in records)
    MARKDOWN.write_text(as_markdown(grid, " / ".join(devices)), encoding="utf-8")
    TABLE.write_text(as_toml(grid), encoding="utf-8")


def spec_of(model: str, rate: float) -> RunSpec:
    """Return the run of one model at one rate, evaluated on validation."""
    return RunSpec(
        model=model,
        recipe=replace(DEFAULT, learning_rate=rate),
        budget=Budget(STEPS, "steps"),
        plan=PLAN,
        evaluation_split="validation",
    )


def read_grid(records: Iterable[RunRecord]) -> Grid:
    """Read the validation accuracy of every run, in the order of `list_models`."""
    grid: Grid = {name: {} for name in list_models()}
    for record in records:
        if record.status != "interrupted":
            rate = float(record.spec["recipe"]["learning_rate"])
            accuracy = record.value("test_accuracy") if record.status == "ok" else None
            grid.setdefault(record.spec["model"], {})[rate] = accuracy
    return {name: rates for name, rates in grid.items() if rates}


def best_rate(accuracies: Mapping[float, float | None]) -> float | None:
    """Return the lowest rate within one standard error of the best; None where all runs failed.

    The one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984): rates
    that this many images cannot tell apart tie, and the smallest of them is the safest.
    """
    known = {rate: accuracy for rate, accuracy in accuracies.items() if accuracy is not None}
    if not known:
        return None
    best = max(known.values())
    standard_error = math.sqrt(best * (1 - best) / NUM_VALIDATION_IMAGES)
    return min(rate for rate, accuracy in known.items() if accuracy >= best - standard_error)


def as_toml(grid: Grid) -> str:
    """Write the choices; the base rate, for models not swept, is their lower median."""
    best = {name: best_rate(accuracies) for name, accuracies in grid.items()}
    rates = {name: rate for name, rate in best.items() if rate is not None}
    base = statistics.median_low(rates.values())
    lines = [
        "# Peak learning rate of the default recipe, chosen on validation by",
        f"# `python -m tools.lr_sweep`: {STEPS} steps at each rate of the same grid for every",
        "# model. `base` is for models that were not swept. The grid: results/tables/.",
        "[peak]",
        f"base = {base}",
        *(f"{name} = {rate}" for name, rate in rates.items()),
    ]
    return "\n".join(lines) + "\n"


def as_markdown(grid: Grid, device: str) -> str:
    """Write the whole grid, the choice of each model in bold."""
    lines = [
        "# Peak learning rates of the default recipe",
        "",
        f"Validation accuracy in percent (6,000 images, seed 0) after {STEPS} steps of batch",
        f"{DEFAULT.batch_size}, one run a cell, on {device}.",
        "",
        "Bold is what `bench/spec/learning_rates.toml` holds: the lowest rate within one standard",
        "error (about 0.5 points) of the row's best. Repeat with `python -m tools.lr_sweep`; the",
        "records are in learning_rates.jsonl beside this file.",
        "",
        f"| model | {' | '.join(f'{rate:g}' for rate in GRID)} |",
        f"| {' | '.join(['---'] * (1 + len(GRID)))} |",
    ]
    for name, accuracies in grid.items():
        best = best_rate(accuracies)
        known = {rate: f"{a * 100:.1f}" for rate, a in accuracies.items() if a is not None}
        marked = known if best is None else known | {best: f"**{known[best]}**"}
        lines.append(f"| {name} | {' | '.join(marked.get(rate, 'failed') for rate in GRID)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(run_main(main, "tools.lr_sweep", sys.argv[1:]))
