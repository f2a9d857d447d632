"""Fashion-MNIST from its bytes to device-resident batches: fetch, verify, decode, split, augment.

Importing this package loads neither torch nor torchvision: public names resolve on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_pipeline.batches.augmentation import (
        AUGMENTATION_FORMS,
        Augmentation,
        apply_augmentations,
        augment,
        cutout,
        draw_augmentations,
        flip,
        parse_augmentation,
        shift,
    )
    from data_pipeline.batches.decode import FashionMNIST, load_fashion_mnist
    from data_pipeline.batches.loader import ImageDataset, LoaderStream
    from data_pipeline.batches.normalization import NORMALIZATIONS, normalize
    from data_pipeline.batches.resident import ResidentSplit, place
    from data_pipeline.batches.split import stratified_split
    from data_pipeline.batches.stream import ORDERS, BatchStream
    from data_pipeline.errors import DataError
    from data_pipeline.photos import INVERSIONS, read_photo
    from data_pipeline.sources.fetch import DataFolder, default_root, ensure_data
    from data_pipeline.sources.files import CLASS_NAMES, FASHION_MNIST_FILES, DataFile, data_hash
    from data_pipeline.sources.places import SOURCES, Source, SourceError

__all__ = [
    "AUGMENTATION_FORMS",
    "CLASS_NAMES",
    "FASHION_MNIST_FILES",
    "INVERSIONS",
    "NORMALIZATIONS",
    "ORDERS",
    "SOURCES",
    "Augmentation",
    "BatchStream",
    "DataError",
    "DataFile",
    "DataFolder",
    "FashionMNIST",
    "ImageDataset",
    "LoaderStream",
    "ResidentSplit",
    "Source",
    "SourceError",
    "apply_augmentations",
    "augment",
    "cutout",
    "data_hash",
    "default_root",
    "draw_augmentations",
    "ensure_data",
    "flip",
    "load_fashion_mnist",
    "normalize",
    "parse_augmentation",
    "place",
    "read_photo",
    "shift",
    "stratified_split",
]

# No module here may bear the name of a public function: importing it would hide the function.
_NAMES_OF_MODULE = {
    "batches.augmentation": (
        "AUGMENTATION_FORMS Augmentation apply_augmentations augment cutout draw_augmentations"
        " flip parse_augmentation shift"
    ),
    "batches.decode": "FashionMNIST load_fashion_mnist",
    "errors": "DataError",
    "sources.fetch": "DataFolder default_root ensure_data",
    "sources.files": "CLASS_NAMES FASHION_MNIST_FILES DataFile data_hash",
    "batches.loader": "ImageDataset LoaderStream",
    "batches.normalization": "NORMALIZATIONS normalize",
    "photos": "INVERSIONS read_photo",
    "batches.resident": "ResidentSplit place",
    "sources.places": "SOURCES Source SourceError",
    "batches.split": "stratified_split",
    "batches.stream": "ORDERS BatchStream",
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
