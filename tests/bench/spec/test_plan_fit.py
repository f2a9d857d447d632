"""Which plans are refused for a recipe; every optimizer has a rule or is known to have none."""

from dataclasses import replace

import pytest

from bench import Budget, Plan, Recipe, RunSpec, UsageError
from bench.engine.optimizer import update_rule
from bench.ladder.rungs import RungSpec, list_rungs
from bench.spec.plan import ASKS_THE_HOST, WITHOUT_RULE, why_not
from bench.spec.recipe import CHOICES
from tests.bench.train.training_by_hand import RECIPE, small_net

MUON = replace(RECIPE, optimizer="muon")
FP16 = replace(RECIPE, precision="fp16")
RMSPROP_FP16 = replace(FP16, optimizer="rmsprop")
CYCLED = replace(RECIPE, momentum=0.9, base_momentum=0.8, schedule="one_cycle")
EAGER, COMPILE, STEP, GRAPH = map(Plan.parse, ("eager", "compile", "step:5", "graph:4"))
BOTH = Plan.parse("step,graph:4")


@pytest.mark.parametrize(
    ("recipe", "step", "graph"),
    [
        (RECIPE, None, None),
        (replace(RECIPE, precision="bf16"), None, None),
        (replace(RECIPE, optimizer="rmsprop"), None, None),
        (FP16, "gradient scaler", None),
        (RMSPROP_FP16, "gradient scaler", "as fp16 may need"),
        (MUON, "optimizer muon", "optimizer muon"),
        (CYCLED, "base_momentum", "base_momentum"),
    ],
    ids=["sgd", "bf16", "rmsprop", "fp16", "rmsprop in fp16", "muon", "cycled momentum"],
)
def test_what_compiled_steps_and_graphs_cannot_do(
    recipe: Recipe, step: str | None, graph: str | None
) -> None:
    assert why_not(EAGER, recipe) is None
    assert why_not(COMPILE, recipe) is None
    for plan, expected in ((STEP, step), (GRAPH, graph), (BOTH, step or graph)):
        reason = why_not(plan, recipe)
        assert (reason is None) == (expected is None)
        if reason and expected:
            assert expected in reason
            assert "; use " in reason or "; leave " in reason  # the remedy, on the same line
            assert "\n" not in reason


@pytest.mark.parametrize("plan", [STEP, GRAPH, BOTH])
def test_a_run_that_cannot_be_is_refused_with_that_line(plan: Plan) -> None:
    with pytest.raises(UsageError) as caught:
        RunSpec(model="v2", recipe=MUON, budget=Budget(3, "epochs"), plan=plan)
    assert str(caught.value) == why_not(plan, MUON)


def test_the_rungs_of_a_ladder_that_cannot_be_say_why() -> None:
    spec = RunSpec(model="v2", recipe=MUON, budget=Budget(3, "epochs"))
    rungs = [
        RungSpec.settle(spec, rung, index)
        for index, rung in enumerate(list_rungs("cuda", has_convolutions=True))
    ]
    refusals = {rung.rung.name: rung.refusal for rung in rungs if rung.refusal}
    assert set(refusals) == {"step", "step + amp", "graph", "graph + amp"}
    assert set(refusals.values()) == {why_not(STEP, MUON)}


def test_every_optimizer_has_a_rule_or_is_known_to_have_none() -> None:
    for optimizer in CHOICES["optimizer"]:
        recipe = replace(RECIPE, optimizer=optimizer)
        if optimizer in WITHOUT_RULE:
            with pytest.raises(KeyError):
                update_rule(recipe)
        else:
            assert callable(update_rule(recipe).apply)


def test_what_asks_the_host_in_fp16_is_what_torch_has_no_fused_kernel_for() -> None:
    from bench.engine.optimizer import make_optimizer

    unfused = {
        optimizer
        for optimizer in CHOICES["optimizer"]
        if not getattr(
            make_optimizer(replace(RECIPE, optimizer=optimizer), small_net()),
            "_step_supports_amp_scaling",
            False,
        )
    }
    assert unfused == ASKS_THE_HOST | WITHOUT_RULE
