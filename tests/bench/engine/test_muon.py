"""Muon for hidden matrices, AdamW for the rest: torch's own arithmetic, all state in one place."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench.engine.engine import MEMORY_FORMATS
from bench.engine.muon import MuonAndAdamW, hidden_kernels, split_parameters
from bench.engine.optimizer import make_optimizer
from fmnist_models import build_model, list_models
from tests.bench.train.training_by_hand import (
    RECIPE,
    flat_state,
    make_engine,
    small_net,
    some_batches,
)

MUON = replace(RECIPE, optimizer="muon", weight_decay=0.05)
RATES = [0.02, 0.01, 0.03]
WITHOUT_HIDDEN = {"v0", "v1", "v1_fixed"}

pytestmark = pytest.mark.usefixtures("one_thread")


def a_net(memory_format: str = "contiguous") -> nn.Sequential:
    """A convolution and a linear layer between the first layer and the head."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.Conv2d(4, 6, 3),
        nn.BatchNorm2d(6),
        nn.Flatten(),
        nn.Linear(96, 5),
        nn.Linear(5, 10),
    )
    return net.to(memory_format=MEMORY_FORMATS[memory_format])


def name_of(model: nn.Module, parameter: Tensor) -> str:
    return next(name for name, own in model.named_parameters() if own is parameter)


def set_gradients(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        parameter.grad = torch.empty_like(parameter).copy_(drawn)  # with the parameter's strides


def take_steps(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for step, rate in enumerate(RATES):
        set_gradients(model, seed=step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()


def by_hand(model: nn.Module) -> dict[str, Tensor]:
    """What two optimizers of torch make of flattened weights and of the rest, by name."""
    hidden = {"1.weight", "4.weight"}
    own = {
        name: nn.Parameter(p.detach().clone().flatten(1) if name in hidden else p.detach().clone())
        for name, p in model.named_parameters()
    }
    decay = MUON.weight_decay
    matrices = [own[name] for name in own if name in hidden]
    muon = torch.optim.Muon(matrices, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    rest = [own[name] for name in own if name not in hidden]
    adamw = torch.optim.AdamW(rest, weight_decay=decay, fused=True)
    for step, rate in enumerate(RATES):
        set_gradients(model, seed=step)
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            own[name].grad = parameter.grad.clone().reshape(own[name].shape)
        for optimizer in (muon, adamw):
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
    return {name: parameter.detach() for name, parameter in own.items()}


@pytest.mark.parametrize("memory_format", MEMORY_FORMATS)
def test_each_part_does_what_torch_does_to_the_bit(memory_format: str) -> None:
    expected = by_hand(a_net())
    net = a_net(memory_format)
    before = {name: (p.data_ptr(), p.stride()) for name, p in net.named_parameters()}
    take_steps(net, make_optimizer(MUON, net))
    for name, parameter in net.named_parameters():
        assert torch.equal(parameter.detach().reshape(expected[name].shape), expected[name]), name
        assert (parameter.data_ptr(), parameter.stride()) == before[name]


@pytest.mark.parametrize("name", list_models())
def test_first_layer_and_head_of_every_model_are_left_to_adamw(name: str) -> None:
    with torch.device("meta"):
        model = build_model(name)
    matrices, others = split_parameters(model)
    kernels = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    assert [parameter for parameter in others if parameter.ndim > 1] == [kernels[0], kernels[-1]]
    assert kernels[0].shape[1] in {1, 784}
    assert kernels[-1].shape[0] == 10
    assert len(matrices) + len(others) == len([*model.parameters()])
    assert (not matrices) == (name in WITHOUT_HIDDEN)


class Transformer(nn.Module):
    """Has every kind of weight that is no plain kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, stride=4)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 8))
        self.positions = nn.Embedding(5, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16)
        self.head = nn.Linear(8, 10)


def test_embeddings_and_tokens_are_left_to_adamw_and_attention_is_not() -> None:
    model = Transformer()
    assert [name_of(model, kernel) for kernel in hidden_kernels(model)] == [
        "block.self_attn.in_proj_weight",
        "block.self_attn.out_proj.weight",
        "block.linear1.weight",
        "block.linear2.weight",
    ]


def test_the_head_of_a_net_without_linear_layers_is_its_last_kernel() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 10, 1))
    assert [name_of(net, kernel) for kernel in hidden_kernels(net)] == ["1.weight"]
    assert hidden_kernels(nn.Sequential(nn.BatchNorm2d(1))) == []


def test_what_is_frozen_moves_nobody_elses_place() -> None:
    net = a_net()
    net[0].requires_grad_(False)
    net[5].requires_grad_(False)
    matrices, others = split_parameters(net)
    assert [name_of(net, p) for p in matrices] == ["1.weight", "4.weight"]
    assert [name_of(net, p) for p in others] == ["1.bias", "2.weight", "2.bias", "4.bias"]
    for module in net:
        module.requires_grad_(module is net[1])
    net[1].get_parameter("bias").requires_grad_(False)
    optimizer = make_optimizer(MUON, net)  # nothing is left for AdamW
    kernel = net.get_parameter("1.weight")
    before = kernel.detach().clone()
    take_steps(net, optimizer)
    assert not torch.equal(kernel, before)


def trained(optimizer: str, precision: str = "fp32", hidden: int = 1) -> tuple[Tensor, Tensor]:
    """Losses and weights of a linear net with so many hidden matrices."""
    torch.manual_seed(0)
    layers = [nn.Linear(64, 8), *(nn.Linear(8, 8) for _ in range(hidden)), nn.Linear(8, 10)]
    net = nn.Sequential(nn.Flatten(), *layers)
    engine = make_engine(net, replace(MUON, optimizer=optimizer, precision=precision))
    return engine.run(some_batches(3), RATES), flat_state(net)


def test_a_net_with_no_hidden_matrix_trains_by_adamw_alone() -> None:
    assert all(map(torch.equal, trained("muon", hidden=0), trained("adamw", hidden=0)))
    assert not torch.equal(trained("muon")[1], trained("adamw")[1])


def test_fp16_scales_the_gradients_of_both_parts() -> None:
    losses, weights = trained("muon", "fp16")
    plain, plain_weights = trained("muon")
    torch.testing.assert_close(losses, plain, rtol=0.05, atol=0.05)
    torch.testing.assert_close(weights, plain_weights, rtol=0.05, atol=0.05)


def test_no_gradient_outlives_zero_grad() -> None:
    net = small_net()
    optimizer = make_optimizer(MUON, net)
    take_steps(net, optimizer)
    gradients = [weakref.ref(parameter.grad) for parameter in net.parameters()]
    optimizer.zero_grad()
    gc.collect()
    assert [gradient() for gradient in gradients] == [None] * len(gradients)
    assert isinstance(optimizer, MuonAndAdamW)
    assert optimizer._muon.param_groups[0]["params"] == []  # whose gradients are views of them


def test_parameters_without_a_gradient_stay() -> None:
    net = a_net()
    optimizer = make_optimizer(MUON, net)
    set_gradients(net, seed=0)
    still = [net.get_parameter(name) for name in ("1.weight", "0.bias")]
    for parameter in still:
        parameter.grad = None
    before = [parameter.detach().clone() for parameter in still]
    optimizer.step()
    assert [*map(torch.equal, still, before)] == [True, True]
    assert not set(still) & set(optimizer.state)
