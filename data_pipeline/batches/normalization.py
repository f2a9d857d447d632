"""Bytes to floats."""

import math

import torch
from torch import Tensor

from data_pipeline.errors import DataError

# Mean and standard deviation of pixels in [0, 1]; "dataset" is of the 60,000 training images.
NORMALIZATIONS = {"unit": (0.0, 1.0), "dataset": (0.28604, 0.35302), "half": (0.5, 0.5)}


def normalize(images: Tensor, kind: str, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return images (B, 1, S, S) uint8 as floats, like torchvision's ToTensor and Normalize.

    One division and one addition; "unit" is [0, 1] with the division alone, so that on a CPU it
    equals ToTensor to the bit. The sum is float32 whatever the `dtype` of the result.

    The kind is a name of NORMALIZATIONS; "half" makes [-1, 1].

    Raises:
        DataError: the kind is unknown.
    """
    if kind not in NORMALIZATIONS:
        choices = ", ".join(NORMALIZATIONS)
        raise DataError(f"unknown normalization {kind!r}; choose from {choices}")
    mean, std = NORMALIZATIONS[kind]
    scaled = torch.div(images, 255 * std)  # true division: bytes become float32 in the same pass
    if not math.isclose(mean, 0):
        scaled = scaled.sub_(mean / std)  # in place: the division has just made a new tensor
    return scaled.to(dtype)
