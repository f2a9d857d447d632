"""The plans that `--plan auto` considers, and its expectations before any is tried.

The figures are those of the ladder (results/tables/): what compiling saves at best, and how long it
takes. They only decide what is worth a try; what is tried is measured.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from bench.machine.compilers import why_no_compiler
from bench.spec.plan import Plan

GRAPH_STEPS = 8
STEPS_PER_CALL = 5  # of a net so small that the call itself is most of a step
COMPILE_BASE_S, COMPILE_S_PER_LAYER = 9.0, 0.2
UNROLLED_S = 5.0  # what several steps in one function take beyond that


def has_convolutions(model: nn.Module) -> bool:
    """Whether the memory format can matter; other nets have steps so short that calls matter."""
    return any(isinstance(module, nn.Conv2d) for module in model.modules())


def uncompiled_plans(model: nn.Module, device_kind: str) -> tuple[Plan, ...]:
    """Return memory formats for convolutions, else one CPU thread and all; on CUDA also graphs.

    The steps of a linear net are so short that a second thread can cost more than it brings.
    """
    plans: tuple[Plan, ...] = (Plan(),)
    if has_convolutions(model):
        plans += (Plan(memory_format="channels_last"),)
    elif device_kind == "cpu":
        plans += (Plan(threads=1),)
    if device_kind == "cuda":
        plans += tuple(replace(plan, graph_steps=GRAPH_STEPS) for plan in plans)
    return plans


def compiled_plans(best: Plan, model: nn.Module, device_kind: str) -> Sequence[Plan]:
    """Return whole compiled steps, in the memory format that won without a compiler.

    Those of a linear net run on one thread: what is left of a step is shorter than waking another.
    """
    if why_no_compiler(device_kind):
        return ()
    if device_kind == "cuda":
        return (replace(best, mode="step", graph_steps=GRAPH_STEPS),)
    if has_convolutions(model):
        return (replace(best, mode="step"),)
    return (replace(best, mode="step", steps_per_call=STEPS_PER_CALL, threads=1),)


def expected_compile_s(model: nn.Module) -> float:
    """Estimate how long compiling a whole step takes where nothing is cached."""
    layers = sum(1 for module in model.modules() if next(module.children(), None) is None)
    unrolled_s = 0.0 if has_convolutions(model) else UNROLLED_S
    return COMPILE_BASE_S + unrolled_s + COMPILE_S_PER_LAYER * layers


def hope(model: nn.Module, device_kind: str) -> float:
    """Return the largest share of training time that compiling can be expected to save."""
    if device_kind == "cuda":
        return 0.9
    return 0.3 if has_convolutions(model) else 0.8
