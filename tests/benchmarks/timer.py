"""The timer of `make benchmark`: waits for the GPU before it reads the clock."""

import sys
import time


def synchronized_s() -> float:
    """Seconds of the monotonic clock, once all that CUDA was given to do is done.

    Without the wait a benchmark would time how fast the host queues kernels.
    """
    torch = sys.modules.get("torch")  # the clock is read before torch is imported, too
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()
