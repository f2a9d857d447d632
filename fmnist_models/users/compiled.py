"""Nets that their authors have compiled already: the plan decides what is compiled, not the net.

What `torch.compile` has wrapped is taken out of its wrapper, so that parameters have their own
names (no `_orig_mod.`) and every plan sees the plain net. A function that stays compiled, in a
module beside the net for example, runs as it is written inside `uncompiled()`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

WRAPPED = "_torchdynamo_orig_callable"  # where torch keeps the function that it has compiled
MARK = "_fmnist_came_compiled"


def without_compilation(model: nn.Module) -> nn.Module:
    """Return the net inside of what `torch.compile` made of it or of its parts, in place."""
    if "torch._dynamo" not in sys.modules:  # nothing was ever compiled
        return model
    found = False
    while isinstance(inner := _layers(model).get("_orig_mod"), nn.Module):
        model, found = inner, True
    for module in list(model.modules()):
        found |= _unwrap(module) or _calls_compiled(type(module))
    if found:
        vars(model)[MARK] = True
    return model


def came_compiled(model: nn.Module) -> bool:
    """Tell whether a net, or a part of it, was compiled by its author."""
    return MARK in vars(model)


@contextmanager
def uncompiled() -> Iterator[None]:
    """Run what is compiled as it is written, while the block runs."""
    if "torch._dynamo" not in sys.modules:  # to import it would take a second
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@contextmanager
def traced_as_written() -> Iterator[None]:
    """Let a tracer follow what is compiled, which torch refuses unless told otherwise."""
    import torch._dynamo.config

    with uncompiled(), torch._dynamo.config.patch(error_on_nested_fx_trace=False):
        yield


def _layers(module: nn.Module) -> dict[str, nn.Module | None]:
    """Return the layers of a module by name; none of a scripted one, which keeps no dict."""
    layers = vars(module).get("_modules")
    return layers if isinstance(layers, dict) else {}


def _unwrap(module: nn.Module) -> bool:
    """Take layers, methods and the call of one module out of their wrappers; tell if any was."""
    own, found = vars(module), False
    for name, layer in list(_layers(module).items()):
        inner = None if layer is None else _layers(layer).get("_orig_mod")
        if isinstance(inner, nn.Module):
            own["_modules"][name], found = inner, True
    for name, value in list(own.items()):
        if _is_compiled(value) and callable(value):
            own[name], found = getattr(value, WRAPPED), True
    if own.get("_compiled_call_impl") is not None:  # as `module.compile()` leaves it
        own["_compiled_call_impl"], found = None, True
    return found


def _is_compiled(value: object) -> bool:
    """Whether torch has compiled a function; what is kept from it is wrapped in the same way."""
    return hasattr(value, WRAPPED) and not getattr(value, "_torchdynamo_disable", False)


def _calls_compiled(kind: type[nn.Module]) -> bool:
    """Whether methods of a class are compiled, or name a compiled function of their file."""
    for one in kind.__mro__:
        if one.__module__.startswith("torch."):
            continue
        for method in list(vars(one).values()):
            if any(map(_is_compiled, (method, *_named_in(method)))):
                return True
    return False


def _named_in(method: object) -> Iterator[object]:
    """Globals that a method names in its own text."""
    known, code = getattr(method, "__globals__", {}), getattr(method, "__code__", None)
    yield from (known.get(name) for name in getattr(code, "co_names", ()))
