"""Run folders that an earlier commit left behind are read, and gone on with bit for bit.

The bits are the same on every x86-64 machine under the same version of torch: the runs have one
thread, matrix products by MKL in its COMPATIBLE mode, which promises the same on every processor,
torch's own kernels as compiled for AVX2, and nothing that oneDNN does. Seen on one machine, they
stay the same with MKL limited to SSE4.2, AVX2 or AVX512, oneDNN to SSE4.1 or to nothing, glibc to
functions without FMA, and with four threads of OpenMP; MKL's other modes and other kernels of torch
change them.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.command_line import REPOSITORY, call, read_lines
from tests.freeze.frozen_record import leaves
from tests.freeze.pinned_runs import run_pinned
from tests.freeze.saved_runs import COMES_TO, COMMANDS, NET, SAVED, outcome

# of the environment that a run is bound to, what is of the machine and not of the run
OF_THE_MACHINE = ("device", "num_cores", "torch", "python", "system")


@pytest.fixture(scope="module")
def undisturbed(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the same training by the code of today, from beginning to end."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run_pinned(data_root, *COMMANDS["small_net"], "--out", folder)
    return folder


def assert_comes_to(folder: Path, name: str) -> None:
    """The losses and the weights that the training had when it was saved."""
    expected, found = json.loads(COMES_TO.read_text(encoding="utf-8"))[name], outcome(folder)
    if (found["torch"], found["system"]) == (expected["torch"], expected["system"]):
        assert found == expected
    else:  # another library may round otherwise
        assert found["weights"].keys() == expected["weights"].keys()
        assert found["losses"] == pytest.approx(expected["losses"], rel=1e-4)


def move_here(folder: Path, environment: dict[str, Any]) -> None:
    """Has a run folder say that it was begun on this machine, as a run goes on nowhere else."""
    here = {key: environment[key] for key in OF_THE_MACHINE}
    for path in folder.glob("records.jsonl"):  # of seeds that had ended
        records = [
            record | {"environment": record["environment"] | here} for record in read_lines(folder)
        ]
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    for path in (folder / "checkpoints").iterdir():
        content = torch.load(path, weights_only=True)
        content["trained"]["environment"] |= here
        torch.save(content, path)


@pytest.mark.slow
def test_an_undisturbed_training_still_comes_to_the_same(undisturbed: Path) -> None:
    """Where this fails, too, it is the training that has changed and not the saved state."""
    assert_comes_to(undisturbed, "small_net")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "step"), [("v0", 10), ("small_net", 11)])
def test_a_saved_run_goes_on_bit_for_bit(
    data_root: Path, undisturbed: Path, tmp_path: Path, name: str, step: int
) -> None:
    shutil.copytree(SAVED / name, tmp_path, dirs_exist_ok=True)
    environment = read_lines(undisturbed)[-1]["environment"]
    move_here(tmp_path, environment)
    run_pinned(data_root, *COMMANDS[name], "--out", tmp_path, "--resume")
    last = read_lines(tmp_path)[-1]
    assert (last["conditions"]["resumed_at_step"], last["environment"]) == (step, environment)
    assert_comes_to(tmp_path, name)


@pytest.mark.parametrize("which", ["last", "best"])
def test_a_saved_model_has_the_fields_that_it_had(undisturbed: Path, which: str) -> None:
    """Catches a saved field that is renamed, dropped, new, or of another type."""
    (then,) = (SAVED / "small_net" / "checkpoints").glob(f"*-0-{which}.pt")
    now = undisturbed / "checkpoints" / then.name
    assert fields(now) == fields(then)


def fields(path: Path) -> dict[str, str]:
    """Types of all that a saved model holds, by dotted path; of a list, those of its first item."""
    return leaves(_form(torch.load(path, weights_only=True)))


def _form(value: Any) -> Any:  # noqa: ANN401 - whatever a file holds
    if isinstance(value, dict):
        return {key: _form(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_form(inner) for inner in value[:1]]
    if isinstance(value, torch.Tensor):
        return f"{value.ndim} axes of {value.dtype}"
    return type(value).__name__


def test_table_and_predict_read_a_saved_run(
    data_root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)  # where the file of the net lies
    table = call(monkeypatch, capfd, data_root, "table", SAVED / "small_net", "--format", "json")
    assert [row["model"] for row in json.loads(table.stdout)] == [NET]
    for path in SAVED.glob("*/checkpoints/*-0-*.pt"):
        predicted = call(monkeypatch, capfd, data_root, "predict", path, "--mistakes", "1")
        assert predicted.returncode == 0, predicted.stderr
        assert "of 10,000 test images wrong" in predicted.stdout + predicted.stderr
