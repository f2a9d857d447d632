"""The engine that runs several steps a call of Python, compiled or captured.

A chunk of training may have any length, but what is compiled or captured is fixed to a number of
steps and of images. So a chunk is cut into groups of K equal batches, and what is left over runs a
step at a time. With K = 4, a chunk in which an epoch ends with a ragged batch `r` is five calls:

    batches   B B B B  B B B B  B  r  B
    calls     └─ 4 ─┘  └─ 4 ─┘  1  1  1

Training meets three shapes at most (K whole batches, one, a ragged one), all of them in the
warm-up, and nothing is compiled or captured on the training clock.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn, optim

from bench.engine.engine import Batches, Drawn, Feed, Rates

RunGroup: TypeAlias = Callable[[Sequence[Tensor], Sequence[Drawn], Tensor], Tensor]
"""(index tensors (B,) of K steps, their draws, rates (K,) on the device) -> losses (K,) there."""


@dataclass(eq=False)
class GroupEngine:
    """Cuts chunks into groups of equal steps."""

    group_steps: int  # K
    model: nn.Module
    optimizer: optim.Optimizer
    feed: Feed
    run_group: RunGroup
    around_chunk: Callable[[], AbstractContextManager[None]] = nullcontext
    reset: Callable[[], None] = lambda: None

    @torch.no_grad()
    def run(self, batches: Batches, learning_rates: Rates, momenta: Rates | None = None) -> Tensor:
        """Take one optimizer step for each batch; see `Engine.run`."""
        assert momenta is None, "what is compiled or captured holds the momentum (spec/plan.py)"
        rates = torch.tensor(learning_rates, dtype=self.feed.dtype)
        device = self.feed.split.images.device
        if device.type != "cpu":  # pinned, else the host would wait here
            rates = rates.pin_memory().to(device, non_blocking=True)
        losses = []
        with self.around_chunk():
            for first, count in groups([len(index) for index in batches], self.group_steps):
                indices = batches[first : first + count]
                drawn = [self.feed.draw(len(index)) for index in indices]
                losses.append(self.run_group(indices, drawn, rates[first : first + count]))
        return torch.cat(losses).to("cpu", non_blocking=True)


def groups(sizes: Sequence[int], group_steps: int) -> Iterator[tuple[int, int]]:
    """Yield first step and number of steps of each group, from the images of each batch."""
    first = 0
    while first < len(sizes):
        ahead = sizes[first : first + group_steps]
        is_whole = len(ahead) == group_steps and len(set(ahead)) == 1
        count = group_steps if is_whole else 1
        yield first, count
        first += count
