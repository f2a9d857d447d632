"""The floor of a step, by hand."""

import pytest

from bench.machine.ceilings import MIB, Ceilings
from bench.machine.roofline import StepCost, roofline_of

CEILINGS = Ceilings({MIB: 4e9, 64 * MIB: 1e9}, {"fp32": 100e9, "bf16": 400e9}, 1e-6)


@pytest.mark.parametrize(
    ("cost", "floor_s", "binds"),
    [
        (StepCost(2e9, [1e6], None), 20e-3, "compute"),
        (StepCost(2e9, [80e6, 40e6], 9.0), 90e-3, "bandwidth"),  # 80 at 1 GB/s, 40 at 4
        (StepCost(1e3, [1e3], 50.0), 50e-6, "latency"),
        (StepCost(1e3, [1e3], None), 1e-6, "latency"),  # at least one operation
        (StepCost(1e3, [1e3], 0.0), 1e-6, "latency"),
        (StepCost(None, [4e6], 2.0), 1e-3, "bandwidth"),
        (StepCost(None, None, 2.0), 2e-6, "latency"),
        (StepCost(None, [], 2.0), 2e-6, "latency"),
    ],
)
def test_the_largest_term_binds(cost: StepCost, floor_s: float, binds: str) -> None:
    roofline = roofline_of(cost, CEILINGS, "fp32")
    assert roofline.floor_s == pytest.approx(floor_s)
    assert roofline.binding_term == binds
    assert roofline.percent_of_floor(2 * floor_s) == pytest.approx(50)
    assert roofline.percent_of_floor(floor_s) == pytest.approx(100)


def test_bandwidth_is_that_of_all_passes_together() -> None:
    roofline = roofline_of(StepCost(0.0, [80e6, 40e6], None), CEILINGS, "fp32")
    assert roofline.bytes_per_s == pytest.approx(120e6 / 90e-3)
    assert roofline.bandwidth(0.5) == pytest.approx(240e6)


def test_utilisation_is_of_the_precision_of_the_run() -> None:
    cost = StepCost(1e9, [1.0], None)
    assert roofline_of(cost, CEILINGS, "fp32").mfu(0.1) == pytest.approx(0.1)
    assert roofline_of(cost, CEILINGS, "bf16").mfu(0.1) == pytest.approx(0.025)


def test_what_was_not_measured_is_unknown_and_the_rest_is_still_a_floor() -> None:
    roofline = roofline_of(StepCost(1e9, [4e6], 1.0), CEILINGS, "fp16")
    assert roofline.mfu(0.1) is None
    assert roofline.terms.keys() == {"bandwidth", "latency"}
    bare = roofline_of(StepCost(1e9, [4e6], 1.0), Ceilings({}, {}, 1e-6), "fp32")
    assert (bare.flops_per_s, bare.bytes_per_s, bare.binding_term) == (None, None, "latency")
    assert roofline_of(StepCost(1e9, None, None), CEILINGS, "fp32").bandwidth(1.0) is None
