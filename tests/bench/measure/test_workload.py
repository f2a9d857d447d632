"""Parameters, FLOPs, bytes and kernels by count."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from msgspec import json
from torch import Tensor, nn, optim
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import _get_current_dispatch_mode

from bench.measure.workload import (
    count_kernels,
    count_or_reason,
    flops_per_image,
    has_other_heads,
    kernels_in,
    num_parameters,
    passes_of_step,
)
from fmnist_models import build_model
from fmnist_models.freezing import freeze
from tests.bench.train.training_by_hand import flat_state, small_net
from tests.fmnist_models.nets_by_hand import HARD_TO_COPY, Plain, TwoHeads

pytestmark = pytest.mark.usefixtures("one_thread")


def untrained(model: nn.Module) -> optim.Optimizer:
    return optim.SGD(model.parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("model", "parameters", "flops"),
    [("v0", 7_960, 31_960), ("v2", 7_740, 6_662_040), ("resnet8", 77_754, 55_849_728)],
)
def test_counts_of_known_models(model: str, parameters: int, flops: int) -> None:
    built = build_model(model)
    assert num_parameters(built) == parameters
    assert flops_per_image(built, 28) == flops


@pytest.mark.parametrize(
    "count",
    [
        lambda model: flops_per_image(model, 8),
        lambda model: passes(model, 16, "bf16"),
    ],
    ids=["FLOPs", "bytes"],
)
def test_counting_leaves_the_model_and_the_random_state_alone(
    count: Callable[[nn.Module], object],
) -> None:
    model = small_net(dropout=0.5).eval()
    state, rng = flat_state(model), torch.get_rng_state()
    assert count(model)
    assert torch.equal(flat_state(model), state)
    assert torch.equal(torch.get_rng_state(), rng)
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("build", HARD_TO_COPY.values(), ids=HARD_TO_COPY)
def test_a_net_that_cannot_be_copied_is_counted_as_the_plain_one(
    build: Callable[[], nn.Module],
) -> None:
    wanted = flops_per_image(Plain(), 8)
    found, reason = count_or_reason(lambda: flops_per_image(build(), 8))
    frozen = 2 * 256 * 10 if build is HARD_TO_COPY["thaws"] else 0  # its head has no gradient
    again = wanted // 3 + 1 if build is HARD_TO_COPY["checkpointed"] else 0
    assert found == pytest.approx(wanted - frozen, abs=again)
    assert reason == ""


class Tells(Plain):
    """Has a mode of its own to set, and forgets to return itself."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        """Set the mode."""
        super().train(mode)


def test_a_net_whose_own_train_returns_nothing_is_counted() -> None:
    assert flops_per_image(Tells(), 8) == flops_per_image(Plain(), 8)


class Refuses(Plain):
    """Lives under no dispatch mode, or under nothing."""

    error: type[Exception] = ValueError

    def forward(self, x: Tensor) -> Tensor:
        """Raise where a mode is on."""
        if _get_current_dispatch_mode() is not None or self.error is MemoryError:
            raise self.error("no modes, please")
        return super().forward(x)


def test_where_a_counter_cannot_follow_there_is_a_reason_and_no_trace() -> None:
    model = Refuses()
    state = flat_state(model)
    found, reason = count_or_reason(lambda: flops_per_image(model, 8))
    assert found is None
    assert reason.startswith("its step cannot be counted (ValueError: no modes, please")
    assert torch.equal(flat_state(model), state)


def test_what_would_end_the_training_too_is_no_reason() -> None:
    model = Refuses()
    model.error = MemoryError
    with pytest.raises(MemoryError):
        count_or_reason(lambda: flops_per_image(model, 8))


@pytest.mark.parametrize(("build", "has_them"), [(Plain, False), (TwoHeads, True)])
def test_other_heads_are_seen(build: Callable[[], nn.Module], *, has_them: bool) -> None:
    assert has_other_heads(build(), 8) == has_them


def test_frozen_parameters_are_told_apart() -> None:
    model = small_net()
    model[0].requires_grad_(False)
    assert num_parameters(model) - num_parameters(model, trainable_only=True) == 36


# ResNet-50 at 16 pixels by hand: forward, of which the stem, and of the head its two layers
FORWARD, STEM, WIDE, LAST = 64_636_928, 2 * 64 * 49 * 8 * 8, 2 * 2048 * 512, 2 * 512 * 10


@pytest.mark.parametrize(
    ("trainable", "flops"),
    [
        ("all", FORWARD + (FORWARD - STEM) + FORWARD),  # no gradient of the images
        ("stem_head", FORWARD + (FORWARD - STEM) + (STEM + WIDE + LAST)),
        ("head", FORWARD + LAST + (WIDE + LAST)),
    ],
)
def test_flops_of_a_frozen_model_are_those_of_the_gradients_it_needs(
    trainable: str, flops: int
) -> None:
    model = build_model("resnet50")
    freeze(model, "resnet50", trainable)
    assert flops_per_image(model, 16) == flops


def linear_net() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def passes(model: nn.Module, batch_size: int = 16, precision: str = "fp32") -> list[int]:
    """Of images of 8 pixels a side, under an optimizer without a state; empty where unknown."""
    return passes_of_step(model, untrained(model), 8, batch_size, precision) or []


def test_passes_of_a_linear_net_by_hand() -> None:
    images, weights, logits = 8 * 64 * 4, 640 * 4, 8 * 10 * 4
    forward = images + weights + 10 * 4 + logits
    weight_gradient = logits + images + weights
    wanted = [8 * (64 + 8), forward, weight_gradient, 3 * 650 * 4]
    assert passes(linear_net(), 8) == wanted
    half = [wanted[0], forward // 2, weight_gradient // 2, wanted[-1]]  # under autocast
    assert passes(linear_net(), 8, "bf16") == half


def test_passes_of_a_convolution_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.AvgPool2d(6), nn.Flatten())
    images, maps, weights = 16 * 64 * 4, 16 * 4 * 36 * 4, 36 * 4
    forward, backward = images + weights + maps, maps + images + weights + weights
    assert passes(model) == [16 * (64 + 8), forward, backward, 3 * weights]


def test_pixels_that_are_stepped_over_are_not_counted() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 1, stride=4, bias=False), nn.Flatten())
    maps, weights = 16 * 4 * 4 * 4, 4 * 4
    assert passes(model)[1:3] == [maps + weights, maps + weights + weights]


def test_the_state_of_the_optimizer_is_read_and_written() -> None:
    model = linear_net()
    adam = optim.Adam(model.parameters(), fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    adam.step()
    found = passes_of_step(model, adam, 8, 8, "fp32") or []
    assert found[-1] == (3 + 2 * 2) * 650 * 4 + 2 * 2 * 4  # and a step counter a tensor


def test_passes_grow_in_a_straight_line_with_the_batch() -> None:
    few, some, many = (passes(small_net(dropout=0.5), n) for n in (2, 8, 14))
    assert [2 * b for b in some] == [a + c for a, c in zip(few, many, strict=True)]


class Fickle(nn.Module):
    """Calls one layer more for large batches."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 1, 8, 8) -> (B, 64)."""
        hidden: torch.Tensor = self.layer(images.flatten(1))
        return self.layer(hidden) if len(images) > 2 else hidden


def test_a_model_that_changes_with_the_batch_has_no_count() -> None:
    assert passes_of_step(Fickle(), untrained(Fickle()), 8, 16, "fp32") is None


FIRST_KERNEL = "void at::native::elementwise_kernel<4, at::native::heaviside_kernel_cuda(...)>"


def trace_of(names: Sequence[str], *, first: int = 3) -> dict[str, Any]:
    """A trace of kernels by name, the first ones before them, and of what is no kernel."""
    others = ("gpu_memcpy", "gpu_memset", "gpu_user_annotation", "cuda_runtime", None)
    events = [{"name": "x"} | ({"cat": name} if name else {}) for name in others]
    kernels = [FIRST_KERNEL] * first + [*names]
    return {"traceEvents": [*events, *({"name": name, "cat": "kernel"} for name in kernels)]}


@pytest.mark.parametrize(
    ("names", "first", "count"),
    [(["gemm", "add"], 3, 2), (["gemm"], 1, 1), ([], 0, None), (["gemm"], 0, None)],
)
def test_only_kernels_are_counted_and_none_where_the_first_are_missing(
    names: list[str], first: int, count: int | None
) -> None:
    assert kernels_in(trace_of(names, first=first)) == count


@pytest.mark.parametrize(
    ("trace", "has_cupti", "count"),
    [
        (trace_of(["gemm", "add"] * 4), True, 2.0),
        ({"traceEvents": []}, True, None),  # a profiler that sees nothing counts nothing
        ({}, False, None),
    ],
)
def test_kernels_are_counted_a_step(
    trace: dict[str, Any], has_cupti: bool, count: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    @contextmanager
    def profile(*, activities: list[Any]) -> Iterator[SimpleNamespace]:
        assert activities == [torch.profiler.ProfilerActivity.CUDA]
        order.append("open")
        content = json.encode(trace)
        yield SimpleNamespace(export_chrome_trace=lambda path: Path(path).write_bytes(content))
        order.append("closed")

    kinds = {torch.profiler.ProfilerActivity.CUDA} if has_cupti else set()
    monkeypatch.setenv("KINETO_LOG_LEVEL", "")
    monkeypatch.setattr(torch.profiler, "supported_activities", lambda: kinds)
    monkeypatch.setattr(torch.profiler, "profile", profile)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    with FakeTensorMode():  # tensors that are nowhere
        assert count_kernels(lambda: order.append("run"), 4) == count
    assert order == (["open", "run", "closed"] if has_cupti else [])


@pytest.mark.gpu
def test_kernels_a_step_of_a_gpu() -> None:
    numbers = torch.rand(8, device="cuda")

    def run() -> None:
        for _ in range(6):
            numbers.add_(1)
            numbers.mul_(2)

    for _ in range(4):  # each use may cost one kernel at its beginning
        assert count_kernels(run, 6) == 2
