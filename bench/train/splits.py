"""The three parts of the data of a configuration, as its recipe splits them."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from bench.spec.recipe import Recipe
from bench.spec.run_spec import RunSpec
from data_pipeline import (
    FashionMNIST,
    ResidentSplit,
    load_fashion_mnist,
    place,
    stratified_split,
)
from fmnist_models import model_info

SPLIT_SEED = 0  # the same validation images for every model, seed and day


@dataclass(frozen=True)
class Splits:
    """The three parts of the data on the device; validation is None where nothing was kept."""

    train: ResidentSplit
    validation: ResidentSplit | None
    test: ResidentSplit
    data_hash: str


class SplitPart(NamedTuple):
    """Some images of one of the two files."""

    images: Tensor  # (N, 1, 28, 28) uint8, on the CPU
    labels: Tensor  # (N,) int64
    indices: Tensor | None = None  # (n,) int64; None for all

    @property
    def num_images(self) -> int:
        """How many of the file's images are in it."""
        return len(self.labels if self.indices is None else self.indices)


def load_splits(spec: RunSpec, device: torch.device, data: Path | None) -> Splits:
    """Load, verify, split and place the data for a run."""
    loaded = load_fashion_mnist(data)
    size = spec.recipe.input_size or model_info(spec.model).input_size
    train, validation, test = parts_of(loaded, spec.recipe)
    return Splits(
        train=place(train.images, train.labels, device, size, train.indices),
        validation=validation
        and place(validation.images, validation.labels, device, size, validation.indices),
        test=place(test.images, test.labels, device, size, test.indices),
        data_hash=loaded.data_hash,
    )


def single_image(recipe: Recipe, num_images: int) -> str | None:
    """Say that training on so many images comes to a batch of one; None where it does not."""
    ragged = 0 if recipe.drop_last else num_images % recipe.batch_size
    if 1 not in {ragged, recipe.batch_size}:
        return None
    return (
        f"a batch of one image ({num_images} in batches of {recipe.batch_size}); "
        "set drop_last=true or another batch_size"
    )


def parts_of(data: FashionMNIST, recipe: Recipe) -> tuple[SplitPart, SplitPart | None, SplitPart]:
    """Return training, validation and test images, as `Recipe.split` says."""
    train = SplitPart(data.train_images, data.train_labels)
    test = SplitPart(data.test_images, data.test_labels)
    if recipe.split == "test":
        return train, test, test
    if recipe.split == "half_test":
        order = torch.randperm(
            len(test.labels), generator=torch.Generator().manual_seed(SPLIT_SEED)
        )
        first, second = order.chunk(2)
        return train, test._replace(indices=first), test._replace(indices=second)
    if recipe.split == "swapped":
        train, test = test, train
    kept, held = stratified_split(train.labels, recipe.validation_fraction, SPLIT_SEED)
    if not len(held):
        return train, None, test
    return train._replace(indices=kept), train._replace(indices=held), test
