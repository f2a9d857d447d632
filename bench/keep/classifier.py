"""A trained model in use: class probabilities for images, and the images it gets wrong."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.keep.saved_model import REMEDY, SavedModel, load_model, saved_from
from bench.machine.cores import default_threads
from bench.spec.run_spec import file_hash
from bench.train.evaluation import BATCH_SIZES
from data_pipeline import NORMALIZATIONS, ResidentSplit, normalize
from fmnist_models.external import message_of
from fmnist_models.logits import describe_output, main_logits
from fmnist_models.users.compiled import uncompiled
from fmnist_models.weight_files import load_plain, weights_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the user says of a file of weights; None where nothing is said."""

    model: str | None = None
    input_size: int | None = None
    normalize: str | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """An image that was taken for another class, by its index in the split."""

    index: int
    true_class: str
    predicted_class: str
    probability: float


class Mistakes(NamedTuple):
    """The first mistakes over a split, and how many there are in all."""

    first: list[Mistake]
    num_mistakes: int
    num_images: int

    @property
    def accuracy(self) -> float:
        """Correct/N over samples, a fraction in [0, 1]."""
        return (self.num_images - self.num_mistakes) / self.num_images


@dataclass(frozen=True)
class Classifier:
    """A model in eval mode on its device, and what it was saved as."""

    saved: SavedModel
    model: nn.Module
    device: torch.device
    note: str | None = None  # which of several state dicts in the file these weights are

    @classmethod
    def open(cls, path: Path, claim: Claim, device: torch.device) -> "Classifier":
        """Read a saved model, or a state dict that the claim tells all about.

        Raises:
            UsageError, ModelError: the file is none, or the claim does not agree with it; one line.
        """
        saved, note = _read(path, claim)
        model = load_model(saved, checks_text=claim.model is None)
        if device.type == "cpu":
            torch.set_num_threads(default_threads())
        else:
            torch.backends.cudnn.allow_tf32 = False  # answers are in plain float32
        return cls(saved, model.to(device), device, note)

    @torch.inference_mode()
    @uncompiled()
    def probabilities(self, images: Tensor) -> Tensor:
        """Return probabilities (N, K) float32 on the CPU; here alone is a softmax.

        Args:
            images: (N, 1, S, S) uint8 on any device.

        Raises:
            UsageError: the model fails on them, or its answers are no numbers.
        """
        parts = [self._logits(part) for part in images.split(BATCH_SIZES[self.device.type])]
        logits = torch.cat(parts).float()
        if not logits.isfinite().all():
            raise UsageError(f"{self.saved.path}: the model's answers are not finite; train anew")
        return logits.softmax(dim=1).cpu()

    def mistakes(self, split: ResidentSplit, limit: int) -> Mistakes:
        """Return what the model gets wrong in a split, the first few by name."""
        highest, predicted = self.probabilities(split.images).max(dim=1)
        labels, names = split.labels.cpu(), self.saved.classes
        wrong = (predicted != labels).nonzero().flatten()
        first = [
            Mistake(index, names[labels[index]], names[predicted[index]], float(highest[index]))
            for index in wrong[:limit].tolist()
        ]
        return Mistakes(first, len(wrong), len(labels))

    def _logits(self, images: Tensor) -> Tensor:
        saved = self.saved
        try:
            output = self.model(normalize(images.to(self.device), saved.normalize))
        except Exception as error:  # a user's model may raise anything
            size = f"{saved.input_size}x{saved.input_size}"
            reason = message_of(error) or type(error).__name__
            raise UsageError(f"{saved.name} fails on {size} images: {reason}") from None
        logits = main_logits(output, len(images))
        if logits is None:
            wanted = f"({len(images)}, {len(saved.classes)})"
            raise UsageError(f"{saved.name} gives {describe_output(output)}, not logits {wanted}")
        return logits


def _read(path: Path, claim: Claim) -> tuple[SavedModel, str | None]:
    loaded = load_plain(path, REMEDY)
    if isinstance(loaded, dict) and "format" not in loaded:
        return _bare(path, loaded, claim)
    saved = saved_from(path, loaded)
    size = f"{saved.input_size}x{saved.input_size}"
    for option, said, true, words in (
        ("--model", claim.model, saved.name, f"is a {saved.name}"),
        ("--input-size", claim.input_size, saved.input_size, f"was trained on {size} images"),
        ("--normalize", claim.normalize, saved.normalize, f"was normalised by {saved.normalize}"),
    ):
        if said not in {None, true}:
            raise UsageError(f"{path} {words}; leave {option} {said} out")
    return saved, None


def _bare(path: Path, loaded: object, claim: Claim) -> tuple[SavedModel, str | None]:
    """Return a state dict that somebody else saved, with what it does not say of itself."""
    found = weights_in(loaded, path)
    if claim.model is None or claim.input_size is None:
        raise UsageError(
            f"{path} holds weights alone, not whose they are; "
            "add --model NAME and --input-size PIXELS, as they were trained"
        )
    kind = claim.normalize or "unit"
    if kind not in NORMALIZATIONS:
        choices = ", ".join(NORMALIZATIONS)
        raise UsageError(f"unknown normalization {kind!r}; choose from {choices}")
    try:
        model_hash = file_hash(claim.model)
    except OSError as error:
        raise UsageError(f"cannot read {claim.model}: {error.strerror}") from None
    saved = SavedModel(
        name=claim.model,
        input_size=claim.input_size,
        normalize=kind,
        weights=found.tensors,
        trained={},
        model_hash=model_hash,
        path=path,
    )
    return saved, found.note
