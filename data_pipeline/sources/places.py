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

from data_pipeline.sources.files import DataFile, most_packed_bytes, read_at_most

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
Dir::State::status "{folder}/status";
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
        return {file.name: _read(folder / file.packed_name, file) for file in files}
    except OSError as error:
        raise SourceError(f"{error.filename}: {error.strerror}") from error


def _read(path: Path, file: DataFile) -> bytes:
    """Return what lies in Debian's folder, or in a package, which may link to anything."""
    if path.exists() and not path.is_file():
        raise SourceError(f"{path} is no file")
    try:
        return read_at_most(path, most_packed_bytes(file))
    except ValueError as error:
        raise SourceError(f"{path}: {error}") from error


def read_mirror(
    files: Sequence[DataFile], say: Say, timeout_s: float = CONNECTION_TIMEOUT_S
) -> Packed:
    """Return the files from the mirrors that torchvision names, the first that has them all."""
    reasons = []
    for urls in _mirror_urls():
        try:
            return {file.name: _download(urls[file.name], file, say, timeout_s) for file in files}
        except (OSError, http.client.HTTPException, ValueError) as error:
            reasons.append(str(getattr(error, "reason", None) or error))
        except KeyError as error:
            reasons.append(f"torchvision names no URL for {error}")
    raise SourceError("; ".join(reasons) or "torchvision names no mirror")


def _mirror_urls() -> list[dict[str, str]]:
    """Return, for each of torchvision's mirrors, the URL of each file by its decoded name."""
    try:
        from torchvision.datasets import FashionMNIST  # takes 3 s
    except (ImportError, RuntimeError) as error:  # RuntimeError: beside a torch it does not fit
        raise SourceError(f"torchvision does not import: {error}") from error
    names = [name for name, _ in FashionMNIST.resources]
    return [
        {name.removesuffix(".gz"): mirror + name for name in names}
        for mirror in FashionMNIST.mirrors
    ]


def _download(url: str, file: DataFile, say: Say, timeout_s: float) -> bytes:
    """Return what lies at the URL, and report every few MiB."""
    say(f"downloading {url}")
    limit_bytes = most_packed_bytes(file)
    content = bytearray()
    with urllib.request.urlopen(url, timeout=timeout_s) as response:
        total = response.headers.get("Content-Length", "?")
        while chunk := response.read(_PROGRESS_BYTES):
            content += chunk
            if len(content) > limit_bytes:
                raise ValueError(f"{url} sends more than {limit_bytes:,} bytes")
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
        private = ["apt-get", "-c", str(_write_apt_config(folder))]
        _run([*private, "update"], folder)
        say(f"apt-get download {DEBIAN_PACKAGE}")
        _run([*private, *download], folder)


def _write_apt_config(folder: Path) -> Path:
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    (folder / "status").touch()  # nothing is installed, as far as this apt knows
    config = folder / "apt.conf"
    config.write_text(_APT_CONFIG.format(folder=folder))
    return config


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
        raise SourceError(_first_complaint(done.stderr) or f"{command[0]} failed")


def _first_complaint(stderr: str) -> str | None:
    """Return the first error line; warnings, such as apt's "unsandboxed", are no reason."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if not line.startswith(("W:", "N:", "dpkg: warning"))]
    return next(iter(errors or lines), None)


SOURCES = (
    Source("debian folder", read_debian_folder),
    Source("mirror", read_mirror),
    Source("debian package", read_debian_package),
)
