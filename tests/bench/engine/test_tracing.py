"""What plan `step` writes down of a net trains like eager, or the plan refuses it in one line."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench import Plan
from bench.engine import whole_step
from bench.errors import RunError
from bench.machine.compilers import compile_counts
from tests.bench.train.training_by_hand import RECIPE, engine_of, flat_state, some_batches
from tests.fmnist_models import nets_by_hand as nets

MOMENTUM = replace(RECIPE, momentum=0.9)
RATES = [0.1, 0.05, 0.02]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is traced runs as it is, which takes no compiler."""
    monkeypatch.setattr(whole_step, "compile_graph", lambda graph, _arguments: graph)


def trained(build: Callable[[], nn.Module], plan: str) -> tuple[nn.Module, Tensor]:
    model = build().double()
    return model, engine_of(model, MOMENTUM, Plan.parse(plan)).run(some_batches(3), RATES)


@pytest.mark.usefixtures("_interpreted")
@pytest.mark.parametrize("plan", ["step", "step:3"])
@pytest.mark.parametrize(
    "build",
    [
        nets.Plain,
        nets.KeepsFeatures,
        nets.Locked,
        nets.spectral,
        nets.Checkpointed,  # computes again while gradients flow back
        nets.Attributes,
        nets.InPlace,
        nets.Replaces,
    ],
)
def test_what_is_traced_trains_like_eager(build: Callable[[], nn.Module], plan: str) -> None:
    eager, losses = trained(build, "eager")
    model, its_losses = trained(build, plan)
    assert torch.allclose(its_losses, losses, rtol=1e-9)
    assert torch.allclose(flat_state(model), flat_state(eager), rtol=1e-6, atol=1e-12)
    if isinstance(model, nets.Attributes) and isinstance(eager, nets.Attributes):
        assert torch.allclose(model.mean, eager.mean)


@pytest.mark.usefixtures("_interpreted")
@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (nets.Decides, "it decides in Python by numbers that it computes"),
        (nets.Numpy, "numpy"),
        (nets.Buffers, "it makes its buffer none in a pass"),
        (nets.Schedule, "what it computes hangs on its passes, which changes in a pass"),
        (nets.ListedMean, "it changes a tensor that is no buffer and no attribute"),
    ],
)
def test_what_would_be_frozen_is_refused_in_one_line(
    build: Callable[[], nn.Module], reason: str
) -> None:
    with pytest.raises(RunError) as caught:
        trained(build, "step")
    assert caught.value.status == "unsupported"
    assert caught.value.reason.startswith("plan step cannot trace this net: ")
    assert reason in caught.value.reason
    assert caught.value.reason.endswith("; use plan eager, or compile")
    assert "\n" not in caught.value.reason


@pytest.mark.usefixtures("_interpreted")
def test_nothing_of_a_trace_stays_in_the_model() -> None:
    model, _ = trained(nets.KeepsFeatures, "step")
    assert isinstance(model, nets.KeepsFeatures)
    assert model.kept is None
    assert model.history == []


@pytest.mark.slow
@pytest.mark.parametrize("build", [nets.Attributes, nets.Checkpointed, nets.KeepsFeatures])
def test_compiled_steps_of_such_nets_train_like_eager(build: Callable[[], nn.Module]) -> None:
    eager, losses = trained(build, "eager")
    before = compile_counts()
    model, its_losses = trained(build, "step")
    assert compile_counts().since(before).compilations == 1
    assert torch.allclose(its_losses, losses, rtol=1e-9)
    assert torch.allclose(flat_state(model), flat_state(eager), rtol=1e-6, atol=1e-12)
