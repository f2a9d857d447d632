"""The cache folder: compiled code, plan timings and ceilings that later runs here use again."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from bench.shell import from_home
from data_pipeline.sources.files import write_file

VARIABLE = "FMNIST_CACHE"
OF_COMPILERS = "TORCHINDUCTOR_CACHE_DIR"
ROOM_BYTES = 2**20  # of compiled code: a small model's


def cache_folder() -> Path:
    """$FMNIST_CACHE, or `fmnist-bench` in the user's cache folder; it need not exist yet.

    A user without a home has it in the temporary folder.
    """
    if own := os.environ.get(VARIABLE):
        return Path(from_home(own))
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:  # a container's user without a name, and no HOME
        base = Path(tempfile.gettempdir()) / f"cache-{os.getuid()}"
    return base / "fmnist-bench"


def name_compile_folder_in_full() -> None:
    """Put the home for `~` into the variable of torch's compilers, which would make a folder `~`.

    Call it before torchvision is imported: that loads the compilers, which make the folder.
    """
    if said := os.environ.get(OF_COMPILERS):
        os.environ[OF_COMPILERS] = from_home(said)


def use_compile_cache() -> None:
    """Have torch's compilers keep their code in `compile_folder()`."""
    if (folder := compile_folder()) == _own_compile_folder():
        os.environ[OF_COMPILERS] = str(folder)


def compile_folder() -> Path:
    """Return the folder where torch's compilers keep their code: where later runs find it.

    Their own default lies in the temporary folder, which many systems empty; it serves where the
    cache takes no files, or none that may be executed. A folder of the user's choice stays.
    """
    # torchvision 0.29 loads the compilers, which put their own default into the variable
    compilers = sys.modules.get("torch._inductor.runtime.cache_dir_utils")
    of_torch = compilers.default_cache_dir() if compilers else None
    said = os.environ.get(OF_COMPILERS)
    if said is not None and said != of_torch:
        return Path(said)
    own = _own_compile_folder()
    return own if _takes_code(own) else Path(tempfile.gettempdir())


def _own_compile_folder() -> Path:
    return cache_folder() / "inductor"


def executes(folder: Path) -> bool:
    """Tell whether code may be loaded from a folder; OSError where it is none."""
    return not os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0)  # Linux has it


def _takes_code(folder: Path) -> bool:
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x" * ROOM_BYTES)
        return executes(folder)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def use_empty_cache(folder: Path) -> None:
    """Use an empty folder, as on a machine that has compiled and timed nothing before."""
    os.environ[VARIABLE] = str(folder)
    os.environ[OF_COMPILERS] = str(folder / "inductor")


def read_cached(name: str) -> dict[str, Any] | None:
    """The JSON values kept by `write_cached` under this name; None where nothing can be read."""
    path = cache_folder() / name
    try:  # the folder may be closed to us
        if not path.is_file():  # a pipe would wait
            return None
        loaded = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, RecursionError):
        return None
    return loaded if isinstance(loaded, dict) else None


def write_cached(name: str, content: object) -> None:
    """Keep a dataclass or JSON values under a name such as `plans/1f0c.json`.

    A folder that refuses is no failure: a cache only saves time.
    """
    path = cache_folder() / name
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, msgspec.json.encode(content))
