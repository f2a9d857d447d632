"""Measure the machine's ceilings: copy bandwidth by size, matmul rates, latency.

Everything runs on random data (zeros are faster) and the best of some repeats counts. On CUDA the
repeats lie in one captured graph, so that no launch from the host is in them. Copies are measured
at several sizes: what fits in a cache is not bound by the memory behind it.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
import torch

from bench.machine.cache import read_cached, write_cached
from bench.machine.clock import Clock, make_clock
from bench.machine.cores import default_threads

VERSION = 1  # of the way of measuring: figures of another one are not read
MIB = 2**20
COPY_BYTES = {  # source and destination together; in CUDA's smallest no node latency shows
    "cpu": (MIB, 8 * MIB, 64 * MIB, 512 * MIB),
    "cuda": (32 * MIB, 256 * MIB, 1024 * MIB),
}
MATMUL_SIZES = {"cpu": (256, 1024), "cuda": (4096, 8192)}
DTYPES = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
# fp16 on a CPU runs on reference code, hundreds of times slower: no ceiling of anything
PRECISIONS = {"cpu": ("fp32", "bf16"), "cuda": ("fp32", "tf32", "bf16", "fp16")}
MIN_REPEATS, MAX_REPEATS, CAP_S = 3, 20, 0.1  # of one figure
CALL_S = 1e-3  # a repeat should last this long, or the clock's own cost shows
NUM_NODES = 1000  # tiny operations of one repeat
Key = TypeVar("Key", int, str)
Positive = Annotated[float, msgspec.Meta(gt=0)]


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The best rates and the shortest latency that the machine was seen to reach."""

    # bytes of source and target -> read and written a second
    copy_bytes_per_s: Mapping[Annotated[int, msgspec.Meta(gt=0)], Positive]
    matmul_flops_per_s: Mapping[str, Positive]  # by precision
    latency_s: Positive  # of a tiny node inside a CUDA graph; on a CPU of the dispatch of one

    def bandwidth(self, num_bytes: int) -> float | None:
        """The most bytes a second for a pass over so many bytes; None where no copy was measured.

        The best of the largest size that is not above them and all larger ones: a smaller set is
        never bound to be slower, though the threads' start may cost it more.
        """
        smaller = [size for size in self.copy_bytes_per_s if size <= num_bytes]
        floor = max(smaller, default=0)
        rates = [rate for size, rate in self.copy_bytes_per_s.items() if size >= floor]
        return max(rates, default=None)

    def better_of(self, other: "Ceilings") -> "Ceilings":
        """For each figure the better one; what only one of them knows is kept."""
        return Ceilings(
            _higher(self.copy_bytes_per_s, other.copy_bytes_per_s),
            _higher(self.matmul_flops_per_s, other.matmul_flops_per_s),
            min(self.latency_s, other.latency_s),
        )


def ceilings_of(device: torch.device, environment: Mapping[str, Any]) -> Ceilings:
    """The ceilings of this environment: those in the cache, or measured now and kept there."""
    return _cached(environment) or renewed_ceilings(device, environment)


def renewed_ceilings(device: torch.device, environment: Mapping[str, Any]) -> Ceilings:
    """The ceilings measured anew, each the better of that and what the cache held.

    Whatever else a machine does can only make a ceiling look lower than it is.
    """
    ceilings, before = measure_ceilings(device), _cached(environment)
    if before is not None:
        ceilings = ceilings.better_of(before)
    write_cached(_cache_name(environment), ceilings)
    return ceilings


def _cached(environment: Mapping[str, Any]) -> Ceilings | None:
    try:
        return msgspec.convert(read_cached(_cache_name(environment)), Ceilings, str_keys=True)
    except msgspec.ValidationError:  # nothing there, or not what we wrote
        return None


def measure_ceilings(device: torch.device) -> Ceilings:
    """Measure for a second or two; leave torch's switches and random states as they were."""
    clock = make_clock(device)
    draw = torch.Generator(device).manual_seed(0)
    with _switches_kept(device):
        ceilings = Ceilings(
            copy_bytes_per_s=_best_of(copy_rate, COPY_BYTES[device.type], draw, clock),
            matmul_flops_per_s=_best_of(matmul_rate, PRECISIONS[device.type], draw, clock),
            latency_s=latency(draw, clock),
        )
    if device.type == "cuda":
        # a gigabyte that the run may need, and what cuBLAS keeps for each captured stream: 32 MiB
        # on Hopper, which would count as memory of the run
        torch._C._cuda_clearCublasWorkspaces()
        torch.cuda.empty_cache()
    return ceilings


def copy_rate(num_bytes: int, draw: torch.Generator, clock: Clock) -> float:
    """Bytes read and written a second by a copy whose two sides are so many bytes together."""
    size = num_bytes // 2
    # a block of them again and again, as to draw them all would take long
    blocks = (torch.rand(min(size, MIB) // 4, generator=draw, device=draw.device) for _ in range(2))
    source, target = (block.repeat(max(1, size // MIB)) for block in blocks)
    return num_bytes / best_seconds(lambda: target.copy_(source), clock, draw.device)


def matmul_rate(precision: str, draw: torch.Generator, clock: Clock) -> float:
    """FLOPs a second of square matrix products, the best of some sizes."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"

    def rate_of(size: int) -> float:
        left, right, out = (
            torch.randn((size, size), generator=draw, device=draw.device).to(DTYPES[precision])
            for _ in range(3)
        )
        seconds = best_seconds(lambda: torch.mm(left, right, out=out), clock, draw.device)
        return 2.0 * size**3 / seconds

    return max(map(rate_of, MATMUL_SIZES[draw.device.type]))


def latency(draw: torch.Generator, clock: Clock) -> float:
    """Seconds of one operation on one number, which waits for the one before."""
    number = torch.rand(1, generator=draw, device=draw.device)
    return best_seconds(lambda: number.add_(1.0), clock, draw.device, num_calls=NUM_NODES)


def best_seconds(
    call: Callable[[], object], clock: Clock, device: torch.device, num_calls: int | None = None
) -> float:
    """Seconds of a call in the fastest of some repeats.

    A repeat is `num_calls` of them, or as many as a millisecond takes; on CUDA they are captured
    into one graph.
    """
    call()  # the first one allocates and chooses its algorithm
    if num_calls is None:
        num_calls = max(1, min(NUM_NODES, int(CALL_S / max(_seconds(call, clock), 1e-9))))

    def repeat() -> None:
        for _ in range(num_calls):
            call()

    timed = _captured(repeat, call) if device.type == "cuda" else repeat
    seconds: list[float] = []
    while len(seconds) < MIN_REPEATS or (len(seconds) < MAX_REPEATS and sum(seconds) < CAP_S):
        seconds.append(_seconds(timed, clock))
    return min(seconds) / num_calls


def _seconds(call: Callable[[], object], clock: Clock) -> float:
    clock.synchronize()
    start = clock.mark()
    call()
    return clock.seconds_between(start, clock.mark())


def _captured(repeat: Callable[[], None], call: Callable[[], object]) -> Callable[[], None]:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        call()  # libraries make their workspaces on the stream that will be captured
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        repeat()
    graph.replay()  # the first one uploads the graph
    return graph.replay


def _best_of(
    rate: Callable[[Key, torch.Generator, Clock], float],
    keys: tuple[Key, ...],
    draw: torch.Generator,
    clock: Clock,
) -> dict[Key, float]:
    """The rates that could be measured, by key; on a CPU the better of all threads and one.

    The start of a second thread costs a small copy more than it brings, and where another process
    holds a core, two threads wait for it at every call.
    """
    found: dict[Key, float] = {}
    for num_threads in {default_threads(), 1} if draw.device.type == "cpu" else {1}:
        torch.set_num_threads(num_threads)
        for key in keys:
            with contextlib.suppress(RuntimeError):  # too little memory, or no such precision
                found[key] = max(rate(key, draw, clock), found.get(key, 0.0))
    return found


def _higher(one: Mapping[Key, float], other: Mapping[Key, float]) -> dict[Key, float]:
    return {key: max(one.get(key, 0.0), other.get(key, 0.0)) for key in {**one, **other}}


@contextlib.contextmanager
def _switches_kept(device: torch.device) -> Iterator[None]:
    """Turn deterministic algorithms off, which cuBLAS might refuse; restore all switches."""
    threads, is_tf32 = torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32
    is_deterministic = torch.are_deterministic_algorithms_enabled()
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        # graphs are captured on the current device
        with torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(is_deterministic, warn_only=only_warns)
        torch.backends.cuda.matmul.allow_tf32 = is_tf32


def _cache_name(environment: Mapping[str, Any]) -> str:
    machine = {key: value for key, value in environment.items() if key != "data_hash"}
    machine["version"] = VERSION
    digest = hashlib.sha256(msgspec.json.encode(machine, order="sorted")).hexdigest()
    return f"ceilings/{digest[:12]}.json"
