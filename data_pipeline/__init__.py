"""Fashion-MNIST from its bytes to device-resident batches: fetch, verify, decode, split, augment.

Importing this package loads neither torch nor torchvision: public names resolve on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_pipeline.batches.augmentation import (
        Augmentation,
        apply_augmentations,
        draw_augmentations,
        parse_augmentation,
    )
    from data_pipeline.batches.decode import FashionMNIST, load_fashion_mnist
    from data_pipeline.batches.loader import ImageDataset, LoaderStream
    from data_pipeline.batches.normalization import NORMALIZATIONS, normalize
    from data_pipeline.batches.resident import ResidentSplit, place, stratified_split
    from data_pipeline.batches.stream import BatchStream
    from data_pipeline.errors import DataError
    from data_pipeline.photos.read import INVERSIONS, read_photo
    from data_pipeline.sources.fetch import default_root, ensure_data
    from data_pipeline.sources.files import CLASS_NAMES, data_hash

__all__ = [
    "CLASS_NAMES",
    "INVERSIONS",
    "NORMALIZATIONS",
    "Augmentation",
    "BatchStream",
    "DataError",
    "FashionMNIST",
    "ImageDataset",
    "LoaderStream",
    "ResidentSplit",
    "apply_augmentations",
    "data_hash",
    "default_root",
    "draw_augmentations",
    "ensure_data",
    "load_fashion_mnist",
    "normalize",
    "parse_augmentation",
    "place",
    "read_photo",
    "stratified_split",
]

# No module here may bear the name of a public function: importing it would hide the function.
_NAMES_OF_MODULE = {
    "batches.augmentation": (
        "Augmentation apply_augmentations draw_augmentations parse_augmentation"
    ),
    "batches.decode": "FashionMNIST load_fashion_mnist",
    "batches.loader": "ImageDataset LoaderStream",
    "batches.normalization": "NORMALIZATIONS normalize",
    "batches.resident": "ResidentSplit place stratified_split",
    "batches.stream": "BatchStream",
    "errors": "DataError",
    "photos.read": "INVERSIONS read_photo",
    "sources.fetch": "default_root ensure_data",
    "sources.files": "CLASS_NAMES data_hash",
}
_MODULE_OF_NAME = {
    name: module for module, names in _NAMES_OF_MODULE.items() for name in names.split()
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF_NAME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
