"""Models of torchvision and timm by name, fitted to Fashion-MNIST.

Each gets one channel, ten classes and the smallest images that it takes: the first of `SIZES` at
which it runs, in evaluation and on a batch of two in training. A constructor that takes the size of
the images (a vision transformer's) is given it, so that patches and windows are laid out for it.
"""

import difflib
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import nn

from fmnist_models import external
from fmnist_models.adapt import adapt_to_fashion_mnist, check_shapes
from fmnist_models.catalogue import ModelError, ModelInfo
from fmnist_models.logits import NUM_CLASSES

SIZES = (28, 32, 64, 96, 128, 160, 192, 224, 256, 299, 384, 512)
SIZE_ARGUMENTS = {"torchvision": "image_size", "timm": "img_size"}
# These grow auxiliary heads in training unless told not to, and warn unless told how to initialise.
PLAIN_ARGUMENTS = {
    name: {"aux_logits": False, "init_weights": True} for name in ("googlenet", "inception_v3")
}
IN_A_FILE = "build it in a file, file.py:CALLABLE, that sets input_size"


class _Fit(NamedTuple):
    """The size of a model's images, and whether its constructor is told."""

    input_size: int
    is_argument: bool


def describe_library_model(name: str) -> ModelInfo:
    """Return what is known about a library's model; builds it for its size, once a process."""
    library, model = _split(name)
    summary = f"{library}'s {model} with random weights, one channel and ten classes"
    return ModelInfo(name, _fit_of(name).input_size, source=library, summary=summary)


def build_library_model(name: str, input_size: int | None = None) -> nn.Module:
    """Return a fresh model of a library that maps images of a size, or of its own, to ten logits.

    Raises:
        ModelError: there is no such model, it takes images of no size, or not of this one.
    """
    fit = _fit_of(name)
    return _build(name, input_size or fit.input_size if fit.is_argument else None)


@cache
def _fit_of(name: str) -> _Fit:
    """Find the smallest size by trying; draws nothing from the caller's random state."""
    _check_known(name)
    is_argument = True
    with torch.random.fork_rng(devices=[]):
        for size in _sizes_of(name):
            try:
                if is_argument:
                    model, is_argument = _build_for(name, size)
                _check(model, name, size)
                return _Fit(size, is_argument)
            except ModelError as error:
                misfit = error
    raise ModelError(f"{misfit}; no size from {SIZES[0]} on will do: {IN_A_FILE}") from misfit


def _sizes_of(name: str) -> list[int]:
    """Return the sizes to try, the one that timm publishes a model for among them."""
    library, model = _split(name)
    if library == "torchvision":  # which has none that takes its own size alone
        return list(SIZES)
    import timm

    published = timm.get_pretrained_cfg(model)
    return sorted({*SIZES, *(published.input_size[-1:] if published else ())})


def _build_for(name: str, size: int) -> tuple[nn.Module, bool]:
    """Build a model for images of a size, and tell whether its constructor takes one at all."""
    try:
        return _build(name, size), True
    except ModelError as error:
        cause, argument = error.__cause__, SIZE_ARGUMENTS[_split(name)[0]]
        if isinstance(cause, TypeError) and repr(argument) in str(cause):  # unexpected
            return _build(name, None), False
        raise


def _check(model: nn.Module, name: str, size: int) -> None:
    """Raise ModelError unless a model runs on images of a size, in both modes."""
    patches = _patch_sides(model)
    if any(size % side or size < 2 * side for side in patches):
        raise ModelError(f"{name} cuts images into patches of {max(patches)} pixels a side")
    check_shapes(model, name, size)
    images = torch.zeros(2, 1, size, size)
    try:
        with torch.no_grad():
            model.train()(images)
    except Exception as error:
        reason = external.explain(error, name)
        raise ModelError(f"{name} fails in training on {tuple(images.shape)}: {reason}") from error


def _patch_sides(model: nn.Module) -> tuple[int, ...]:
    """Return the pixels a side of the patches that a transformer cuts its images into."""
    for owner in (getattr(model, "patch_embed", None), model):
        side = getattr(owner, "patch_size", None)
        if isinstance(side, int | tuple):
            return side if isinstance(side, tuple) else (side,)
    return ()


def _build(name: str, size: int | None) -> nn.Module:
    """Build a model, for images of a size where its constructor takes one."""
    library, model = _split(name)
    arguments = {} if size is None else {SIZE_ARGUMENTS[library]: size}
    try:
        return (_from_torchvision if library == "torchvision" else _from_timm)(model, arguments)
    except Exception as error:  # not every timm model takes these arguments
        reason = external.explain(error, name)
        raise ModelError(f"{name} cannot be built: {reason}") from error


def _from_torchvision(name: str, arguments: dict[str, Any]) -> nn.Module:
    from torchvision import models  # takes 2 to 3 s

    arguments = PLAIN_ARGUMENTS.get(name, {}) | arguments
    return adapt_to_fashion_mnist(models.get_model(name, weights=None, **arguments))


def _from_timm(name: str, arguments: dict[str, Any]) -> nn.Module:
    import timm

    model: nn.Module = timm.create_model(
        name, pretrained=False, in_chans=1, num_classes=NUM_CLASSES, **arguments
    )
    return model


def _check_known(name: str) -> None:
    """Raise ModelError unless a library is there and has such a model."""
    library, model = _split(name)
    if library == "torchvision":
        from torchvision import models

        # The classifiers only: a detection model would download the weights of its backbone.
        _refuse_unknown(name, model, models.list_models(module=models))
        return
    try:
        import timm  # an extra, which need not be installed
    except ImportError as error:
        raise ModelError(f"{name} needs timm; run: pip install timm") from error
    if not timm.is_model(model):
        _refuse_unknown(name, model, timm.list_models())


def _refuse_unknown(request: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name not in names:
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.0)
        raise ModelError(f"unknown model {request!r}; the closest names are {', '.join(close)}")


def _split(name: str) -> tuple[str, str]:
    """Return the library of a model and the model's name there."""
    library, _, model = name.partition(":")
    return library, model
