"""Put the models that a run has saved among those that come with the package.

`python -m tools.provide RUN_FOLDER` takes the models that a run has saved (`run --save`) and puts
each, without what going on takes, beside the others in fmnist_models/weights/, with the record of
its run in records.jsonl there. Names that the run has nothing of keep what they have.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import fmnist_models
from bench.errors import UsageError
from bench.keep.provided import RECORDS, WEIGHTS, provided_records
from bench.shell import run_main, say

if TYPE_CHECKING:
    from results import RunRecord


def provide(run_folder: Path, recipe: str | None = None, folder: Path = WEIGHTS) -> list[str]:
    """Take the saved models of a run; return their names.

    Of several seeds the lowest is taken: choosing by accuracy would choose on the test images. Of
    several recipes that a model was trained by, `recipe` names one.

    Raises:
        UsageError: the run has nothing to provide, or two of one name; nothing is written then.
        RecordError: the folder holds no records.
    """
    from bench.keep.saved_model import read_saved, write_saved
    from data_pipeline.sources.files import write_file
    from results import read_records

    chosen = _chosen(read_records(run_folder), recipe, run_folder)
    models = {name: read_saved(_checkpoint(run_folder, r)) for name, r in chosen.items()}
    for name, saved in models.items():
        trained = {**saved.trained, "record_id": chosen[name].record_id}
        write_saved(folder / f"{name}.pt", replace(saved, trained=trained))
    records = provided_records(folder) | chosen
    lines = [records[name].to_json_line() for name in sorted(records)]
    write_file(folder / RECORDS, b"".join(lines))
    return list(models)


def _chosen(
    records: "list[RunRecord]", recipe: str | None, run_folder: Path
) -> "dict[str, RunRecord]":
    """Choose the record of each model: of its lowest seed that ended well."""
    chosen: dict[str, RunRecord] = {}
    for record in sorted(filter(_is_usable, records), key=lambda record: record.spec["seed"]):
        name = record.spec["model"]
        if recipe not in {None, record.spec["recipe"]["name"]}:
            continue
        rival = chosen.setdefault(name, record)
        if rival.config_id != record.config_id:
            names = ", ".join(r.spec["recipe"]["name"] for r in (rival, record))
            raise UsageError(f"{run_folder} holds {name} twice ({names}); say --recipe NAME")
    if not chosen:
        raise UsageError(
            f"{run_folder} has no saved model of a registered name that was scored on all test "
            "images; make one with `fmnist-bench run --save`"
        )
    return chosen


def _is_usable(record: "RunRecord") -> bool:
    """Tell whether a run ended well, saved its model, and was scored on the clean test images."""
    spec = record.spec
    is_registered = spec["model"] in fmnist_models.list_models()
    is_clean = spec["evaluation_split"] == "test"
    return record.status == "ok" and is_registered and is_clean and "saved" in record.conditions


def _checkpoint(run_folder: Path, record: "RunRecord") -> Path:
    """Return the file of the weights that the record's accuracy is of: the best or the last."""
    path = run_folder / str(record.conditions["saved"])
    if path.resolve().parent != (run_folder / "checkpoints").resolve():
        raise UsageError(f"{run_folder}: record {record.record_id} names a file elsewhere: {path}")
    return path


def main(
    run_folder: Annotated[Path, typer.Argument(help="Run folder, made with --save.")],
    recipe: Annotated[str | None, typer.Option(help="Models trained by this recipe.")] = None,
) -> None:
    """Put the models that a run has saved among those that come with the package."""
    names = provide(run_folder, recipe)
    say(f"provided in {WEIGHTS}: {', '.join(names)}")


if __name__ == "__main__":
    sys.exit(run_main(main, "tools.provide", sys.argv[1:]))
