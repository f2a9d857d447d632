"""Draw the weights of a model from a seed, and notice a model that seeds itself."""

import random
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

SAMPLES = 16  # numbers of each parameter that a fingerprint takes


def seed_everything(seed: int) -> None:
    """Seed torch, numpy and Python, whose global generators a model may draw from."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # it takes no more
    random.seed(seed)


def build_from(seed: int, build: Callable[[], nn.Module]) -> tuple[nn.Module, bool]:
    """Build a model under a seed; return it, and whether it has seeded torch with another.

    Where it has, all generators begin again with the run's own seed.
    """
    seed_everything(seed)
    model = build()
    is_own = torch.initial_seed() != seed % 2**64
    if is_own:
        seed_everything(seed)
    return model, is_own


def fingerprint(model: nn.Module) -> int:
    """Hash some numbers of each parameter: different where the weights were drawn anew."""
    drawn = [parameter for parameter in model.parameters() if not is_lazy(parameter)]
    flat = [parameter.detach().flatten() for parameter in drawn]
    return hash(
        tuple(tuple(one[:: max(1, len(one) // SAMPLES)].tolist()) for one in flat if len(one))
    )
