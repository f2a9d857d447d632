"""Layers beyond the usual ones: capsules, shared and lazy weights, Fourier layers, dtypes."""

import torch
import torch.nn.functional as F
from torch import nn


class Capsules(nn.Module):
    """Capsules with three rounds of routing by agreement; the length of a capsule is a logit."""

    def __init__(self, num_primary=8, dim=8):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 9, stride=3)  # (B, 16, 7, 7)
        self.primary = nn.Conv2d(16, num_primary * dim, 3, stride=2)  # (B, ., 3, 3)
        self.dim = dim
        self.transform = nn.Parameter(torch.randn(num_primary * 9, 10, 8, dim) * 0.1)
        self.scale = nn.Parameter(torch.tensor(10.0))

    @staticmethod
    def squash(s):
        n2 = s.pow(2).sum(-1, keepdim=True)
        return s * n2 / (1 + n2) / (n2 + 1e-8).sqrt()

    def forward(self, x):
        x = self.primary(F.relu(self.stem(x)))
        u = self.squash(x.view(x.size(0), self.dim, -1).transpose(1, 2))  # (B, 72, 8)
        votes = torch.einsum("ikod,bid->biko", self.transform, u)
        b = votes.new_zeros(votes.shape[:3])
        for it in range(3):
            c = F.softmax(b, dim=2)
            v = self.squash((c.unsqueeze(-1) * votes).sum(1))
            if it < 2:
                with torch.no_grad():
                    b = b + (votes * v.unsqueeze(1)).sum(-1)
        return self.scale * v.norm(dim=-1)


class SharedWeights(nn.Module):
    """A layer that is used three times, and a decoder tied to the encoder, there and back."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(784, 64)
        self.again = nn.Linear(64, 64)
        self.block = nn.Sequential(self.again, nn.ReLU(), self.again, nn.ReLU(), self.again)
        self.tied = nn.Linear(784, 64)
        self.tied.weight = self.first.weight
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.block(F.relu(self.first(x.flatten(1))))
        x = F.linear(x, self.first.weight.t())
        return self.head(self.tied(F.relu(x)))


class TiedByView(nn.Module):
    """A tie that is none by name: two parameters over the same memory, one of them transposed."""

    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.Linear(784, 32), nn.Linear(32, 784)
        self.decode.weight = nn.Parameter(self.encode.weight.t())
        self.head = nn.Linear(784, 10)

    def forward(self, x):
        x = x.flatten(1)
        return self.head(x + self.decode(F.relu(self.encode(x))))


class Lazy(nn.Module):
    """Nobody wants to count what comes out of the convolutions."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.LazyConv2d(8, 5, stride=2), nn.LazyBatchNorm2d(), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.fc1 = nn.LazyLinear(32)
        self.fc2 = nn.LazyLinear(10)

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        return self.fc2(F.relu(self.fc1(x)))


class MakesLayers(nn.Module):
    """Builds its classifier at the first forward pass, as older tutorials do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 5, stride=3)
        self.fc = None

    def forward(self, x):
        x = F.relu(self.conv(x)).flatten(1)
        if self.fc is None:
            self.fc = nn.Linear(x.shape[1], 10).to(x.device)
        return self.fc(x)


class Fourier(nn.Module):
    """Multiplies the spectrum of the image by complex weights (a spectral convolution)."""

    def __init__(self, width=8):
        super().__init__()
        self.lift = nn.Conv2d(1, width, 1)
        self.weight = nn.Parameter(torch.randn(width, 28, 15, dtype=torch.cfloat) * 0.1)
        self.head = nn.Linear(width * 49, 10)

    def forward(self, x):
        x = self.lift(x)
        spectrum = torch.fft.rfft2(x, norm="ortho") * self.weight
        x = F.gelu(x + torch.fft.irfft2(spectrum, s=x.shape[-2:], norm="ortho"))
        return self.head(F.avg_pool2d(x, 4).flatten(1))


class Double(nn.Module):
    """A net in double precision inside; its logits are float64."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.Tanh(), nn.Linear(32, 10))
        self.double()

    def forward(self, x):
        return self.layers(x.double())


class MixedDtypes(nn.Module):
    """Most of it float32, a solver in float64, a table in float16."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(784, 32)
        self.solver = nn.Linear(32, 32, dtype=torch.float64)
        self.table = nn.Parameter(torch.randn(32, dtype=torch.float16) * 0.1)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.tanh(self.inner(x.flatten(1)))
        x = torch.tanh(self.solver(x.double())).float()
        return self.head(x + self.table)


class Norms(nn.Module):
    """Every norm there is, and a softmax over channels in the middle of the net."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1),
            nn.GroupNorm(4, 16),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, 2, 1),
            nn.InstanceNorm2d(16, affine=True, track_running_stats=True),
            nn.Softmax2d(),
            nn.Conv2d(16, 16, 3, 2, 1),
            nn.LocalResponseNorm(2),
            nn.BatchNorm2d(16, momentum=None),
        )
        self.head = nn.Linear(16 * 16, 10)

    def forward(self, x):
        x = self.layers(x)
        return self.head(x.view(x.size(0), -1))


class Synchronised(nn.Module):
    """SyncBatchNorm left in from training on several GPUs."""

    def __init__(self):
        super().__init__()
        net = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(1568, 10),
        )
        self.net = nn.SyncBatchNorm.convert_sync_batchnorm(net)

    def forward(self, x):
        return self.net(x)
