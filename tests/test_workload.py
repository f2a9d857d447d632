"""Parameters and FLOPs by count."""

import pytest
import torch

from bench.workload import flops_per_image, num_parameters
from fmnist_models import build_model
from tests.training_by_hand import flat_state, small_net

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("model", "parameters", "flops"),
    [("v0", 7_960, 31_960), ("v2", 7_740, 6_662_040), ("resnet8", 77_754, 55_849_728)],
)
def test_counts_of_known_models(model: str, parameters: int, flops: int) -> None:
    built = build_model(model)
    assert num_parameters(built) == parameters
    assert flops_per_image(built, 28) == flops


def test_counting_leaves_the_model_and_the_random_state_alone() -> None:
    model = small_net(dropout=0.5).eval()
    state, rng = flat_state(model), torch.get_rng_state()
    assert flops_per_image(model, 8) > 0
    assert torch.equal(flat_state(model), state)
    assert torch.equal(torch.get_rng_state(), rng)
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_frozen_parameters_are_told_apart() -> None:
    model = small_net()
    model[0].requires_grad_(False)
    assert num_parameters(model) - num_parameters(model, trainable_only=True) == 36
