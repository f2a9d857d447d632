"""The trained models that come with the package."""

from pathlib import Path
from typing import TYPE_CHECKING

import fmnist_models

if TYPE_CHECKING:
    from results import RunRecord

WEIGHTS = Path(fmnist_models.__file__).parent / "weights"
RECORDS = "records.jsonl"


def provided_models(folder: Path = WEIGHTS) -> dict[str, Path]:
    """Return the files of the models that come trained, by name."""
    return {path.stem: path for path in sorted(folder.glob("*.pt"))}


def provided_records(folder: Path = WEIGHTS) -> "dict[str, RunRecord]":
    """Return the record of each provided model's run, by the model's name."""
    from results import read_records

    if not (folder / RECORDS).exists():
        return {}
    return {record.spec["model"]: record for record in read_records(folder / RECORDS)}
