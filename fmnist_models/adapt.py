"""Build a model from elsewhere, fit it to one channel and ten classes, and prove that it fits."""

import difflib
from collections.abc import Iterable

import torch
from torch import nn

from fmnist_models import external
from fmnist_models.catalogue import ModelError

NUM_CLASSES = 10
LARGER_IMAGES = "; for larger images build it in a file, file.py:CALLABLE, that sets input_size"
# These grow auxiliary heads in training unless told not to, and warn unless told how to initialise.
PLAIN_ARGUMENTS = {
    name: {"aux_logits": False, "init_weights": True} for name in ("googlenet", "inception_v3")
}


def build_external(name: str) -> nn.Module:
    """Return a fresh external model that has shown that it maps images to ten logits.

    A library's classifier is fitted to Fashion-MNIST. A user's own model is taken as it is where it
    fits, and fitted like a library's where it was made for other images.
    """
    external.check_name(name)
    library, model_name = external.split_library(name) or (None, name)
    if library == "torchvision":
        model = _build_torchvision(model_name)
    elif library == "timm":
        model = _build_timm(model_name)
    else:
        return _fitted(_build_from_file(name), name)
    check_shapes(model, name)
    return model


def adapt_to_fashion_mnist(model: nn.Module) -> nn.Module:
    """Give a network a one-channel first convolution and a ten-way last layer, in place.

    Both new layers start from PyTorch's default initialisation. A network without such layers comes
    back as it is: `check_shapes` tells what is wrong with it.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            model.set_submodule(name, _convolution_like(module, 1, module.out_channels))
            break
    for name, module in reversed(list(model.named_modules())):
        if isinstance(module, nn.Linear | nn.Conv2d):
            model.set_submodule(name, _with_ten_classes(module))
            break
    return model


def _fitted(model: nn.Module, name: str) -> nn.Module:
    try:
        check_shapes(model, name)
    except ModelError as misfit:
        try:
            model = adapt_to_fashion_mnist(model.train())  # the check has left it in eval mode
            check_shapes(model, name)
        except Exception:
            raise misfit from None  # what is wrong with the model that the user wrote
    return model


def check_shapes(model: nn.Module, name: str) -> None:
    """Raise ModelError unless two blank images come out as (2, 10); leaves the mode as it was."""
    size = external.input_size_of(name)
    images = torch.zeros(2, 1, size, size)
    was_training = model.training
    try:
        # no_grad, not inference_mode: a lazy layer makes its parameters here, and must train later
        with torch.no_grad():
            output = model.eval()(images)
        model.train(was_training)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's model may exit, too
        reason = external.explain(error, name)
        remedy = LARGER_IMAGES if external.split_library(name) else ""
        message = f"{name} fails on images {tuple(images.shape)}: {reason}{remedy}"
        raise ModelError(message) from error
    found = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    if found != (2, NUM_CLASSES):
        raise ModelError(
            f"{name} turns images {tuple(images.shape)} into {found};"
            f" it must return logits (2, {NUM_CLASSES})"
        )
    if not output.is_floating_point():
        raise ModelError(f"{name} returns {output.dtype}; it must return floating-point logits")


def _build_torchvision(name: str) -> nn.Module:
    from torchvision import models  # takes 2 to 3 s

    # The classifiers only: a detection model would download the weights of its backbone.
    _refuse_unknown(f"torchvision:{name}", name, models.list_models(module=models))
    model = models.get_model(name, weights=None, **PLAIN_ARGUMENTS.get(name, {}))
    return adapt_to_fashion_mnist(model)


def _build_timm(name: str) -> nn.Module:
    try:
        import timm  # an extra, which need not be installed
    except ImportError as error:
        raise ModelError(f"timm:{name} needs timm; run: pip install timm") from error
    if not timm.is_model(name):
        _refuse_unknown(f"timm:{name}", name, timm.list_models())
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, in_chans=1, num_classes=10)
    except Exception as error:  # not every timm model takes these arguments
        reason = external.explain(error, f"timm:{name}")
        raise ModelError(f"timm:{name} cannot be built: {reason}") from error
    return model


def _build_from_file(name: str) -> nn.Module:
    builder = external.load_callable(name)
    try:
        model = builder()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = external.explain(error, name)
        raise ModelError(f"{name} fails when called without arguments: {reason}") from error
    if not isinstance(model, nn.Module):
        kind = type(model).__name__
        raise ModelError(f"{name} returned {kind}; it must return a torch.nn.Module")
    return model


def _refuse_unknown(request: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name not in names:
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.0)
        raise ModelError(f"unknown model {request!r}; the closest names are {', '.join(close)}")


def _with_ten_classes(last: nn.Linear | nn.Conv2d) -> nn.Module:
    if isinstance(last, nn.Linear):
        if last.out_features != NUM_CLASSES:
            return nn.Linear(last.in_features, NUM_CLASSES, bias=last.bias is not None)
    elif last.kernel_size == (1, 1) and last.out_channels != NUM_CLASSES:  # as squeezenet ends
        return _convolution_like(last, last.in_channels, NUM_CLASSES)
    return last


def _convolution_like(old: nn.Conv2d, in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size=old.kernel_size,  # type: ignore[arg-type]  # torch says: of any length
        stride=old.stride,  # type: ignore[arg-type]
        padding=old.padding,  # type: ignore[arg-type]
        dilation=old.dilation,  # type: ignore[arg-type]
        groups=old.groups,
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
    )
