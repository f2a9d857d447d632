"""Write down the operations of training steps, for a compiler: what a net must not do meanwhile.

A trace runs the model once, on tensors without data. Its tensors are arguments of what is traced,
attributes that are no buffers too; other tensors that it finds on its way are constants. What
Python decides is decided for good, so a net that would decide otherwise at the next step is
refused: it trains under every other plan.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from bench.engine.failures import classify
from bench.engine.small_matmul import DECOMPOSITIONS
from bench.errors import RunError, short_line
from fmnist_models.external import message_of
from fmnist_models.users.compiled import traced_as_written
from fmnist_models.users.unchanged import attributes_unchanged, can_be_filled, tensors_of

MAX_REASON_CHARS = 120  # a record is at most 4 KB
REMEDY = "use plan eager, or compile"
PRECISE = {torch.float32, torch.float64}
Function = Callable[..., Tensor]


def fixed_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return all tensors of a model that no gradient changes, by name, without their history."""
    frozen = {name: p.detach() for name, p in model.named_parameters() if not p.requires_grad}
    return frozen | dict(model.named_buffers()) | _plain_tensors(model)


def _plain_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Attributes that are neither parameters nor buffers, nor views of such."""
    met = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
    found = {
        f"{path}.{name}".lstrip("."): tensor
        for path, module in model.named_modules()
        for name, tensor in tensors_of(module).items()
        if id(tensor) not in met and can_be_filled(tensor) and not tensor.requires_grad
    }
    if not found:
        return {}
    memory = {tensor.untyped_storage().data_ptr() for tensor in model.parameters()}
    return {name: t for name, t in found.items() if t.untyped_storage().data_ptr() not in memory}


def keep_changes(fixed: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Write tensors that the model has replaced in its pass into those that it had before.

    Args:
        fixed: those before, by their names.
        given: those after the pass, by their names below `model`.
    """
    for name, before in fixed.items():
        after = given.get(f"model.{name}")
        if after is before or not isinstance(after, Tensor):
            continue
        if after.shape == before.shape:
            before.copy_(after.detach())


def trace_model(model: nn.Module, steps: Function, arguments: Sequence[Tensor]) -> GraphModule:
    """Trace steps that train a model; what it keeps of the trace is taken away again.

    Args:
        model: that the steps train.
        steps: changes its arguments in place and returns losses.
        arguments: examples; shapes, strides and devices are fixed by them.

    Raises:
        RunError: the model cannot be traced, or would do something else the next time
            (`unsupported`).
    """
    _check_weights(model)
    with attributes_unchanged(model), traced_as_written():
        buffers, numbers = _buffers_of(model), _numbers_of(model)
        drawn = _draws()
        with patch.object(torch, "set_rng_state", wraps=torch.set_rng_state) as draws_again:
            graph = _traced(steps, arguments)
        if _draws() != drawn:
            raise _refusal("it draws random numbers of numpy or Python in a pass")
        if draws_again.called and any(map(_is_random, graph.graph.nodes)):
            raise _refusal("it computes a part with dropout twice, as checkpoint does")
        for name, shape in _buffers_of(model).items():
            if shape != buffers.get(name):
                what = "makes" if name not in buffers else "changes the shape of"
                raise _refusal(f"it {what} its buffer {name} in a pass")
        changed = [name for name, value in _numbers_of(model).items() if numbers.get(name) != value]
        if changed and _traced(steps, arguments).code != graph.code:
            raise _refusal(f"what it computes hangs on its {changed[0]}, which changes in a pass")
    _refuse_changed_constants(graph)
    return graph


def _check_weights(model: nn.Module) -> None:
    for parameter in model.parameters():
        if parameter._backward_hooks or parameter._post_accumulate_grad_hooks:
            raise _refusal("it has hooks on the gradients of its weights")
        if parameter.dtype not in PRECISE:  # our update rules would round, or mean another number
            raise _refusal(f"it has weights in {str(parameter.dtype).removeprefix('torch.')}")


def _traced(steps: Function, arguments: Sequence[Tensor]) -> GraphModule:
    from torch.fx.experimental.proxy_tensor import make_fx

    decompositions = DECOMPOSITIONS if arguments[0].device.type == "cpu" else {}
    tracer = make_fx(
        steps,
        tracing_mode="fake",
        decomposition_table=decompositions,
        _allow_non_fake_inputs=True,  # tensors of a module or a list: constants
    )
    try:
        with torch.no_grad():
            return tracer(*arguments)
    except RunError:
        raise
    except Exception as error:  # whatever a model does with numbers that are not there
        if classify(error)[0] == "out_of_memory":
            raise
        raise _refusal(_complaint(error)) from error


def _complaint(error: Exception) -> str:
    kind = type(error).__name__
    if "DataDependent" in kind:  # of whose words no user would know what is meant
        return "it decides in Python by numbers that it computes, as by .item() or an if"
    return short_line(f"{kind}: {message_of(error)}")[:MAX_REASON_CHARS]


def _refusal(reason: str) -> RunError:
    return RunError("unsupported", f"plan step cannot trace this net: {reason}; {REMEDY}")


def _draws() -> tuple[object, ...]:
    """Return where the random numbers of Python and numpy are."""
    _, key, position, *_ = np.random.get_state()
    return random.getstate(), position, np.asarray(key).tobytes()


def _is_random(node: Node) -> bool:
    return torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())


def _buffers_of(model: nn.Module) -> dict[str, torch.Size]:
    return {name: buffer.shape for name, buffer in model.named_buffers()}


def _numbers_of(model: nn.Module) -> dict[str, object]:
    """Return all attributes that are plain numbers or words, by name."""
    return {
        f"{path}.{name}".lstrip("."): value
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, int | float | str) and name != "training"
    }


def _refuse_changed_constants(graph: GraphModule) -> None:
    """Refuse a net that changes a tensor in place of which the compiled code has a copy."""
    for node in graph.graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if schema is None or not schema.is_mutable:
            continue
        for place, argument in enumerate(node.args[: len(schema.arguments)]):
            alias = schema.arguments[place].alias_info
            is_written = alias is not None and alias.is_write
            if is_written and getattr(argument, "op", None) == "get_attr":
                raise _refusal("it changes a tensor that is no buffer and no attribute")
