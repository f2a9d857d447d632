"""Two trainings that died while they saved a model, as the run folders in `tests/freeze/saved`.

`python -m tests.freeze.saved_runs` makes them anew, with what they would have come to. Do so only
where nobody has a run to go on with: a new version of torch, say, whose arithmetic is another.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from results import RunStore
from tests.command_line import REPOSITORY
from tests.freeze.few_images import DEAD, DIES_AT
from tests.freeze.pinned_runs import run_pinned

SAVED = Path(__file__).parent / "saved"
COMES_TO = SAVED / "comes_to.json"
CLOSED_LOOP = (  # each epoch acts on validation
    *("optimizer=sgd", "momentum=0.9", "learning_rate=0.05", "warmup_fraction=0"),
    *("schedule=plateau", "schedule_patience=0", "selection=loss", "augment=flip,shift2,cutout4"),
)
NET = "tests/freeze/small_net.py:SmallNet"
COMMON = ("--plan", "threads:1", "--set", "batch_size=32")
COMMANDS: dict[str, tuple[str, ...]] = {
    "v0": (*COMMON, "--models", "v0", "--budget", "30steps", "--save-every", "10steps"),
    "small_net": (
        *(*COMMON, "--models", NET, "--budget", "40steps", "--save-every", "1epochs"),
        *("--seeds", "2"),
        *(word for setting in CLOSED_LOOP for word in ("--set", setting)),
    ),
}
DIED_AT = {"v0": 2, "small_net": 11}  # the latter in the second epoch of its second seed


def outcome(folder: Path) -> dict[str, Any]:
    """Losses of all steps of the last record, and a hash of each of its last weights."""
    store = RunStore(folder)
    record = store.read()[-1]
    (path,) = (folder / "checkpoints").glob(f"*-{record.spec['seed']}-last.pt")
    weights = torch.load(path, weights_only=True)["weights"]
    return {
        "torch": record.environment["torch"],
        "system": record.environment["system"],
        "losses": store.load_samples(record)["loss"].tolist(),
        "weights": {
            name: hashlib.sha256(tensor.numpy().tobytes()).hexdigest()[:16]
            for name, tensor in weights.items()
        },
    }


def make_anew(data_root: Path) -> None:
    """Writes the run folders and what the same trainings come to, undisturbed."""
    shutil.rmtree(SAVED, ignore_errors=True)
    comes_to = {}
    for name, command in COMMANDS.items():
        died = {DIES_AT: str(DIED_AT[name])}
        run_pinned(data_root, *command, "--out", SAVED / name, exit_code=DEAD, **died)
        with tempfile.TemporaryDirectory() as whole:
            run_pinned(data_root, *command, "--out", whole)
            comes_to[name] = outcome(Path(whole))
    COMES_TO.write_text(json.dumps(comes_to, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make_anew(Path(os.environ.get("FMNIST_DATA") or REPOSITORY / "data"))
