"""Which rungs a ladder has: by model, device, precision and compiler."""

from dataclasses import replace

import pytest

from bench import Budget, Plan
from bench.ladder.rungs import Rung, RungSpec, list_rungs
from bench.machine.compilers import NO_COMPILER
from tests.bench.ladder.ladder_by_hand import SPEC


def table(
    device_kind: str,
    precision: str = "auto",
    *,
    has_bf16: bool = True,
    has_convolutions: bool = True,
) -> dict[str, tuple[str | None, str]]:
    rungs = list_rungs(device_kind, precision, has_bf16=has_bf16, has_convolutions=has_convolutions)
    assert len({rung.name for rung in rungs}) == len(rungs)
    assert all(rung.adds for rung in rungs)
    return {rung.name: (rung.plan, rung.precision) for rung in rungs}


def test_the_rungs_of_a_convolutional_net_on_a_cpu() -> None:
    assert table("cpu") == {
        "dataloader": ("dataloader", "fp32"),
        "resident": ("resident", "fp32"),
        "channels_last": ("channels_last", "fp32"),
        "amp": ("channels_last", "bf16"),
        "compile": ("channels_last,compile", "fp32"),
        "compile + amp": ("channels_last,compile", "bf16"),
        "step": ("channels_last,step", "fp32"),
        "step + amp": ("channels_last,step", "bf16"),
        "auto": (None, "fp32"),
    }


def test_a_net_that_cannot_have_channels_last_climbs_on_without() -> None:
    reason = "the net does not take channels_last"
    rungs = list_rungs("cpu", has_bf16=True, has_convolutions=True, no_nhwc=reason)
    assert {rung.name: rung.plan for rung in rungs} == {
        "dataloader": "dataloader",
        "resident": "resident",
        "channels_last": "channels_last",
        "amp": "resident",
        "compile": "compile",
        "compile + amp": "compile",
        "step": "step",
        "step + amp": "step",
        "auto": None,
    }
    settled = [settle(rung) for rung in rungs]
    refused = {one.rung.name: one.refusal for one in settled if one.refusal}
    assert refused == {"channels_last": reason}


def test_a_linear_net_on_a_cpu_has_several_steps_a_call_and_one_thread() -> None:
    assert table("cpu", has_convolutions=False) == {
        "dataloader": ("dataloader", "fp32"),
        "resident": ("resident", "fp32"),
        "amp": ("resident", "bf16"),
        "compile": ("compile", "fp32"),
        "compile + amp": ("compile", "bf16"),
        "step": ("step:5", "fp32"),
        "step + amp": ("step:5", "bf16"),
        "one thread": ("step:5,threads:1", "fp32"),
        "auto": (None, "fp32"),
    }


def test_a_gpu_adds_graphs_and_its_auto_is_in_bf16() -> None:
    assert list(table("cuda", has_bf16=False).items())[-3:] == [
        ("graph", ("channels_last,step,graph:8", "fp32")),
        ("graph + amp", ("channels_last,step,graph:8", "bf16")),
        ("auto", (None, "bf16")),
    ]
    assert table("cuda", has_convolutions=False)["graph"] == ("step,graph:8", "fp32")


@pytest.mark.parametrize(("precision", "has_bf16"), [("auto", False), ("bf16", True)])
def test_without_bf16_or_with_a_precision_there_are_no_mixed_rungs(
    precision: str, has_bf16: bool
) -> None:
    rungs = table("cpu", precision, has_bf16=has_bf16)
    assert not [name for name in rungs if "amp" in name]
    expected = "fp32" if precision == "auto" else precision
    assert {precision for _, precision in rungs.values()} == {expected}


def settle(rung: Rung, *, no_compiler: str | None = None) -> RungSpec:
    return RungSpec.settle(SPEC, rung, 4, no_compiler=no_compiler)


def test_a_rung_runs_its_own_plan_and_precision() -> None:
    rung = settle(Rung("amp", "channels_last", "bf16", "bf16 autocast"))
    assert (rung.spec.plan, rung.refusal) == (Plan(memory_format="channels_last"), None)
    plain = rung.as_plain(None)
    own = {"rung": "amp", "rung_index": 4, "rung_adds": "bf16 autocast", "is_compiled": False}
    plan = {"plan": "resident,channels_last,eager", "requested_plan": "ladder"}
    assert (own | plan | {"precision": "bf16"}).items() <= plain.items()
    assert plain["recipe"]["precision"] == "bf16"


def test_auto_is_compiled_where_it_came_to_a_compiled_plan() -> None:
    rung = settle(Rung("auto", None, "fp32", ""))
    assert rung.spec.plan is None
    unsettled = rung.as_plain(None)
    assert (unsettled["plan"], unsettled["is_compiled"]) == ("auto", False)
    assert rung.as_plain(Plan(mode="compile"))["is_compiled"]
    assert rung.as_plain(Plan(graph_steps=8))["is_compiled"]


def test_a_precision_without_a_place_in_a_plan_is_refused_and_no_error() -> None:
    rung = settle(Rung("step", "step", "fp16", ""))
    assert str(rung.refusal).startswith("plan step has no place for the gradient scaler")
    plain = rung.as_plain(None)
    assert (plain["plan"], plain["is_compiled"]) == ("resident,contiguous,step", True)


def test_without_a_compiler_compiled_rungs_name_the_remedy() -> None:
    refusals = [
        settle(Rung(plan, plan, "fp32", ""), no_compiler=NO_COMPILER).refusal
        for plan in ("compile", "resident")
    ]
    assert refusals == [NO_COMPILER, None]


def test_every_rung_of_a_model_is_a_configuration_of_its_own() -> None:
    rungs = [settle(rung) for rung in list_rungs("cpu", has_bf16=True, has_convolutions=True)]
    ids = {rung.config_id for rung in rungs}
    assert len(ids) == len(rungs)
    assert SPEC.config_id not in ids
    other = replace(SPEC, budget=Budget(4, "epochs"))
    again = RungSpec.settle(other, rungs[0].rung, 0)
    assert again.config_id not in ids
