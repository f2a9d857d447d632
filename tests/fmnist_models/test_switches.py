"""Process-wide switches: whatever a model's code turns is put back, and told by name."""

import gc
import logging
import multiprocessing
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fmnist_models import build_model
from fmnist_models.users.code import SwitchRecord, kept_randomness, surroundings_of, user_code
from fmnist_models.users.switches import LIBRARY_SWITCHES, SWITCHES

BACKENDS: Any = torch.backends  # whose stubs know only half of it
ALL = SWITCHES + LIBRARY_SWITCHES


def suppress_errors() -> None:
    """Do what torch itself proposes where it cannot compile something."""
    import torch._dynamo.config

    torch._dynamo.config.suppress_errors = True


TURNS: dict[str, list[Callable[[], object]]] = {
    "working directory": [lambda: os.chdir("/")],
    "signal handlers": [lambda: signal.signal(signal.SIGALRM, signal.SIG_IGN)],
    "sys.stdout and sys.stderr": [lambda: setattr(sys, "stderr", None)],
    "warnings": [lambda: warnings.simplefilter("ignore")],
    "gc": [gc.disable, lambda: gc.set_threshold(7)],
    "default_device": [
        lambda: torch.set_default_device("meta"),
        lambda: torch.set_default_device("cpu"),  # which slows every call down
    ],
    "default_dtype": [lambda: torch.set_default_dtype(torch.float64)],
    "num_threads": [lambda: torch.set_num_threads(torch.get_num_threads() + 1)],
    "_dynamo.config.suppress_errors": [suppress_errors],
    "grad mode": [lambda: torch.set_grad_enabled(False)],
    "anomaly detection": [lambda: torch.autograd.set_detect_anomaly(True, check_nan=False)],
    "autocast": [
        lambda: torch.set_autocast_enabled("cpu", True),
        lambda: torch.set_autocast_dtype("cuda", torch.bfloat16),
    ],
    "flush_denormal": [lambda: torch.set_flush_denormal(True)],
    "deterministic_algorithms": [
        lambda: torch.use_deterministic_algorithms(True),
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    ],
    "float32_matmul_precision": [
        lambda: torch.set_float32_matmul_precision("medium"),
        lambda: torch.set_float32_matmul_precision("high"),
        lambda: setattr(BACKENDS.cuda.matmul, "allow_tf32", True),
        lambda: setattr(BACKENDS.cuda.matmul, "fp32_precision", "tf32"),
        lambda: setattr(BACKENDS.mkldnn.matmul, "fp32_precision", "bf16"),
    ],
    "cudnn.allow_tf32": [
        lambda: setattr(BACKENDS.cudnn, "allow_tf32", False),
        lambda: setattr(BACKENDS.cudnn.conv, "fp32_precision", "ieee"),
    ],
    "attention kernels": [lambda: BACKENDS.cuda.enable_flash_sdp(False)],
    "cudnn.enabled": [lambda: setattr(BACKENDS.cudnn, "enabled", False)],
    "cudnn.benchmark": [lambda: setattr(BACKENDS.cudnn, "benchmark", True)],
    "cudnn.deterministic": [lambda: setattr(BACKENDS.cudnn, "deterministic", True)],
    "cuda.matmul.allow_fp16_accumulation": [
        lambda: setattr(BACKENDS.cuda.matmul, "allow_fp16_accumulation", True)
    ],
    "cuda.matmul.allow_fp16_reduced_precision_reduction": [
        lambda: setattr(BACKENDS.cuda.matmul, "allow_fp16_reduced_precision_reduction", False)
    ],
    "cuda.matmul.allow_bf16_reduced_precision_reduction": [
        lambda: setattr(BACKENDS.cuda.matmul, "allow_bf16_reduced_precision_reduction", False)
    ],
    "mkldnn.enabled": [lambda: setattr(BACKENDS.mkldnn, "enabled", False)],
    "mkldnn.deterministic": [lambda: setattr(BACKENDS.mkldnn, "deterministic", True)],
    "environment": [
        lambda: os.environ.update(CUDA_VISIBLE_DEVICES="7"),
        lambda: os.environ.pop("PATH"),
    ],
    "logging": [lambda: logging.disable(logging.CRITICAL), lambda: logging.root.setLevel(1)],
}
LIBRARIES = {switch.name for switch in LIBRARY_SWITCHES}
CASES = [pytest.param(name, turn, id=name) for name, turns in TURNS.items() for turn in turns]


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin with what other tests may have set otherwise, and leave that as it was."""
    record = SwitchRecord(switches=ALL)
    torch.set_float32_matmul_precision("highest")
    BACKENDS.cudnn.allow_tf32 = True
    BACKENDS.cudnn.benchmark = False
    torch.use_deterministic_algorithms(False)
    yield
    record.put_back()
    surroundings_of.cache_clear()


def state() -> list[object]:
    return [switch.read() for switch in ALL]


def test_every_switch_has_a_case() -> None:
    assert list(TURNS) == [switch.name for switch in ALL]


@pytest.mark.parametrize(("name", "turn"), CASES)
def test_what_a_model_turns_is_put_back_and_told(name: str, turn: Callable[[], object]) -> None:
    before = state()
    with user_code("net.py:Net"):
        turn()
        assert state() != before
    assert state() == before
    touched = surroundings_of("net.py:Net").touched
    assert name in touched
    assert touched - {name} <= LIBRARIES  # torch imports its compiler for one of them


def test_code_that_turns_nothing_has_touched_nothing() -> None:
    with user_code("net.py:Net"):
        torch.nn.Linear(3, 4)(torch.zeros(2, 3)).sum().backward()
    assert not surroundings_of("net.py:Net").touched


def test_what_an_import_of_torch_s_compiler_turns_is_no_net_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every file that imports torchvision would be blamed for it."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "before")
    with user_code("net.py:Net"):
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = "after"
        warnings.simplefilter("once", type("OfLibrary", (UserWarning,), {"__module__": "sympy"}))
    assert not surroundings_of("net.py:Net").touched
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "after"


def test_a_script_finds_a_command_line_without_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argparse in a model file would take ours for its own, and exit."""
    monkeypatch.setattr(sys, "argv", ours := ["fmnist-bench", "run", "--models", "nets/net.py:Net"])
    with user_code("nets/net.py:Net"):
        assert sys.argv == ["nets/net.py"]
        sys.argv.append("--mine")
    assert sys.argv is ours


def test_a_script_may_say_how_processes_are_started() -> None:
    """To say so twice is an error, and multiprocessing has said it for our children."""
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method("forkserver", force=True)
    try:
        with user_code("net.py:Net"):
            multiprocessing.set_start_method("spawn")
        assert multiprocessing.get_start_method() == "forkserver"
    finally:
        multiprocessing.set_start_method(before, force=True)


def test_code_that_raises_is_put_back_too() -> None:
    def leaves() -> None:
        torch.set_default_dtype(torch.float64)
        sys.exit(3)

    with pytest.raises(SystemExit), user_code("net.py:Net"):
        leaves()
    assert torch.get_default_dtype() == torch.float32
    assert surroundings_of("net.py:Net").touched == {"default_dtype"}


def test_both_ways_to_set_the_precision_of_products_may_be_mixed() -> None:
    """After newer settings alone torch refuses to read the older one; it is readable again."""
    torch.set_float32_matmul_precision("high")
    before = state()
    with user_code("net.py:Net"):
        torch.set_float32_matmul_precision("medium")
        BACKENDS.fp32_precision = "ieee"
        BACKENDS.mkldnn.matmul.fp32_precision = "tf32"
        BACKENDS.cuda.matmul.fp32_precision = "ieee"
        BACKENDS.cudnn.conv.fp32_precision = "ieee"
        with pytest.raises(RuntimeError):
            torch.get_float32_matmul_precision()
    assert torch.get_float32_matmul_precision() == "high"
    assert BACKENDS.cudnn.allow_tf32
    assert state() == before


def test_a_process_that_mixes_them_itself_can_be_recorded() -> None:
    """As where somebody calls `execute` from a script of theirs."""
    BACKENDS.cuda.matmul.fp32_precision = "tf32"
    before = BACKENDS.mkldnn.matmul.fp32_precision
    with user_code("net.py:Net"):
        torch.set_float32_matmul_precision("medium")
    assert BACKENDS.cuda.matmul.fp32_precision == "tf32"
    assert BACKENDS.mkldnn.matmul.fp32_precision == before


def test_a_working_directory_that_was_removed(tmp_path: Path) -> None:
    """Before: nothing to go back to. In between: back to where we were."""
    folder, here = tmp_path / "folder", Path.cwd()
    with user_code("net.py:Net"):
        folder.mkdir()
        os.chdir(folder)
        folder.rmdir()
    assert Path.cwd() == here
    folder.mkdir()
    os.chdir(folder)
    folder.rmdir()
    with user_code("net.py:Net"):
        os.chdir(tmp_path)
    assert Path.cwd() == tmp_path


def test_folder_and_variables_of_a_file_are_those_of_its_constructor(tmp_path: Path) -> None:
    """A file that goes to its own folder does so because its constructor opens files there."""
    with user_code("net.py:Net"):  # the import
        os.chdir(tmp_path)
        os.environ["NET_WIDTH"] = "8"
        del os.environ["PATH"]
    here, path = Path.cwd(), os.environ["PATH"]
    os.environ["OURS"] = "1"
    for _ in range(2):  # the constructor, for each seed
        with user_code("net.py:Net"):
            assert Path.cwd() == tmp_path
            assert os.environ["NET_WIDTH"] == "8"
            assert os.environ["OURS"] == "1"
            assert "PATH" not in os.environ
        assert Path.cwd() == here
        assert "NET_WIDTH" not in os.environ
        assert os.environ["PATH"] == path
    with user_code("other.py:Net"):
        assert Path.cwd() == here


def test_warnings_that_were_silenced_are_shown_again() -> None:
    """Python remembers which filter a warning met."""
    warnings.simplefilter("error")
    with user_code("net.py:Net"):
        warnings.simplefilter("ignore")
        warnings.warn("hush", stacklevel=1)
    with pytest.raises(UserWarning, match="hush"):
        warnings.warn("hush", stacklevel=1)


def test_random_states_are_put_back() -> None:
    with kept_randomness():
        first = torch.rand(1).item(), np.random.rand(), random.random()
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)
    with kept_randomness():
        assert (torch.rand(1).item(), np.random.rand(), random.random()) == first


CHANGES_FOLDER = """
import os
from torch import nn

os.chdir(os.environ["ELSEWHERE"])

def net():
    with open("width.txt") as file:
        width = int(file.read())
    return nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.Linear(width, 10))
"""


def test_a_file_that_goes_elsewhere_is_built_again_by_its_relative_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the second seed the file itself was looked for where it had gone to."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "width.txt").write_text("7", encoding="utf-8")
    (tmp_path / "net.py").write_text(CHANGES_FOLDER, encoding="utf-8")
    monkeypatch.setenv("ELSEWHERE", str(elsewhere))
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        model = build_model("net.py:net")
        assert model.get_submodule("1").out_features == 7
        assert Path.cwd() == tmp_path
    assert surroundings_of("net.py:net").touched == {"working directory"}
