"""Files of weights: reading them safely, and fetching torchvision's ImageNet weights."""

import re
import socket
import threading
import urllib.error
import urllib.request
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, TypeGuard

import torch
from torch import Tensor

from fmnist_models import external
from fmnist_models.catalogue import ModelError

ANSWER_S = 5.0  # how long a server may take to answer at all
STALL_S = 20.0  # how long a download may stand still
OURS = {"format", "model", "weights"}
# keys under which checkpoints have the weights, the likeliest first
NESTS = ("model_state_dict", "state_dict", "model_state", "model", "net", "network", "module")
NO_NESTS = ("optim", "sched", "scaler", "rng")  # in keys of what is no model
AVERAGES = {"ema", "swa"}  # words in keys of averaged weights
MAX_DEPTH = 3  # of dicts in dicts
OUR_RESNETS = {"resnet18": "resnet18", "resnet18_3x3": "resnet18", "resnet50": "resnet50"}


class Foreign:
    """Stands for an object of any other class or function in a file, and drops what it is given."""

    name = ""  # of that class or function

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Weights:
    """What `weights_in` finds in a file.

    Attributes:
        tensors: by their names in a model.
        owner: whose they are; None where the file does not say.
        note: which of several state dicts they are; None where there is one.
    """

    tensors: dict[str, Tensor]
    owner: str | None = None
    note: str | None = None


def load_plain(path: Path, remedy: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """Read a file of torch.save: tensors on the CPU and plain values, so that nothing in it runs.

    Other objects beside the weights, such as NumPy numbers or a Namespace of options, come as
    Foreign: neither their code nor their contents are read.

    Args:
        path: of the file.
        remedy: what to do where there is no such file, or another kind of file.

    Raises:
        ModelError: there is none, it is damaged, or holds other objects where they cannot be left.
    """
    try:
        if path.is_dir():
            raise ModelError(f"{path} is a folder; {remedy}")
        if not path.is_file():  # a pipe would be waited for
            raise ModelError(f"there is no file {path}; {remedy}")
        stream = path.open("rb")
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; {remedy}") from None
    with stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what kind the file is instead
        if not _is_whole(path):
            raise ModelError(f"{path} is damaged: its checksums differ; fetch or write it anew")
        foreign = _foreign_names(stream)
        try:
            # torch then makes a Foreign wherever the file names one of these, and imports none
            with torch.serialization.safe_globals([_stand_in(name) for name in foreign]):
                content = torch.load(stream, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file may raise anything
            named = re.search(r"Unsupported (?:global|class): GLOBAL (\S+)", str(error))
            foreign = [named[1]] if named else foreign
            content = Foreign()
    is_ours = isinstance(content, Mapping) and "format" in content
    if isinstance(content, Foreign) or (is_ours and foreign):
        raise ModelError(f"{path} {_what_else(path, foreign, remedy)}")
    return content


def _stand_in(name: str) -> tuple[Callable[..., object], str]:
    if name == "collections.defaultdict":  # a dict will do: its default is of no use here
        return (lambda *_: {}), name
    return type("Foreign", (Foreign,), {"name": name}), name


def _foreign_names(stream: IO[bytes]) -> list[str]:
    """Return what a file names that torch would not read; leave the stream at its beginning."""
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(stream))
    except Exception:  # of the older form, no file of torch, or damaged: reading it tells
        return []
    finally:
        stream.seek(0)


def _what_else(path: Path, foreign: Sequence[str], remedy: str) -> str:
    if foreign:
        return (
            f"holds an object of {foreign[0]}, and reading it would run code;"
            " save the model's state_dict() alone"
        )
    if path.suffix == ".safetensors":
        return "is a safetensors file; write it anew: torch.save(load_file(FILE), 'weights.pth')"
    return f"is no file of torch.save, or a damaged one; {remedy}"


def _is_whole(path: Path) -> bool:
    """Tell whether every part of a file has its checksum, where it has any: torch looks at none."""
    if not zipfile.is_zipfile(path):
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # a damaged archive may raise anything
        return False


def weights_in(content: Any, path: Path) -> Weights:  # noqa: ANN401 - whatever the file holds
    """Return the state dict in what a file holds, wherever in its dicts that lies.

    Of several, the one under the first key of NESTS is taken, and averaged weights (a key with
    `ema` in it) only where there are no others.

    Args:
        content: of one of our saved models, or a state dict, bare or in a training checkpoint.
        path: where it was read.

    Raises:
        ModelError: there is no state dict, or there are several and none goes before the others.
    """
    if isinstance(content, Mapping) and content.keys() >= OURS:
        model, weights = content["model"], content["weights"]
        if not isinstance(model, Mapping) or "name" not in model or not _is_state_dict(weights):
            raise _no_state_dict(path, content)
        return Weights(dict(weights), str(model["name"]))
    state_dicts = [(keys, held) for keys, held in _dicts(content) if _is_state_dict(held)]
    found = sorted(state_dicts, key=lambda one: _rank(one[0]))
    if not found:
        raise _no_state_dict(path, content)
    names = ["".join(f"[{key!r}]" for key in keys) for keys, _ in found]
    ranks = [_rank(keys) for keys, _ in found]
    if ranks.count(ranks[0]) > 1:
        raise ModelError(
            f"{path} holds several state dicts: {', '.join(names[:4])};"
            f" save one alone: torch.save(torch.load(FILE){names[0]}, 'weights.pth')"
        )
    note = f"weights under {names[0]}, not {', '.join(names[1:4])}" if names[1:] else None
    return Weights(dict(found[0][1]), note=note)


def _dicts(
    content: object, keys: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[object, object]]]:
    """Yield each dict in a dict of dicts that may be a model's, after the keys that lead to it."""
    if isinstance(content, Mapping):
        yield keys, content
        for key, value in content.items() if len(keys) < MAX_DEPTH else ():
            # an optimizer numbers its states: its keys are no text
            if isinstance(key, str) and not any(word in key.lower() for word in NO_NESTS):
                yield from _dicts(value, (*keys, key))


def _is_state_dict(value: object) -> TypeGuard[Mapping[str, Tensor]]:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(key, str) and is_plain(tensor) for key, tensor in value.items())
    )


def _rank(keys: tuple[str, ...]) -> tuple[bool, int]:
    """Return what sorts state dicts by where they lie: the likeliest first."""
    is_average = any(AVERAGES & {*key.lower().split("_")} for key in keys)
    nest = next((NESTS.index(key) for key in reversed(keys) if key in NESTS), len(NESTS))
    return is_average, nest


def is_plain(value: object) -> bool:
    """Tell whether this is a tensor of plain numbers: not sparse, nested, quantised or empty."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not (value.is_quantized or value.is_nested or value.is_meta)
    )


def _no_state_dict(path: Path, content: object) -> ModelError:
    """Say what lies there instead: the whole net as an object, or something among the tensors."""
    items = content.items() if isinstance(content, Mapping) else ()
    found = [f" but an object of {v.name} under {k!r}" for k, v in items if isinstance(v, Foreign)]
    found += [
        f" because of {key!r} ({type(value).__name__}), which is no plain tensor"
        for _, held in _dicts(content)
        if any(map(is_plain, held.values()))
        for key, value in held.items()
        if not is_plain(value)
    ]
    remedy = "write it with torch.save(model.state_dict(), FILE)"
    return ModelError(f"{path} holds no state dict{[*found, ''][0]}; {remedy}")


def fetch_imagenet(name: str) -> Path | str:
    """Return the file of a model's ImageNet weights, or in a few words why it cannot be had.

    It comes from torch.hub's cache folder or from the network, which is asked once a process, so
    that all seeds of a session start alike.

    Raises:
        ModelError: there are no such weights.
    """
    library, model = external.split_library(name) or ("torchvision", OUR_RESNETS.get(name))
    url = None
    if library == "torchvision" and model:
        from torchvision import models  # takes 2 to 3 s

        known = models.get_model_weights(model).__members__
        weights = known.get("IMAGENET1K_V1") or known.get("DEFAULT")
        url = weights and str(weights.url)
    if url is None:
        raise ModelError(
            f"there are no ImageNet weights for {name}; choose --set weights=random or a file"
        )
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    return _download(url, path) or path


@cache
def _download(url: str, path: Path) -> str | None:
    """Download what is not there yet; return the reason where that fails.

    Not `load_state_dict_from_url`, which writes to stdout and unpickles whatever it finds.
    """
    if path.is_file():
        return None
    silence = _silence_of(url)
    if silence:
        return silence
    digest = torch.hub.HASH_REGEX.search(path.name)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_S)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = digest.group(1) if digest else None
        torch.hub.download_url_to_file(url, str(path), prefix, progress=False)
    except (OSError, HTTPException, RuntimeError) as error:  # the last: another hash than promised
        return _in_short(error)
    finally:
        socket.setdefaulttimeout(before)
    return None


def _silence_of(url: str) -> str | None:
    """Return why a server does not answer, found within some seconds.

    In a thread, because no timeout of a socket bounds a name server that is silent, or the sum over
    a dozen addresses that are. Any answer will do, a refusal included: the download tells more.
    """
    answers: list[str | None] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=ANSWER_S).close()
            answers.append(None)
        except urllib.error.HTTPError as error:
            error.close()
            answers.append(None)
        except Exception as error:  # an exception would die unseen with its thread
            answers.append(_in_short(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_S)
    return answers[0] if answers else f"no answer in {ANSWER_S:g} s"


def _in_short(error: BaseException) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__
