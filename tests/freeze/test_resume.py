"""Run folders that an earlier commit left behind are read, and gone on with bit for bit.

The bits hold on every x86-64 machine under the same version of torch: one thread; neither
convolutions nor anything else of oneDNN; matrix products by MKL in its COMPATIBLE mode, which
promises the same on every processor; torch's own kernels as compiled for AVX2. TODO
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.command_line import REPOSITORY, call, read_lines
from tests.freeze.pinned_runs import run_pinned
from tests.freeze.saved_runs import COMES_TO, COMMANDS, SAVED, outcome

# of the environment that a run is bound to, what is of the machine and not of the run
OF_THE_MACHINE = ("device", "num_cores", "torch", "python", "system")


@pytest.fixture(scope="module")
def undisturbed(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of the same trainings by the code of today, from beginning to end."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for name, command in COMMANDS.items():
        run_pinned(data_root, *command, "--out", folder / name)
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
    lines = read_lines(folder) if (folder / "records.jsonl").exists() else []
    for record in lines:
        record["environment"] |= here
    if lines:
        text = "".join(f"{json.dumps(record)}\n" for record in lines)
        (folder / "records.jsonl").write_text(text, encoding="utf-8")
    for path in (folder / "checkpoints").iterdir():
        content = torch.load(path, weights_only=True)
        content["trained"]["environment"] |= here
        torch.save(content, path)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_undisturbed_training_still_comes_to_the_same(undisturbed: Path, name: str) -> None:
    """Tells a change of the training from one of the saved state, and machines from each other."""
    assert_comes_to(undisturbed / name, name)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_saved_run_goes_on_bit_for_bit(
    data_root: Path, undisturbed: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    shutil.copytree(SAVED / name, folder)
    environment = read_lines(undisturbed / name)[-1]["environment"]
    move_here(folder, environment)
    run_pinned(data_root, *COMMANDS[name], "--out", folder, "--resume")
    last = read_lines(folder)[-1]
    assert last["conditions"]["resumed_at_step"] == {"v0": 10, "small_net": 11}[name]
    assert last["environment"] == environment
    assert_comes_to(folder, name)


def test_a_run_of_another_machine_is_refused(
    data_root: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Without the change of `move_here` the test above would tell nothing of the check."""
    folder = tmp_path / "v0"
    shutil.copytree(SAVED / "v0", folder)
    environment = read_lines(undisturbed / "v0")[-1]["environment"]
    move_here(folder, environment | {"device": "another"})
    run_pinned(data_root, *COMMANDS["v0"], "--out", folder, "--resume", exit_code=1)
    (record,) = read_lines(folder)
    assert "was saved with device another" in record["reason"]


@pytest.mark.parametrize("which", ["last", "best"])
def test_a_saved_model_has_the_fields_that_it_had(undisturbed: Path, which: str) -> None:
    """Catches a saved field that is renamed, dropped, new, or of another type."""
    (then,) = (SAVED / "small_net" / "checkpoints").glob(f"*-0-{which}.pt")
    now = undisturbed / "small_net" / "checkpoints" / then.name
    assert form(torch.load(now, weights_only=True)) == form(torch.load(then, weights_only=True))


def form(value: Any) -> Any:  # noqa: ANN401 - whatever a file holds
    """Names and types of all that a saved model holds."""
    if isinstance(value, dict):
        return {key: form(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [form(inner) for inner in value[:1]]
    if isinstance(value, torch.Tensor):
        return f"{value.dtype}, {value.ndim} axes"
    return type(value).__name__


def test_table_and_predict_read_a_saved_run(
    data_root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)  # where the file of the net lies
    table = call(monkeypatch, capfd, data_root, "table", SAVED / "small_net", "--format", "json")
    assert [row["model"] for row in json.loads(table.stdout)] == ["SmallNet"]
    for path in SAVED.glob("*/checkpoints/*-0-*.pt"):
        predicted = call(monkeypatch, capfd, data_root, "predict", path, "--mistakes", "1")
        assert predicted.returncode == 0, predicted.stderr
        assert "of 10,000 test images wrong" in predicted.stdout + predicted.stderr
