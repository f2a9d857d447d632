"""Arrays from which a report draws: answers, surest mistakes, features in the plane.

All of it is small, lies among the samples, and comes from the final pass itself: arrays

- `predictions` (N,) uint8 and `confidence` (N,) float16, the probability of the predicted class, in
  the order of the evaluated split;
- `mistakes` (k,) int32, indices of the surest wrong answers, k at most 24, the surest first, with
  `mistake_images` (k, H, W) uint8 and `mistake_labels` (k,) uint8;
- `features_2d` (M, 2) float32, `features_share` (2,) float32 and `features_labels` (M,) uint8:
  what the last linear layer takes, for the first M images, along its two widest axes, and their
  shares of the variance;
- `example_images` (10, H, W) uint8, the first training image of each class (black where there is
  none), and `class_counts` (10,) int64 of the training split.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.measure.findings import Findings
from data_pipeline import ResidentSplit
from fmnist_models.logits import NUM_CLASSES

MAX_MISTAKES = 24
MAX_FEATURES = 1000  # images whose features are drawn
MAX_WIDTH = 65_536  # numbers for an image: beyond it, all of them would be half a gigabyte
MAX_SIDE, SMALL_SIDE = 32, 28  # pixels: what is larger is shrunk
ROUNDING = 1e-2  # of a sum of ten probabilities that were rounded to bf16
NO_LINEAR = "the model has no linear layer"
OTHER_ROWS = "its last linear layer does not take a row for each image, or too long a one"


@dataclass
class Sitting:
    """Collect predictions and features of the final pass, batch by batch, on the device."""

    has_head: bool = False  # whether there is a linear layer to look at
    are_probabilities: Tensor | None = None  # () bool: of the outputs of the first batch
    predictions: list[Tensor] = field(default_factory=list)  # (B,) int64
    confidence: list[Tensor] = field(default_factory=list)  # (B,) float32, of the predicted class
    features: list[Tensor] = field(default_factory=list)  # (B, D), until there are enough
    _entering: Tensor | None = field(default=None, init=False)

    def enter(self, _head: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Note what the last linear layer takes: a hook before it."""
        entering = inputs[0] if inputs else named.get("input")
        self._entering = entering if isinstance(entering, Tensor) else None

    def see(self, logits: Tensor) -> None:
        """Take the logits (B, K) float32 of a batch, after its forward pass."""
        if self.are_probabilities is None:
            self.are_probabilities = are_probabilities(logits)
        predicted = logits.argmax(dim=1)
        self.predictions.append(predicted)
        self.confidence.append(logits.softmax(dim=1).gather(1, predicted[:, None])[:, 0])
        missing = MAX_FEATURES - sum(map(len, self.features))
        entering, self._entering = self._entering, None
        if entering is not None and missing > 0 and _is_row_each(entering, len(logits)):
            # a copy, in float32: layers may write over their inputs
            self.features.append(entering[:missing].flatten(1).float().clone())


def are_probabilities(outputs: Tensor) -> Tensor:
    """Tell whether every row of outputs (B, K) is in [0, 1] and sums to one, as a softmax's is."""
    return ((outputs.sum(dim=1) - 1).abs() < ROUNDING).all() & (outputs >= 0).all()


def _is_row_each(entering: Tensor, num_images: int) -> bool:
    is_by_image = entering.dim() > 1 and len(entering) == num_images
    return is_by_image and entering[0].numel() <= MAX_WIDTH


@contextmanager
def sitting(model: nn.Module) -> Iterator[Sitting]:
    """Watch the last linear layer of a model while the block runs."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    seen = Sitting(has_head=bool(layers))
    hooks = [layer.register_forward_pre_hook(seen.enter, with_kwargs=True) for layer in layers[-1:]]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def report_portrait(
    seen: Sitting, split: ResidentSplit, train: ResidentSplit, findings: Findings
) -> None:
    """Fill the samples with what the final pass over a split has shown.

    A picture is worth no run: what the machine cannot do (memory, a decomposition that does not
    converge) is a reason among what is missing.
    """
    try:
        findings.samples |= answers(seen, split) | examples(train)
        features, reason = features_of(seen, split.labels)
        findings.samples |= features
        if reason:
            findings.missing["features"] = reason
    except (RuntimeError, MemoryError) as error:  # torch's own errors are RuntimeErrors
        findings.missing["portrait"] = f"{type(error).__name__}: {error}".splitlines()[0][:80]


def answers(seen: Sitting, split: ResidentSplit) -> dict[str, Any]:
    """Predictions, confidence and the surest mistakes."""
    predicted, confidence = torch.cat(seen.predictions), torch.cat(seen.confidence)
    sure = confidence.where(predicted != split.labels, -1.0).nan_to_num(0.0)
    order = sure.argsort(descending=True, stable=True)[:MAX_MISTAKES]
    mistakes = order[sure[order] >= 0]
    return {
        "predictions": _array(predicted, torch.uint8),
        "confidence": _array(confidence, torch.float16),
        "mistakes": _array(mistakes, torch.int32),
        "mistake_images": _array(small_images(split.images[mistakes]), torch.uint8),
        "mistake_labels": _array(split.labels[mistakes], torch.uint8),
    }


def examples(train: ResidentSplit) -> dict[str, Any]:
    """The first training image of each class, and how many there are of each."""
    labels = train.labels.cpu()
    firsts = [(labels == label).nonzero()[:1, 0] for label in range(NUM_CLASSES)]
    size = train.images.shape[-1]
    blank = train.images.new_zeros(1, 1, size, size)
    images = [
        train.images[first.to(train.labels.device)] if len(first) else blank for first in firsts
    ]
    return {
        "example_images": _array(small_images(torch.cat(images)), torch.uint8),
        "class_counts": _array(labels.bincount(minlength=NUM_CLASSES), torch.int64),
    }


def features_of(seen: Sitting, labels: Tensor) -> tuple[dict[str, Any], str]:
    """The features in the plane, or nothing and the reason."""
    if not seen.has_head:
        return {}, NO_LINEAR
    num_images = min(MAX_FEATURES, len(labels))
    if sum(map(len, seen.features)) != num_images or len({f.shape[1] for f in seen.features}) > 1:
        return {}, OTHER_ROWS
    features = torch.cat(seen.features).cpu().double()
    if not features.isfinite().all():
        return {}, "features are not finite"
    points, share = principal_plane(features)
    return {
        "features_2d": _array(points, torch.float32),
        "features_share": _array(share, torch.float32),
        "features_labels": _array(labels[:num_images], torch.uint8),
    }, ""


def principal_plane(features: Tensor) -> tuple[Tensor, Tensor]:
    """Principal components of rows (M, D) float64: points (M, 2), shares (2,) of the variance.

    The eigenvectors are those of the smaller of X X' and X' X. The largest loading of an axis is
    positive, so that the same features always give the same picture. Where there is no further
    axis, points and share are 0.
    """
    centred = features - features.mean(dim=0)
    num_rows, num_columns = centred.shape
    is_wide = num_columns > num_rows
    values, vectors = torch.linalg.eigh(centred @ centred.T if is_wide else centred.T @ centred)
    points, share = torch.zeros(num_rows, 2).double(), torch.zeros(2).double()
    total = float(centred.square().sum())
    for axis in range(min(2, len(values)) if total > 0 else 0):
        value, vector = values[-1 - axis].clamp(min=0), vectors[:, -1 - axis]
        loadings = centred.T @ vector if is_wide else vector
        sign = 1.0 if loadings[loadings.abs().argmax()] >= 0 else -1.0
        points[:, axis] = sign * (vector * value.sqrt() if is_wide else centred @ vector)
        share[axis] = value / total
    return points, share


def small_images(images: Tensor) -> Tensor:
    """Images (N, 1, S, S) uint8 as (N, s, s), those above 32 pixels a side shrunk to 28."""
    if images.shape[-1] > MAX_SIDE:
        shrunk = F.interpolate(images.float(), size=(SMALL_SIDE, SMALL_SIDE), mode="area")
        images = shrunk.round().clamp(0, 255).to(torch.uint8)
    return images[:, 0]


def _array(tensor: Tensor, dtype: torch.dtype) -> Any:  # noqa: ANN401 - numpy is untyped here
    return tensor.to("cpu", dtype).numpy()
