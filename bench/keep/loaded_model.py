"""A saved model as a network again."""

from collections.abc import Sequence

import torch
from torch import nn

from bench.errors import UsageError
from bench.keep.saved_model import SavedModel
from bench.spec.hashes import file_hash
from fmnist_models import ModelError, build_model
from fmnist_models.pretrained import unwrapped

SHOWN = 3  # names that a line about wrong weights lists


def load_model(saved: SavedModel, *, checks_text: bool = True) -> nn.Module:
    """The network with its weights, on the CPU and in eval mode; leaves the random state alone.

    Args:
        saved: the model.
        checks_text: whether a user's own .py file must still be the one it was trained with. The
            saved file names what is executed, so leave this on unless the user has named it too.

    Raises:
        UsageError: no such model here, or the weights are not its weights; one line.
    """
    place = saved.path or "the saved model"
    try:
        if checks_text and file_hash(saved.name) != saved.model_hash:
            file = saved.name.rpartition(":")[0]
            raise UsageError(
                f"{place} was trained with another text of {file}; put that back, "
                f"or say --model {saved.name} to use the file as it is now"
            )
        with torch.random.fork_rng(devices=[]):
            model = build_model(saved.name)
    except OSError as error:
        raise UsageError(f"{place} needs its model file {saved.name}: {error.strerror}") from None
    except ModelError as error:
        raise UsageError(f"{place}: {error}") from None
    _load_weights(model, saved, place)
    return model.eval()


def _load_weights(model: nn.Module, saved: SavedModel, place: object) -> None:
    own, found = model.state_dict(), unwrapped(dict(saved.weights), model)
    shared = own.keys() & found.keys()
    faults = [
        _listed("missing", [key for key in own if key not in shared]),
        _listed("unknown", [key for key in found if key not in shared]),
        _listed(
            "of another shape",
            [key for key in own if key in shared and own[key].shape != found[key].shape],
        ),
        _listed(
            "of complex numbers",
            [key for key in shared if found[key].is_complex() != own[key].is_complex()],
        ),
    ]
    if any(faults):
        what = ", ".join(filter(None, faults))
        raise UsageError(f"the weights in {place} are not those of {saved.name}: {what}")
    try:
        model.load_state_dict(found, strict=True)
    except (RuntimeError, TypeError, ValueError):
        what = "they are sparse or quantised"
        raise UsageError(
            f"the weights in {place} cannot be those of {saved.name}: {what}"
        ) from None


def _listed(what: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return f"{len(names)} {what} ({shown})" if names else ""
