"""The zoo: do models of torchvision and timm train here, each for three steps?

`python -m tools.zoo` takes every classification model of torchvision with at most 100 million
parameters, and 40 of timm, one of each of 40 families, drawn by a fixed seed. Each goes through the
command line of `run` in a process of its own, forked from this one, which has the libraries
imported. An evaluation of 10,000 images would take longer than all else, so they know the first
images alone. What lies in `--out` is not run again: this can be stopped at any time and begun
again; delete a model's folder there to have it run anew. At the end the table between the markers
in docs/models.md is written.
"""

import json
import os
import random
import resource
import shutil
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer

import data_pipeline
from bench.shell import run_main
from results import RunRecord, read_records
from results.records.appending import write_whole

SEED = 0
NUM_FAMILIES = 40
MAX_PARAMETERS = 100_000_000
LIMIT_S = 900.0  # of a model, on a machine that is shared
NUM_TRAIN, NUM_TEST = 100, 50  # images
DOCUMENT = Path("docs/models.md")
BEGIN, END = "<!-- zoo: written by tools/zoo.py -->\n", "<!-- zoo: end -->\n"
OPTIONS = (*("--budget", "3steps"), *("--set", "batch_size=8"), *("--plan", "eager,threads:1"))
ROW, MODELS, RECORDS, LOG = "row.json", "models.json", "records.jsonl", "log.txt"


@dataclass(frozen=True)
class Row:
    """What one model did; None where it did not get far enough to tell."""

    model: str
    status: str
    reason: str | None
    cpu_s: float  # of its process, less the imports
    input_size: int | None = None
    num_params: int | None = None


def main(
    out: Annotated[Path, typer.Option(help="Folder of what was run.")] = Path("results/runs/zoo"),
) -> None:
    """Train the models that were not trained yet, then write the table of all."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
    out.mkdir(parents=True, exist_ok=True)
    names = models_of(out)
    know_first_images()
    for number, name in enumerate(names, 1):
        if not (folder_of(out, name) / ROW).exists():
            row = visit(out, name)
            typer.echo(f"{number}/{len(names)} {name}: {row.status} {row.reason or ''}".rstrip())
    publish(out, names)


def models_of(out: Path) -> list[str]:
    """Return the models of a zoo, drawn when it is begun."""
    path = out / MODELS
    if not path.exists():
        names = [*from_torchvision(), *from_timm()]
        write_whole(path, json.dumps(names, indent=1).encode())
    names = json.loads(path.read_text())
    return [str(name) for name in names]


def from_torchvision() -> list[str]:
    """Return every classification model that is not too large."""
    from torchvision import models

    def size_of(name: str) -> int:
        return int(models.get_model_weights(name).DEFAULT.meta["num_params"])

    names = models.list_models(module=models)
    return [f"torchvision:{name}" for name in names if size_of(name) <= MAX_PARAMETERS]


def from_timm() -> list[str]:
    """Draw models of timm, one a family."""
    import timm

    families = {family: timm.list_models(module=family) for family in timm.list_modules()}
    return [f"timm:{name}" for name in drawn(families, NUM_FAMILIES)]


def drawn(families: dict[str, list[str]], count: int) -> list[str]:
    """Draw families, and of each the first of its models, shuffled, that is not too large."""
    draw, names = random.Random(SEED), list[str]()
    for family in draw.sample(sorted(families), len(families)):
        shuffled = draw.sample(sorted(families[family]), len(families[family]))
        fitting = next((name for name in shuffled if num_parameters(name) <= MAX_PARAMETERS), None)
        names += [fitting] if fitting else []
        if len(names) == count:
            break
    return sorted(names)


def num_parameters(name: str) -> int:
    """Count the parameters of a timm model as published, without memory for them."""
    import timm
    import torch

    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is deprecated
        return sum(p.numel() for p in timm.create_model(name, pretrained=False).parameters())


def visit(out: Path, name: str) -> Row:
    """Run a model in a process of its own, and keep what became of it."""
    folder = folder_of(out, name)
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped
    folder.mkdir()
    before = cpu_seconds()
    code = run(name, folder)
    row = row_of(name, folder, code, cpu_seconds() - before)
    write_whole(folder / ROW, json.dumps(asdict(row), indent=1).encode())
    return row


def know_first_images() -> None:
    """Have this process and those forked from it know the first images of the data alone."""
    data = data_pipeline.load_fashion_mnist()
    few = replace(
        data,
        train_images=data.train_images[:NUM_TRAIN],
        train_labels=data.train_labels[:NUM_TRAIN],
        test_images=data.test_images[:NUM_TEST],
        test_labels=data.test_labels[:NUM_TEST],
    )
    data_pipeline.load_fashion_mnist = lambda *_, **__: few


def run(name: str, folder: Path) -> int | None:
    """Run the command line; return its exit code, None where time was up."""
    import timm  # noqa: F401 - once for all
    import torchvision  # noqa: F401

    child = get_context("fork").Process(target=run_here, args=(name, folder), daemon=True)
    child.start()
    child.join(LIMIT_S)
    code = child.exitcode
    child.kill()
    child.join()
    return code


def run_here(name: str, folder: Path) -> None:
    """Run the command line in this process, and exit with its code."""
    with (folder / LOG).open("wb") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    from bench.__main__ import main as command_line  # loads the data by the name set above

    out = folder / RECORDS
    sys.argv[1:] = ["run", "--in-process", "--models", name, *OPTIONS, "--out", str(out.parent)]
    command_line()


def row_of(name: str, folder: Path, code: int | None, cpu_s: float) -> Row:
    """Read a record, or where there is none the last line that was printed."""
    if (folder / RECORDS).exists():
        record = read_records(folder / RECORDS)[-1]
        size, parameters = record.conditions.get("input_size"), record.value("num_params")
        found = size, None if parameters is None else int(parameters)
        return Row(name, record.status, record.reason, cpu_s, *found)
    if code is None:
        return Row(name, "timeout", f"not done after {LIMIT_S:g} s; raise LIMIT_S", cpu_s)
    lines = (folder / LOG).read_text(errors="replace").strip().splitlines() or ["no word"]
    return Row(name, "refused" if code == 2 else "crashed", lines[-1], cpu_s)


def publish(out: Path, names: Sequence[str]) -> None:
    """Write the table of all models between the markers of the document."""
    rows = [Row(**json.loads((folder_of(out, name) / ROW).read_text())) for name in names]
    paths = [folder_of(out, name) / RECORDS for name in names]
    records = [read_records(path)[-1] for path in paths if path.exists()]
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    text = f"{before}{BEGIN}\n{heading(rows, records)}\n{as_table(rows)}\n{END}{after}"
    write_whole(DOCUMENT, text.encode())


def heading(rows: Sequence[Row], records: Iterable[RunRecord]) -> str:
    """Say what was run, where, and of which versions."""
    records = list(records)
    devices = {str(record.environment["device"]) for record in records}
    commits = {str(record.provenance["commit"])[:10] for record in records}
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "timm"))
    num_ok = sum(row.status == "ok" for row in rows)
    return (
        f"{num_ok} of {len(rows)} train, by `python -m tools.zoo`: torchvision's models of at most "
        f"{MAX_PARAMETERS // 10**6} M\nparameters and one of timm in each of {NUM_FAMILIES} "
        f"families, drawn by seed {SEED}. Each in a process of its own:\n`run --in-process "
        f"{' '.join(OPTIONS)}`, on the first {NUM_TRAIN} training\nand {NUM_TEST} test images "
        "alone, since a whole evaluation takes minutes at 224 pixels. On\n"
        f"{', '.join(sorted(devices))}, {libraries}, commit {', '.join(sorted(commits))}.\n"
        "Seconds are the processor's, without imports, on a machine that others use too: no "
        "measure of speed.\n"
    )


def as_table(rows: Iterable[Row]) -> str:
    """Write a line a model."""
    lines = ["| model | input | parameters | status | CPU s |", "|---|---:|---:|---|---:|"]
    for row in rows:
        size = "" if row.input_size is None else str(row.input_size)
        parameters = "" if row.num_params is None else f"{row.num_params:,}"
        status = row.status if row.reason is None else f"{row.status}: {row.reason}"
        cells = f"`{row.model}`", size, parameters, status.replace("|", "\\|"), f"{row.cpu_s:.0f}"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def folder_of(out: Path, name: str) -> Path:
    """Return where the run of a model lies."""
    return out / name.replace(":", "-")


def cpu_seconds() -> float:
    """Return the processor seconds of all processes that this one has started and seen end."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(run_main(main, "tools.zoo", sys.argv[1:]))
