"""`--deterministic` gives every architecture the same records twice, compiled steps too."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import Budget, Plan, RunSpec
from bench.machine.device import prepare_determinism, prepare_process
from bench.run.runner import execute_seeds
from bench.spec.named_recipes import DEFAULT
from results import RunStore
from tests.command_line import CPU, Running, read_lines, timeless
from tests.tiers import slow_but

SMALL = ("--seeds", "1", "--set", "batch_size=32", "--in-process")
FEW_IMAGES = ("-m", "tests.freeze.few_images")  # else evaluation is most of the time
CASES = {  # models, plan, steps; several threads fight over busy cores, so small nets have them
    "eager": ("all", "channels_last,threads:1", "2steps"),
    "more than an epoch": ("v2,resnet8", "channels_last", "12steps"),
    "compiled": ("v0,v2", "step:3,threads:1", "12steps"),
    "compiled, deep": ("resnet8", "step:3,threads:1", "12steps"),
}


def test_cublas_is_told_before_the_device_works(
    monkeypatch: pytest.MonkeyPatch, switches: None
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    prepare_determinism(spec("eager", is_deterministic=False))
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    prepare_determinism(spec("eager", is_deterministic=True))
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("is_deterministic", [True, False])
def test_a_compiler_times_no_kernels_where_the_same_is_wanted_twice(
    switches: None, is_deterministic: bool
) -> None:
    import torch._inductor.config as inductor

    prepare_process(spec("step", is_deterministic=is_deterministic), torch.device("cpu"))
    assert inductor.deterministic is is_deterministic


@pytest.fixture
def switches() -> Iterator[None]:
    """Puts back what concerns the whole process."""
    import torch._inductor.config as inductor

    yield
    torch.use_deterministic_algorithms(False)
    inductor.deterministic = False


def spec(plan: str, *, is_deterministic: bool) -> RunSpec:
    budget, given = Budget.parse("1steps"), Plan.parse(plan)
    return RunSpec(
        model="v0", recipe=DEFAULT, budget=budget, plan=given, is_deterministic=is_deterministic
    )


@pytest.mark.parametrize("case", slow_but((), CASES, nightly=("compiled, deep",)))
def test_every_architecture_gives_the_same_twice(
    data_root: Path, tmp_path: Path, case: str
) -> None:
    models, plan, budget = CASES[case]
    options = ("--models", models, "--plan", plan, "--budget", budget, "--deterministic")
    folders = [tmp_path / "once", tmp_path / "again"]
    for folder in folders:
        out = ("--out", str(folder))
        running = Running.start(
            data_root, tmp_path, "run", *options, *SMALL, *CPU, *out, program=FEW_IMAGES
        )
        assert running.end(limit_s=3600.0).returncode == 0
    once, again = map(read_lines, folders)
    assert [record["status"] for record in once] == ["ok"] * len(once)
    assert list(map(timeless, once)) == list(map(timeless, again))
    one, other = map(RunStore, folders)
    for first, second in zip(one.read(), other.read(), strict=True):
        losses = one.load_samples(first)["loss"]
        assert np.array_equal(losses, other.load_samples(second)["loss"]), first.spec["model"]


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("models", "plan"),  # each new compilation takes seconds
    [("v0,v2,resnet8", "channels_last"), ("v2", "compile"), ("v2", "step"), ("resnet8", "graph:4")],
)
def test_a_gpu_gives_the_same_twice(
    data_root: Path, switches: None, models: str, plan: str
) -> None:
    small = replace(DEFAULT, precision="bf16", learning_rate=1e-3, validation_fraction=0.01)
    budget = Budget.parse("20steps")
    for model in models.split(","):
        wanted = RunSpec(
            model=model,
            recipe=small,
            budget=budget,
            plan=Plan.parse(plan),
            is_deterministic=True,
        )
        one, other = (
            next(execute_seeds(wanted, [0], device="cuda:0", data=data_root)) for _ in range(2)
        )
        assert (one.record.status, one.record.reason) == ("ok", None)
        assert np.array_equal(one.samples["loss"], other.samples["loss"])
        assert one.record.confusion == other.record.confusion
