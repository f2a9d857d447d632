"""The file form of a trained model: its weights, what they need to be used, how they came about.

A file of `torch.save` that holds plain tensors and Python scalars, lists and dicts only, so that it
is read without running anything of what it says.
"""

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
from bench.spec.run_spec import file_hash
from data_pipeline import CLASS_NAMES, NORMALIZATIONS
from data_pipeline.sources.files import write_file
from fmnist_models import ModelError, build_model, model_info
from fmnist_models.pretrained import put_weights
from fmnist_models.weight_files import is_plain, load_plain
from results.text import listed

FORMAT = 1
MAX_SIDE = 2048  # pixels
REMEDY = "name a file of a saved model"
_PLAIN = {type(None), bool, int, float, str, list, tuple, dict, Tensor, nn.Parameter}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SavedModel:
    """A trained model at rest."""

    name: str  # what `build_model` builds it by
    input_size: int  # S, pixels a side of the images that it was trained on
    normalize: str  # a name of NORMALIZATIONS
    weights: Mapping[str, Tensor]  # on the CPU, contiguous, by the names of the bare model
    trained: Mapping[str, Any]  # plain values: recipe, budget, seed, epoch, accuracy and so on
    model_hash: str | None = None  # `file_hash` of a user's own .py file; None for other models
    model_files: tuple[str, ...] = ()  # that it imports from beside it, and the hash is over too
    classes: tuple[str, ...] = CLASS_NAMES  # in label order
    path: Path | None = None  # that it was read from, for messages; None for a live one


def saved_model_of(
    model: nn.Module,
    *,
    name: str,
    recipe: Recipe,
    trained: Mapping[str, Any],
    model_hash: str | None = None,
    model_files: tuple[str, ...] = (),
    input_size: int | None = None,
) -> SavedModel:
    """Return a live model with its weights copied, so that training may go on.

    The model may be on any device, in any memory format, in a DataParallel wrapper or not. Without
    `input_size` it is the recipe's, or what the model registered. `trained` gets the recipe too.
    """
    bare = model.module if isinstance(model, nn.DataParallel) else model
    return SavedModel(
        name=name,
        input_size=input_size or recipe.input_size or model_info(name).input_size,
        normalize=recipe.normalize,
        weights={key: _at_rest(tensor) for key, tensor in bare.state_dict().items()},
        trained={"recipe": as_plain(recipe), **trained},
        model_hash=model_hash,
        model_files=model_files,
    )


def _at_rest(tensor: Any) -> Tensor:  # noqa: ANN401 - a state dict may hold anything
    if not isinstance(tensor, Tensor):
        raise TypeError(f"the state dict holds {type(tensor).__name__}; only tensors are saved")
    return tensor.detach().to("cpu", memory_format=torch.contiguous_format, copy=True)


def write_saved(path: Path, saved: SavedModel, resume: Mapping[str, Any] | None = None) -> None:
    """Write the file at once, so that neither a crash nor a reader meets half of it.

    `resume` is what going on with the training takes: optimizer, random states, progress.

    Raises:
        UsageError: the file cannot be written.
        TypeError: something in it is no plain value, and could not be read back.
    """
    content = {
        "format": FORMAT,
        "model": {
            "name": saved.name,
            "hash": saved.model_hash,
            "input_size": saved.input_size,
            "normalize": saved.normalize,
            "classes": list(saved.classes),
            **({"files": list(saved.model_files)} if saved.model_files else {}),
        },
        "weights": dict(saved.weights),
        "trained": dict(saved.trained),
    } | ({} if resume is None else {"resume": dict(resume)})
    _check_plain(content, "")
    packed = BytesIO()
    torch.save(content, packed)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, packed.getvalue())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _check_plain(value: object, place: str) -> None:
    """Refuse what would be written but not read: a NumPy number is a float, and yet pickled."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_plain(key, f"{place} key")
            _check_plain(item, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_plain(item, f"{place}[{index}]")
    if type(value) not in _PLAIN:
        raise TypeError(f"a saved model holds plain values, not {type(value).__name__} at {place}")


def read_saved(path: Path) -> SavedModel:
    """Return the model in a file.

    Raises:
        ModelError: there is no such file, or it holds no saved model; one line.
    """
    return read_whole(path)[0]


def read_whole(path: Path) -> tuple[SavedModel, dict[str, Any] | None]:
    """Return the model in a file and what going on takes, None where that is not there.

    Raises:
        ModelError: there is no such file, or it holds no saved model; one line.
    """
    loaded = load_plain(path, REMEDY)
    saved = saved_from(path, loaded)
    return saved, loaded.get("resume")


def saved_from(path: Path, loaded: object) -> SavedModel:
    """Return the saved model in what a file holds.

    Raises:
        ModelError: it is none, or one of a newer format; one line.
    """
    if not isinstance(loaded, dict):
        raise ModelError(f"{path} holds a {type(loaded).__name__}, no saved model")
    version = loaded.get("format")
    if type(version) is not int or version < 1:
        keys = ", ".join(map(str, list(loaded)[:3]))
        raise ModelError(f"{path} is no saved model: it has no format, only {keys or 'nothing'}")
    if version > FORMAT:
        raise ModelError(
            f"{path} was written by a newer fmnist-bench (format {version}, this one reads up to "
            f"{FORMAT}); update fmnist-bench"
        )
    try:
        return _parse(path, loaded)
    except (KeyError, TypeError, ValueError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"{path} is no saved model: {what}") from None


def _parse(path: Path, loaded: Mapping[str, Any]) -> SavedModel:
    for name in ("model", "weights", "trained", *(["resume"] if "resume" in loaded else [])):
        _require(isinstance(loaded[name], dict), f"{name} is no dict")
    for name in ("recipe", "environment"):
        _require(isinstance(loaded["trained"].get(name, {}), dict), f"its {name} is no dict")
    model, weights = loaded["model"], loaded["weights"]
    _require(isinstance(model["name"], str), "the model has no name")
    _require(isinstance(model["hash"], str | None), "the model's hash is no text")
    files = model.get("files", [])  # most have none
    _require(isinstance(files, list) and {*map(type, files)} <= {str}, "its files are no names")
    size, classes = model["input_size"], model["classes"]
    _require(type(size) is int and 0 < size <= MAX_SIDE, f"an input size of {size!r}")
    _require(model["normalize"] in NORMALIZATIONS, f"unknown normalization {model['normalize']!r}")
    _require(
        isinstance(classes, list) and [type(word) for word in classes] == [str] * len(CLASS_NAMES),
        f"its classes are not {len(CLASS_NAMES)} names",
    )
    _require(
        all(isinstance(key, str) and is_plain(tensor) for key, tensor in weights.items()),
        "its weights are not tensors by name",
    )
    return SavedModel(
        name=model["name"],
        input_size=size,
        normalize=model["normalize"],
        weights=weights,
        trained=loaded["trained"],
        model_hash=model["hash"],
        model_files=tuple(files),
        classes=tuple(classes),
        path=path,
    )


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)


def load_model(saved: SavedModel, *, checks_text: bool = True) -> nn.Module:
    """Build the network with its weights, on the CPU and in eval mode; draws nothing.

    `checks_text`: a user's own .py file must still be the one it was trained with. The saved file
    names what is executed, so leave this on unless the user has named it too.

    Raises:
        ModelError: no such model here, or the weights are not its weights; one line.
    """
    place = saved.path or "the saved model"
    try:
        if checks_text and file_hash(saved.name, saved.model_files) != saved.model_hash:
            texts = listed([saved.name.rpartition(":")[0], *saved.model_files])
            raise ModelError(
                f"it was trained with another text of {texts}; put that back, "
                f"or say --model {saved.name} to use the file as it is now"
            )
        with torch.random.fork_rng(devices=[]):
            model = build_model(saved.name, saved.input_size)
    except OSError as error:
        file = error.filename or saved.name
        raise ModelError(f"{place} needs the model file {file}: {error.strerror}") from None
    except ModelError as error:
        raise ModelError(f"{place}: {error}") from None
    complaint = f"{place} does not fit {saved.name}"
    put_weights(model, dict(saved.weights), complaint, "name another file, or train anew")
    model.eval()
    return model
