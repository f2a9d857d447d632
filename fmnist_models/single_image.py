"""A last batch of one image: BatchNorm over 1x1 maps cannot train on it."""

import copy

import torch
from torch import nn

from fmnist_models.freezing import train_mode


def needs_two_images(model: nn.Module, input_size: int, frozen_batchnorm: str = "update") -> bool:
    """Tell whether a training step fails with one image but not with two.

    Tried on a copy on the CPU, so that weights, statistics, modes and the random state stay as they
    are. A model that cannot do with two images either fails for another reason, which is not told
    here.

    `frozen_batchnorm` is the recipe's: held BatchNorm takes a single image.
    """
    probe = train_mode(copy.deepcopy(model).cpu(), frozen_batchnorm)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        return not _gives_logits(probe, 1, input_size) and _gives_logits(probe, 2, input_size)


def _gives_logits(model: nn.Module, num_images: int, input_size: int) -> bool:
    try:
        logits = model(torch.zeros(num_images, 1, input_size, input_size))
    except Exception:  # BatchNorm's is a ValueError; a user's own layer may raise anything
        return False
    return logits.dim() == 2 and len(logits) == num_images  # squeeze() drops a batch of one
