"""Answers what torch and its compilers ask of the driver of an H100, where there is neither.

Most is asked in Python. Below it, cuda_driver_by_hand.cpp stands in; the backward pass needs that.
"""

import ctypes
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

H100 = SimpleNamespace(
    name="NVIDIA H100",
    major=9,
    minor=0,
    multi_processor_count=132,
    regs_per_multiprocessor=65536,
    max_threads_per_multi_processor=2048,
    max_threads_per_block=1024,
    shared_memory_per_block=49152,
    shared_memory_per_block_optin=232448,
    warp_size=32,
    total_memory=80 * 2**30,
    L2_cache_size=50 * 2**20,
)


def _always(answer: Any) -> Callable[..., Any]:  # noqa: ANN401
    return lambda *_args, **_kwargs: answer


@contextmanager
def h100() -> Iterator[None]:
    """Answers in the place of the driver."""
    import torch
    import triton
    from torch._dynamo.device_interface import CudaInterface

    _install_below_python()
    constants = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings(action="ignore"), ExitStack() as stack:  # it warns of overriding
        # constants are folded on the device, from real tensors
        constants.impl("empty.memory_format", _empty, "CUDA")
        constants.impl("empty_strided", _empty_strided, "CUDA")
        for name, answer in _answers().items():
            stack.enter_context(patch.object(torch.cuda, name, answer))
            if hasattr(CudaInterface, name):
                own = answer if isinstance(answer, type) else staticmethod(answer)
                stack.enter_context(patch.object(CudaInterface, name, own))
        for path, answer in _answers_to_compilers().items():
            stack.enter_context(patch(path, answer))
        stack.enter_context(patch.object(triton.runtime.driver, "_active", _triton_driver()))
        yield


def _install_below_python() -> None:
    import torch

    from bench.machine.compilers import find_compiler

    root = Path(torch.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "driver.so"
        source = Path(__file__).with_suffix(".cpp")
        command = [str(find_compiler()), "-shared", "-fPIC", "-std=c++20", str(source)]
        command += [f"-I{root / 'include'}", f"-L{root / 'lib'}", "-lc10", "-ltorch_cpu"]
        subprocess.run([*command, "-o", str(library)], check=True)
        ctypes.CDLL(str(library)).install()


class _OnDevice:
    """Stands for `torch.cuda.device`."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def _answers() -> dict[str, Any]:
    """Of `torch.cuda`."""
    import torch

    return {
        "is_available": _always(True),
        "is_initialized": _always(True),
        "_lazy_init": _always(None),
        "device_count": _always(1),
        "current_device": _always(0),
        "device": _OnDevice,
        "get_device_properties": _always(H100),
        "get_device_capability": _always((H100.major, H100.minor)),
        "get_device_name": _always(H100.name),
        "is_bf16_supported": _always(True),
        "synchronize": _always(None),
        "get_rng_state": _always(torch.empty(16, dtype=torch.uint8)),
        "set_rng_state": _always(None),
    }


def _answers_to_compilers() -> dict[str, Any]:
    """Of FakeTensor and Inductor, where they would touch the device, or time something on it."""
    inductor = "torch._inductor"
    return {
        "torch._subclasses.fake_tensor.init_gpu_context": _always(None),
        "torch._subclasses.fake_tensor.FakeTensorMode.avoid_device_init": property(_always(True)),
        f"{inductor}.runtime.triton_helpers.set_driver_to_gpu": _always(None),
        f"{inductor}.runtime.triton_heuristics.CachingAutotuner._make_launchers": _always(None),
        f"{inductor}.runtime.triton_heuristics.CachingAutotuner._dynamic_scale_rblock": _always(
            None
        ),
        f"{inductor}.fx_passes.fuse_attention._sfdp_init": _always(None),
        f"{inductor}.fx_passes.pad_mm.should_pad": _always(False),
    }


def _triton_driver() -> SimpleNamespace:
    from triton.backends.compiler import GPUTarget

    return SimpleNamespace(
        get_current_target=_always(GPUTarget("cuda", 10 * H100.major, H100.warp_size)),
        get_current_device=_always(0),
        utils=SimpleNamespace(get_device_properties=_always({"max_shared_mem": 232448})),
    )


def _empty(size: Any, *, dtype: Any = None, **_: object) -> Any:  # noqa: ANN401
    import torch

    return torch.empty(size, dtype=dtype)


def _empty_strided(size: Any, stride: Any, *, dtype: Any = None, **_: object) -> Any:  # noqa: ANN401
    import torch

    return torch.empty_strided(size, stride, dtype=dtype)
