"""Nets that students and papers write train here as in the loop that they come from.

Each is run as a user's model file: checked, counted, warmed up, trained, evaluated. Its losses are
then held against a plain PyTorch loop over the same batches, to the bit under `eager`: whatever
the harness does around a step must leave the net as it was, what torch does not know of included.
"""

from functools import cache, partial

import pytest
import torch
from torch import Tensor

from bench.engine.maker import EngineMaker
from bench.errors import RunError
from bench.train import session
from tests.bench.run.nets_by_hand import Ran, loop_by_hand, open_net, run_net
from tests.tiers import slow_but

KINDS = {
    "attention on patches": "attention:PatchAttention",
    "MLP-mixer": "attention:Mixer",
    "stochastic depth": "attention:StochasticDepth",
    "RNN over rows": "recurrent:RowGRU",
    "capsules": "structure:Capsules",
    "weight sharing": "structure:SharedWeights",
    "orthogonal": "parametrized:Orthogonal",
    "spectral": "parametrized:Spectral",
    "LazyLinear": "structure:Lazy",
    "EMA inside": "stateful:Averaged",
    "gradient checkpointing": "autograd:Checkpointed",
    "autograd Function": "autograd:Binarized",
    "in place": "autograd:InPlace",
    "a buffer that counts": "stateful:Counts",
    "hooks": "hooked:MultiGrad",
    "fake quantisation": "tooled:RoundsByHand",
    "a compiled part": "tooled:CompilesItself",
    "ensemble": "tooled:Ensemble",
    "several inputs": "wrapped:SeveralInputs",
    "auxiliary heads": "wrapped:Auxiliary",
    "a loss of its own": "wrapped:OwnLoss",
}
FURTHER = (
    "attention:Encoder",
    "attention:SkipsBlocks",
    "attention:AttentionMaps",
    "autograd:StraightThrough",
    "autograd:Quantizes",
    "autograd:Reentrant",
    "autograd:CheckpointedSequence",
    "autograd:Masked",
    "autograd:Energy",
    "autograd:InputGradient",
    "hooked:Hooks",
    "hooked:GradCam",
    "hooked:AfterAccumulation",
    "hooked:StateHooks",
    "hooked:ExtraState",
    "hooked:ClipsGradients",
    "parametrized:OldSpectral",
    "parametrized:OldWeightNorm",
    "parametrized:WeightNorm",
    "parametrized:Symmetric",
    "parametrized:Standardized",
    "parametrized:MaxNorm",
    "parametrized:Pruned",
    "recurrent:RowLSTM",
    "recurrent:NormedGRU",
    "recurrent:Packed",
    "recurrent:Cell",
    "recurrent:Stateful",
    "stateful:Teacher",
    "stateful:Replaces",
    "stateful:CountsInPython",
    "stateful:Grows",
    "stateful:OwnGenerator",
    "stateful:NumpyNoise",
    "structure:TiedByView",
    "structure:MakesLayers",
    "structure:Double",
    "structure:Fourier",
    "structure:MixedDtypes",
    "structure:Norms",
    "structure:Synchronised",
    "tooled:FakeQuantized",
    "tooled:NotCompilable",
    "tooled:Scripted",
    "tooled:scripted",
    "tooled:traced",
    "tooled:data_parallel",
    "tooled:rewritten",
    "tooled:Committee",
    "wrapped:Wrapper",
    "wrapped:AuxiliaryDict",
    "wrapped:ReturnsDict",
    "wrapped:Variational",
    "wrapped:Chatty",
    "wrapped:FrozenBackbone",
    "wrapped:PlainList",
)
NETS = (*KINDS.values(), *FURTHER)
FLAGS = {  # whatever a net is by design
    "wrapped:Auxiliary": {"main_logits_only"},
    "wrapped:AuxiliaryDict": {"main_logits_only"},
    "tooled:CompilesItself": {"came_compiled"},
    "wrapped:ReturnsDict": {"main_logits_only"},
    "wrapped:PlainList": {"stray_weights"},
}
# `view` of a feature map, which in NHWC has other strides
NCHW_ONLY = ("autograd:InPlace", "structure:Capsules", "structure:Lazy", "structure:Norms")
COMPILED = tuple(net for net in KINDS.values() if net != "stateful:Counts")  # torch's own differs
FROZEN = "it decides in Python by numbers that it computes"
NO_STEP = {  # why a net cannot be traced as one whole step
    "attention:SkipsBlocks": FROZEN,
    "autograd:Checkpointed": "with dropout twice",
    "autograd:Reentrant": "use_reentrant=True",
    "hooked:ClipsGradients": "hooks on the gradients of its weights",
    "stateful:NumpyNoise": "random numbers of numpy",
    "recurrent:Packed": "cannot trace this net",
    "stateful:Averaged": FROZEN,
    "structure:MixedDtypes": "it has weights in float16",
    "structure:Norms": FROZEN,
}
STEP = (
    *(net for net in KINDS.values() if net not in NO_STEP),
    "attention:Encoder",
    "autograd:StraightThrough",
    "autograd:CheckpointedSequence",
    "hooked:GradCam",
    "hooked:Hooks",
    "parametrized:OldSpectral",
    "recurrent:Cell",
    "recurrent:Stateful",
    "stateful:Replaces",
    "stateful:OwnGenerator",
    "tooled:traced",
    "tooled:data_parallel",
)
QUICK = ("hooked:Hooks", "stateful:CountsInPython", "wrapped:Auxiliary")
ROUNDING = 1e-5  # of losses in NHWC or by other kernels; the nets agree to 1e-6

pytestmark = [
    pytest.mark.usefixtures("small_session"),
    pytest.mark.filterwarnings("ignore"),  # the nets' own, and torch's on what they use
]


@cache
def in_a_loop(net: str) -> Tensor:
    return loop_by_hand(net)


def assert_trained(net: str, ran: Ran) -> None:
    """The loss is finite and falls, only what is so is flagged, FLOPs are known or explained."""
    assert torch.isfinite(ran.losses).all()
    assert ran.losses[-3:].mean() < ran.losses[:3].mean()
    # after 16 steps; and a net that counts in Python is compiled anew where a guard looks at that
    flags = set(ran.findings.flags) - {"at_chance", "compiled_in_clock"}
    assert flags == FLAGS.get(net, set())
    assert (ran.flops or 0) > 0 or ran.findings.missing["flops_per_image"]


@pytest.mark.parametrize("net", slow_but(QUICK, NETS))
def test_a_net_trains_as_in_a_plain_loop(net: str) -> None:
    ran = run_net(open_net(net))
    assert_trained(net, ran)
    assert torch.equal(ran.losses, in_a_loop(net))


@pytest.mark.slow
@pytest.mark.parametrize("net", [net for net in NETS if net not in NCHW_ONLY])
def test_a_net_trains_alike_in_channels_last(net: str) -> None:
    ran = run_net(open_net(net, "channels_last"))
    assert_trained(net, ran)
    torch.testing.assert_close(ran.losses, in_a_loop(net), rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.parametrize("net", COMPILED)
def test_a_net_trains_alike_under_compile(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # all of torch.compile but the compiler for the machine, which would take a minute a net
    monkeypatch.setattr(session, "EngineMaker", partial(EngineMaker, backend="aot_eager"))
    torch._dynamo.reset()
    ran = run_net(open_net(net, "compile"))
    assert_trained(net, ran)
    torch.testing.assert_close(ran.losses, in_a_loop(net), rtol=0, atol=ROUNDING)


@pytest.fixture
def _no_inductor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole steps are traced and run as traced, not compiled."""
    monkeypatch.setattr("torch._inductor.compile", lambda graph, _examples, _options: graph)


@pytest.mark.slow
@pytest.mark.usefixtures("_no_inductor")
@pytest.mark.parametrize("net", STEP)
def test_a_net_trains_alike_in_whole_steps(net: str) -> None:
    ran = run_net(open_net(net, "step"))
    assert_trained(net, ran)
    torch.testing.assert_close(ran.losses, in_a_loop(net), rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.usefixtures("_no_inductor")
@pytest.mark.parametrize("net", NO_STEP)
def test_plan_step_says_in_one_line_what_it_cannot_hold(net: str) -> None:
    with pytest.raises(RunError) as refused:
        run_net(open_net(net, "step"))
    assert refused.value.status == "unsupported"
    reason = str(refused.value)
    assert NO_STEP[net] in reason
    assert "use plan eager" in reason
    assert "\n" not in reason
