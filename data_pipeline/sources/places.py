"""Where Fashion-MNIST can be had: Debian's folder, torchvision's mirror, Debian's package.

A source returns the gzip files as they are: whoever calls it checks what they hold.
"""

import http.client
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_pipeline.sources.files import DataFile, read_packed

Say = Callable[[str], None]
Packed = dict[str, bytes]  # gzip bytes by the decoded file's name

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DEBIAN_PACKAGE = "dataset-fashion-mnist"
CONNECTION_TIMEOUT_S = 5.0
APT_TIMEOUT_S = 300.0
_PROGRESS_BYTES = 4 * 1024**2

# Its own lists and cache: needs no root and changes nothing on the machine. The update hooks are
# cleared because they would tidy and refresh the system's own cache.
_APT_CONFIG = """
Dir::State::lists "{folder}/lists";
Dir::State::status "/dev/null";
Dir::Cache "{folder}/cache";
Acquire::Languages "none";
Acquire::Retries "1";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


class SourceError(Exception):
    """A source cannot give the files; the message is the short reason."""


@dataclass(frozen=True, slots=True)
class Source:
    """A named place to get the files from.

    `read` takes the wanted files and a function that reports progress, and raises SourceError.
    """

    name: str
    read: Callable[[Sequence[DataFile], Say], Packed]


def read_debian_folder(files: Sequence[DataFile], say: Say, folder: Path | None = None) -> Packed:
    """Return the files of an installed `dataset-fashion-mnist`."""
    folder = folder or DEBIAN_FOLDER
    if not folder.is_dir():
        raise SourceError(f"no {folder}")
    say(f"reading {folder}")
    try:
        return {file.name: read_packed(folder / file.packed_name, file) for file in files}
    except OSError as error:
        raise SourceError(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:  # a package may link to anything
        raise SourceError(str(error)) from error


def read_mirror(
    files: Sequence[DataFile], say: Say, timeout_s: float = CONNECTION_TIMEOUT_S
) -> Packed:
    """Return the files from the mirrors that torchvision names, the first that has them all."""
    try:
        from torchvision.datasets import FashionMNIST  # takes 3 s
    except (ImportError, RuntimeError) as error:  # RuntimeError: beside a torch it does not fit
        raise SourceError(f"torchvision does not import: {error}") from error
    known = {name for name, _md5 in FashionMNIST.resources}
    for file in files:
        if file.packed_name not in known:
            raise SourceError(f"torchvision names no {file.packed_name}")
    reasons = []
    for mirror in FashionMNIST.mirrors:
        try:
            return {file.name: _download(mirror, file, say, timeout_s) for file in files}
        except (OSError, http.client.HTTPException, ValueError) as error:
            reasons.append(str(getattr(error, "reason", None) or error))
    raise SourceError("; ".join(reasons) or "torchvision names no mirror")


def _download(mirror: str, file: DataFile, say: Say, timeout_s: float) -> bytes:
    """Return what lies there, and report every few MiB.

    Not torchvision's own download, which waits for ever and takes whatever length is sent.
    """
    url = mirror + file.packed_name
    say(f"downloading {url}")
    content = bytearray()
    with urllib.request.urlopen(url, timeout=timeout_s) as response:
        total = response.headers.get("Content-Length", "?")
        while chunk := response.read(_PROGRESS_BYTES):
            content += chunk
            if len(content) > file.most_packed_bytes:
                raise ValueError(f"{url} sends more than {file.most_packed_bytes:,} bytes")
            say(f"{file.packed_name}: {len(content):,} of {total} bytes")
    return bytes(content)


def read_debian_package(files: Sequence[DataFile], say: Say) -> Packed:
    """Return the files from Debian's package, downloaded and opened without being installed."""
    for command in ("apt-get", "dpkg"):
        if not shutil.which(command):
            raise SourceError(f"no {command} on this machine")
    with tempfile.TemporaryDirectory(prefix="fmnist-bench-") as name:
        folder = Path(name)
        _download_package(folder, say)
        package = next(folder.glob("*.deb"), None)
        if package is None:
            raise SourceError("apt-get download left no package")
        _run(["dpkg", "-x", str(package), str(folder / "files")], folder)
        unpacked = folder / "files" / DEBIAN_FOLDER.relative_to("/")
        return read_debian_folder(files, say, unpacked)


def _download_package(folder: Path, say: Say) -> None:
    """Download by the machine's package lists or, where they fail, by fresh ones of our own."""
    download = ["download", DEBIAN_PACKAGE]
    say(f"apt-get download {DEBIAN_PACKAGE}")
    try:
        _run(["apt-get", "-o", "Acquire::Retries=0", *download], folder)
    except SourceError as error:
        if isinstance(error.__cause__, subprocess.TimeoutExpired):
            raise  # fresh lists make no slow line faster
        # no list, or a stale one that names a package the server has dropped
        say("apt-get update, in a temporary folder")
        config = folder / "apt.conf"
        config.write_text(_APT_CONFIG.format(folder=folder))
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        private = ["apt-get", "-c", str(config)]
        _run([*private, "update"], folder)
        say(f"apt-get download {DEBIAN_PACKAGE}")
        _run([*private, *download], folder)


def _run(command: list[str], folder: Path) -> None:
    """Run a command in the folder and turn its failure into one line."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=APT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{command[0]} took more than {APT_TIMEOUT_S:g} s") from error
    except OSError as error:
        raise SourceError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        # warnings, such as apt's "unsandboxed", are no reason
        errors = [line for line in lines if not line.startswith(("W:", "N:", "dpkg: warning"))]
        raise SourceError(next(iter(errors or lines), f"{command[0]} failed"))


SOURCES = (
    Source("debian folder", read_debian_folder),
    Source("mirror", read_mirror),
    Source("debian package", read_debian_package),
)
