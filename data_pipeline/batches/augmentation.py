"""Augmentation of byte images on the device.

Each augmentation is a random draw and a pure function of images and draw: captured graphs and
compiled steps keep the draw outside. Nothing here waits for the device or loops over images.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from data_pipeline.errors import DataError

AUGMENTATION_FORMS = ("flip", "shiftP (such as shift2)", "cutoutS (such as cutout8)")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One augmentation by its recipe name.

    Attributes:
        name: such as "flip", "shift2", "cutout8".
        kind: the name without its number.
        num_pixels: farthest move of a shift, side of a cutout's square.
    """

    name: str
    kind: str
    num_pixels: int = 0

    def draw(
        self,
        batch_size: int,
        image_size: int,
        generator: torch.Generator,
        device: torch.device | str,
    ) -> Tensor:
        """Return the random part, all values equally likely.

        Of a flip (B,) float32 in [0, 1); of a shift (B, 2) int64, any of its 2P+1 moves down and
        to the right; of a cutout (B, 2) int64, any pixel of the image.
        """
        if self.kind == "flip":
            return torch.rand(batch_size, generator=generator, device=device)
        low, high = 0, image_size
        if self.kind == "shift":
            low, high = -self.num_pixels, self.num_pixels + 1
        return torch.randint(low, high, (batch_size, 2), generator=generator, device=device)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Return new images (B, 1, S, S) uint8, changed by what was drawn for them."""
        if self.kind == "flip":
            return flip(images, drawn)
        if self.kind == "shift":
            return shift(images, drawn, self.num_pixels)
        return cutout(images, drawn, self.num_pixels)


def flip(images: Tensor, chances: Tensor) -> Tensor:
    """Mirror left to right the images (B, 1, S, S) whose chance (B,) is below one half.

    Compared here: a draw is queued by itself, beside a CUDA graph of whole steps.
    """
    return torch.where((chances < 0.5)[:, None, None, None], images.flip(-1), images)


def shift(images: Tensor, offsets: Tensor, padding: int) -> Tensor:
    """Move images (B, 1, S, S) by their offsets and fill with 0: a crop of the padded image.

    Offsets are (B, 2) int64, pixels down and pixels to the right, in [-padding, padding].
    """
    size = images.shape[-1]
    padded = pad(images, (padding,) * 4)
    crops = padded.unfold(2, size, 1).unfold(3, size, 1)  # (B, 1, 2P+1, 2P+1, S, S), a view
    top, left = (padding - offsets).unbind(1)  # the crop moves up when the image moves down
    batch = torch.arange(len(images), device=images.device)
    return crops[batch, :, top, left]  # (B, 1, S, S)


def cutout(images: Tensor, centers: Tensor, size: int) -> Tensor:
    """Set a square of each image (B, 1, S, S) to 0; what of it lies outside the image is lost.

    Centers are (B, 2) int64, row and column; the square begins size // 2 above and left of them.
    """
    pixels = torch.arange(images.shape[-1], device=images.device)
    distance = pixels - (centers - size // 2)[:, :, None]  # (B, 2, S) from the square's corner
    inside = (distance >= 0) & (distance < size)
    square = inside[:, 0, :, None] & inside[:, 1, None, :]  # (B, S, S)
    return images.masked_fill(square[:, None], 0)


def parse_augmentation(name: str) -> Augmentation:
    """Return the augmentation that a recipe names.

    Raises:
        DataError: the name is unknown.
    """
    if name == "flip":
        return Augmentation(name, "flip")
    match = re.fullmatch(r"(shift|cutout)([1-9][0-9]{0,2})", name)
    if match is None:
        choices = ", ".join(AUGMENTATION_FORMS)
        raise DataError(f"unknown augmentation {name!r}; choose from {choices}")
    return Augmentation(name, match[1], int(match[2]))


def draw_augmentations(
    augmentations: Sequence[Augmentation],
    batch_size: int,
    image_size: int,
    generator: torch.Generator,
    device: torch.device | str,
) -> tuple[Tensor, ...]:
    """Return what each augmentation draws for one batch, in order."""
    return tuple(
        augmentation.draw(batch_size, image_size, generator, device)
        for augmentation in augmentations
    )


def apply_augmentations(
    images: Tensor, augmentations: Sequence[Augmentation], drawn: Sequence[Tensor]
) -> Tensor:
    """Return images (B, 1, S, S) uint8 after all augmentations, in order."""
    for augmentation, draw in zip(augmentations, drawn, strict=True):
        images = augmentation.apply(images, draw)
    return images
