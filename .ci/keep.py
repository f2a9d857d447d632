"""Add a run to a history of nights: `python .ci/keep.py RUN HISTORY [NIGHTS]`.

HISTORY has a folder for each kind of machine, as runs of two kinds cannot be compared, and in it a
folder with records.jsonl for each night. A commit that is measured again takes the place of its
older night, so that no seed counts twice, unless fewer of its runs ended well. The newest NIGHTS
(120) of all stay, at some 100 KB each. Prints the folder of the machine, and says on stderr where a
history begins: a lost one would else begin anew unseen. Needs nothing but Python.
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
    """Copy the records of a run into the history; return the folder of its machine."""
    with (run / RECORDS).open(encoding="utf-8") as lines:
        first = json.loads(lines.readline())
    machine = history / machine_name(first["environment"])
    commit = re.sub(r"[^0-9A-Za-z]", "", str(first["provenance"]["commit"]))[:10]
    time_utc = re.sub(r"[^0-9T]", "", first["provenance"]["time_utc"][:19])  # digits that sort
    nights_so_far = nights_of(history)
    if not nights_so_far:
        sys.stderr.write(f"keep.py: a new history begins in {history}\n")
    of_machine = [old for old in nights_so_far if old.parent == machine]
    older = [old for old in of_machine if old.name.endswith(f"-{commit}")]
    if any(num_ok(night) > num_ok(run) for night in older):
        sys.stderr.write(f"keep.py: {older[-1]} stays: more of its runs ended well\n")
        return machine
    night = machine / f"{time_utc}-{commit}"
    add(run, night)
    for old in older:  # only now: a copy that fails must not take the old night with it
        if old != night:
            shutil.rmtree(old)
    forget(history, nights)
    return machine


def add(run: Path, night: Path) -> None:
    """Copy the records of a run to a night, whole or not at all."""
    night.mkdir(parents=True, exist_ok=True)
    part = night / f"{RECORDS}.part"
    try:
        shutil.copy(run / RECORDS, part)
        part.replace(night / RECORDS)
    finally:
        part.unlink(missing_ok=True)
        if not any(night.iterdir()):
            night.rmdir()


def nights_of(history: Path) -> list[Path]:
    """Return the folders of all nights, the oldest first; other files and folders are ignored."""
    nights = (path.parent for path in history.glob(f"*/*/{RECORDS}"))
    return sorted(nights, key=lambda night: night.name)


def num_ok(run: Path) -> int:
    """Count the runs of a folder that ended well; a line that a crash cut short is none."""
    number = 0
    for line in (run / RECORDS).read_bytes().splitlines():
        try:
            number += json.loads(line)["status"] == "ok"
        except (ValueError, KeyError, TypeError):
            continue
    return number


def machine_name(environment: dict[str, Any]) -> str:
    """Return a readable name of what runs must share to be compared."""
    text = json.dumps(environment, sort_keys=True)
    device = re.sub(r"[^a-z0-9]+", "-", str(environment["device"]).lower()).strip("-")
    return f"{device}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def forget(history: Path, nights: int) -> None:
    """Remove all nights but the newest, and machines that are left without any."""
    oldest_first = nights_of(history)
    for night in oldest_first[: max(len(oldest_first) - nights, 0)]:
        shutil.rmtree(night)
    for machine in history.iterdir():
        if machine.is_dir() and not any(machine.iterdir()):
            machine.rmdir()


if __name__ == "__main__":
    try:
        run_folder, history_folder, *number = sys.argv[1:]
        folder = keep(Path(run_folder), Path(history_folder), *map(int, number))
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"keep.py: {sys.argv[1:]}: no night kept: {error!r}")
    sys.stdout.write(f"{folder}\n")
