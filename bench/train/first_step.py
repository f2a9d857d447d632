"""The first training step of a net, tried before a sweep on images that mean nothing.

It is the loss of the engines themselves, forward and backward, on the CPU. What a net does with
random numbers, in place of blank images, is what it does with pictures: some invert matrices.
"""

from pathlib import Path

import torch
from torch import nn

from bench.engine.engine import loss_function
from bench.engine.failures import classify
from bench.errors import RunError
from bench.spec.recipe import Recipe
from bench.train.memory_format import why_not_channels_last
from bench.train.splits import parts_of, single_image
from data_pipeline import load_fashion_mnist
from fmnist_models import ModelError
from fmnist_models.adapt import dtype_remedy, some_images
from fmnist_models.external import explain
from fmnist_models.freezing import needs_two_images, train_mode
from fmnist_models.users.code import user_code


def check_first_step(
    model: nn.Module, name: str, recipe: Recipe, size: int, memory_format: str
) -> None:
    """Refuse a net that a training step would fail with; it is changed, and may be left so.

    Args:
        model: on the CPU, frozen as the recipe says.
        name: of the model.
        recipe: how it will be trained.
        size: pixels a side of its images.
        memory_format: of the plan.

    Raises:
        ModelError: the step fails, in NCHW or in the plan's memory format; one line.
    """
    _step(model, name, recipe, size)
    if memory_format == "channels_last" and (reason := why_not_channels_last(model, size)):
        raise ModelError(f"{name}: {reason}, or leave channels_last out of --plan")


def check_single_images(
    model: nn.Module, name: str, recipe: Recipe, size: int, data: Path | None
) -> None:
    """Refuse a net that cannot train on one image where the recipe comes to such a batch.

    Raises:
        ModelError: it cannot; one line.
    """
    comes_to_one = not recipe.drop_last or recipe.batch_size == 1
    if not comes_to_one or not needs_two_images(model, size, recipe.frozen_batchnorm):
        return  # without reading the data
    train, _, _ = parts_of(load_fashion_mnist(data), recipe)
    if reason := single_image(recipe, train.num_images):
        raise ModelError(f"{name} fails in training on {reason}")


def _step(model: nn.Module, name: str, recipe: Recipe, size: int) -> None:
    images = some_images(size)
    try:
        with user_code(name):
            train_mode(model, recipe.frozen_batchnorm)
            loss_function(model, recipe, "cpu")(images, torch.arange(len(images))).backward()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's model may exit, too
        if classify(error)[0] == "out_of_memory":
            return  # a row says so, with the limit
        reason = error.reason if isinstance(error, RunError) else explain(error, name)
        raise ModelError(
            f"{name} fails in a training step on images {tuple(images.shape)}: "
            f"{reason}{dtype_remedy(model)}"
        ) from error
