"""What a training decides by its validation scores: rate, end, best weights."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from bench import Recipe
from bench.engine.warmup import named_tensors
from bench.spec.named_recipes import R2_RESNET8, find_recipe
from bench.train.control import Control
from tests.bench.train.training_by_hand import RECIPE, HandScores, small_net

WATCHING = replace(RECIPE, validation_fraction=0.1)


def control_with(recipe: Recipe, model: nn.Module | None = None) -> Control:
    return Control(recipe, model or nn.Linear(2, 2))


@pytest.mark.parametrize(("protocol", "epochs_at_a_tenth"), [("clean", 5), ("as_published", 0)])
def test_the_plateau_of_r2_acts_when_clean_and_never_did_in_its_own_hands(
    protocol: str, epochs_at_a_tenth: int
) -> None:
    recipe = replace(find_recipe("r2_resnet8", protocol), selection="last")
    control = control_with(recipe)
    control.end_epoch(1, HandScores(0.9, 0.3))
    trained_at = []
    for epoch in range(2, 100):
        trained_at.append(control.rate_scale)
        control.end_epoch(epoch, HandScores(0.9, 0.3))  # as good is no better
        if control.is_over:
            break
    assert len(trained_at) == recipe.stop_patience
    assert trained_at == pytest.approx([1.0] * 5 + [0.1] * epochs_at_a_tenth)


def test_the_rate_falls_as_torchs_plateau_says() -> None:
    recipe = replace(WATCHING, schedule="plateau", schedule_patience=1, schedule_factor=0.5)
    control = control_with(recipe)
    scales = []
    for epoch, loss in enumerate((1.0, 0.5, 0.5, 0.5, 0.4, 0.6, 0.6), start=1):
        control.end_epoch(epoch, HandScores(0.5, loss))
        scales.append(control.rate_scale)
    assert scales == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5, 0.25])
    assert not control.is_over


@pytest.mark.parametrize(
    ("selection", "best_epoch"), [("accuracy", 2.0), ("loss", 3.0), ("last", None)]
)
def test_the_weights_of_the_best_epoch_are_kept(selection: str, best_epoch: float | None) -> None:
    model = small_net()
    control = control_with(replace(WATCHING, selection=selection), model)
    scores = ((0.5, 0.9), (0.8, 0.7), (0.8, 0.6), (0.7, 0.6))
    for epoch, score in enumerate(scores, start=1):
        with torch.no_grad():
            for tensor in named_tensors(model).values():
                tensor.fill_(epoch)  # BatchNorm's buffers too
        control.end_epoch(epoch, HandScores(*score))
    control.use_best()
    found = {float(tensor.detach().double().mean()) for tensor in named_tensors(model).values()}
    assert found == {best_epoch or 4.0}
    assert (control.best.epoch if control.best else None) == best_epoch


def test_the_state_goes_through_a_checkpoint() -> None:
    recipe = replace(R2_RESNET8, schedule_patience=1, stop_patience=5)
    model, other = small_net(), small_net(seed=1)
    control, twin = control_with(recipe, model), control_with(recipe, other)
    for epoch, loss in enumerate((1.0, 0.8, 0.9, 0.9), start=1):
        control.end_epoch(epoch, HandScores(0.5, loss))
    twin.load_state(control.state())
    assert (twin.rate_scale, twin.best) == (control.rate_scale, control.best)
    for epoch, loss in enumerate((0.9, 0.9, 0.9, 0.9), start=5):
        control.end_epoch(epoch, HandScores(0.5, loss))
        twin.end_epoch(epoch, HandScores(0.5, loss))
        assert (twin.rate_scale, twin.is_over) == (control.rate_scale, control.is_over)
    assert control.is_over
    control.use_best()
    twin.use_best()
    for name, tensor in named_tensors(model).items():
        assert torch.equal(named_tensors(other)[name], tensor)
