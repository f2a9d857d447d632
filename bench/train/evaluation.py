"""Evaluation: one pass in eval mode over a split, per-sample metrics from one confusion matrix."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.engine.engine import autocast, logits_of
from data_pipeline import ResidentSplit, normalize
from fmnist_models.logits import NUM_CLASSES
from fmnist_models.users.compiled import uncompiled

BATCH_SIZES = {"cpu": 250, "cuda": 2000}  # larger ones outgrow a CPU's caches


@dataclass(frozen=True, slots=True)
class Quality:
    """What one pass over a split gives."""

    confusion: tuple[tuple[int, ...], ...]  # (K, K) counts; row: true class, column: predicted
    loss: float  # mean cross-entropy over the samples, in nats

    @property
    def accuracy(self) -> float:
        """Correct/N over samples, a fraction in [0, 1]."""
        correct = sum(row[k] for k, row in enumerate(self.confusion))
        return correct / sum(map(sum, self.confusion))


# not inference_mode: what a net keeps of this pass, it may train with afterwards
@torch.no_grad()
@uncompiled()
def evaluate(
    model: nn.Module,
    split: ResidentSplit,
    *,
    normalization: str,
    precision: str,
    see: Callable[[Tensor], None] | None = None,
) -> Quality:
    """Run the model over a whole split, in its order, in `eval()`, and put its modes back.

    The device is read once, at the end. `see` is called with the logits (B, K) float32 of each
    batch, on the device; it must not wait.
    """
    # of every module: BatchNorm of a frozen part may stay in eval while all else trains
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    device = split.labels.device
    counts = torch.zeros(NUM_CLASSES**2, dtype=torch.int64, device=device)
    loss = torch.zeros((), dtype=torch.float64, device=device)
    size = BATCH_SIZES[device.type]
    for start in range(0, len(split.labels), size):
        batch = slice(start, start + size)
        images = normalize(split.images[batch], normalization)
        with autocast(precision, device.type):
            output = model(images)
        logits = logits_of(output, len(images), "evaluation").float()  # (B, K)
        batch_counts, batch_loss = _score(logits, split.labels[batch])
        counts += batch_counts
        loss += batch_loss
        if see is not None:
            see(logits)
    model.train(modes[0][1])  # a net of a user's may do more in it than set a flag
    for module, was_training in modes:
        module.training = was_training
    rows = counts.view(NUM_CLASSES, NUM_CLASSES).tolist()
    return Quality(tuple(tuple(row) for row in rows), float(loss) / len(split.labels))


def _score(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    pairs = labels * NUM_CLASSES + logits.argmax(dim=1)
    # no bincount, which waits for a GPU to ask for its largest number
    cells = torch.arange(NUM_CLASSES**2, device=pairs.device)
    counts = (pairs[:, None] == cells).sum(dim=0)
    return counts, F.cross_entropy(logits, labels, reduction="sum").double()
