"""The counts of every model are those of tests/counts.toml, and what gets worse is named.

A difference that is meant is taken into the file by `make counts`.
"""

from pathlib import Path

import pytest
from torch import Tensor, nn

from bench import Plan
from bench.counts import check as counts
from bench.counts.baseline import FILE as COUNTS
from bench.counts.baseline import Baseline, Rows, differences, stack_of, without_stack
from bench.counts.check import count_all, notes, unavailable
from bench.counts.count import count_epoch, count_graphs, count_net
from bench.shell import run_main
from fmnist_models import build_model, list_models, model_info
from tests.command_line import REPOSITORY

FILE = REPOSITORY / COUNTS
REMEDY = "if that is meant, `make counts` renews tests/counts.toml"
COMPILE = Plan(mode="compile", threads=1)


@pytest.fixture(scope="module")
def found() -> Rows:
    """All counts of this commit, taken once."""
    return count_all()


def assert_none(lines: list[str]) -> None:
    assert not lines, "\n".join(["", *(f"{line}; {REMEDY}" for line in lines)])


@pytest.mark.slow
def test_counts_that_are_the_same_everywhere(found: Rows) -> None:
    expected = without_stack(Baseline.read(FILE).rows_for(""))
    assert_none(list(differences(expected, without_stack(found))))


@pytest.mark.slow
def test_counts_of_this_version_of_torch(found: Rows) -> None:
    baseline, stack = Baseline.read(FILE), stack_of("cpu")
    if stack not in baseline.stacks:
        pytest.skip(next(notes(baseline, stack, COUNTS)))
    missing = unavailable()
    expected = {k: v for k, v in baseline.rows_for(stack).items() if k not in missing}
    assert_none(list(differences(expected, found)))


@pytest.mark.slow
def test_every_shipped_model_has_its_row(found: Rows) -> None:
    baseline = Baseline.read(FILE)
    shipped = [name for name in list_models() if model_info(name).source != "user"]
    assert list(baseline.portable)[: len(shipped)] == shipped
    assert list(found)[: len(shipped)] == shipped


def counted(name: str) -> dict[str, int]:
    return count_net(build_model(name), 28)


def one_more_convolution(name: str) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), build_model(name))


def test_a_convolution_more_is_named() -> None:
    name = "v2"
    before = counted(name)
    lines = list(differences({name: before}, {name: count_net(one_more_convolution(name), 28)}))
    parameters = before["parameters"]
    assert lines[0] == f"{name}: parameters {parameters + 10:,}, was {parameters:,}"
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
    """V0 with something added to its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.net = build_model("v0")
        self.kept: list[Tensor] = []
        self.calls = 0


class Leaky(Changed):
    """Keeps its last maps of every step."""

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, 28, 28) -> (B, 10)."""
        logits: Tensor = self.net(images)
        self.kept.append(logits)
        return logits


class Sorting(Changed):
    """Looks closer at those images that are bright in one pixel, however many these are."""

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, 28, 28) -> (B, 10)."""
        bright = images[images[:, 0, 14, 14] > 0.5]
        logits: Tensor = self.net(images)
        closer: Tensor = self.net(bright)
        return logits + closer.sum(0)


class Counting(Changed):
    """Counts its calls in a number that is part of the graph."""

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, 28, 28) -> (B, 10)."""
        self.calls += 1
        logits: Tensor = self.net(images)
        return logits * (1 + self.calls)


def test_a_leak_is_named() -> None:
    lines = list(differences({"v0": counted("v0")}, {"v0": count_net(Leaky(), 28)}))
    # the logits, and what their history holds: the more images a step, the more
    kept = [line for line in lines if "bytes kept from step to step" in line]
    assert len(kept) == 1
    assert kept[0].endswith(", was 0")
    assert int(kept[0].split("step to step ")[1].split(", was")[0].replace(",", "")) >= 8 * 10 * 4


@pytest.mark.slow
@pytest.mark.parametrize(("net", "breaks"), [(Sorting, True), (Counting, False)])
def test_a_recompilation_is_named(net: type[Changed], breaks: bool, found: Rows) -> None:
    row = "v0, plan compile"
    lines = list(differences({row: found[row]}, {row: count_graphs(net(), 28, COMPILE)}))
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


HAND: Rows = {"v0": {"parameters": 5, "operators": 50}}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of one model's counts on this stack, which are what is counted too."""
    monkeypatch.setattr(counts, "count_all", lambda _device: HAND)
    path = tmp_path / "counts.toml"
    path.write_text(Baseline().renewed(HAND, stack_of("cpu")).as_toml(), encoding="utf-8")
    return path


def run(*arguments: str) -> int:
    return run_main(counts.main, "bench.counts", list(arguments))


def test_the_command_is_silent_about_what_is_as_it_was(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--file", str(file)) == 0
    assert capsys.readouterr().out == f"1 row on {stack_of('cpu')}, 0 differences\n"


def test_the_command_ends_with_1_on_a_difference_and_renews_it(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "count_all", lambda _device: {"v0": HAND["v0"] | {"operators": 52}})
    assert run("--file", str(file)) == 1
    line = capsys.readouterr().out.splitlines()[0]
    assert line == f"v0: operators a step 52, was 50; if that is meant, `make counts` renews {file}"
    assert run("--renew", "--file", str(file)) == 0
    assert capsys.readouterr().out.splitlines()[0] == "v0: operators a step 52, was 50"
    assert run("--file", str(file)) == 0


def test_the_command_says_what_it_cannot_compare(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = Baseline().renewed(HAND, "torch 1.0 on cpu")
    file.write_text(baseline.as_toml(), encoding="utf-8")
    assert run("--file", str(file)) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("not compared: operators, peak bytes and graphs, for ")
    assert stack_of("cpu") in line


def test_without_a_compiler_whole_steps_are_left_out_and_the_file_is_not_renewed(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = "v0, plan step:2"
    baseline = Baseline().renewed(HAND | {row: {"graphs": 3}}, stack_of("cpu"))
    file.write_text(baseline.as_toml(), encoding="utf-8")
    monkeypatch.setattr(counts, "find_compiler", lambda: None)
    assert run("--file", str(file)) == 0
    assert capsys.readouterr().out.startswith(f"not compared: {row}, for there is no C++ compiler")
    assert run("--renew", "--file", str(file)) == 2
    assert Baseline.read(file) == baseline


def test_mistakes_are_one_line_each(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--file", str(file.with_name("none.toml"))) == 2
    assert run("--file", str(file), "--device", "abacus") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "No such file" in lines[0]
    assert "unknown device 'abacus'" in lines[1]


def test_the_committed_file_is_what_renewing_would_write() -> None:
    assert FILE.read_text(encoding="utf-8") == Baseline.read(FILE).as_toml()
