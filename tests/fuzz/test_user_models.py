"""Users' model files that cannot be trained: the check before a sweep refuses each in one line."""

from pathlib import Path

import pytest

from bench.errors import short_line
from bench.spec.named_recipes import DEFAULT
from bench.sweep.tryout import Tryout, try_here
from fmnist_models import ModelError
from tests.command_line import CPU, REPOSITORY, assert_refused, call
from tests.fuzz.fuzzing import assert_one_line, no_hang

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(784, 10)
    def forward(self, images):
        return self.last(images.flatten(1))
"""
ANSWER = "return self.last(images.flatten(1))"


def answering(text: str) -> str:
    return NET.replace(ANSWER, text)


def with_method(text: str) -> str:
    return f"{NET}    def {text}\n"


WRONG: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "defines no 'Net'"),
    "UTF-16": ("x = 1".encode("utf-16"), "null bytes"),
    "latin-1": ("x = '\xe9'".encode("latin-1"), "SyntaxError"),
    "NUL": (b"x = 1\0", "null bytes"),
    "recursion": ("def f(): f()\nf()", "raised RecursionError at import"),
    "long message": ("raise ValueError('x' * 10**6)", "raised ValueError at import: xxx"),
    "colour": ("raise ValueError('\\x1b[31mred')", "raised ValueError at import: red"),
    "BaseException": ("raise BaseException('b')", "raised BaseException at import: b"),
    "GeneratorExit": ("raise GeneratorExit", "raised GeneratorExit at import: no message"),
    "no words": (
        "class E(Exception):\n    def __str__(self): return 3\nraise E",
        "raised E at import: no message (line 3)",
    ),
    "__getattr__": (
        "def __getattr__(name): raise ValueError(name)",
        "has no 'Net': ValueError: Net (line 1)",
    ),
    "endless": (NET.replace("self.last = nn.Linear(784, 10)", "Net()"), "RecursionError"),
    "exit in it": (NET.replace("super().__init__()", "raise SystemExit(0)"), "SystemExit: 0"),
    "no answer": (answering("return None"), "into a NoneType; it must return logits (2, 10)"),
    "whole numbers": (answering(f"{ANSWER}.long()"), "must return floating-point logits"),
    "exit in forward": (
        answering("raise SystemExit(0)"),
        "fails on images (2, 1, 28, 28): SystemExit",
    ),
    "base in forward": (answering("raise GeneratorExit"), "GeneratorExit: no message"),
    "endless forward": (answering("return self(images)"), "RecursionError"),
    "no eval": (with_method("eval(self): raise ValueError('no eval')"), "ValueError: no eval"),
    "no train": (
        with_method("train(self, mode=True):\n        if mode: raise ValueError('no train')"),
        "fails in a training step",
    ),
    "no parameter": (
        "from torch import nn\nclass Net(nn.Module):\n"
        "    def forward(self, images): return images.flatten(1)[:, :10]",
        "has no parameter to train",
    ),
    "all frozen": (
        NET + "First = Net\ndef Net(): return First().requires_grad_(False)",
        "no parameter",
    ),
    "meta": (NET + "First = Net\ndef Net(): return First().to('meta')", "fails on images"),
    "half": (NET + "First = Net\ndef Net(): return First().half()", "fails on images"),
    "size of no image": (NET + "Net.input_size = True", "it must be 1 to 2048 pixels"),
    "enormous": (NET + "Net.input_size = 10**9", "it must be 1 to 2048 pixels"),
    "size that fails": (
        NET + "class Kind(type):\n    input_size = property(lambda kind: 1 / 0)\n"
        "class Net(Net, metaclass=Kind): pass",
        "has no input_size: ZeroDivisionError",
    ),
}
RIGHT: dict[str, str | bytes] = {
    "as it is": NET,
    "byte order mark": b"\xef\xbb\xbf" + NET.encode(),
    "that prints": NET + "print('hello')",
    "that forgets itself": "import sys\nsys.modules.pop(__name__)\n" + NET,
    "lazy": "from torch import nn\n"
    "def Net(): return nn.Sequential(nn.Flatten(), nn.LazyLinear(10))",
}


def job_of(path: Path, text: str | bytes) -> Tryout:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Tryout(f"{path}:Net", (DEFAULT,), "contiguous", None)


@pytest.mark.parametrize("fault", WRONG)
def test_a_model_file_that_is_refused(tmp_path: Path, fault: str) -> None:
    text, wanted = WRONG[fault]
    with no_hang(), pytest.raises(ModelError) as refused:
        try_here(job_of(tmp_path / "net.py", text))
    line = short_line(refused.value)
    assert_one_line(line)
    assert wanted in line


@pytest.mark.parametrize("kind", RIGHT)
def test_a_model_file_that_is_accepted(tmp_path: Path, kind: str) -> None:
    assert try_here(job_of(tmp_path / "net.py", RIGHT[kind])) == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("raise KeyboardInterrupt", "net.py:Net raises KeyboardInterrupt; mend it, or leave it"),
        (answering("raise SystemExit(0)"), "SystemExit: 0"),
    ],
)
def test_a_child_that_checks_it_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    data_root: Path,
    text: str,
    wanted: str,
) -> None:
    monkeypatch.chdir(REPOSITORY)
    path = tmp_path / "net.py"
    path.write_text(text)
    finished = call(monkeypatch, capfd, data_root, "run", *CPU, "--models", f"{path}:Net")
    assert_refused(finished, wanted)
