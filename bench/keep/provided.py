"""The trained models that come with the package."""

from pathlib import Path
from typing import TYPE_CHECKING

import fmnist_models
from bench.errors import UsageError

if TYPE_CHECKING:
    from results import RunRecord

WEIGHTS = Path(fmnist_models.__file__).parent / "weights"
RECORDS = "records.jsonl"


def provided_models(folder: Path = WEIGHTS) -> list[str]:
    """Names of the models that come trained, in alphabetical order."""
    return sorted(path.stem for path in folder.glob("*.pt"))


def provided_path(name: str, folder: Path = WEIGHTS) -> Path:
    """The saved model of a name.

    Raises:
        UsageError: there is none; the line lists the choices.
    """
    path = folder / f"{name}.pt"
    if name not in provided_models(folder):
        choices = ", ".join(provided_models(folder)) or "none"
        raise UsageError(f"no trained {name!r} is provided; there are {choices}")
    return path


def provided_records(folder: Path = WEIGHTS) -> "dict[str, RunRecord]":
    """The record of each provided model's run, by the model's name."""
    from results import read_records

    if not (folder / RECORDS).exists():
        return {}
    return {record.spec["model"]: record for record in read_records(folder / RECORDS)}
