"""Use a model and leave no trace: whatever a pass through it changes is put back.

To count, check, warm up or draw a model takes passes that its training must not notice. A copy
would do, but many nets cannot be copied: those that keep a tensor of the last pass, hold a lock or
a writer, or have hooks. So passes are made on the model itself, and what they changed is put back:

    parameters, buffers, tensors among the attributes     values, in the same memory
    attributes, and what lists and dicts among them hold  the objects that were there before
    modes, gradients, generators                          as they were

What was not there before is gone again, a buffer that is made in the first pass for example, so no
graph of autograd and no tensor without data stays behind. What lies outside of the modules, or
deeper than in one container, is not known here.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from fmnist_models.users.code import kept_randomness

Container: TypeAlias = dict[Any, Any] | list[Any] | set[Any] | deque[Any]
CONTAINERS = (dict, list, set, deque)
MISSING = object()


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Put model, gradients and random states back when the block ends, however it ends.

    Inside the block the model has no gradients until it makes some.
    """
    with kept_randomness(), attributes_unchanged(model):
        tensors = [tensor for module in model.modules() for tensor in tensors_of(module).values()]
        values = [_Value(tensor) for tensor in tensors if can_be_filled(tensor)]
        try:
            yield
        finally:
            for value in reversed(values):  # of one under two names the first knows its gradient
                value.put_back()


@contextmanager
def attributes_unchanged(model: nn.Module) -> Iterator[None]:
    """Put back which objects the modules consist of when the block ends, but no values."""
    before = Attributes(model)
    try:
        yield
    finally:
        before.put_back()


class Attributes:
    """Which objects the modules of a model consist of when it is made."""

    def __init__(self, model: nn.Module) -> None:
        self.of_modules = [(module, dict(vars(module))) for module in model.modules()]
        values = [value for _, own in self.of_modules for value in own.values()]
        self.containers = [(c, _items(c)) for c in values if isinstance(c, CONTAINERS)]
        self.generators = [(g, g.get_state()) for g in values if isinstance(g, torch.Generator)]

    def put_back(self) -> None:
        """Make them consist of these again; what has not changed is not touched."""
        for container, items in self.containers:
            _refill(container, items)
        for module, attributes in self.of_modules:
            _put_attributes(module, attributes)
        for generator, state in self.generators:
            generator.set_state(state)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Return parameters, buffers and plain tensors of one module, without those inside of it."""
    plain = {name: value for name, value in vars(module).items() if isinstance(value, Tensor)}
    # by the module's own words: a scripted one has no dict of them
    named = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return dict(named) | plain


class _Value:
    """The value of a tensor, its gradient, and whether it wants one."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor, self.wants_gradient = tensor, tensor.requires_grad
        self.before = tensor.detach().clone()
        self.gradient, tensor.grad = tensor.grad, None

    @torch.no_grad()
    def put_back(self) -> None:
        """Fill the tensor in place, as compiled steps and CUDA graphs hold on to its memory."""
        tensor, before = self.tensor, self.before
        if not tensor.is_leaf:  # it was changed in place by what has gradients
            tensor.detach_()
        kinds = [(one.shape, one.dtype, one.device) for one in (tensor, before)]
        if kinds[0] == kinds[1]:
            tensor.copy_(before)
        else:
            tensor.data = before
        tensor.requires_grad_(self.wants_gradient)
        tensor.grad = self.gradient


def can_be_filled(tensor: Tensor) -> bool:
    """Tell whether a tensor can be filled: not one of a graph, nor of a lazy layer."""
    if is_lazy(tensor) or tensor.layout is not torch.strided:
        return False
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    overlaps = any(stride == 0 and size > 1 for size, stride in sizes)
    return tensor.is_leaf and not tensor.is_inference() and not overlaps


def _items(container: Container) -> list[Any]:
    return list(container.items()) if isinstance(container, dict) else list(container)


def _refill(container: Container, items: list[Any]) -> None:
    """Give a container its items back; one that still has them is not touched."""
    if _are_same(_items(container), items):
        return
    container.clear()
    if isinstance(container, dict | set):
        container.update(items)
    else:
        container.extend(items)


def _are_same(found: list[Any], before: list[Any]) -> bool:
    """Whether these are the same objects: to compare tensors would compare their values."""
    return len(found) == len(before) and all(
        _is_same(*pair) for pair in zip(found, before, strict=True)
    )


def _is_same(one: object, other: object) -> bool:
    if type(one) is tuple and type(other) is tuple:  # key and value of a dict
        return _are_same(list(one), list(other))
    return one is other


def _put_attributes(module: nn.Module, attributes: dict[str, Any]) -> None:
    own = vars(module)  # not setattr, which a module takes for a parameter or a layer
    for name in own.keys() - attributes.keys():
        del own[name]
    for name, value in attributes.items():
        if own.get(name, MISSING) is not value:
            own[name] = value
