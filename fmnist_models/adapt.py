"""Build a model from elsewhere, fit it to one channel and ten classes, and prove that it fits."""

from contextlib import nullcontext

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from fmnist_models import external
from fmnist_models.catalogue import ModelError
from fmnist_models.logits import NUM_CLASSES, describe_output, main_logits
from fmnist_models.users.code import user_code
from fmnist_models.users.compiled import without_compilation
from fmnist_models.users.unchanged import unchanged


def build_external(name: str) -> nn.Module:
    """Return a fresh model of a user's file that has shown that it maps images to ten logits.

    It is taken as it is where it fits, and fitted like a library's where it was made for other
    images.
    """
    return _fitted(_build_from_file(name), name)


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
    size = external.input_size_of(name)
    try:
        check_shapes(model, name, size)
    except ModelError as misfit:
        try:
            adapt_to_fashion_mnist(model)
            check_shapes(model, name, size)
        except Exception:
            raise misfit from None  # what is wrong with the model that the user wrote
    return model


def check_shapes(model: nn.Module, name: str, size: int) -> None:
    """Raise ModelError unless two images come out as (2, 10); leaves the model as it was.

    A lazy layer gets its parameters here.

    Args:
        model: on the CPU.
        name: of the model, for the message.
        size: pixels a side of the images.
    """
    images = some_images(size)
    was_lazy, was_training = any(map(is_lazy, model.parameters())), model.training
    try:
        # no_grad, not inference_mode: a lazy layer makes its parameters here, and must train later
        with user_code(name), torch.no_grad(), nullcontext() if was_lazy else unchanged(model):
            model.eval()
            output = model(images)
        if was_lazy:
            model.train(was_training)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's model may exit, too
        reason = external.explain(error, name)
        message = f"{name} fails on images {tuple(images.shape)}: {reason}{dtype_remedy(model)}"
        raise ModelError(message) from error
    logits = main_logits(output, len(images))
    if logits is None:
        raise ModelError(
            f"{name} turns images {tuple(images.shape)} into {describe_output(output)};"
            f" it must return logits (2, {NUM_CLASSES})"
        )
    if not logits.is_floating_point():
        raise ModelError(f"{name} returns {logits.dtype}; it must return floating-point logits")


def some_images(size: int) -> torch.Tensor:
    """Return images (2, 1, size, size) of noise in [0, 1], always the same; nothing is drawn.

    Of blank ones a net may make a matrix that cannot be inverted, as of no picture.
    """
    return torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(0))


def dtype_remedy(model: nn.Module) -> str:
    """Return the end of a line about a net that fails on float32 images, where this may be why."""
    dtypes = {p.dtype for p in model.parameters() if p.is_floating_point()} - {torch.float32}
    if not dtypes:
        return ""
    kind = str(dtypes.pop()).removeprefix("torch.")
    return (
        f"; images are float32 and it has parameters in {kind}: end its constructor with .float()"
    )


def _build_from_file(name: str) -> nn.Module:
    builder = external.load_callable(name)
    try:
        with user_code(name):
            model = builder()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = external.explain(error, name)
        raise ModelError(f"{name} fails when called without arguments: {reason}") from error
    if not isinstance(model, nn.Module):
        kind = type(model).__name__
        raise ModelError(f"{name} returned {kind}; it must return a torch.nn.Module")
    return without_compilation(model)


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
