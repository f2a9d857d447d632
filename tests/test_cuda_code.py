"""What Inductor makes of whole steps for an H100: seen without one, kernels and all."""

from typing import Any

import pytest

from tests.cuda_code_by_hand import Code, Wanted, compiled_code, launches, why_not

CONVOLUTIONS = {"extern_kernels.convolution", "torch.ops.aten.convolution_backward.default"}
PRODUCTS = {"extern_kernels.mm", "extern_kernels.addmm"}
SEEDS = "aten.randint.low_out"  # of dropout, once a step


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


def test_a_step_of_v0_becomes_few_kernels(v0: Code) -> None:
    assert v0.calls == ["extern_kernels.addmm"] * 2 + ["extern_kernels.mm"] * 3
    assert len(v0.kernels) <= 9
    assert v0.compiled >= len(set(v0.kernels))
    assert sum(name.startswith("triton_for_") for name in v0.kernels) == 1  # the update


def test_rates_that_begin_anywhere_are_not_copied_first(v0: Code) -> None:
    last = v0.arguments - 1
    assert last not in v0.checked
    assert last - 1 in v0.checked  # what does begin at a multiple of 16 bytes is used as such


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
