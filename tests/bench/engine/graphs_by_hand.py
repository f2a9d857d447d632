"""CUDA graphs on a CPU: what is captured is written down, undone, and run again at each replay.

Addresses and scalars freeze as on CUDA, and what would wait for the device raises. What this cannot
see: copies between host and device (but for numbers made on the way), and Python that reads a
tensor behind the dispatcher (`tolist`, `numpy`); test_capture_safety.py looks for those.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode

Call = Callable[..., Any]
DATA_DEPENDENT = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
COPIES = ("aten::copy_", "aten::_to_copy")
WAITS = "called a synchronizing CUDA operation"  # torch's own words, where waiting is refused
NOT_PERMITTED = "CUDA error: operation not permitted when stream is capturing"
INVALIDATED = "CUDA error: operation failed due to a previous error during capture"
GARBAGE = 255  # of every byte: NaN as a float


@dataclass(frozen=True)
class Place:
    """An address and how it is read: what a graph holds of a tensor, and no more."""

    storage: StorageWeakRef
    dtype: torch.dtype
    size: torch.Size
    stride: tuple[int, ...]
    offset: int | torch.SymInt

    @classmethod
    def of(cls, tensor: Tensor) -> Self:
        """Where a tensor lies."""
        storage = StorageWeakRef(tensor.untyped_storage())
        return cls(storage, tensor.dtype, tensor.size(), tensor.stride(), tensor.storage_offset())

    def tensor(self) -> Tensor:
        """What lies there now."""
        storage = torch.UntypedStorage._new_with_weak_ptr(self.storage.cdata)
        assert storage is not None, "a replay reads memory that was freed after the capture"
        empty = torch.empty(0, dtype=self.dtype)
        return empty.set_(storage, self.offset, self.size, self.stride)


@dataclass
class Node:
    """A call and where its results go."""

    call: Call
    arguments: Any
    results: list[Place]

    def run(self) -> None:
        """Calls again; results that are no views of the arguments go to their first addresses."""
        args, kwargs = pytree.tree_map_only(Place, Place.tensor, self.arguments)
        for place, new in zip(self.results, tensors_of(self.call(*args, **kwargs)), strict=True):
            own = place.tensor()
            if own.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                own.copy_(new)


def tensors_of(tree: Any) -> list[Tensor]:  # noqa: ANN401 - arguments or results of any call
    """All tensors in it, in order."""
    return [leaf for leaf in pytree.tree_leaves(tree) if isinstance(leaf, Tensor)]


class OnHost(TorchFunctionMode):
    """Notes tensors that are made without a device: on CUDA those lie on the host."""

    def __init__(self, recording: "Recording") -> None:
        super().__init__()
        self.recording = recording

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        kwargs = kwargs or {}
        if func not in _device_constructors():
            return func(*args, **kwargs)
        # the code chose a name itself; a torch.device it has from another tensor
        if kwargs.get("device") not in (None, "cpu"):
            if func is torch.tensor:
                self.recording.refuse("torch.tensor copies from the host")
            return func(*args, **kwargs)
        self.recording.is_making_on_host = True
        made = func(*args, **kwargs)
        self.recording.is_making_on_host = False
        self.recording.note_on_host(made)
        return made


class Refusing(TorchDispatchMode):
    """Refuses what waits for the device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        if waits(func, args):
            raise RuntimeError(WAITS)
        return func(*args, **(kwargs or {}))


def waits(func: Any, args: Sequence[Any]) -> bool:  # noqa: ANN401 - an OpOverload
    """Whether the host must know values before a call can return."""
    if func._schema.name in {"aten::index", "aten::index_put", "aten::index_put_"}:
        # tagged for masks alone
        return any(mask.dtype in {torch.bool, torch.uint8} for mask in tensors_of(args[1]))
    return any(tag in func.tags for tag in DATA_DEPENDENT)


class Recording(TorchDispatchMode):
    """Writes down the calls of a capture, runs each for its result, and undoes all at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = torch.get_rng_state()
        self.nodes: list[Node] = []
        self.pool: dict[StorageWeakRef, torch.UntypedStorage] = {}
        self.before: dict[StorageWeakRef, torch.UntypedStorage] = {}
        self.host: set[StorageWeakRef] = set()
        self.is_making_on_host = False
        self.has_failed = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        kwargs = kwargs or {}
        given = tensors_of((args, kwargs))
        on_host = [tensor for tensor in given if self._is_on_host(tensor)]
        if self.is_making_on_host or (on_host and len(on_host) == len(given)):
            return self.note_on_host(func(*args, **kwargs))
        self._check(func, args, kwargs, on_host)
        for tensor in given:
            self._keep(tensor)
        arguments = pytree.tree_map_only(Tensor, self._frozen, (args, kwargs))
        result = func(*args, **kwargs)
        for tensor in tensors_of(result):
            storage = tensor.untyped_storage()
            if StorageWeakRef(storage) not in self.before:
                self.pool[StorageWeakRef(storage)] = storage
        self.nodes.append(Node(func, arguments, [Place.of(t) for t in tensors_of(result)]))
        return result

    def note_on_host(self, made: Any) -> Any:  # noqa: ANN401 - what any call returns
        """Remembers that these tensors lie on the host, and gives them back."""
        self.host |= {StorageWeakRef(tensor.untyped_storage()) for tensor in tensors_of(made)}
        return made

    def undo(self) -> None:
        """Leaves everything as it was: a capture runs nothing."""
        for place, before in self.before.items():
            storage = torch.UntypedStorage._new_with_weak_ptr(place.cdata)
            if storage is not None:
                storage.copy_(before)
        for storage in self.pool.values():
            storage.fill_(GARBAGE)  # type: ignore[attr-defined]
        torch.set_rng_state(self.drawn)

    def refuse(self, why: str) -> None:
        """Ends the capture as CUDA does."""
        self.has_failed = True
        raise RuntimeError(f"{NOT_PERMITTED} ({why})")

    def _check(self, func: Any, args: Any, kwargs: Any, on_host: list[Tensor]) -> None:  # noqa: ANN401
        if kwargs.get("generator") is not None:
            self.refuse("a generator that the graph does not know")
        if waits(func, args):
            self.refuse(f"{func} waits for the device")
        is_copy = func._schema.name in COPIES
        if any(tensor.dim() > 0 or is_copy for tensor in on_host):
            self.refuse(f"{func} reads a tensor of the host's")

    def _keep(self, tensor: Tensor) -> None:
        place = StorageWeakRef(tensor.untyped_storage())
        if place not in self.pool and place not in self.before:
            self.before[place] = tensor.untyped_storage().clone()

    def _frozen(self, tensor: Tensor) -> Place | Tensor:
        """The address, but of a number on the host its value."""
        return tensor.clone() if self._is_on_host(tensor) else Place.of(tensor)

    def _is_on_host(self, tensor: Tensor) -> bool:
        return StorageWeakRef(tensor.untyped_storage()) in self.host
