"""The counts of every model are those of tests/counts.toml, and what gets worse is named.

A difference that is meant is taken into the file by `make counts`.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import Tensor, nn

from bench import Plan
from bench.counts import check as counts
from bench.counts.baseline import FILE as COUNTS
from bench.counts.baseline import Baseline, Rows, differences, stack_of, without_stack
from bench.counts.check import count_all, unavailable
from bench.counts.count import count_epoch, count_graphs, count_net
from bench.shell import run_main
from fmnist_models import build_model
from tests.command_line import REPOSITORY

FILE = REPOSITORY / COUNTS
REMEDY = "if that is meant, `make counts` renews tests/counts.toml"
COMPILE = Plan(mode="compile", threads=1)


@pytest.fixture(scope="module")
def found() -> Rows:
    """All counts of this commit, taken once."""
    return count_all()


@pytest.mark.slow
def test_no_count_differs(found: Rows) -> None:
    baseline, stack, missing = Baseline.read(FILE), stack_of("cpu"), unavailable()
    expected = {k: v for k, v in baseline.rows_for(stack).items() if k not in missing}
    comparable = found if stack in baseline.stacks else without_stack(found)
    lines = list(differences(expected, comparable))
    assert not lines, "\n".join(["", *(f"{line}; {REMEDY}" for line in lines)])


def counted(name: str) -> dict[str, int]:
    return count_net(build_model(name), 28)


def test_a_convolution_more_is_named() -> None:
    before = counted("v2")
    larger = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), build_model("v2"))
    lines = list(differences({"v2": before}, {"v2": count_net(larger, 28)}))
    parameters = before["parameters"]
    assert lines[0] == f"v2: parameters {parameters + 10:,}, was {parameters:,}"
    words = [line.split(": ")[1].rsplit(" ", 3)[0] for line in lines]
    assert words == [
        *("parameters", "trainable parameters"),
        *("FLOPs a step", "operators a step", "peak bytes of a step"),
    ]


def test_a_frozen_layer_is_named() -> None:
    model = build_model("v2")
    for parameter in list(model.parameters())[:2]:
        parameter.requires_grad_(False)
    lines = list(differences({"v2": counted("v2")}, {"v2": count_net(model, 28)}))
    assert lines[0].startswith("v2: trainable parameters ")
    assert any(line.startswith("v2: FLOPs a step ") for line in lines)


class Changed(nn.Module):
    """V0 whose logits something is done to, or with."""

    def __init__(self, change: Callable[["Changed", Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.net = build_model("v0")
        self.change = change
        self.kept: list[Tensor] = []
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, 28, 28) -> (B, 10)."""
        return self.change(self, images, self.net(images))


def leak(net: Changed, _images: Tensor, logits: Tensor) -> Tensor:
    net.kept.append(logits)
    return logits


def sort(net: Changed, images: Tensor, logits: Tensor) -> Tensor:
    """Look closer at those images that are bright in one pixel, however many these are."""
    closer: Tensor = net.net(images[images[:, 0, 14, 14] > 0.5])
    return logits + closer.sum(0)


def count_calls(net: Changed, _images: Tensor, logits: Tensor) -> Tensor:
    """Make the number of calls a part of the graph."""
    net.calls += 1
    return logits * (1 + net.calls)


def test_a_leak_is_named() -> None:
    lines = list(differences({"v0": counted("v0")}, {"v0": count_net(Changed(leak), 28)}))
    # the logits, and what their history holds: the more images a step, the more
    (kept,) = [line for line in lines if "bytes kept from step to step" in line]
    match = re.search(r"step to step ([\d,]+), was 0$", kept)
    assert match
    assert int(match[1].replace(",", "")) >= 8 * 10 * 4


@pytest.mark.slow
@pytest.mark.parametrize(("change", "breaks"), [(sort, True), (count_calls, False)])
def test_a_recompilation_is_named(
    change: Callable[[Changed, Tensor, Tensor], Tensor], breaks: bool, found: Rows
) -> None:
    row = "v0, plan compile"
    lines = list(differences({row: found[row]}, {row: count_graphs(Changed(change), 28, COMPILE)}))
    assert any(
        line.startswith(f"{row}: graphs compiled in the second epoch ") and line.endswith(", was 0")
        for line in lines
    )
    assert any(line.startswith(f"{row}: graph breaks ") for line in lines) == breaks


def test_an_epoch_without_its_ragged_batch_is_named() -> None:
    row = "epoch, ragged batch kept"
    kept, dropped = ({row: count_epoch(drop_last=drops)} for drops in (False, True))
    lines = list(differences(kept, dropped))
    assert lines[:2] == [
        f"{row}: images in an epoch 896, was 1,000",
        f"{row}: steps in an epoch 7, was 8",
    ]


Run = Callable[..., tuple[int, list[str]]]
HAND: Rows = {"v0": {"parameters": 5, "operators": 50}}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of one model's counts on this stack, which are what is counted too."""
    monkeypatch.setattr(counts, "count_all", lambda _device: HAND)
    path = tmp_path / "counts.toml"
    path.write_text(Baseline().renewed(HAND, stack_of("cpu")).as_toml(), encoding="utf-8")
    return path


@pytest.fixture
def run(file: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command over the file; its exit code, and its lines but for the first of stderr."""

    def run(*arguments: str) -> tuple[int, list[str]]:
        code = run_main(counts.main, "bench.counts", ["--file", str(file), *arguments])
        told = capsys.readouterr()
        errors = told.err.replace("counting, about half a minute\n", "")
        return code, f"{told.out}{errors}".splitlines()

    return run


def test_the_command_is_silent_about_what_is_as_it_was(run: Run) -> None:
    assert run() == (0, [f"1 row on {stack_of('cpu')}, 0 differences"])


def test_the_command_ends_with_1_on_a_difference_and_renews_it(
    file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "count_all", lambda _device: {"v0": HAND["v0"] | {"operators": 52}})
    line, summary = "v0: operators a step 52, was 50", f"1 row on {stack_of('cpu')}, 1 difference"
    assert run() == (1, [f"{line}; if that is meant, `make counts` renews {file}", summary])
    assert run("--renew") == (0, [line, summary])
    assert run()[0] == 0


def test_the_command_says_what_it_cannot_compare(file: Path, run: Run) -> None:
    file.write_text(Baseline().renewed(HAND, "torch 1.0 on cpu").as_toml(), encoding="utf-8")
    code, lines = run()
    assert code == 0
    assert lines[0].startswith("not compared: operators, peak bytes and graphs, for ")
    assert stack_of("cpu") in lines[0]


def test_without_a_compiler_whole_steps_are_left_out_and_the_file_is_not_renewed(
    file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = "v0, plan step:2"
    baseline = Baseline().renewed(HAND | {row: {"graphs": 3}}, stack_of("cpu"))
    file.write_text(baseline.as_toml(), encoding="utf-8")
    monkeypatch.setattr(counts, "find_compiler", lambda: None)
    code, lines = run()
    assert code == 0
    assert lines[0].startswith(f"not compared: {row}, for there is no C++ compiler")
    assert run("--renew")[0] == 2
    assert Baseline.read(file) == baseline


def test_mistakes_are_one_line_each(file: Path, run: Run) -> None:
    code, lines = run("--device", "abacus")
    assert (code, len(lines)) == (2, 1)
    assert "unknown device 'abacus'" in lines[0]
    file.unlink()
    code, lines = run()
    assert (code, len(lines)) == (2, 1)
    assert "No such file" in lines[0]


def test_the_committed_file_is_what_renewing_would_write() -> None:
    assert FILE.read_text(encoding="utf-8") == Baseline.read(FILE).as_toml()
