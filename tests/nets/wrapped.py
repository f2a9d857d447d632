"""Nets with more than one input or output, wrappers, and losses of their own."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn


class SeveralInputs(nn.Module):
    """Takes an optional mask and any keywords beside the images."""

    def __init__(self):
        super().__init__()
        self.pixels, self.coordinates = nn.Linear(784, 32), nn.Linear(2, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, x, mask=None, *, return_features=False, **kwargs):
        if mask is None:
            mask = torch.ones_like(x)
        x = (x * mask).view(x.size(0), -1)
        place = torch.stack([x.mean(1), x.std(1)], dim=1)
        features = F.relu(self.pixels(x) + self.coordinates(place))
        logits = self.head(features)
        return (logits, features) if return_features else logits


class TwoBranches(nn.Module):
    """Two inputs by nature; a wrapper below makes both of the one image."""

    def __init__(self):
        super().__init__()
        self.top, self.bottom, self.head = nn.Linear(392, 16), nn.Linear(392, 16), nn.Linear(32, 10)

    def forward(self, top, bottom):
        return self.head(torch.cat([self.top(top).relu(), self.bottom(bottom).relu()], dim=-1))


class Wrapper(nn.Module):
    """Delegates whatever it does not have to the net inside, by __getattr__."""

    def __init__(self, net=None):
        super().__init__()
        self.net = net if net is not None else TwoBranches()

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.net, name)

    def forward(self, x):
        top, bottom = x.flatten(1).chunk(2, dim=1)
        return self.net(top, bottom)


class Auxiliary(nn.Module):
    """Deep supervision: in training a tuple of main and auxiliary logits, in eval the main ones."""

    def __init__(self):
        super().__init__()
        self.stage1 = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.stage2 = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.auxiliary, self.head = nn.Linear(8 * 196, 10), nn.Linear(16 * 49, 10)

    def forward(self, x):
        early = self.stage1(x)
        late = self.stage2(early)
        main = self.head(late.flatten(1))
        if self.training:
            return main, self.auxiliary(early.flatten(1))
        return main


class ReturnsDict(nn.Module):
    """A dict of logits and features in both modes, as detection code and Hugging Face return it."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(784, 32), nn.Linear(32, 10)

    def forward(self, x):
        features = F.relu(self.body(x.flatten(1)))
        return {"logits": self.head(features), "features": features}


class AuxiliaryDict(ReturnsDict):
    """A dict in training alone."""

    def forward(self, x):
        out = super().forward(x)
        return out if self.training else out["logits"]


class PenaltyGradient(torch.autograd.Function):
    """Passes logits through, and adds the gradient of a penalty in the backward pass."""

    @staticmethod
    def forward(ctx, logits, penalty):
        return logits.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad, torch.ones((), device=grad.device, dtype=grad.dtype)


class OwnLoss(nn.Module):
    """Its own loss term: an L1 penalty on features, which enters by a Function on the logits."""

    def __init__(self, weight=1e-3):
        super().__init__()
        self.body, self.head, self.weight = nn.Linear(784, 32), nn.Linear(32, 10), weight
        self.penalty = None

    def forward(self, x):
        features = F.relu(self.body(x.flatten(1)))
        self.penalty = self.weight * features.abs().mean()
        logits = self.head(features)
        return PenaltyGradient.apply(logits, self.penalty) if self.training else logits


class Variational(nn.Module):
    """An information bottleneck: a sample in training, the mean in eval, `self.kl` for the loss."""

    def __init__(self, dim=16):
        super().__init__()
        self.encode, self.decode, self.kl = nn.Linear(784, 2 * dim), nn.Linear(dim, 10), 0.0

    def forward(self, x):
        mean, log_variance = self.encode(x.flatten(1)).chunk(2, dim=-1)
        self.kl = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(-1).mean()
        if not self.training:
            return self.decode(mean)
        return self.decode(mean + (0.5 * log_variance).exp() * torch.randn_like(mean))


class Chatty(nn.Module):
    """Prints shapes and warns at each call."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    def forward(self, x):
        print("input:", x.shape)
        warnings.warn("this net is experimental", stacklevel=2)
        return self.net(x)


class FrozenBackbone(nn.Module):
    """Random features that are never trained (with BatchNorm kept in eval mode), a trained head."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 16, 5, 2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
        )
        self.head = nn.Linear(256, 10)
        self.backbone.requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x):
        with torch.no_grad():
            features = self.backbone(x)
        return self.head(features)


class PlainList(nn.Module):
    """The classic slip: layers in a Python list, which no optimizer ever sees."""

    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(784, 32), nn.Linear(32, 32)]
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.layers:
            x = F.relu(layer.to(x.device)(x))
        return self.head(x)
