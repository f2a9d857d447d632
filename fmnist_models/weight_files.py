"""Files of weights: reading them safely, and fetching torchvision's ImageNet weights."""

import re
import socket
import threading
import urllib.error
import urllib.request
import warnings
import zipfile
from collections.abc import Mapping
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fmnist_models import external
from fmnist_models.catalogue import ModelError

ANSWER_S = 5.0  # how long a server may take to answer at all
STALL_S = 20.0  # how long a download may stand still
OURS = {"format", "model", "weights"}
NESTS = ("model_state_dict", "state_dict")
OUR_RESNETS = {"resnet18": "resnet18", "resnet18_3x3": "resnet18", "resnet50": "resnet50"}


def load_plain(path: Path, remedy: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """Read a file of torch.save: tensors on the CPU and plain values, so that nothing in it runs.

    Args:
        path: of the file.
        remedy: what to do where there is no such file, or another kind of file.

    Raises:
        ModelError: there is none, it is damaged, or holds other objects.
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
        try:
            return torch.load(stream, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file may raise anything
            foreign = re.search(r"Unsupported (?:global|class): GLOBAL (\S+)", str(error))
            what = f"is no file of torch.save, or a damaged one; {remedy}"
            if foreign:
                what = (
                    f"holds an object of {foreign[1]}, and reading it would run code;"
                    " save the model's state_dict() alone"
                )
            raise ModelError(f"{path} {what}") from None


def _is_whole(path: Path) -> bool:
    """Tell whether every part of a file has its checksum, where it has any: torch looks at none."""
    if not zipfile.is_zipfile(path):
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # a damaged archive may raise anything
        return False


def weights_in(content: Any, path: Path) -> tuple[dict[str, Tensor], str | None]:  # noqa: ANN401
    """Return the tensors by their names in a model, and whose they are where the file says so.

    Args:
        content: of one of our saved models, or a state dict, bare or in a training checkpoint.
        path: where it was read.

    Raises:
        ModelError: it is neither.
    """
    owner: str | None = None
    if isinstance(content, Mapping) and content.keys() >= OURS:
        model = content["model"]
        if not isinstance(model, Mapping) or "name" not in model:
            raise _no_state_dict(path)
        content, owner = content["weights"], str(model["name"])
    elif isinstance(content, Mapping):
        content = next((content[key] for key in NESTS if key in content), content)
    if not isinstance(content, Mapping) or not content or not all(map(is_plain, content.values())):
        raise _no_state_dict(path)
    return {str(name): tensor for name, tensor in content.items()}, owner


def is_plain(value: object) -> bool:
    """Tell whether this is a tensor of plain numbers: not sparse, nested, quantised or empty."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not (value.is_quantized or value.is_nested or value.is_meta)
    )


def _no_state_dict(path: Path) -> ModelError:
    return ModelError(
        f"{path} holds no state dict; write it with torch.save(model.state_dict(), FILE)"
    )


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
