"""Stem and head: where a network takes its image in, and where its classes come out."""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from torch import nn

RESNET_NAMES = {"conv1", "bn1", "fc"}  # torchvision's ResNets, and who follows them
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
REGISTERED = {"_parameters", "_buffers", "_modules"}  # attributes of every module
OTHER_NORMS = (
    nn.GroupNorm,
    nn.LayerNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)


class Parts(NamedTuple):
    """Paths of modules: the first layer with its normalisation, and the last.

    Both are empty for a network whose parameters lie in no module without children.
    """

    stem: tuple[str, ...]
    head: tuple[str, ...]


def parts_of(model: nn.Module) -> Parts:
    """Return the stem and the head of a network.

    A ResNet's are `conv1` with `bn1`, and all of `fc`. Of any other network the stem is the first
    module without children that has parameters, with the normalisation that directly follows it,
    and the head is the last such module: first and last as they were registered, which is how the
    layers of nearly every network run.
    """
    if {name for name, _ in model.named_children()} >= RESNET_NAMES:
        return Parts(("conv1", "bn1"), ("fc",))
    leaves = [item for item in model.named_modules() if not any(item[1].children())]
    weighted = [place for place, (_, leaf) in enumerate(leaves) if list(leaf.parameters())]
    if not weighted:
        return Parts((), ())
    first, last = weighted[0], weighted[-1]
    stem = leaves[first : first + 2]
    if not isinstance(stem[-1][1], BATCH_NORMS + OTHER_NORMS):
        stem = stem[:1]
    return Parts(tuple(path for path, _ in stem), (leaves[last][0],))


def is_within(name: str, paths: tuple[str, ...]) -> bool:
    """Tell whether a tensor belongs to one of these modules; "" is the network itself."""
    return any(not path or name.startswith(f"{path}.") for path in paths)


def has_stray_weights(model: nn.Module) -> bool:
    """Tell whether layers or parameters stand in plain lists or dicts, where nobody trains them."""
    values = chain.from_iterable(vars(module).items() for module in model.modules())
    held = [value for name, value in values if name not in REGISTERED]
    known = {id(one) for one in (*model.modules(), *model.parameters())}
    found = [one for value in held for one in _weights_in(value) if id(one) not in known]
    return any(
        parameter.requires_grad and id(parameter) not in known
        for one in found
        for parameter in ([one] if isinstance(one, nn.Parameter) else one.parameters())
    )


def _weights_in(value: object, depth: int = 2) -> Iterator[nn.Module | nn.Parameter]:
    """Find layers and parameters in a list, tuple or dict, and in such as it holds."""
    if depth and isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, nn.Module | nn.Parameter):
                yield item
            else:
                yield from _weights_in(item, depth - 1)
