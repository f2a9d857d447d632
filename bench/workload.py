"""What a training step costs by count: parameters and FLOPs."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

COUNTED_BATCH = 2  # BatchNorm over 1x1 maps refuses a single image in training


def num_parameters(model: nn.Module, *, trainable_only: bool = False) -> int:
    """Parameters of the model, all or those that receive gradients."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


def flops_per_image(model: nn.Module, input_size: int) -> float:
    """FLOPs of forward and backward for one image, counted by torch on a real training step.

    Convolutions and matrix products only, a multiply-add counts as two; see
    `torch.utils.flop_counter`. Works on a copy, so BatchNorm statistics stay as they are, and
    leaves the random state as it was (dropout draws from it).

    Args:
        model: on any device.
        input_size: S, pixels a side.
    """
    probe = copy.deepcopy(model).train()
    device = next(probe.parameters()).device
    images = torch.zeros(COUNTED_BATCH, 1, input_size, input_size, device=device)
    labels = torch.zeros(COUNTED_BATCH, dtype=torch.int64, device=device)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), FlopCounterMode(display=False) as counter:
        F.cross_entropy(probe(images), labels).backward()
    return float(counter.get_total_flops()) / COUNTED_BATCH
