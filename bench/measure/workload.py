"""Counts of a training step: parameters, FLOPs, bytes and kernels."""

import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from bench.engine.engine import autocast, logits_of
from bench.engine.failures import classify, loses_device
from bench.errors import RunError
from fmnist_models.users.compiled import uncompiled
from fmnist_models.users.unchanged import unchanged

COUNTED_BATCH = 2  # BatchNorm over 1x1 maps refuses a single image in training
LABEL_BYTES = 8  # int64
MAX_REASON_CHARS = 100  # a record is at most 4 KB
FIRST, NUM_FIRST = "heaviside", 100  # kernels of a kind that no training has
CONVOLUTIONS = {  # where input, weight and stride stand among the arguments
    torch.ops.aten.convolution: (0, 1, 3),
    torch.ops.aten.convolution_backward: (1, 2, 4),
}

T = TypeVar("T")


def num_parameters(model: nn.Module, *, trainable_only: bool = False) -> int:
    """Parameters of the model, all or those that receive gradients."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


def flops_per_image(model: nn.Module, input_size: int) -> float:
    """FLOPs of forward and backward for one image of S pixels a side, on a real training step.

    Convolutions and matrix products only, a multiply-add counts as two; see
    `torch.utils.flop_counter`. The model and the random state stay as they are.

    Raises:
        Exception: whatever the model raises, be it that it cannot live with a counter.
    """
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):  # torch sees no product
        raise RunError("unsupported", "torch has no count for nn.LSTM, GRU and RNN")
    counter = FlopCounterMode(display=False)
    _counted_step(model, input_size, "fp32", counter, COUNTED_BATCH)
    return float(counter.get_total_flops()) / COUNTED_BATCH


def has_other_heads(model: nn.Module, input_size: int) -> bool:
    """Tell whether the model returns more than one tensor in training; it stays as it is."""
    try:
        with unchanged(model), uncompiled(), torch.no_grad():
            output = _output_of(model, input_size, "fp32", COUNTED_BATCH)
    except Exception as error:
        reraise_what_ends_a_run(error)
        return False  # its training will say what is wrong
    return not isinstance(output, Tensor)


def count_or_reason(count: Callable[[], T]) -> tuple[T | None, str]:
    """Return a count, or None and why there is none: no training shall end for a figure."""
    try:
        return count(), ""
    except Exception as error:  # whatever a model does that no counter can follow
        reraise_what_ends_a_run(error)
        reason = classify(error)[1]
        return None, f"its step cannot be counted ({reason[:MAX_REASON_CHARS]})"


def reraise_what_ends_a_run(error: Exception) -> None:
    """Raise an error again after which nothing else works here: no memory, or no GPU any more."""
    if classify(error)[0] == "out_of_memory" or loses_device(error):
        raise error


def passes_of_step(
    model: nn.Module, optimizer: optim.Optimizer, input_size: int, batch_size: int, precision: str
) -> list[int] | None:
    """Bytes of each pass over memory that no training step can do without: a count, not a reading.

    Counted are: each convolution and matrix product, forward and backward, which reads its operands
    and writes its results once, in the precision they have under autocast; the batch, whose bytes
    and labels are read; the update, which reads gradients and reads and writes parameters and
    optimizer state. What lies between (normalisation, activations, pooling, loss, casts) could be
    fused into these and is left out, so the sum is a lower bound. Counted with two and
    with four images, from which every pass goes on in a straight line. An optimizer that has not
    made its state counts without it. None where the model calls other operations for other batches.
    """
    few, more = _Products(), _Products()
    _counted_step(model, input_size, precision, few, COUNTED_BATCH)
    _counted_step(model, input_size, precision, more, 2 * COUNTED_BATCH)
    if len(few.num_bytes) != len(more.num_bytes):
        return None
    images = batch_size / COUNTED_BATCH
    pairs = zip(few.num_bytes, more.num_bytes, strict=True)
    products = [round(a + (b - a) * (images - 1)) for a, b in pairs]
    return [batch_size * (input_size**2 + LABEL_BYTES), *products, _update_bytes(optimizer)]


def count_kernels(run: Callable[[], object], num_steps: int) -> float | None:
    """Kernels that a step queues on CUDA, as torch's profiler sees them; copies are none.

    What it loads (CUPTI) stays in the process and makes every launch slower from here on, so it
    must come after whatever is timed. It may miss kernels at the beginning, one more each time that
    it is used (pytorch#192021): some of a kind of their own come first, to be missed. None where
    it sees none of these, so that it may have missed others: it has no CUPTI, or may not use it.
    """
    kind = torch.profiler.ProfilerActivity.CUDA
    if kind not in torch.profiler.supported_activities():
        return None
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # its remarks would run into the progress
    number = torch.ones((), device="cuda")
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[kind]) as profiler:
        for _ in range(NUM_FIRST):
            number.heaviside_(number)
        torch.cuda.synchronize()
        run()
        torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(trace))
        kernels = kernels_in(msgspec.json.decode(trace.read_bytes()))
    return None if kernels is None else kernels / num_steps


def kernels_in(trace: Mapping[str, Any]) -> int | None:
    """Kernels in a trace as the profiler exports it, without the first ones; None without these.

    Its ranges and copies are other categories.
    """
    names = [event["name"] for event in trace["traceEvents"] if event.get("cat") == "kernel"]
    num_first = sum(FIRST in name for name in names)
    return len(names) - num_first if num_first else None


class _Products(TorchDispatchMode):
    """Note the bytes that each convolution and matrix product reads and writes."""

    def __init__(self) -> None:
        super().__init__()
        self.num_bytes: list[int] = []

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - as torch calls it
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        results = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            leaves = tree_leaves((_read(func, args), kwargs, results))
            tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
            # by address: a matrix times itself is read once
            sizes = {tensor.data_ptr(): _own_bytes(tensor) for tensor in tensors}
            self.num_bytes.append(sum(sizes.values()))
        return results


def _read(func: Any, args: tuple[Any, ...]) -> Sequence[Any]:  # noqa: ANN401
    """All arguments, without the input of a convolution whose stride skips pixels."""
    if func.overloadpacket not in CONVOLUTIONS:
        return args
    images, weight, stride = (args[place] for place in CONVOLUTIONS[func.overloadpacket])
    is_sparse = any(step > size for step, size in zip(stride, weight.shape[2:], strict=False))
    return [argument for argument in args if argument is not images] if is_sparse else args


def _own_bytes(tensor: Tensor) -> int:
    """Bytes of the elements that lie in memory: an expanded dimension repeats one."""
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    return int(tensor.element_size() * math.prod(size for size, stride in sizes if stride))


def _counted_step(
    model: nn.Module,
    input_size: int,
    precision: str,
    counter: AbstractContextManager[object],
    num_images: int,
) -> None:
    """Forward and backward under a counter; the model stays as it is."""
    with unchanged(model), uncompiled(), counter:
        output = _output_of(model, input_size, precision, num_images)
        is_one = isinstance(output, Tensor)  # of any shape here
        logits: Tensor = output if is_one else logits_of(output, num_images, "training")  # type: ignore[assignment]
        labels = torch.zeros(num_images, dtype=torch.int64, device=logits.device)
        F.cross_entropy(logits.float(), labels).backward()


def _output_of(model: nn.Module, input_size: int, precision: str, num_images: int) -> object:
    """What the model returns in training for blank images."""
    device = next(model.parameters()).device
    images = torch.zeros(num_images, 1, input_size, input_size, device=device)
    model.train()  # whose own may return nothing
    with autocast(precision, device.type):
        return model(images)


def _update_bytes(optimizer: optim.Optimizer) -> int:
    """Return the bytes read (gradients, parameters, state) and written (the last two)."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    states = [tensor for p in parameters for tensor in tree_leaves(optimizer.state.get(p, {}))]
    kept = sum(int(tensor.nbytes) for tensor in states if isinstance(tensor, Tensor))
    return 3 * sum(int(p.nbytes) for p in parameters) + 2 * kept
