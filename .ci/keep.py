"""Adds a run to a history of nights: `python .ci/keep.py RUN HISTORY [NIGHTS]`.

HISTORY has a folder for each kind of machine, as runs of two kinds cannot be compared, and in it a
folder with records.jsonl for each night. A commit that is measured again takes the place of its
older night, so that no seed counts twice. The newest NIGHTS (120) of all stay, at some 100 KB each.
Prints the folder of the machine. Needs nothing but Python.
"""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

NIGHTS = 120
RECORDS = "records.jsonl"


def keep(run: Path, history: Path, nights: int = NIGHTS) -> Path:
    """Copies the records of a run into the history, and gives the folder of its machine."""
    first = read_first(run)
    machine = history / machine_name(first["environment"])
    commit = str(first["provenance"]["commit"])[:10]
    for old in machine.glob(f"*-{commit}"):
        shutil.rmtree(old)
    night = machine / f"{time_name(first['provenance']['time_utc'])}-{commit}"
    night.mkdir(parents=True)
    shutil.copy(run / RECORDS, night)
    forget(history, nights)
    return machine


def read_first(run: Path) -> dict[str, Any]:
    """The first record of a run."""
    with (run / RECORDS).open(encoding="utf-8") as lines:
        record: dict[str, Any] = json.loads(lines.readline())
    return record


def machine_name(environment: dict[str, Any]) -> str:
    """A readable name of all that runs must share to be compared."""
    text = json.dumps(environment, sort_keys=True)
    device = re.sub(r"[^a-z0-9]+", "-", str(environment["device"]).lower()).strip("-")
    return f"{device}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def time_name(time_utc: str) -> str:
    """A time in UTC as a part of a file name that sorts: digits and the T alone."""
    return re.sub(r"[^0-9T]", "", time_utc[:19])


def forget(history: Path, nights: int) -> None:
    """Removes all nights but the newest, and machines that are left without any."""
    oldest_first = sorted(history.glob("*/*"), key=lambda night: night.name)
    for night in oldest_first[: max(len(oldest_first) - nights, 0)]:
        shutil.rmtree(night)
    for machine in history.iterdir():
        if not any(machine.iterdir()):
            machine.rmdir()


if __name__ == "__main__":
    try:
        run_folder, history_folder, *number = sys.argv[1:]
        folder = keep(Path(run_folder), Path(history_folder), *map(int, number))
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"keep.py: {sys.argv[1:]}: no night kept: {error!r}")
    sys.stdout.write(f"{folder}\n")
