"""Whether a net can train in channels_last: a `.view` after a convolution cannot."""

import torch
from torch import nn

from fmnist_models.adapt import some_images
from fmnist_models.external import message_of
from fmnist_models.logits import main_logits
from fmnist_models.users.compiled import uncompiled
from fmnist_models.users.unchanged import unchanged

MAX_REASON_CHARS = 90  # a record is at most 4 KB
REMEDY = "write .reshape or .flatten for its .view"


def why_not_channels_last(model: nn.Module, input_size: int) -> str | None:
    """Say why a net that trains on NCHW images does not on NHWC ones; None where it does.

    Also None where it trains on neither. The model keeps its values, but not their strides.
    """
    if _failure(model, input_size) is not None:
        return None
    model.to(memory_format=torch.channels_last)
    error = _failure(model, input_size)
    model.to(memory_format=torch.contiguous_format)
    if error is None:
        return None
    message = message_of(error).partition(" (")[0]  # torch explains at length
    reason = f"{type(error).__name__}: {message}"[:MAX_REASON_CHARS]
    return f"the net does not take channels_last ({reason}); {REMEDY}"


def _failure(model: nn.Module, input_size: int) -> Exception | None:
    device = next(model.parameters()).device
    images = some_images(input_size).to(device)
    try:
        with unchanged(model), uncompiled():
            model.train()
            logits = main_logits(model(images), len(images))
            if logits is not None:
                logits.sum().backward()
    except Exception as error:  # whatever a user's layer raises
        return error
    return None
