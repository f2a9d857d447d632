"""Attention on patches and mixers: what the last years of vision papers are made of, in small."""

import torch
from torch import nn


class PatchAttention(nn.Module):
    """A vision transformer: patches of 7 pixels, a class token, learnt positions, two blocks."""

    def __init__(self, dim=32, depth=2, heads=4):
        super().__init__()
        self.embed = nn.Conv2d(1, dim, 7, stride=7)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(torch.randn(1, 17, dim) * 0.02)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        x = self.embed(x)
        x = x.view(x.size(0), x.size(1), -1).permute(0, 2, 1)  # (B, 16, D); a copy in NHWC
        x = torch.cat([self.cls_token.expand(x.size(0), -1, -1), x], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class Block(nn.Module):
    """Attention and a small MLP, each after a norm, each added to what came in."""

    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, dropout=0.1, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Encoder(nn.Module):
    """torch's own encoder, a pixel row a token; in eval mode it takes another, fused path."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(28, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(28, 10)

    def forward(self, x):
        return self.head(self.encoder(x.squeeze(1)).mean(dim=1))


class AttentionMaps(nn.Module):
    """Keeps its attention weights for a figure, as everybody's visualisation code does."""

    def __init__(self, dim=32):
        super().__init__()
        self.dim = dim
        self.embed = nn.Linear(28, dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.head = nn.Linear(dim, 10)
        self.maps = []

    def forward(self, x):
        x = self.embed(x[:, 0])
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        weights = torch.softmax(q @ k.transpose(-2, -1) / self.dim**0.5, dim=-1)
        self.maps = [weights]
        return self.head((weights @ v).mean(1))


class Mixer(nn.Module):
    """MLP-Mixer: one MLP over the patches, one over the channels, in turns."""

    def __init__(self, dim=32, depth=2, patch=4):
        super().__init__()
        self.patch = patch
        tokens = (28 // patch) ** 2
        self.embed = nn.Linear(patch**2, dim)
        self.mixers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm_tokens": nn.LayerNorm(dim),
                    "tokens": nn.Sequential(
                        nn.Linear(tokens, 32), nn.GELU(), nn.Linear(32, tokens)
                    ),
                    "norm_channels": nn.LayerNorm(dim),
                    "channels": nn.Sequential(nn.Linear(dim, 64), nn.GELU(), nn.Linear(64, dim)),
                }
            )
            for _ in range(depth)
        )
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 10))

    def forward(self, x):
        b, c, h, w = x.shape
        p = self.patch
        # as einops would: from b c (h p) (w q) to b (h w) (c p q)
        x = x.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        x = self.embed(x)
        for m in self.mixers:
            x = x + m["tokens"](m["norm_tokens"](x).mT).mT
            x = x + m["channels"](m["norm_channels"](x))
        return self.head(x.mean(dim=1))


class StochasticDepth(nn.Module):
    """Residual blocks that a whole batch, or some of its images, leave out by chance."""

    def __init__(self, dim=16, depth=4, drop=0.2):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, dim, 3, 2, 1), nn.GroupNorm(4, dim), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(dim, dim, 3, 1, 1), nn.GroupNorm(4, dim), nn.ReLU())
            for _ in range(depth)
        )
        self.rates = torch.linspace(0, drop, depth).tolist()
        self.head = nn.Linear(dim, 10)

    def drop_path(self, x, rate):
        if not self.training or rate == 0:
            return x
        keep = x.new_empty(x.shape[0], 1, 1, 1).bernoulli_(1 - rate)
        return x * keep / (1 - rate)

    def forward(self, x):
        x = self.stem(x)
        for block, rate in zip(self.blocks, self.rates, strict=True):
            x = x + self.drop_path(block(x), rate)
        return self.head(x.mean((2, 3)))


class SkipsBlocks(StochasticDepth):
    """The same by the coin of the first paper: Python decides whether a block is computed."""

    def drop_path(self, x, rate):
        if self.training and torch.rand(()).item() < rate:
            return torch.zeros_like(x)
        return x
