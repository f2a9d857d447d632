"""The optimizers as functions of tensors: torch's own arithmetic and torch's own state."""

import pytest
import torch
from torch import Tensor, nn

from bench import Recipe
from bench.engine.optimizer import make_optimizer, prepare_state, update_rule
from tests.bench.train.training_by_hand import OPTIMIZERS, tensors_in

RATES = (0.1, 0.02, 0.3, 0.01)
any_recipe = pytest.mark.parametrize("recipe", OPTIMIZERS.values(), ids=OPTIMIZERS)


def a_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)).double()


def gradients(net: nn.Module) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in net.parameters()
    ]


def train_with_torch(
    net: nn.Module, recipe: Recipe, *, is_prepared: bool = False
) -> dict[str, object]:
    optimizer = make_optimizer(recipe, net)
    if is_prepared:
        prepare_state(optimizer, update_rule(recipe))
    for step, rate in enumerate(RATES, 1):
        for parameter, gradient in zip(net.parameters(), gradients(net), strict=True):
            parameter.grad = gradient * step
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    return optimizer.state_dict()


@torch.no_grad()
def train_with_rule(net: nn.Module, recipe: Recipe) -> dict[str, object]:
    optimizer, rule = make_optimizer(recipe, net), update_rule(recipe)
    slots, counts = prepare_state(optimizer, rule)
    parameters = [parameter.detach() for parameter in net.parameters()]
    for step, rate in enumerate(RATES, 1):
        scaled = [gradient * step for gradient in gradients(net)]
        rate_now = torch.tensor(rate, dtype=torch.float64)
        rule.apply(parameters, scaled, slots, rate_now, torch.tensor(float(step)))
        for count in counts:
            count.add_(1)
    return optimizer.state_dict()


@any_recipe
def test_a_rule_does_what_torch_does(recipe: Recipe) -> None:
    ours, theirs = a_net(), a_net()
    state, expected = train_with_rule(ours, recipe), train_with_torch(theirs, recipe)
    found = [*ours.parameters(), *tensors_in(state["state"])]
    wanted = [*theirs.parameters(), *tensors_in(expected["state"])]
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@any_recipe
def test_torch_goes_on_from_prepared_state_as_from_none(recipe: Recipe) -> None:
    prepared, fresh = a_net(), a_net()
    train_with_torch(prepared, recipe, is_prepared=True)
    train_with_torch(fresh, recipe)
    assert all(map(torch.equal, prepared.parameters(), fresh.parameters()))


def test_state_that_is_there_stays() -> None:
    net = a_net()
    recipe = OPTIMIZERS["adamw"]
    optimizer, rule = make_optimizer(recipe, net), update_rule(recipe)
    before, _ = prepare_state(optimizer, rule)
    before[0][0].fill_(3.0)
    after, _ = prepare_state(optimizer, rule)
    assert after[0][0] is before[0][0]
    assert float(before[0][0].max()) == 3.0
