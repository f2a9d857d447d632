"""Training mode: which part of a network is frozen, and what its BatchNorm does meanwhile."""

from collections.abc import Iterator

import torch
from torch import nn

from fmnist_models.catalogue import ModelError
from fmnist_models.logits import main_logits
from fmnist_models.parts import BATCH_NORMS, parts_of
from fmnist_models.users.compiled import uncompiled
from fmnist_models.users.unchanged import unchanged


def freeze(model: nn.Module, name: str, trainable: str) -> None:
    """Take the gradient from every parameter that is not to be trained, in place.

    Nothing is thawed: a parameter that its author has frozen stays so. Setting `requires_grad` on
    a module, as R1 does, is a plain Python attribute that freezes nothing.

    `trainable` is `all`, `head`, or `stem_head`; see `parts_of`.

    Raises:
        ModelError: the model has no such part, or nothing of it would be trained.
    """
    if trainable == "all":
        return
    stem, head = parts_of(model)
    if not head:
        raise ModelError(f"{name} has no layer to train alone; choose --set trainable=all")
    if trainable == "stem_head" and stem == head:
        raise ModelError(
            f"{name} has one layer, stem and head in one; choose --set trainable=head or all"
        )
    trained = stem + head if trainable == "stem_head" else head
    # by identity: a parameter that two layers share is trained where one of them is
    kept = {id(p) for path in trained for p in model.get_submodule(path).parameters()}
    for parameter in model.parameters():
        if id(parameter) not in kept:
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ModelError(f"{name} keeps its own head frozen; choose --set trainable=all")


def train_mode(model: nn.Module, frozen_batchnorm: str) -> nn.Module:
    """Put the model in training mode, but for BatchNorm of frozen parts that is to be held.

    Held BatchNorm normalises by its running statistics and does not change them. `frozen_batchnorm`
    is `update` or, to hold it, `eval`; the model is frozen already.
    """
    model.train()
    if frozen_batchnorm == "eval":
        for norm in _frozen_norms(model):
            norm.eval()
    return model


def _frozen_norms(model: nn.Module) -> Iterator[nn.Module]:
    """BatchNorm that is frozen, or that has no parameters and follows a layer that is."""
    first = next(model.parameters(), None)  # a norm before all layers goes with the first
    is_frozen = first is not None and not first.requires_grad
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if own:
            is_frozen = not any(p.requires_grad for p in own)
        if is_frozen and isinstance(module, BATCH_NORMS):
            yield module


def needs_two_images(model: nn.Module, input_size: int, frozen_batchnorm: str = "update") -> bool:
    """Tell whether a training step fails with one image but not with two.

    The model stays as it is. One that cannot do with two images either fails for another reason,
    which is not told here.

    `frozen_batchnorm` is the recipe's: held BatchNorm takes a single image.
    """
    with unchanged(model), uncompiled(), torch.no_grad():
        train_mode(model, frozen_batchnorm)
        return not _gives_logits(model, 1, input_size) and _gives_logits(model, 2, input_size)


def _gives_logits(model: nn.Module, num_images: int, input_size: int) -> bool:
    device = next(model.parameters()).device
    try:
        output = model(torch.zeros(num_images, 1, input_size, input_size, device=device))
    except Exception:  # BatchNorm's is a ValueError; a user's own layer may raise anything
        return False
    return main_logits(output, num_images) is not None  # squeeze() drops a batch of one
