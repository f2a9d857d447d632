"""Parts made by torch's tools: quantised, compiled, scripted, traced, stacked, wrapped."""

import copy

import torch
from torch import nn
from torch.ao.quantization import FakeQuantize, MovingAverageMinMaxObserver
from torch.func import functional_call, stack_module_state


def small():
    """A plain net that the others have made something of."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(1568, 10)
    )


class FakeQuantized(nn.Module):
    """Quantisation-aware training: fake quantisation of weights and activations, with observers."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, 2, 1)
        self.head = nn.Linear(1568, 10)
        make = FakeQuantize.with_args(
            observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255
        )
        self.images, self.activations = make(), make()
        self.weights = FakeQuantize(
            MovingAverageMinMaxObserver,
            quant_min=-128,
            quant_max=127,
            dtype=torch.qint8,
            qscheme=torch.per_tensor_symmetric,
        )

    def train(self, mode=True):
        super().train(mode)
        for module in (self.images, self.activations, self.weights):
            module.enable_observer(mode)
        return self

    def forward(self, x):
        x = self.images(x)
        x = self.conv._conv_forward(x, self.weights(self.conv.weight), self.conv.bias)
        return self.head(self.activations(torch.relu(x)).flatten(1))


class RoundsByHand(nn.Module):
    """Eight bits by hand: round with a straight-through gradient, the scale is learnt (LSQ)."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.05))
        self.first = nn.Linear(784, 32)
        self.head = nn.Linear(32, 10)

    def quantize(self, w):
        q = (w / self.scale).clamp(-128, 127)
        return (q + (q.round() - q).detach()) * self.scale

    def forward(self, x):
        x = nn.functional.linear(x.flatten(1), self.quantize(self.first.weight), self.first.bias)
        return self.head(torch.relu(x))


class CompiledPart(nn.Module):
    """Its body comes under torch.compile, its head does not."""

    def __init__(self):
        super().__init__()
        self.body = torch.compile(nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU()))
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.body(x))


class CompiledMethod(nn.Module):
    """A decorated method, as in many repositories."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(784, 32), nn.Linear(32, 10)

    @torch.compile
    def body(self, x):
        return torch.relu(self.first(x))

    def forward(self, x):
        return self.head(self.body(x.flatten(1)))


class CompilesItself(nn.Module):
    """Compiles a part of itself in place, by a backend that needs no C compiler."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
        self.net.compile(backend="aot_eager")

    def forward(self, x):
        return self.net(x)


class NotCompilable(nn.Module):
    """A part that its author keeps away from the compiler, and a branch on a value."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(784, 32), nn.Linear(32, 10)

    @torch.compiler.disable
    def normalised(self, x):
        return x / x.std() if x.std().item() > 1e-3 else x

    def forward(self, x):
        return self.head(torch.relu(self.first(self.normalised(x.flatten(1)))))


class Scripted(nn.Module):
    """A part through torch.jit.script."""

    def __init__(self):
        super().__init__()
        self.body = torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU()))
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.body(x))


def scripted():
    """The whole net scripted."""
    return torch.jit.script(small())


def traced():
    """The whole net traced, with an example of two images."""
    return torch.jit.trace(small(), torch.zeros(2, 1, 28, 28))


def data_parallel():
    """DataParallel left around the net; without a GPU it calls the net itself."""
    return nn.DataParallel(small())


def rewritten():
    """A net that torch.fx has traced and changed."""
    graph = torch.fx.symbolic_trace(small())
    for node in graph.graph.nodes:
        if node.op == "call_module" and isinstance(graph.get_submodule(node.target), nn.ReLU):
            graph.set_submodule(node.target, nn.SiLU())
    graph.recompile()
    return graph


class Ensemble(nn.Module):
    """Four nets in one call by torch.func: stacked weights and vmap."""

    def __init__(self, num=4):
        super().__init__()
        nets = [
            nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))
            for _ in range(num)
        ]
        params, _ = stack_module_state(nets)
        self.names = list(params)
        self.stacked = nn.ParameterList(params[name].detach() for name in self.names)
        self.__dict__["base"] = copy.deepcopy(nets[0]).to("meta")

    def forward(self, x):
        def call(params, images):
            return functional_call(self.base, params, (images,))

        params = dict(zip(self.names, self.stacked, strict=True))
        return torch.vmap(call, in_dims=(0, None))(params, x).mean(0)


class Committee(nn.Module):
    """Three different nets whose logits are averaged, with weights that are learnt."""

    def __init__(self):
        super().__init__()
        self.members = nn.ModuleList(
            [
                small(),
                nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),
                nn.Sequential(
                    nn.AvgPool2d(2), nn.Flatten(), nn.Linear(196, 32), nn.Tanh(), nn.Linear(32, 10)
                ),
            ]
        )
        self.weights = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        answers = torch.stack([member(x) for member in self.members])
        return torch.einsum("m,mbk->bk", self.weights.softmax(0), answers)
