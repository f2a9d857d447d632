"""Where the processes of a sweep import from: where the command does, and never the cwd first.

multiprocessing runs its fork server with `python -c`, and Inductor the probe that finds out which
vector instructions a CPU has. `-c` puts the working directory before everything else: a folder
`results` there would be taken for our package, and a file `struct.py` for Python's own. Only the
environment can tell a process otherwise that others start for us.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import spawn
from pathlib import Path

VARIABLES = ("PYTHONPATH", "PYTHONSAFEPATH")


@contextmanager
def cwd_ignored(**variables: str) -> Iterator[None]:
    """Keep the cwd off the path of Python processes that are started in this block.

    Args:
        variables: further ones of `VARIABLES`, for the same processes.
    """
    before = import_variables()
    os.environ |= {"PYTHONSAFEPATH": "1", **variables}
    try:
        yield
    finally:
        set_variables(before)


def our_path() -> str:
    """The places of `sys.path` as PYTHONPATH, with the folder that `''` stands for."""
    places = spawn.get_preparation_data("")["sys_path"]  # as multiprocessing hands it to children
    return os.pathsep.join(filter(None, places))


def path_behind(tree: Path) -> str:
    """Return PYTHONPATH with a folder in front, for a process whose cwd is another."""
    others = os.environ.get("PYTHONPATH")
    places = map(os.path.abspath, others.split(os.pathsep)) if others else ()
    return os.pathsep.join([str(tree), *places])


def import_variables() -> dict[str, str | None]:
    """The variables that say where a new Python process imports from; None for those not set."""
    return {name: os.environ.get(name) for name in VARIABLES}


def set_variables(values: Mapping[str, str | None]) -> None:
    """Set variables of the environment; None removes one."""
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
