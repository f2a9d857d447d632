"""Weights that are computed from other weights: torch's parametrisations, old and new."""

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize


class Orthogonal(nn.Module):
    """A hidden matrix that stays orthogonal, by torch's parametrisation."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(784, 32)
        self.hidden = parametrizations.orthogonal(nn.Linear(32, 32))
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(torch.relu(self.hidden(torch.relu(self.first(x.flatten(1))))))


class Spectral(nn.Module):
    """Spectral norm of today; its power iteration writes into buffers at each training step."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            parametrizations.spectral_norm(nn.Conv2d(1, 8, 3, stride=2)),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            parametrizations.spectral_norm(nn.Linear(8 * 13 * 13, 10)),
        )

    def forward(self, x):
        return self.net(x)


class OldSpectral(nn.Module):
    """Spectral norm as in the code of most GANs: a hook that sets `weight` before each call."""

    def __init__(self):
        super().__init__()
        self.conv = nn.utils.spectral_norm(nn.Conv2d(1, 8, 3, stride=2))
        self.head = nn.utils.spectral_norm(nn.Linear(8 * 13 * 13, 10))

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).flatten(1))


class OldWeightNorm(nn.Module):
    """Weight norm by hooks; torch warns that it is deprecated."""

    def __init__(self):
        super().__init__()
        self.conv = nn.utils.weight_norm(nn.Conv2d(1, 8, 3, stride=2), dim=None)
        self.head = nn.utils.weight_norm(nn.Linear(8 * 13 * 13, 10))

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).flatten(1))


class WeightNorm(nn.Module):
    """Weight norm of today."""

    def __init__(self):
        super().__init__()
        self.conv = parametrizations.weight_norm(nn.Conv2d(1, 8, 3, stride=2))
        self.head = parametrizations.weight_norm(nn.Linear(8 * 13 * 13, 10))

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).flatten(1))


class Symmetric(nn.Module):
    """A parametrisation of its own, cached over a loop of ten iterations."""

    class Sym(nn.Module):
        """Mirror the upper triangle."""

        def forward(self, w):
            return w.triu() + w.triu(1).mT

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(784, 24)
        self.inner = nn.Linear(24, 24)
        parametrize.register_parametrization(self.inner, "weight", self.Sym())
        self.head = nn.Linear(24, 10)

    def forward(self, x):
        x = self.first(x.flatten(1))
        with parametrize.cached():
            for _ in range(10):
                x = x + 0.1 * torch.tanh(self.inner(x))
        return self.head(x)


class StandardizedConv(nn.Conv2d):
    """Weight standardisation: a convolution that normalises its weight as it is called."""

    def forward(self, x):
        w = self.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-5)
        return self._conv_forward(x, w, self.bias)


class Standardized(nn.Sequential):
    """The layers of BiT: standardised weights and GroupNorm."""

    def __init__(self):
        super().__init__(
            StandardizedConv(1, 8, 3, 2, 1),
            nn.GroupNorm(2, 8),
            nn.ReLU(),
            StandardizedConv(8, 16, 3, 2, 1),
            nn.GroupNorm(2, 16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 10),
        )


class MaxNorm(nn.Module):
    """Clips the norm of its weights in place at the beginning of each forward pass."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.hidden.weight.copy_(self.hidden.weight.renorm(2, 0, 1.0))
        return self.head(torch.relu(self.hidden(x.flatten(1))))


class Pruned(nn.Module):
    """Half of the weights pruned by torch.nn.utils.prune, which leaves masks and hooks."""

    def __init__(self):
        super().__init__()
        from torch.nn.utils import prune

        self.hidden = nn.Linear(784, 32)
        self.head = nn.Linear(32, 10)
        prune.l1_unstructured(self.hidden, "weight", amount=0.5)

    def forward(self, x):
        return self.head(torch.relu(self.hidden(x.flatten(1))))
