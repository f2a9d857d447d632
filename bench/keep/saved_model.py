"""The file form of a trained model: its weights, what they need to be used, how they came about.

A file of `torch.save` that holds plain tensors and Python scalars, lists and dicts only, so that it
is read without running anything of what it says.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.spec.recipe import Recipe
from bench.spec.recipe_settings import as_plain
from data_pipeline import CLASS_NAMES, NORMALIZATIONS
from data_pipeline.sources.files import write_file
from fmnist_models import model_info
from fmnist_models.weight_files import is_plain, is_whole

FORMAT = 1
MAX_SIDE = 2048  # pixels
SHOWN = 3  # names that a line about wrong weights lists
_PLAIN = {type(None), bool, int, float, str, list, tuple, dict, Tensor, nn.Parameter}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SavedModel:
    """A trained model at rest.

    Attributes:
        name: what `build_model` builds it by.
        input_size: S, pixels a side of the images that it was trained on.
        normalize: a name of NORMALIZATIONS; how bytes become its input.
        weights: the state dict: tensors on the CPU, contiguous, by the names of the bare model.
        trained: how it came about, plain values: recipe, budget, seed, epoch, accuracy and so on.
        model_hash: `bench.spec.hashes.file_hash` of a user's own .py file; None for other models.
        classes: names of the ten classes, in label order.
        path: the file that it was read from, for whoever complains; None for a live one.
    """

    name: str
    input_size: int
    normalize: str
    weights: Mapping[str, Tensor]
    trained: Mapping[str, Any]
    model_hash: str | None = None
    classes: tuple[str, ...] = CLASS_NAMES
    path: Path | None = None


def saved_model_of(
    model: nn.Module,
    *,
    name: str,
    recipe: Recipe,
    trained: Mapping[str, Any],
    model_hash: str | None = None,
    input_size: int | None = None,
) -> SavedModel:
    """A live model with its weights copied, so that training may go on.

    Args:
        model: on any device, in any memory format, within a DataParallel wrapper or not.
        name: what `build_model` builds it by.
        recipe: that it is trained by; goes into `trained` as well.
        trained: whatever else there is to tell, plain values.
        model_hash: of a user's own file as it was read; None for other models.
        input_size: of the images; None for the recipe's, or what the model registered.
    """
    bare = model.module if isinstance(model, nn.DataParallel) else model
    weights = {key: _at_rest(tensor) for key, tensor in bare.state_dict().items()}
    return SavedModel(
        name=name,
        input_size=input_size or recipe.input_size or model_info(name).input_size,
        normalize=recipe.normalize,
        weights=weights,
        trained={"recipe": as_plain(recipe), **trained},
        model_hash=model_hash,
    )


def write_saved(path: Path, saved: SavedModel, resume: Mapping[str, Any] | None = None) -> None:
    """Writes the file at once, so that neither a crash nor a reader meets half of it.

    Args:
        path: of the file; missing folders are made.
        saved: the model.
        resume: what going on with the training takes: optimizer, random states, progress.

    Raises:
        UsageError: the file cannot be written.
        TypeError: something in it is no plain value, and could not be read back.
    """
    content = _content(saved) | ({} if resume is None else {"resume": dict(resume)})
    _check_plain(content, "")
    packed = BytesIO()
    torch.save(content, packed)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, packed.getvalue())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def read_saved(path: Path) -> SavedModel:
    """The model in a file.

    Raises:
        UsageError: there is no such file, or it holds no saved model; one line.
    """
    return read_whole(path)[0]


def read_resume(path: Path) -> dict[str, Any] | None:
    """What `write_saved` was given as `resume`; None where it was given none.

    Raises:
        UsageError: there is no such file, or it holds no saved model; one line.
    """
    return read_whole(path)[1]


def read_whole(path: Path) -> tuple[SavedModel, dict[str, Any] | None]:
    """The model in a file and what going on takes, if that is there, in one reading.

    Raises:
        UsageError: there is no such file, or it holds no saved model; one line.
    """
    loaded = load_plain(path)
    return saved_from(path, loaded), loaded.get("resume")


def load_plain(path: Path) -> dict[str, Any]:
    """What a file of `torch.save` holds, as long as it is a dict of plain values, on the CPU.

    Raises:
        UsageError: there is no such file, or it is another kind of file; one line.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder; name a file of a saved model")
        if not path.is_file():
            raise UsageError(f"there is no file {path}; name a file of a saved model")
        file = path.open("rb")
    except OSError as error:
        what = f"cannot read {path}: {error.strerror}; name a file of a saved model"
        raise UsageError(what) from None
    if not is_whole(path):
        file.close()
        raise UsageError(f"{path} is damaged: its checksums differ; take one that is whole")
    try:
        with file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what kind the file is instead: told below
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        raise _unreadable(path, error) from None
    if not isinstance(loaded, dict):
        raise UsageError(f"{path} holds a {type(loaded).__name__}, no saved model")
    return loaded


def saved_from(path: Path, loaded: Mapping[str, Any]) -> SavedModel:
    """The saved model in what a file holds.

    Raises:
        UsageError: it is none, or one of a newer format; one line.
    """
    version = loaded.get("format")
    if type(version) is not int or version < 1:
        keys = ", ".join(map(str, list(loaded)[:SHOWN]))
        raise UsageError(f"{path} is no saved model: it has no format, only {keys or 'nothing'}")
    if version > FORMAT:
        raise UsageError(
            f"{path} was written by a newer fmnist-bench (format {version}, this one reads up to "
            f"{FORMAT}); update fmnist-bench"
        )
    try:
        return _parse(path, loaded)
    except (KeyError, TypeError, ValueError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{path} is no saved model: {what}") from None


def _at_rest(tensor: Any) -> Tensor:  # noqa: ANN401 - a state dict may hold anything
    if not isinstance(tensor, Tensor):
        raise TypeError(f"the state dict holds {type(tensor).__name__}; only tensors are saved")
    return tensor.detach().to("cpu", memory_format=torch.contiguous_format, copy=True)


def _content(saved: SavedModel) -> dict[str, Any]:
    model = {
        "name": saved.name,
        "hash": saved.model_hash,
        "input_size": saved.input_size,
        "normalize": saved.normalize,
        "classes": list(saved.classes),
    }
    weights, trained = dict(saved.weights), dict(saved.trained)
    return {"format": FORMAT, "model": model, "weights": weights, "trained": trained}


def _check_plain(value: object, place: str) -> None:
    """Refuses what would be written but not read: a NumPy number is a float, and yet pickled."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_plain(key, f"{place} key")
            _check_plain(item, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_plain(item, f"{place}[{index}]")
    if type(value) not in _PLAIN:
        raise TypeError(f"a saved model holds plain values, not {type(value).__name__} at {place}")


def _unreadable(path: Path, error: Exception) -> UsageError:
    foreign = re.search(r"Unsupported (?:global|class): GLOBAL (\S+)", str(error))
    if foreign is None:
        return UsageError(f"{path} is no file of torch.save, or a damaged one")
    what = f"{path} holds an object of {foreign[1]}, and reading it would run code"
    return UsageError(f"{what}; save the model's state_dict() alone")


def _parse(path: Path, loaded: Mapping[str, Any]) -> SavedModel:
    for name in ("model", "weights", "trained", *(["resume"] if "resume" in loaded else [])):
        _require(isinstance(loaded[name], dict), f"{name} is no dict")
    for name in ("recipe", "environment"):
        _require(isinstance(loaded["trained"].get(name, {}), dict), f"its {name} is no dict")
    model = loaded["model"]
    _require(isinstance(model["name"], str), "the model has no name")
    _require(isinstance(model["hash"], str | None), "the model's hash is no text")
    size, classes = model["input_size"], model["classes"]
    _require(type(size) is int and 0 < size <= MAX_SIDE, f"an input size of {size!r}")
    _require(model["normalize"] in NORMALIZATIONS, f"unknown normalization {model['normalize']!r}")
    _require(
        isinstance(classes, list) and [type(word) for word in classes] == [str] * len(CLASS_NAMES),
        f"its classes are not {len(CLASS_NAMES)} names",
    )
    _require(is_state_dict(loaded["weights"]), "its weights are not tensors by name")
    return SavedModel(
        name=model["name"],
        input_size=size,
        normalize=model["normalize"],
        weights=loaded["weights"],
        trained=loaded["trained"],
        model_hash=model["hash"],
        classes=tuple(classes),
        path=path,
    )


def is_state_dict(loaded: Mapping[Any, Any]) -> bool:
    """Whether these are tensors by name, each dense, and nothing else."""
    return all(isinstance(key, str) for key in loaded) and all(map(is_plain, loaded.values()))


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
