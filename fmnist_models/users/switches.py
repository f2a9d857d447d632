"""Switches of the whole process that a model's code may turn: how each is read and set.

`code.py` records them before such code runs, and puts them back after it.
"""

import gc
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple

import torch

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
OF_COMPILERS = ("TORCHINDUCTOR_", "TRITON_")  # variables
DYNAMO = "torch._dynamo.config"
DEVICE_KINDS = ("cpu", "cuda")
# where torch, since 2.9, keeps the precision of float32; the general first, as one that was never
# set answers with the general one
MATMUL_PLACES = (
    ("generic", "all"),
    ("cuda", "all"),
    ("mkldnn", "all"),
    ("cuda", "matmul"),
    ("mkldnn", "matmul"),
)
CONV_PLACES = (("cuda", "conv"), ("cuda", "rnn"), ("mkldnn", "conv"), ("mkldnn", "rnn"))


class Switch(NamedTuple):
    """One switch: its name as users know it, how it is read and how it is set."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def working_directory() -> str | None:
    """Return the working directory; None where it was removed."""
    try:
        return os.getcwd()  # noqa: PTH109 - read at the edges of windows, where a Path is dear
    except OSError:
        return None


def change_directory(path: str | None) -> None:
    """Go there, if there is such a folder."""
    with suppress(OSError):  # removed meanwhile
        if path is not None:
            os.chdir(path)


def _handlers() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


def _set_handlers(handlers: Sequence[Any]) -> None:
    for number, handler in zip(SIGNALS, handlers, strict=True):
        with suppress(ValueError):  # only the main thread may
            if handler is not None:  # None was not set from Python
                signal.signal(number, handler)


def _set_streams(streams: tuple[Any, Any]) -> None:
    sys.stdout, sys.stderr = streams


def _garbage_collection() -> tuple[bool, tuple[int, int, int]]:
    return gc.isenabled(), gc.get_threshold()


def _set_garbage_collection(state: tuple[bool, tuple[int, int, int]]) -> None:
    is_enabled, thresholds = state
    (gc.enable if is_enabled else gc.disable)()
    gc.set_threshold(*thresholds)


def _default_device() -> tuple[torch.device | None, str]:
    """Return the default device, and that of torch's older default tensor type.

    The first is None where none was set: one that was slows every call down.
    """
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return context and context.device, torch._C._get_default_device()


def _set_default_device(state: tuple[torch.device | None, str]) -> None:
    torch.set_default_device(state[0])
    if torch._C._get_default_device() != state[1]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated, and the only way back
            kind = "torch.cuda" if state[1] == "cuda" else "torch"
            torch.set_default_tensor_type(f"{kind}.FloatTensor")


def _hides_compile_errors() -> bool:
    """Tell whether what cannot be compiled runs eagerly, unnoticed; loads no compiler."""
    return getattr(sys.modules.get(DYNAMO), "suppress_errors", False)


def _set_hides_compile_errors(value: bool) -> None:
    if DYNAMO in sys.modules:
        setattr(sys.modules[DYNAMO], "suppress_errors", value)  # noqa: B010 - no module knows it


def _flushes_denormals() -> bool:
    """Tell whether the smallest numbers become 0, for which torch has a setter only."""
    return sys.float_info.min / 2 == 0


def _precisions(places: Sequence[tuple[str, str]]) -> list[str]:
    return [torch._C._get_fp32_precision_getter(*place) for place in places]


def _set_precisions(places: Sequence[tuple[str, str]], values: Sequence[str]) -> None:
    for place, value in zip(places, values, strict=True):
        if torch._C._get_fp32_precision_getter(*place) != value:
            torch._C._set_fp32_precision_setter(*place, value)


def _precision_switch(
    name: str,
    places: Sequence[tuple[str, str]],
    older: Callable[[], Any],
    set_older: Callable[[Any], object],
) -> Switch:
    """Make the switch of a precision that torch keeps twice, in an older and a newer way.

    To set the older one sets newer ones too; to read it raises where the newer ones, set alone, say
    something else.
    """

    def read() -> tuple[Any, list[str]]:
        try:
            return older(), _precisions(places)
        except RuntimeError:
            return None, _precisions(places)

    def write(state: tuple[Any, list[str]]) -> None:
        if state[0] is not None:
            set_older(state[0])
        _set_precisions(places, state[1])

    return Switch(name, read, write)


def _deterministic() -> tuple[bool, bool]:
    is_warning = torch.is_deterministic_algorithms_warn_only_enabled()
    return torch.are_deterministic_algorithms_enabled(), is_warning


def _set_deterministic(state: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(state[0], warn_only=state[1])


def _autocast() -> list[tuple[bool, torch.dtype]]:
    return [(torch.is_autocast_enabled(k), torch.get_autocast_dtype(k)) for k in DEVICE_KINDS]


def _set_autocast(states: list[tuple[bool, torch.dtype]]) -> None:
    for kind, (is_enabled, dtype) in zip(DEVICE_KINDS, states, strict=True):
        torch.set_autocast_enabled(kind, is_enabled)
        torch.set_autocast_dtype(kind, dtype)


def _anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _set_anomaly(state: tuple[bool, bool]) -> None:
    torch.autograd.set_detect_anomaly(*state)


def _attention_kernels() -> list[bool]:
    cuda = torch.backends.cuda
    return [
        cuda.flash_sdp_enabled(),
        cuda.mem_efficient_sdp_enabled(),
        cuda.math_sdp_enabled(),
        cuda.cudnn_sdp_enabled(),
    ]


def _set_attention_kernels(are_enabled: list[bool]) -> None:
    flash, efficient, math, cudnn = are_enabled
    torch.backends.cuda.enable_flash_sdp(flash)
    torch.backends.cuda.enable_mem_efficient_sdp(efficient)
    torch.backends.cuda.enable_math_sdp(math)
    torch.backends.cuda.enable_cudnn_sdp(cudnn)


def _backend_flag(name: str) -> Switch:
    """Make the switch of an attribute below `torch.backends`."""
    read, (owner, _, attribute) = attrgetter(name), name.rpartition(".")

    def write(value: object) -> None:
        setattr(attrgetter(owner)(torch.backends), attribute, value)

    return Switch(name, lambda: read(torch.backends), write)


def environment() -> dict[str, str]:
    """Return the variables of the environment, without those that torch's compilers set."""
    return {k: v for k, v in os.environ.items() if not k.startswith(OF_COMPILERS)}


def set_environment(variables: dict[str, str]) -> None:
    """Make these the variables of the environment, all but those of torch's compilers."""
    for name in environment().keys() - variables.keys():
        del os.environ[name]
    os.environ.update({k: v for k, v in variables.items() if os.environ.get(k) != v})


def _warnings() -> list[Any]:
    """Return the filters but for a library's own kinds of warnings: its import may add some."""
    return [one for one in warnings.filters if one[2].__module__ == "builtins"]


def _set_warnings(filters: list[Any]) -> None:
    others = [one for one in warnings.filters if one[2].__module__ != "builtins"]
    warnings.filters[:] = [*others, *filters]  # type: ignore[index]  # a list, whatever stubs say
    with warnings.catch_warnings():  # has Python forget what it made of the others
        pass


def _logging() -> tuple[int, int]:
    return logging.root.level, logging.root.manager.disable


def _set_logging(state: tuple[int, int]) -> None:
    logging.root.setLevel(state[0])
    logging.disable(state[1])


SWITCHES = (
    Switch("working directory", working_directory, change_directory),
    Switch("signal handlers", _handlers, _set_handlers),
    Switch("sys.stdout and sys.stderr", lambda: (sys.stdout, sys.stderr), _set_streams),
    Switch("warnings", _warnings, _set_warnings),
    Switch("gc", _garbage_collection, _set_garbage_collection),
    Switch("default_device", _default_device, _set_default_device),
    Switch("default_dtype", torch.get_default_dtype, torch.set_default_dtype),
    Switch("num_threads", torch.get_num_threads, torch.set_num_threads),
    Switch("_dynamo.config.suppress_errors", _hides_compile_errors, _set_hides_compile_errors),
    Switch("grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
    Switch("anomaly detection", _anomaly, _set_anomaly),
    Switch("autocast", _autocast, _set_autocast),
    Switch("flush_denormal", _flushes_denormals, torch.set_flush_denormal),
    Switch("deterministic_algorithms", _deterministic, _set_deterministic),
    _precision_switch(
        "float32_matmul_precision",
        MATMUL_PLACES,
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    _precision_switch(
        "cudnn.allow_tf32",
        CONV_PLACES,
        torch._C._get_cudnn_allow_tf32,
        torch._C._set_cudnn_allow_tf32,
    ),
    Switch("attention kernels", _attention_kernels, _set_attention_kernels),
    _backend_flag("cudnn.enabled"),
    _backend_flag("cudnn.benchmark"),
    _backend_flag("cudnn.deterministic"),
    _backend_flag("cuda.matmul.allow_fp16_accumulation"),
    _backend_flag("cuda.matmul.allow_fp16_reduced_precision_reduction"),
    _backend_flag("cuda.matmul.allow_bf16_reduced_precision_reduction"),
    _backend_flag("mkldnn.enabled"),
    _backend_flag("mkldnn.deterministic"),
)
# Looked at around a file and a constructor only: in steps torch itself may import, and turn them.
LIBRARY_SWITCHES = (
    Switch("environment", environment, set_environment),
    Switch("logging", _logging, _set_logging),
)
