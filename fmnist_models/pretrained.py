"""Initial weights: ImageNet's or those of a file, fitted to one channel and ten classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from fmnist_models import external
from fmnist_models.catalogue import ModelError
from fmnist_models.parts import Parts, is_within, parts_of
from fmnist_models.weight_files import fetch_imagenet, load_plain, weights_in

# what DataParallel, torch.compile and FSDP put before names, or in them where they wrap a part
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module"}
AVERAGED = "n_averaged"  # the counter of torch's AveragedModel
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # heads that torchvision has and we build without


@dataclass(frozen=True, slots=True)
class Start:
    """What a model starts from.

    Attributes:
        is_pretrained: whether weights were put into it.
        note: why not, or which parts were left at random; None where there is nothing to say.
    """

    is_pretrained: bool
    note: str | None = None


def start_from(model: nn.Module, name: str, weights: str, stem: str) -> Start:
    """Put initial weights into a freshly built model, BatchNorm statistics included.

    A three-channel stem is put into one of one channel as the recipe says: the sum of the kernel
    over its input channels gives what the whole kernel gives for the grey channel repeated. A stem
    of another kernel size and a head of another shape stay random. Nothing is drawn, and a model
    that is refused is left as it was. Without a network, ImageNet's weights leave it random.

    Args:
        model: on any device; changed in place.
        name: of the model.
        weights: `random`, `imagenet`, or the path of a file.
        stem: `rgb_sum` or `random`.

    Raises:
        ModelError: there are no such weights, the file cannot be read, or it does not fit.
    """
    if weights == "random":
        return Start(is_pretrained=False)
    path = fetch_imagenet(name) if weights == "imagenet" else Path(weights).expanduser()
    if isinstance(path, str):
        return Start(is_pretrained=False, note=f"ImageNet weights cannot be had: {path}")
    remedy = "choose --set weights=random, imagenet or a file"
    weights_found = weights_in(load_plain(path, remedy), path)
    tensors, owner = weights_found.tensors, weights_found.owner
    if owner not in {None, name}:
        remedy = f"choose --models {owner}, or another file"
        raise ModelError(f"{path} is a checkpoint of {owner}, not of {name}; {remedy}")
    if weights == "imagenet":
        tensors = {key: t for key, t in tensors.items() if not key.startswith(AUXILIARY)}
    own, found = _own_tensors(model), _unwrapped(tensors, model)
    at_random = [] if owner else _adapt(own, found, parts_of(model), stem)
    complaint, remedy = (
        f"{path} does not fit {name}",
        "choose another file, or --set weights=random",
    )
    if not own:
        raise ModelError(f"{complaint}: it would leave all at random; {remedy}")
    _check_fit(own, found, complaint, remedy)
    with torch.no_grad():
        for key, tensor in found.items():
            own[key].copy_(tensor)
    notes = [f"at random: {', '.join(at_random)}"] if at_random else []
    notes += [weights_found.note] if weights_found.note else []
    return Start(True, "; ".join(notes) or None)


def put_weights(model: nn.Module, tensors: dict[str, Tensor], complaint: str, remedy: str) -> None:
    """Load a whole state dict, of a wrapped model or not, as the model itself loads one.

    Raises:
        ModelError: the complaint, the first tensor that does not fit, and the remedy.
    """
    found = _unwrapped(tensors, model)
    _check_fit(_own_tensors(model), found, complaint, remedy)
    try:
        model.load_state_dict(found)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"{complaint}: {external.message_of(error)}; {remedy}") from None


def _check_fit(
    own: Mapping[str, Tensor], found: Mapping[str, Tensor], complaint: str, remedy: str
) -> None:
    """Refuse found tensors that are not a model's own, by name, shape and numbers."""
    for key, tensor in own.items():
        if key not in found:
            if not key.endswith("num_batches_tracked"):  # older files have none
                raise ModelError(f"{complaint}: it has no tensor {key}; {remedy}")
        elif found[key].shape != tensor.shape:
            shapes = f"{tuple(found[key].shape)}, not {tuple(tensor.shape)}"
            raise ModelError(f"{complaint}: its {key} is {shapes}; {remedy}")
        elif found[key].is_complex() != tensor.is_complex():
            kinds = ("complex", "real") if found[key].is_complex() else ("real", "complex")
            raise ModelError(f"{complaint}: its {key} is {kinds[0]}, not {kinds[1]}; {remedy}")
        elif not _is_usable(found[key], tensor):
            raise ModelError(f"{complaint}: its {key} holds no finite numbers; {remedy}")
    unknown = next((key for key in found if key not in own), None)
    if unknown is not None:
        raise ModelError(f"{complaint}: the model has no tensor {unknown}; {remedy}")


def _is_usable(found: Tensor, own: Tensor) -> bool:
    """Tell whether a model can use these numbers: with one NaN, all its answers are NaN.

    Where its own are infinite, as in the mask of an attention, they may be so.
    """
    return bool((found.to(own).isfinite() | ~own.isfinite()).all())


def _adapt(own: dict[str, Tensor], found: dict[str, Tensor], parts: Parts, stem: str) -> list[str]:
    """Fit a stem and a head that were trained on other images and classes.

    Returns:
        The parts that stay random; their tensors are taken out of both dicts.
    """
    at_random: dict[str, tuple[str, ...]] = {}
    if parts.stem != parts.head:
        name = _adapt_stem(own, found, f"{parts.stem[0]}.weight", stem)
        if name:
            at_random[name] = parts.stem[:1]
    heads = [
        {key: t.shape for key, t in tensors.items() if is_within(key, parts.head)}
        for tensors in (own, found)
    ]
    if heads[0] != heads[1]:
        at_random["head"] = parts.head
    for paths in at_random.values():
        for tensors in (own, found):
            for key in [key for key in tensors if is_within(key, paths)]:
                del tensors[key]
    return list(at_random)


def _adapt_stem(
    own: Mapping[str, Tensor], found: dict[str, Tensor], key: str, stem: str
) -> str | None:
    """Sum the kernel (O, 3, k, k) of a stem over its channels, or say why it stays random."""
    if key not in own or key not in found:
        return None
    shape, other = own[key].shape, found[key].shape
    is_alike = len(shape) == len(other) == 4 and shape[0] == other[0] and shape[1] == 1
    if not is_alike or shape == other:
        return None
    if shape[2:] != other[2:]:
        sizes = ["x".join(map(str, size[2:])) for size in (other, shape)]
        return f"stem ({sizes[0]} does not go into {sizes[1]})"
    if other[1] == 3 and stem == "random":
        return "stem"
    if other[1] == 3:
        found[key] = found[key].sum(dim=1, keepdim=True)  # (O, 1, k, k)
    return None


def _own_tensors(model: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}


def _unwrapped(tensors: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors by the names that they have in the model itself, not in a wrapper.

    What all names begin with goes too, such as Lightning's `model.`, where that gives the model's.
    """
    own = model.state_dict()
    wrappers = WRAPPERS - {part for key in own for part in key.split(".")}
    bare = {
        ".".join(part for part in key.split(".") if part not in wrappers): tensor
        for key, tensor in tensors.items()
        if key != AVERAGED or key in own
    }
    shorter = bare
    while shorter and not own.keys() & shorter.keys():
        prefix = next(iter(shorter)).partition(".")[0] + "."
        if not all(key.startswith(prefix) for key in shorter):
            return bare
        shorter = {key.removeprefix(prefix): tensor for key, tensor in shorter.items()}
    return shorter
