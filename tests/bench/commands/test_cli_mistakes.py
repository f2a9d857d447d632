"""A user's mistake is one line on stderr and exit code 2, and most are told at once.

tests/freeze/test_exit_codes.py holds further ones, with the choices that a user is offered. Most
tests call the command line inside this process: its fork server then serves them all.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.machine.rapl import open_rapl
from tests.command_line import CPU, REPOSITORY, Finished, assert_refused, bench

Refuses = Callable[..., None]
WEIGHTS = REPOSITORY / "fmnist_models" / "weights"
USER_FILE = """
import os
from torch import nn

class WrongShape(nn.Module):
    input_size = 28
    def __init__(self):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
    def forward(self, images):
        return self.pool(images).flatten(1).repeat(1, 7)

class DiesInTheCheck(WrongShape):
    def forward(self, images):
        os._exit(3)

def needs_arguments(width):
    return nn.Linear(width, 10)
"""
# Options of `run` and a part of the line; all of them are seen without a child.
SEEN_AT_ONCE = {
    "no model": (["--models", ""], "no model was asked for"),
    "missing file": (["--models", "gone.py:Net"], "there is no Python file 'gone.py'"),
    "no number": (["--budget", "long"], "cannot read the budget 'long'; write for example 3epochs"),
    "nothing": (["--budget", "0steps"], "a budget must be a positive number, not 0steps"),
    "no value": (["--set", "batch_size"], "--set takes key=value, not 'batch_size'"),
    "field": (["--set", "lr=abc"], "a recipe has no field 'lr'; choose from optimizer"),
    "seeds": (["--seeds", "0"], "--seeds 0 is out of range"),
    "timeout": (["--timeout", "0"], "--timeout takes 1 second or more, not 0"),
    "endless timeout": (["--timeout", "inf"], "leave it out for no limit"),
    "no config": (["--config", "missing.toml"], "cannot read --config missing.toml"),
    "no recipe": (["--config", "pyproject.toml"], "a recipe has no field 'build-system'"),
    "auto plan": (["--deterministic", "--budget", "9steps"], "--deterministic needs a plan"),
    "clock": (["--deterministic", "--plan", "eager"], "--deterministic needs a counted budget"),
    "ladder of seeds": (["--plan", "ladder", "--seeds", "2"], "--plan ladder repeats turns"),
    "ladder twice": (["--plan", "ladder", "--deterministic"], "leave --deterministic out"),
    "ladder here": (["--plan", "ladder", "--in-process"], "leave --in-process out"),
    "no memory": (["--max-memory-gb", "0"], "--max-memory-gb must be a positive number of GB"),
    "memory of nothing": (["--max-memory-gb", "nan"], "must be a positive number of GB, not nan"),
    "memory here": (["--max-memory-gb", "4", "--in-process"], "leave --in-process out"),
    "cadence": (["--save-every", "9images"], "--save-every takes such as 1epochs"),
    "saved ladder": (["--plan", "ladder", "--save"], "leave --save and --tensorboard out"),
}
# What only a child can see: it alone imports torch and the user's file.
SEEN_BY_A_CHILD = {
    "device": (["--device", "gpu"], "unknown device 'gpu'; choose auto, cpu or cuda:N"),
    "no device": (["--device", "cuda:7"], "no device cuda:7"),
    "memory": (["--max-memory-gb", "0.5"], "--max-memory-gb 0.5 is not enough: a child takes "),
    "augment": (["--set", "augment=nope"], "unknown augmentation 'nope'; choose from flip"),
    "lacks": (["--models", "{user}:Gone"], "defines no 'Gone'"),
    "shape": (["--models", "{user}:WrongShape"], "it must return logits (2, 10)"),
    "argument": (["--models", "{user}:needs_arguments"], "fails when called without arguments"),
    "death": (["--models", "{user}:DiesInTheCheck"], "the process exited with code 3"),
    "no weights": (
        ["--models", "v0", "--set", "weights=gone.pt"],
        "there is no file gone.pt; choose --set weights=random, imagenet or a file",
    ),
    "weights of another": (
        ["--models", "v1", "--set", f"weights={WEIGHTS / 'v0.pt'}"],
        "is a checkpoint of v0, not of v1",
    ),
    "weights of nothing": (
        ["--models", "v0", "--set", "weights={raising}"],
        "is no file of torch.save, or a damaged one",
    ),
    "empty weights": (
        ["--models", "resnet8", "--set", "weights={empty}"],
        "is no file of torch.save, or a damaged one",
    ),
    "import": (["--models", "{raising}:Net"], "raised ValueError at import: not today (line 2)"),
}
if open_rapl()[0] is None:
    SEEN_BY_A_CHILD["joules"] = (
        ["--device", "cpu", "--budget", "500J"],
        "a budget in joules has no counter here: ",
    )


@pytest.fixture
def user_files(tmp_path: Path) -> dict[str, str]:
    """Files with models that cannot be used."""
    names = {"user": "user.py", "raising": "raising.py", "empty": "empty.pt"}
    paths = {name: tmp_path / file for name, file in names.items()}
    paths["empty"].touch()
    paths["user"].write_text(USER_FILE, encoding="utf-8")
    paths["raising"].write_text("import os\nraise ValueError('not today')\n", encoding="utf-8")
    return {name: str(path) for name, path in paths.items()}


@pytest.fixture
def refuses(on_data: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch) -> Refuses:
    """Checks that arguments are refused with a line that holds the first one."""
    monkeypatch.chdir(REPOSITORY)
    return lambda wanted, *arguments: assert_refused(on_data(*arguments), wanted)


@pytest.mark.parametrize("mistake", SEEN_AT_ONCE)
def test_a_wrong_option_is_refused(refuses: Refuses, mistake: str) -> None:
    options, wanted = SEEN_AT_ONCE[mistake]
    refuses(wanted, "run", *options)


@pytest.mark.parametrize("mistake", SEEN_BY_A_CHILD)
def test_what_only_a_child_sees_is_refused_before_the_sweep(
    refuses: Refuses, tmp_path: Path, user_files: dict[str, str], mistake: str
) -> None:
    options, wanted = SEEN_BY_A_CHILD[mistake]
    filled = [option.format(**user_files) for option in options]
    refuses(wanted, "run", "--out", tmp_path / "run", *filled)
    assert not (tmp_path / "run").exists()


def test_no_torch_and_no_child_for_a_mistake_that_is_seen_at_once(data_root: Path) -> None:
    code = """
import json, sys
from bench.__main__ import main
for options in json.loads(sys.argv[1]):
    sys.argv = ["fmnist-bench", "run", *options]
    try:
        main()
    except SystemExit as ended:
        assert ended.code == 2, options
for name in ("torch", "pandas"):
    assert name not in sys.modules, name
from multiprocessing import forkserver
assert forkserver._forkserver._forkserver_pid is None
"""
    options = json.dumps([options for options, _ in SEEN_AT_ONCE.values()])
    done = bench(data_root, options, program=("-c", code))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert len(done.stderr.splitlines()) == len(SEEN_AT_ONCE)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["run", "--models", "nope"], "unknown model 'nope'"),
        pytest.param(
            ["run", *CPU, "--models", "raising.py:Net"],
            "raised ValueError at import",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_process_of_its_own_says_the_same(
    data_root: Path, user_files: dict[str, str], options: list[str], wanted: str
) -> None:
    words = [word.replace("raising.py", user_files["raising"]) for word in options]
    done = bench(data_root, *words)
    assert_refused(done, wanted)


def test_a_data_file_that_was_cut_short(refuses: Refuses, data_root: Path, tmp_path: Path) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    shutil.copytree(data_root / "FashionMNIST" / "raw", raw)
    labels = raw / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1])
    wanted = f"{labels}: expected 10,008 bytes"
    refuses(wanted, "run", *CPU, "--data", tmp_path)
    assert labels.stat().st_size == 10_007  # reported, never replaced


@pytest.mark.parametrize(
    ("option", "path", "wanted"),
    [
        ("--data", "file", "{path} is no folder; unpack an archive first, and name the folder"),
        ("--out", "file", "--out {path} is a file"),
        ("--out", "file/run", "cannot write to --out {path}"),
        ("--out", "saved", "already holds 1 saved model; add --resume to go on with them"),
    ],
)
def test_a_folder_that_cannot_be_used(
    refuses: Refuses, tmp_path: Path, option: str, path: str, wanted: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "saved" / "checkpoints").mkdir(parents=True)
    (tmp_path / "saved" / "checkpoints" / "0123456789ab-0-last.pt").touch()
    refuses(wanted.format(path=tmp_path / path), "run", *CPU, option, tmp_path / path)
