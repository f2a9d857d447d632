"""What a training decides by its validation scores: learning rate, end, best weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn, optim

from bench.engine.warmup import fill_tensors, named_tensors
from bench.spec.recipe import Recipe

# what changes in the state of torch's plateau; the rest is what the recipe says
PLATEAU_NUMBERS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")


class Scores(Protocol):
    """What one pass over validation images gives."""

    @property
    def accuracy(self) -> float:
        """A fraction in [0, 1]."""

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""


class Best(NamedTuple):
    """The best validation so far, by the selection of the recipe."""

    epoch: float
    accuracy: float
    loss: float


@dataclass
class Control:
    """What a training decides by its validation scores, epoch by epoch or at every look.

    The schedule acts before the end of the training is thought of: R2 did it the other way round,
    and its early stopping always came before its scheduler (docs/systems.md).

    The weights of the model are kept when they are the best.
    """

    recipe: Recipe
    model: nn.Module
    target: float | None = None  # validation accuracy at which the training ends
    rate_scale: float = 1.0  # factor on the learning rate; falls under `plateau`
    is_over: bool = False  # out of patience, or the target is reached
    has_reached: bool = False  # the target
    best: Best | None = None  # before the first look, or where the last weights count
    _lowest_loss: float = math.inf
    _epochs_without: int = 0
    _weights: dict[str, Tensor] = field(default_factory=dict, init=False)
    _plateau: optim.lr_scheduler.ReduceLROnPlateau | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.recipe.schedule == "plateau":  # on a rate of 1 that stands for the schedule's
            self._plateau = optim.lr_scheduler.ReduceLROnPlateau(
                optim.SGD([nn.Parameter(torch.zeros(()))], lr=1.0),
                factor=self.recipe.schedule_factor,
                patience=self.recipe.schedule_patience,
                min_lr=0.0,
                eps=0.0,
            )

    def see(self, scores: Scores) -> None:
        """Take the scores of any look: the first that reaches the target ends the training."""
        if self.target is not None and scores.accuracy >= self.target:
            self.has_reached = self.is_over = True

    def end_epoch(self, epoch: float, scores: Scores) -> None:
        """Take the scores at the end of an epoch."""
        self.select(epoch, scores)
        if self._plateau is not None:
            self._plateau.step(scores.loss)
            self.rate_scale = float(self._plateau.optimizer.param_groups[0]["lr"])
        self._epochs_without = 0 if scores.loss < self._lowest_loss else self._epochs_without + 1
        self._lowest_loss = min(self._lowest_loss, scores.loss)
        patience = self.recipe.stop_patience
        is_out_of_patience = patience is not None and self._epochs_without >= patience
        self.is_over = self.has_reached or is_out_of_patience

    def select(self, epoch: float, scores: Scores) -> None:
        """Keep the weights where they are the best so far."""
        selection, best = self.recipe.selection, self.best
        if selection == "last":
            return
        if best and selection == "loss" and not scores.loss < best.loss:
            return
        if best and selection == "accuracy" and not scores.accuracy > best.accuracy:
            return
        self.best = Best(epoch, scores.accuracy, scores.loss)
        # on the CPU: the peak memory of a GPU must not have them in it
        self._weights = {
            name: tensor.detach().to("cpu", copy=True)
            for name, tensor in named_tensors(self.model).items()
        }

    def use_best(self) -> None:
        """Put the best weights into the model, where the recipe selects any."""
        if self._weights:
            fill_tensors(self.model, self._weights)

    def best_weights(self) -> dict[str, Tensor]:
        """Return the best weights on the CPU, by name; none where the last ones count."""
        return {name: kept.contiguous() for name, kept in self._weights.items()}

    def state(self) -> dict[str, Any]:
        """Return its state as tensors and numbers, for a checkpoint."""
        plateau = self._plateau.state_dict() if self._plateau else {}
        return {
            "rate_scale": self.rate_scale,
            "is_over": self.is_over,
            "has_reached": self.has_reached,
            "best": None if self.best is None else list(self.best),
            "lowest_loss": self._lowest_loss,
            "epochs_without": self._epochs_without,
            "weights": self.best_weights(),
            "plateau": {key: plateau[key] for key in PLATEAU_NUMBERS} if plateau else None,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint of the same recipe and model."""
        self.rate_scale, self.is_over = float(state["rate_scale"]), bool(state["is_over"])
        self.has_reached = bool(state.get("has_reached"))  # older checkpoints know no target
        self.best = None if state["best"] is None else Best(*state["best"])
        self._lowest_loss = float(state["lowest_loss"])
        self._epochs_without = int(state["epochs_without"])
        self._weights = dict(state["weights"])
        if self._plateau is not None:
            self._plateau.load_state_dict(state["plateau"])
            self._plateau.optimizer.param_groups[0]["lr"] = self.rate_scale
