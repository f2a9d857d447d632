"""Engines that run several steps a call of Python: compiled steps and CUDA graphs."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn, optim

from bench.engine.engine import Drawn, Feed, Momentum
from bench.engine.update_rules import step_counts
from bench.engine.whole_step import State, WholeStep


class Steps(Protocol):
    """Executes consecutive steps on batches of one size in one call."""

    def begin(self) -> None:
        """Before the first call of a chunk."""

    def run(self, indices: Sequence[Tensor], drawn: Sequence[Drawn], rates: Tensor) -> Tensor:
        """Losses (K,) on the device of K steps.

        Args:
            indices: index tensors (B,), one a step.
            drawn: what each augmentation drew for each of them.
            rates: (K,) learning rates on the device.
        """

    def end(self) -> None:
        """After the last call of a chunk."""

    def reset(self) -> None:
        """Forgets what untimed steps have left."""


class GroupEngine:
    """Cuts chunks into groups of equal steps; what is left over runs a step at a time.

    So every shape that training can meet is one of three: a whole group, a single full batch, a
    single ragged batch.

    Args:
        group_steps: K, steps in a whole group.
        model: whose steps these are.
        optimizer: of its parameters.
        feed: draws the augmentation.
        steps: executes a group.
    """

    def __init__(
        self,
        group_steps: int,
        model: nn.Module,
        optimizer: optim.Optimizer,
        feed: Feed,
        steps: Steps,
    ) -> None:
        self.group_steps = group_steps
        self.model = model
        self.optimizer = optimizer
        self.feed = feed
        self.steps = steps

    @torch.no_grad()
    def run(
        self,
        batches: Sequence[Tensor],
        learning_rates: Sequence[float],
        momentum: Momentum = None,
    ) -> Tensor:
        """One optimizer step for each batch; see `Engine.run`."""
        assert momentum is None, "what is compiled or captured holds the momentum (spec/plan.py)"
        rates = self._on_device(learning_rates)
        losses = []
        self.steps.begin()
        for first, count in groups([len(index) for index in batches], self.group_steps):
            indices = batches[first : first + count]
            drawn = [self.feed.draw(len(index)) for index in indices]
            losses.append(self.steps.run(indices, drawn, rates[first : first + count]))
        self.steps.end()
        return torch.cat(losses).to("cpu", non_blocking=True)

    def reset(self) -> None:
        """Forgets what untimed steps have left."""
        self.steps.reset()

    def _on_device(self, learning_rates: Sequence[float]) -> Tensor:
        rates = torch.tensor(learning_rates, dtype=self.feed.dtype)
        device = self.feed.split.images.device
        if device.type == "cpu":
            return rates
        return rates.pin_memory().to(device, non_blocking=True)  # else the host would wait here


def groups(sizes: Sequence[int], group_steps: int) -> Iterator[tuple[int, int]]:
    """First step and number of steps of each group; only equal batches share one.

    Args:
        sizes: images of each batch in order.
        group_steps: steps in a whole group.
    """
    first = 0
    while first < len(sizes):
        ahead = sizes[first : first + group_steps]
        is_whole = len(ahead) == group_steps and len(set(ahead)) == 1
        count = group_steps if is_whole else 1
        yield first, count
        first += count


class CompiledSteps:
    """Groups as calls of compiled whole steps.

    Args:
        whole: has the compiled functions.
        model: gives weights and buffers.
        optimizer: gives its state, which stays its own.
        feed: makes the batches inside the compiled function.
    """

    def __init__(
        self, whole: WholeStep, model: nn.Module, optimizer: optim.Optimizer, feed: Feed
    ) -> None:
        self.whole = whole
        self.feed = feed
        self.state = State.of(model, optimizer, whole.rule)
        self.counts = step_counts(optimizer, whole.rule)

    def begin(self) -> None:
        """Takes over how many steps the optimizer has done."""
        if self.counts:
            self.state.step.copy_(self.counts[0])

    def run(self, indices: Sequence[Tensor], drawn: Sequence[Drawn], rates: Tensor) -> Tensor:
        """Losses (K,) of K steps."""
        return self.whole.run(self.state, self.feed, indices, drawn, rates)

    def end(self) -> None:
        """Tells the optimizer how many steps it has done."""
        if self.counts:
            torch._foreach_copy_(self.counts, [self.state.step] * len(self.counts))

    def reset(self) -> None:
        """Nothing is left: the state is the optimizer's and the model's."""
