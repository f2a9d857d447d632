"""Initial weights: ImageNet's or those of a file, fitted to one channel and ten classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from fmnist_models.catalogue import ModelError
from fmnist_models.parts import Parts, is_within, parts_of
from fmnist_models.weight_files import fetch_imagenet, read_weights

WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before each name
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
    """Puts initial weights into a freshly built model, BatchNorm statistics included.

    A three-channel stem is put into one of one channel as the recipe says: the sum of the kernel
    over its input channels gives what the whole kernel gives for the grey channel repeated. A stem
    of another kernel size and a head of another shape stay random. Nothing is drawn, and a model
    that is refused is left as it was.

    Args:
        model: on any device; changed in place.
        name: of the model.
        weights: `random`, `imagenet`, or the path of a file.
        stem: `rgb_sum` or `random`.

    Returns:
        Whether the model is pretrained; without a network, ImageNet's weights leave it random.

    Raises:
        ModelError: there are no such weights, the file cannot be read, or it does not fit.
    """
    if weights == "random":
        return Start(is_pretrained=False)
    found = fetch_imagenet(name) if weights == "imagenet" else Path(weights).expanduser()
    if isinstance(found, str):
        return Start(is_pretrained=False, note=f"ImageNet weights cannot be had: {found}")
    tensors, owner = read_weights(found)
    if owner not in {None, name}:
        remedy = f"choose --models {owner}, or another file"
        raise ModelError(f"{found} is a checkpoint of {owner}, not of {name}; {remedy}")
    if weights == "imagenet":
        tensors = {key: t for key, t in tensors.items() if not key.startswith(AUXILIARY)}
    fit = _Fit(_own_tensors(model), unwrapped(tensors, model))
    if owner is None:
        fit.adapt(parts_of(model), stem)
    fit.check(f"{found} does not fit {name}")
    fit.copy()
    return Start(is_pretrained=True, note=fit.note())


@dataclass
class _Fit:
    """Tensors on their way into a model.

    Attributes:
        own: of the model, by name; shares its memory.
        found: of the file.
        at_random: parts that stay as they were drawn.
    """

    own: dict[str, Tensor]
    found: dict[str, Tensor]
    at_random: list[str] = field(default_factory=list)

    def adapt(self, parts: Parts, stem: str) -> None:
        """Makes a stem and a head that were trained on other images and classes fit."""
        if parts.stem != parts.head:
            self._adapt_stem(parts.stem[0], stem)
        own, found = (_within(tensors, parts.head) for tensors in (self.own, self.found))
        if _shapes(own) != _shapes(found):
            self._leave_out(parts.head, "head")

    def _adapt_stem(self, path: str, stem: str) -> None:
        key = f"{path}.weight"
        if key not in self.own or key not in self.found:
            return
        own, found = self.own[key].shape, self.found[key].shape
        is_alike = len(own) == len(found) == 4 and own[0] == found[0] and own[1] == 1
        if not is_alike or own == found:
            return
        if own[2:] != found[2:]:
            sizes = ["x".join(map(str, shape[2:])) for shape in (found, own)]
            self._leave_out((path,), f"stem ({sizes[0]} does not go into {sizes[1]})")
        elif found[1] == 3 and stem == "random":
            self._leave_out((path,), "stem")
        elif found[1] == 3:
            self.found[key] = self.found[key].sum(dim=1, keepdim=True)  # (O, 3, k, k) -> (O, 1, ..)

    def _leave_out(self, paths: tuple[str, ...], part: str) -> None:
        for tensors in (self.own, self.found):
            for key in _within(tensors, paths):
                del tensors[key]
        self.at_random.append(part)

    def check(self, complaint: str) -> None:
        """Raises ModelError for the first tensor that is missing, of another shape, or unknown."""
        remedy = "choose another file, or --set weights=random"
        if not self.own:
            raise ModelError(f"{complaint}: it would leave all at random; {remedy}")
        for key, own in self.own.items():
            found = self.found.get(key)
            if found is None and not key.endswith("num_batches_tracked"):  # older files have none
                raise ModelError(f"{complaint}: it has no tensor {key}; {remedy}")
            if found is not None and found.shape != own.shape:
                shapes = f"{tuple(found.shape)}, not {tuple(own.shape)}"
                raise ModelError(f"{complaint}: its {key} is {shapes}; {remedy}")
            if found is not None and not _is_usable(found, own):
                raise ModelError(f"{complaint}: its {key} holds no finite numbers; {remedy}")
        unknown = next((key for key in self.found if key not in self.own), None)
        if unknown is not None:
            raise ModelError(f"{complaint}: the model has no tensor {unknown}; {remedy}")

    @torch.no_grad()
    def copy(self) -> None:
        """Writes into the model."""
        for key, tensor in self.found.items():
            self.own[key].copy_(tensor)

    def note(self) -> str | None:
        """What stays random, for a reader."""
        return f"at random: {', '.join(self.at_random)}" if self.at_random else None


def _is_usable(found: Tensor, own: Tensor) -> bool:
    """Whether a model can start from these numbers: with one NaN, all its answers are NaN."""
    return found.is_complex() == own.is_complex() and bool(found.to(own.dtype).isfinite().all())


def _own_tensors(model: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}


def unwrapped(tensors: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The tensors by the names that they have in the model itself, not in a wrapper around it."""
    own = model.state_dict()
    while wrapper := next((w for w in WRAPPERS if _begin_with(w, tensors)), None):
        if any(key.startswith(wrapper) for key in own):
            break
        tensors = {key.removeprefix(wrapper): tensor for key, tensor in tensors.items()}
    return tensors


def _begin_with(prefix: str, tensors: Mapping[str, Tensor]) -> bool:
    return bool(tensors) and all(key.startswith(prefix) for key in tensors)


def _within(tensors: Mapping[str, Tensor], paths: tuple[str, ...]) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in tensors.items() if is_within(key, paths)}


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in tensors.items()}
