"""Frozen parts: exact counts, what moves in a real step, and what BatchNorm does meanwhile."""

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from bench.engine.engine import StepEngine
from bench.engine.whole_step import WholeStep
from bench.train.evaluation import evaluate
from fmnist_models import ModelError, build_model
from fmnist_models.freezing import freeze, needs_two_images, train_mode
from fmnist_models.parts import parts_of
from tests.bench.train.training_by_hand import (
    RECIPE,
    flat_state,
    make_engine,
    random_split,
    some_batches,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def fresh_state(name: str) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return build_model(name).state_dict()


def frozen(name: str, trainable: str) -> nn.Module:
    model = build_model(name)
    freeze(model, name, trainable)
    return model


def trained_names(model: nn.Module) -> set[str]:
    return {name for name, p in model.named_parameters() if p.requires_grad}


def num_trained(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("name", "everything", "stem_head", "head"),
    [
        ("resnet50", 24_555_978, 1_057_482, 1_054_218),
        ("resnet18", 11_175_370, 64 * 49 + 128 + 5_130, 5_130),
        ("resnet18_3x3", 11_172_810, 64 * 9 + 128 + 5_130, 5_130),
        ("resnet8", 77_754, 16 * 9 + 32 + 650, 650),
        ("resnet4", 651_898, 320 + 64 + 3_210, 3_210),
        ("fashion_cnn", 1_475_338, 320 + 64 + 1_210, 1_210),
        ("v2", 7_740, 100 + 4_910, 4_910),
        ("v0", 7_960, 7_960, 110),
    ],
)
def test_trainable_parameters(name: str, everything: int, stem_head: int, head: int) -> None:
    counts = {part: num_trained(frozen(name, part)) for part in ("all", "stem_head", "head")}
    assert counts == {"all": everything, "stem_head": stem_head, "head": head}


def test_a_norm_that_comes_later_is_not_of_the_stem() -> None:
    assert parts_of(build_model("resnet50")) == (("conv1", "bn1"), ("fc",))
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 10)
    )
    assert parts_of(model) == (("0",), ("4",))


def test_all_leaves_a_parameter_alone_that_its_author_froze() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.Linear(20, 20), nn.Linear(20, 10))
    model[1].bias.requires_grad_(False)
    freeze(model, "mine", "all")
    assert trained_names(model) == {"1.weight", "2.weight", "2.bias", "3.weight", "3.bias"}
    freeze(model, "mine", "stem_head")
    assert trained_names(model) == {"1.weight", "3.weight", "3.bias"}


def test_a_shared_parameter_is_trained_where_one_of_its_layers_is() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    model[0].weight = model[2].weight
    freeze(model, "mine", "head")
    assert trained_names(model) == {"0.weight", "2.bias"}


def refusal_of(model: nn.Module, trainable: str) -> str:
    with pytest.raises(ModelError) as refusal:
        freeze(model, "mine", trainable)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


class Bare(nn.Module):
    """Its one matrix lies in the model itself, beside a layer without parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.matrix = nn.Parameter(torch.zeros(784, 10))


def test_a_model_of_one_layer_has_a_head_and_no_stem() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    assert refusal_of(model, "stem_head") == (
        "mine has one layer, stem and head in one; choose --set trainable=head or all"
    )
    freeze(model, "mine", "head")
    assert num_trained(model) == 7_850


def test_what_has_nothing_to_train_is_refused() -> None:
    no_layer = "mine has no layer to train alone; choose --set trainable=all"
    assert refusal_of(Bare(), "head") == no_layer
    assert refusal_of(Bare(), "stem_head") == no_layer
    of_fixed_head = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 10).requires_grad_(False))
    assert refusal_of(of_fixed_head, "head") == (
        "mine keeps its own head frozen; choose --set trainable=all"
    )


def moved_by_training(model: nn.Module, size: int) -> set[str]:
    """Names of tensors that two real steps of SGD change."""
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    engine = make_engine(model, RECIPE, split=random_split(size=size))
    engine.run(some_batches(2), [0.01, 0.01])
    return {key for key, t in model.state_dict().items() if not torch.equal(t, before[key])}


@pytest.mark.parametrize(
    ("name", "size", "trainable", "own"),
    [
        ("resnet50", 16, "stem_head", "bn1."),
        ("resnet8", 28, "stem_head", "stem.1."),
        ("resnet8", 28, "head", "none"),
    ],
)
def test_a_training_step_moves_what_is_trained_and_the_statistics_that_are_not_held(
    name: str, size: int, trainable: str, own: str
) -> None:
    model = train_mode(frozen(name, trainable), "update")
    statistics = {key for key, _ in model.named_buffers()}
    assert moved_by_training(model, size) == trained_names(model) | statistics
    free = {key for key in statistics if key.startswith(own)}
    assert moved_by_training(train_mode(model, "eval"), size) == trained_names(model) | free


def test_held_norms_use_their_running_statistics() -> None:
    images = torch.rand(4, 1, 28, 28)
    with torch.no_grad():
        held = train_mode(frozen("resnet8", "head"), "eval")
        as_trained = held(images)
        assert torch.equal(as_trained, held.eval()(images))
        assert not torch.allclose(as_trained, train_mode(held, "update")(images))


@pytest.mark.parametrize(("place", "follows"), [(0, 1), (2, 1), (4, 3)])
def test_a_norm_without_parameters_goes_with_the_layer_before_it(place: int, follows: int) -> None:
    layers: list[nn.Module] = [nn.Identity(), nn.Linear(4, 4), nn.Identity(), nn.Linear(4, 4)]
    layers.append(nn.Identity())
    layers[place] = nn.BatchNorm1d(4, affine=False)
    model = nn.Sequential(*layers)
    freeze(model, "mine", "head")
    is_held = not train_mode(model, "eval")[place].training  # type: ignore[index]
    assert is_held == (not model[follows].weight.requires_grad)


@pytest.mark.parametrize(("trainable", "held"), [("head", {nn.BatchNorm2d}), ("all", set())])
def test_only_norms_are_held_and_none_where_nothing_is_frozen(
    trainable: str, held: set[type[nn.Module]]
) -> None:
    model = train_mode(frozen("resnet4_dropout", trainable).eval(), "eval")
    assert {type(module) for module in model.modules() if not module.training} == held


def test_an_evaluation_leaves_held_norms_held() -> None:
    model = train_mode(frozen("resnet8", "stem_head"), "eval")
    modes = [module.training for module in model.modules()]
    assert len(set(modes)) == 2
    evaluate(model, random_split(size=28), normalization="unit", precision="fp32")
    assert [module.training for module in model.modules()] == modes


def steps_written_down(model: nn.Module, engine: StepEngine) -> Tensor:
    """Two whole steps, as they are traced for the compiler."""
    whole = WholeStep(model, RECIPE, engine.optimizer, engine.feed, {})
    rate, split = torch.tensor(0.01), engine.feed.split
    losses = []
    for index in some_batches(2):
        images, labels = engine.feed.gather(split.images, split.labels, index, ())
        with torch.no_grad():
            losses.append(whole.step(whole.state, images, labels, rate))
    return torch.stack(losses)


@pytest.mark.parametrize("frozen_batchnorm", ["update", "eval"])
def test_whole_steps_train_a_frozen_model_like_eager_ones(frozen_batchnorm: str) -> None:
    results = []
    for is_whole in (False, True):
        model = frozen("resnet8", "stem_head")
        model.load_state_dict(fresh_state("resnet8"))
        engine = make_engine(
            train_mode(model, frozen_batchnorm), RECIPE, split=random_split(size=28)
        )
        losses = (
            steps_written_down(model, engine)
            if is_whole
            else engine.run(some_batches(2), [0.01, 0.01])
        )
        results.append((losses, flat_state(model)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "needs"),
    [
        ("resnet18", 28, True),
        ("resnet18", 64, False),
        ("resnet18_3x3", 28, False),
        ("resnet50", 16, True),
        ("resnet8", 28, False),
        ("v0", 28, False),
        ("v0", 16, False),  # takes no such images, one or two
    ],
)
def test_batchnorm_over_single_pixels_needs_two_images(name: str, size: int, needs: bool) -> None:
    model = build_model(name)
    assert needs_two_images(model, size) == needs
    freeze(model, name, "head")
    assert needs_two_images(model, size, "update") == needs
    assert not needs_two_images(model, size, "eval")  # what is held takes a single image


class Squeezing(nn.Sequential):
    """Loses the first dimension of a batch of one."""

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) -> (B, 10), or (10,)."""
        logits: Tensor = super().forward(images).squeeze()
        return logits


def test_a_model_that_squeezes_its_batch_needs_two_images() -> None:
    assert needs_two_images(Squeezing(nn.Flatten(), nn.Linear(64, 10)), 8)


def test_trying_changes_neither_model_nor_random_state() -> None:
    model = build_model("resnet4_dropout").eval()
    state, drawn = flat_state(model), torch.get_rng_state()
    assert not needs_two_images(model, 28)
    assert torch.equal(flat_state(model), state)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not any(module.training for module in model.modules())
