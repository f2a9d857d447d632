"""Models by name: register one, list them, describe one, build one."""

import fnmatch
import importlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from fmnist_models import external
from fmnist_models.catalogue import ModelError, ModelInfo, Registration, first_line, read_catalogue

if TYPE_CHECKING:
    from torch import nn

Builder = Callable[[], "nn.Module"]
BuilderT = TypeVar("BuilderT", bound=Builder)


class _Registered(NamedTuple):
    info: ModelInfo
    build: Builder


FAMILIES = "fmnist_models.families"
_REGISTERED: dict[str, _Registered] = {}  # filled by `register` as modules are imported


def register(
    name: str, *, input_size: int = 28, variant_of: str | None = None, source: str = "user"
) -> Callable[[BuilderT], BuilderT]:
    """Make a function or Module subclass known as a model under a name.

    Called without arguments it returns a network for 10 classes and 1 channel. The first line of
    its docstring becomes the model's summary.

    Args:
        name: what `--models` and the tables call it.
        input_size: pixels a side of the images that it takes.
        variant_of: the model that this one is a named change of.
        source: where the architecture comes from.

    Raises:
        ModelError: when the name is taken, or is none that `--models` can ask for.
    """

    def decorate(builder: BuilderT) -> BuilderT:
        if name == "all" or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            words = "letters, digits, '_', '-', '.', and not 'all'"
            raise ModelError(f"a model cannot be named {name!r}; use {words}")
        shipped = _catalogue().get(name)
        is_own = shipped is None or builder.__module__ == f"{FAMILIES}.{shipped.module}"
        if name in _REGISTERED or not is_own:
            raise ModelError(f"model {name!r} is already registered; choose another name")
        info = ModelInfo(name, input_size, variant_of, source, first_line(builder.__doc__))
        _REGISTERED[name] = _Registered(info, builder)
        return builder

    return decorate


def list_models(variants: bool = True) -> list[str]:
    """Return all names: base models, then variants, then what was registered at run time."""
    shipped = [entry.info for entry in _catalogue().values()]
    shipped.sort(key=lambda info: info.variant_of is not None)
    added = [model.info for name, model in _REGISTERED.items() if name not in _catalogue()]
    return [info.name for info in shipped + added if variants or info.variant_of is None]


def model_info(name: str) -> ModelInfo:
    """Return what is known about a model; loads torch only for one from elsewhere."""
    if name in _REGISTERED:
        return _REGISTERED[name].info
    if name in _catalogue():
        return _catalogue()[name].info
    if external.split_library(name):
        external.check_name(name)
        from fmnist_models.libraries import describe_library_model  # loads torch

        return describe_library_model(name)
    if external.is_external(name):
        return external.describe(name)
    raise _unknown(name)


def build_model(name: str, input_size: int | None = None) -> "nn.Module":
    """Return a freshly initialised network, on the CPU and in training mode.

    It maps images (B, 1, S, S) float32 to logits (B, 10), S its input size.

    Args:
        name: a registered name, `torchvision:NAME`, `timm:NAME` or `path/to/file.py:CALLABLE`.
        input_size: pixels a side, where they are not to be the model's own; only a library's model
            whose constructor takes them is built for them.

    Raises:
        ModelError: when no such model exists, or it does not keep to these shapes.
    """
    if name not in _REGISTERED and name in _catalogue():
        importlib.import_module(f"{FAMILIES}.{_catalogue()[name].module}")
    if name in _REGISTERED:
        return _REGISTERED[name].build()
    if external.split_library(name):
        external.check_name(name)
        from fmnist_models.libraries import build_library_model  # loads torch

        return build_library_model(name, input_size)
    if external.is_external(name):
        from fmnist_models.adapt import build_external  # loads torch

        return build_external(name)
    raise _unknown(name)


def resolve_names(request: str) -> list[str]:
    """Return the models that a `--models` value asks for, each once, in the order asked.

    Args:
        request: names, shell globs over registered names, `all` (every base model) and external
            names, separated by commas.

    Raises:
        ModelError: for an empty request, an unknown name, or a glob that matches nothing.
    """
    parts = [part.strip() for part in request.split(",") if part.strip()]
    if not parts:
        raise ModelError("no model was asked for; name some, or say 'all'")
    return list(dict.fromkeys(name for part in parts for name in _resolve(part)))


def _resolve(part: str) -> list[str]:
    if part == "all":
        return list_models(variants=False)
    if part in list_models():
        return [part]
    if external.is_external(part):
        return [external.canonical(part)]
    matches = fnmatch.filter(list_models(), part)
    if not matches:
        raise _unknown(part)
    return matches


def _unknown(name: str) -> ModelError:
    choices = ", ".join(list_models())
    return ModelError(f"unknown model {name!r}; choose from {choices}, or {external.FORMS}")


@cache
def _catalogue() -> dict[str, Registration]:
    return read_catalogue(Path(__file__).parent / "families")
