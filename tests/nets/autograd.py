"""Nets that tell autograd what to do: own Functions, checkpoints, straight-through, in place."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential


class Sign(torch.autograd.Function):
    """The sign, with the gradient of a clipped identity."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1)


class Binarized(nn.Module):
    """A binary network: weights and activations are signs, by a Function of its own."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.hidden = nn.Linear(16 * 49, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = F.max_pool2d(Sign.apply(self.norm(self.conv(x))), 2)
        x = F.linear(x.flatten(1), Sign.apply(self.hidden.weight), self.hidden.bias) / 28
        return self.head(F.relu(x))


class StraightThrough(nn.Module):
    """A discrete bottleneck: (hard - soft).detach() + soft, and Gumbel noise while training."""

    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(784, 8 * 16)
        self.decode = nn.Linear(8 * 16, 10)

    def forward(self, x):
        logits = self.encode(x.flatten(1)).view(-1, 8, 16)
        if self.training:
            codes = F.gumbel_softmax(logits, tau=1.0, hard=True)
        else:
            codes = F.one_hot(logits.argmax(-1), 16).to(x.dtype)
        return self.decode(codes.flatten(1))


class Quantizes(nn.Module):
    """A codebook as in VQ-VAE: nearest neighbours, a copied gradient, a loss that is kept."""

    def __init__(self, dim=8, num_codes=32):
        super().__init__()
        self.encode = nn.Conv2d(1, dim, 7, stride=7)
        self.codes = nn.Embedding(num_codes, dim)
        self.head = nn.Linear(dim * 16, 10)

    def forward(self, x):
        z = self.encode(x).permute(0, 2, 3, 1).contiguous()
        flat = z.view(-1, z.size(-1))
        nearest = torch.cdist(flat, self.codes.weight).argmin(1)
        q = self.codes(nearest).view_as(z)
        self.commitment = F.mse_loss(z, q.detach()) + F.mse_loss(q, z.detach())
        return self.head((z + (q - z).detach()).flatten(1))


class Checkpointed(nn.Module):
    """Recomputes two of its three parts in the backward pass; BatchNorm and dropout are in them."""

    reentrant = False

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, 2, 1, bias=False)
        self.part1 = nn.Sequential(
            nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.part2 = nn.Sequential(
            nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1)
        )
        self.head = nn.Linear(16 * 49, 10)

    def forward(self, x):
        x = self.stem(x)
        x = checkpoint(self.part1, x, use_reentrant=self.reentrant)
        return self.head(checkpoint(self.part2, x, use_reentrant=self.reentrant))


class Reentrant(Checkpointed):
    """The same in the way of older versions of torch, a backward pass inside the backward pass."""

    reentrant = True


class CheckpointedSequence(nn.Module):
    """torch's helper for a long chain of layers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(784, 32)
        self.chain = nn.Sequential(*[nn.Sequential(nn.Linear(32, 32), nn.Tanh()) for _ in range(6)])
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = self.first(x.flatten(1))
        return self.head(checkpoint_sequential(self.chain, 3, x, use_reentrant=False))


class InPlace(nn.Module):
    """Everything in place: ReLU, residual sums, the input itself (images are centred by it)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, 2, 1)
        self.conv2 = nn.Conv2d(16, 16, 3, 1, 1)
        self.head = nn.Linear(16 * 49, 10)

    def forward(self, x):
        x -= 0.3
        x = F.relu_(self.conv1(x))
        y = self.conv2(x)
        y += x
        y.clamp_(min=0).mul_(0.5)
        y = F.max_pool2d(y, 2)
        return self.head(y.view(y.shape[0], -1))


class Masked(nn.Module):
    """Writes into slices and by masks; dropping half of the features by an index."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        h = torch.zeros(x.shape[0], 64, device=x.device)
        h[:] = self.hidden(x.flatten(1))
        h[h < 0] = 0.0
        h[:, ::2] *= 0.5
        return self.head(h)


class Energy(nn.Module):
    """Features are the gradient of a learnt energy: torch.autograd.grad inside forward."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 32)
        self.energy = nn.Linear(32, 1)
        self.head = nn.Linear(784, 10)

    def forward(self, x):
        x = x.flatten(1)
        with torch.enable_grad():
            z = x.detach().requires_grad_()
            e = self.energy(torch.tanh(self.hidden(z))).sum()
            (field,) = torch.autograd.grad(e, z, create_graph=self.training)
        return self.head(x + field)


class InputGradient(nn.Module):
    """Needs the gradient by its input: x.requires_grad_(), as in adversarial training."""

    def __init__(self, epsilon=0.02):
        super().__init__()
        self.epsilon = epsilon
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        if not self.training:
            return self.net(x)
        attacked = x.clone().detach().requires_grad_(True)
        logits = self.net(attacked)
        guess = logits.argmax(1)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, guess), attacked)
        return self.net(x + self.epsilon * gradient.sign())
