"""Compiles a whole step for an H100 (sm_90) on a machine without any GPU; launches nothing.

`python -m tests.bench.engine.cuda_code_by_hand JSON` is a process of its own, since it makes this
process believe in a device that is not there; a real one is hidden from it. Tensors of the device
are fake ones, which have shapes and no data. Inductor lowers the step, Triton and ptxas compile its
kernels.
"""

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.bench.engine.cuda_driver_by_hand import h100

ROOT = Path(__file__).parents[3]
NUM_IMAGES = 54_000
CONVOLUTION = "torch.ops.aten.convolution.default"
NO_LAUNCH = (
    "assert_",
    "empty_strided",
    "reinterpret_tensor",
    "get_raw_stream",
    "torch.cuda.",
    "copy_if",
)


@dataclass(frozen=True)
class Wanted:
    """A compiled step to be had.

    Attributes:
        model: by its registered name.
        batch: images.
        memory_format: `contiguous` or `channels_last`.
        changes: of the default recipe.
    """

    model: str
    batch: int
    memory_format: str = "channels_last"
    changes: dict[str, Any] | None = None


@dataclass(frozen=True)
class Code:
    """What a compiled step does.

    Attributes:
        kernels: names of the Triton kernels in the order of their launches.
        calls: of libraries, likewise: convolutions, matrix products, and what had no kernel.
        layouts: strides of what convolutions give, as the code asserts them.
        compiled: Triton compilations that ended with machine code.
        checked: places of arguments that are copied where they are not aligned.
        arguments: their number; the last one holds the learning rates.
        seconds: all of it.
        triton_seconds: those in Triton and ptxas.
    """

    kernels: list[str]
    calls: list[str]
    layouts: list[list[int]]
    compiled: int
    checked: list[int]
    arguments: int
    seconds: float
    triton_seconds: float


def why_not() -> str | None:
    """Why this machine cannot compile for CUDA; None where it can."""
    import torch

    from bench.machine.compilers import find_compiler

    if not torch.backends.cuda.is_built():
        return "this torch is built without CUDA"
    return None if find_compiler() else "there is no C++ compiler"


def compiled_code(wanted: Wanted, cache: Path = ROOT / ".cache" / "cuda") -> Code:
    """Compiles in a process of its own.

    Args:
        wanted: what.
        cache: folder for code; Triton's is used again.
    """
    own = {
        "CUDA_VISIBLE_DEVICES": "",
        "FMNIST_CACHE": str(cache),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
        "TORCHINDUCTOR_FX_GRAPH_CACHE": "0",  # code that is loaded could not be looked at
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # other processes would believe in no device
    }
    command = [
        sys.executable,
        "-m",
        "tests.bench.engine.cuda_code_by_hand",
        json.dumps(asdict(wanted)),
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return Code(**json.loads(done.stdout.splitlines()[-1]))


def compile_here(wanted: Wanted) -> Code:
    """Compiles in this process, which thereafter is good for nothing else."""
    import triton
    from torch._inductor import compile_fx
    from torch._inductor.graph import GraphLowering

    sources: list[str] = []
    checked: list[int] = []
    seconds: list[float] = []
    choose, compile_kernel = compile_fx.get_input_idxs_to_check, triton.compile

    def noted_choice(*args: Any, **kwargs: Any) -> Sequence[int]:  # noqa: ANN401 - as torch calls
        checked.extend(choose(*args, **kwargs))
        return checked

    def timed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as torch calls it
        started = time.perf_counter()
        kernel = compile_kernel(*args, **kwargs)
        assert kernel.asm["cubin"]
        seconds.append(time.perf_counter() - started)
        return kernel

    with h100(), ExitStack() as stack:
        for place, name, value in (
            (compile_fx, "get_input_idxs_to_check", noted_choice),
            (triton, "compile", timed),
            (GraphLowering, "save_output_code", staticmethod(sources.append)),
        ):
            stack.enter_context(patch.object(place, name, value))
        arguments, all_seconds = _compile(wanted)
    (source,) = sources
    launched = list(launches(source))
    return Code(
        kernels=[name for name in launched if name.startswith("triton_")],
        calls=[name for name in launched if not name.startswith("triton_")],
        layouts=list(convolved_strides(source)),
        compiled=len(seconds),
        checked=checked,
        arguments=arguments,
        seconds=all_seconds,
        triton_seconds=sum(seconds),
    )


def launches(source: str) -> Iterator[str]:
    """What the `call` of a generated wrapper launches, in its order; nothing there is in a loop."""
    for node in _calls(source):
        name = ast.unparse(node.func)
        if name.endswith(".run"):
            yield name.removesuffix(".run")
        elif name.startswith(("extern_kernels.", "aten.", "torch.ops.")):
            yield name
        else:
            assert name.startswith(NO_LAUNCH) or name == "args.clear", f"{name} is unknown here"


def convolved_strides(source: str) -> Iterator[list[int]]:
    """Strides of each forward convolution's output: checked where it has been called."""
    for node in _calls(source):
        is_check = ast.unparse(node.func) in {"assert_size_stride", "assert_tensor_metadata"}
        last = node.args[-1] if node.args else None
        if is_check and isinstance(last, ast.Constant) and last.value == CONVOLUTION:
            yield list(ast.literal_eval(node.args[2]))


def _calls(source: str) -> list[ast.Call]:
    bodies = [node for node in ast.walk(ast.parse(source)) if getattr(node, "name", "") == "call"]
    places = [node for body in bodies for node in ast.walk(body) if isinstance(node, ast.Call)]
    return sorted(places, key=lambda call: (call.lineno, call.col_offset))


def _compile(wanted: Wanted) -> tuple[int, float]:
    """Number of arguments and seconds."""
    import torch

    from bench.engine import whole_step
    from bench.engine.engine import MEMORY_FORMATS
    from fmnist_models import build_model

    counts: list[int] = []
    compile_graph = whole_step.compile_graph

    def compile_only(
        graph: torch.fx.GraphModule, arguments: Sequence[torch.Tensor]
    ) -> Callable[..., torch.Tensor]:
        counts.append(len(arguments))
        compile_graph(graph, arguments)
        return lambda *_: arguments[-1]

    memory_format = MEMORY_FORMATS[wanted.memory_format]
    model = build_model(wanted.model).to(memory_format=memory_format).train()
    with torch._subclasses.FakeTensorMode():
        _move(model)
        step = _whole_step(wanted, model)
    started = time.perf_counter()
    with patch.object(whole_step, "compile_graph", compile_only), torch.no_grad():
        step()
    return counts[0], time.perf_counter() - started


def _whole_step(wanted: Wanted, model: Any) -> Callable[[], object]:  # noqa: ANN401 - a module
    """A step on a batch of fake tensors."""
    import torch

    from bench.engine.engine import MEMORY_FORMATS, Feed
    from bench.engine.optimizer import make_optimizer
    from bench.engine.whole_step import WholeStep
    from bench.spec.named_recipes import DEFAULT
    from bench.spec.recipe_settings import override
    from data_pipeline import ResidentSplit, parse_augmentation
    from fmnist_models import model_info

    settled = {"learning_rate": 1e-3, "precision": "bf16", "batch_size": wanted.batch}
    recipe = override(DEFAULT, settled | (wanted.changes or {}))
    memory_format = MEMORY_FORMATS[wanted.memory_format]
    size, empty = model_info(wanted.model).input_size, partial(torch.empty, device="cuda:0")
    images = empty(NUM_IMAGES, 1, size, size, dtype=torch.uint8)
    split = ResidentSplit(images, empty(NUM_IMAGES, dtype=torch.int64))
    augmentations = tuple(map(parse_augmentation, recipe.augment))
    feed = Feed(split, augmentations, recipe.normalize, torch.Generator(), memory_format)
    index, flipped = (empty(wanted.batch, dtype=dtype) for dtype in (torch.int64, torch.bool))
    whole = WholeStep(model, recipe, make_optimizer(recipe, model), feed, {})
    return partial(whole.run, [index], [(flipped,)], empty(1))


def _move(model: Any) -> None:  # noqa: ANN401 - a module; torch is not loaded up there
    """Puts fake tensors of the device in the place of a module's own, strides and all."""
    import torch

    def moved(tensor: torch.Tensor) -> torch.Tensor:
        shape = tensor.shape, tensor.stride()
        return torch.empty_strided(*shape, dtype=tensor.dtype, device="cuda:0")

    for module in model.modules():
        for name, own in module._parameters.items():
            if own is not None:
                module._parameters[name] = torch.nn.Parameter(moved(own))
        for name, own in module._buffers.items():
            if own is not None:
                module._buffers[name] = moved(own)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(compile_here(Wanted(**json.loads(sys.argv[1]))))) + "\n")
