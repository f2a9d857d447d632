"""What Inductor makes of whole steps for an H100: seen without one, kernels and all."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.functional import conv2d

from bench.engine.whole_step import AS_STRIDED, keep_strides
from tests.bench.engine.cuda_code_by_hand import Code, Wanted, compiled_code, launches, why_not
from tests.tiers import slow_but

FORWARD, BACKWARD = "extern_kernels.convolution", "torch.ops.aten.convolution_backward.default"
PRODUCTS = {"extern_kernels.mm", "extern_kernels.addmm"}
SEEDS = "aten.randint.low_out"  # of dropout, once a step
# Triton kernels of a step of 1,024 images with torch 2.14.1
KERNELS = {
    "v0": 9,
    "v1": 12,
    "v2": 29,
    "fashion_cnn": 35,
    "alexnet": 43,
    "resnet4": 183,
    "resnet8": 58,
    "resnet18": 129,
    "resnet50": 351,
}
SLACK = 1.15  # other versions fuse a little otherwise


def code_of(
    model: str,
    batch: int,
    memory_format: str = "channels_last",
    **changes: Any,  # noqa: ANN401 - fields of a recipe
) -> Code:
    if reason := why_not():
        pytest.skip(reason)
    return compiled_code(Wanted(model, batch, memory_format, changes))


@pytest.fixture(scope="module")
def v0() -> Code:
    return code_of("v0", 32)


@pytest.mark.slow
def test_a_step_of_v0_becomes_few_kernels(v0: Code) -> None:
    assert v0.calls == ["extern_kernels.addmm"] * 2 + ["extern_kernels.mm"] * 3
    assert len(v0.kernels) <= 9
    assert v0.compiled >= len(set(v0.kernels))
    assert sum(name.startswith("triton_for_") for name in v0.kernels) == 1  # the update


@pytest.mark.slow
def test_rates_that_begin_anywhere_are_not_copied_first(v0: Code) -> None:
    last = v0.arguments - 1
    assert last not in v0.checked
    assert last - 1 in v0.checked  # what does begin at a multiple of 16 bytes is used as such


@pytest.mark.slow
def test_a_rule_that_counts_no_steps_has_no_kernel_for_it(v0: Code) -> None:
    assert len(code_of("v0", 32, optimizer="sgd").kernels) == len(v0.kernels) - 1


@pytest.mark.parametrize(
    "model", slow_but((), KERNELS, nightly=("resnet4", "resnet18", "resnet50"))
)
def test_a_step_becomes_no_more_kernels_than_it_did(model: str) -> None:
    code = code_of(model, 1024)
    assert len(code.kernels) <= SLACK * KERNELS[model]
    assert {*code.calls} <= {FORWARD, BACKWARD, SEEDS} | PRODUCTS
    assert code.calls.count(SEEDS) <= 1
    assert code.calls.count(FORWARD) == code.calls.count(BACKWARD)
    assert all(strides[1] == 1 for strides in code.layouts)  # NHWC from the first to the last


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "tf32"])
@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_each_precision_and_layout_compiles(precision: str, memory_format: str) -> None:
    code = code_of("v2", 32, memory_format, precision=precision)
    assert code.compiled >= len(set(code.kernels))
    assert code.layouts
    if memory_format == "channels_last":  # otherwise Inductor may choose what it thinks is faster
        assert all(strides[1] == 1 for strides in code.layouts)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_strides_of_one_channel_are_said_to_the_compiler(
    memory_format: torch.memory_format,
) -> None:
    weight = torch.randn(4, 1, 3, 3)

    def convolved(images: Tensor) -> Tensor:
        return conv2d(images.to(memory_format=memory_format), weight)

    images = torch.randn(2, 1, 5, 5)
    traced = make_fx(convolved, tracing_mode="fake", _allow_non_fake_inputs=True)(images)
    keep_strides(traced)
    told = [node.args[2] for node in traced.graph.nodes if node.target == AS_STRIDED]
    assert told == ([[25, 1, 5, 1]] if memory_format is torch.channels_last else [])
    assert torch.equal(traced(images), convolved(images))


def test_launches_are_counted_in_their_order() -> None:
    source = """
class Runner:
    def call(self, args):
        with torch.cuda._DeviceGuard(0):
            buf0 = empty_strided_cuda((32, 10), (10, 1), torch.bfloat16)
            triton_poi_0.run(arg0, buf0, 7840, stream=stream0)
            extern_kernels.mm(buf0, reinterpret_tensor(arg1, (10, 10), (1, 10), 0), out=buf1)
            triton_poi_0.run(arg2, buf0, 7840, stream=stream0)
        return (buf1, )
"""
    assert list(launches(source)) == ["triton_poi_0", "extern_kernels.mm", "triton_poi_0"]
    with pytest.raises(AssertionError, match="something"):
        list(launches(source.replace("extern_kernels.mm", "something")))
