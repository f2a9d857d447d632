"""A net with auxiliary heads trains on its main logits, and leaves the other heads alone."""

import pytest
import torch
from torch import Tensor

from bench import Plan, Recipe
from bench.engine.optimizer import make_optimizer
from bench.engine.whole_step import WholeStep
from bench.train.evaluation import evaluate
from tests.bench.train.training_by_hand import (
    OPTIMIZERS,
    engine_of,
    feed_of,
    flat_state,
    random_split,
    some_batches,
)
from tests.fmnist_models.nets_by_hand import TwoHeads

RATES = [0.1, 0.05, 0.02]

pytestmark = pytest.mark.usefixtures("one_thread")


def trained_eagerly(recipe: Recipe, plan: str = "eager") -> tuple[TwoHeads, Tensor]:
    model = TwoHeads().double()
    return model, engine_of(model, recipe, Plan.parse(plan)).run(some_batches(3), RATES)


def trained_as_traced(recipe: Recipe) -> tuple[TwoHeads, Tensor]:
    """By the function that plan `step` compiles, called as it is."""
    model = TwoHeads().double()
    feed = feed_of(recipe, dtype=torch.float64)
    whole, losses = WholeStep(model, recipe, make_optimizer(recipe, model), feed, {}), []
    with torch.no_grad():
        for index, rate in zip(some_batches(3), RATES, strict=True):
            batch = feed.batch(index)
            losses.append(whole.step(whole.state, *batch, torch.tensor(rate, dtype=torch.float64)))
    return model, torch.stack(losses)


@pytest.mark.parametrize("recipe", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_head_without_gradient_is_left_alone_by_step_as_by_eager(recipe: Recipe) -> None:
    eager, losses = trained_eagerly(recipe)
    traced, its_losses = trained_as_traced(recipe)
    assert torch.equal(eager.head.weight, TwoHeads().double().head.weight)  # no weight decay
    assert torch.allclose(its_losses, losses, rtol=1e-12)
    assert torch.allclose(flat_state(traced), flat_state(eager), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["compile", "step"])
def test_compiled_plans_train_such_a_net_like_eager(plan: str) -> None:
    recipe = OPTIMIZERS["adamw"]
    eager, losses = trained_eagerly(recipe)
    compiled, its_losses = trained_eagerly(recipe, plan)
    assert torch.allclose(its_losses, losses, rtol=1e-9)
    assert torch.allclose(flat_state(compiled), flat_state(eager), rtol=1e-6)


def test_heads_that_evaluation_has_too_are_passed_by() -> None:
    class Always(TwoHeads):
        def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
            return self.layers(x), self.head(x.flatten(1))

    split = random_split()
    found = [
        evaluate(model, split, normalization="unit", precision="fp32")
        for model in (TwoHeads(), Always())
    ]
    assert found[0] == found[1]
