"""Files of weights: reading them safely, and fetching torchvision's ImageNet weights."""

import socket
import threading
import urllib.error
import urllib.request
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fmnist_models import external
from fmnist_models.catalogue import ModelError

ANSWER_S = 5.0  # how long a server may take to answer at all
STALL_S = 20.0  # how long a download may stand still
OURS = {"format", "model", "weights"}
NESTS = ("model_state_dict", "state_dict")
_DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, ValueError)
OUR_RESNETS = {"resnet18": "resnet18", "resnet18_3x3": "resnet18", "resnet50": "resnet50"}


class WeightFile(NamedTuple):
    """What a file of weights holds.

    Attributes:
        tensors: by their names in a model.
        model: whose they are, where the file says so.
    """

    tensors: dict[str, Tensor]
    model: str | None


def read_weights(path: Path) -> WeightFile:
    """Reads one of our checkpoints or a state dict, bare or inside of a training checkpoint.

    Only tensors and plain values are unpickled, so that a foreign file cannot run code.

    Raises:
        ModelError: the file is not there, or holds something else.
    """
    content = _load(path)
    if isinstance(content, Mapping) and content.keys() >= OURS:
        if not isinstance(content["model"], Mapping) or "name" not in content["model"]:
            raise _no_state_dict(path)
        return WeightFile(_tensors_in(content["weights"], path), str(content["model"]["name"]))
    if isinstance(content, Mapping):
        content = next((content[key] for key in NESTS if key in content), content)
    return WeightFile(_tensors_in(content, path), None)


def is_whole(path: Path) -> bool:
    """Whether every part of a file has its checksum, where it has any: torch looks at none."""
    try:
        if not zipfile.is_zipfile(path):
            return True
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except _DAMAGE:
        return False


def is_plain(value: object) -> bool:
    """Whether this is a tensor of plain numbers: neither sparse nor nested, quantised or empty."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not (value.is_quantized or value.is_nested or value.is_meta)
    )


def fetch_imagenet(name: str) -> Path | str:
    """The file of a model's ImageNet weights, from torch.hub's cache folder or from the network.

    The network is asked once a process, so that all seeds of a session start alike.

    Returns:
        The file, or in a few words why it cannot be had.

    Raises:
        ModelError: there are no such weights.
    """
    url = _imagenet_url(name)
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    return _download(url, path) or path


def _imagenet_url(name: str) -> str:
    library, model = external.split_library(name) or ("torchvision", OUR_RESNETS.get(name))
    if library == "torchvision" and model:
        from torchvision import models  # takes 2 to 3 s

        known = models.get_model_weights(model).__members__
        weights = known.get("IMAGENET1K_V1") or known.get("DEFAULT")
        if weights is not None:
            return str(weights.url)
    raise ModelError(
        f"there are no ImageNet weights for {name}; choose --set weights=random or a file"
    )


@cache
def _download(url: str, path: Path) -> str | None:
    """Downloads what is not there yet; gives the reason where that fails.

    Not `load_state_dict_from_url`, which writes to stdout and unpickles whatever it finds.
    """
    if path.is_file():
        return None
    silence = _silence_of(url)
    if silence:
        return silence
    digest = torch.hub.HASH_REGEX.search(path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _stalls_end():
            prefix = digest.group(1) if digest else None
            torch.hub.download_url_to_file(url, str(path), prefix, progress=False)
    except (OSError, HTTPException, RuntimeError) as error:  # the last: another hash than promised
        return _in_short(error)
    return None


def _silence_of(url: str) -> str | None:
    """Why a server does not answer, found within some seconds.

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


@contextmanager
def _stalls_end() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _in_short(error: BaseException) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _load(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    if not _is_file(path):
        raise ModelError(
            f"there is no file of weights {path}; choose --set weights=random, imagenet or a file"
        )
    if not is_whole(path):
        raise ModelError(
            f"{path} is damaged: its checksums differ, or were left out; fetch or write it anew"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a TorchScript archive, which is refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"cannot read weights {path}: {error.strerror}") from None
    except Exception:  # torch's own message is long, and advises to unpickle all
        raise _no_state_dict(path) from None


def _tensors_in(content: object, path: Path) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or not content:
        raise _no_state_dict(path)
    tensors = {str(name): value for name, value in content.items() if is_plain(value)}
    if len(tensors) < len(content):
        raise _no_state_dict(path)
    return tensors


def _no_state_dict(path: Path) -> ModelError:
    return ModelError(
        f"{path} holds no state dict that can be read safely;"
        " write it with torch.save(model.state_dict(), FILE)"
    )
