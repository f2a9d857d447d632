"""The installed command, run where users run it: in a folder that is not ours."""

import json
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.command_line import CPU, PLAN, REPOSITORY, Finished, environment, finish

CONSOLE = Path(sys.executable).with_name("fmnist-bench")
PACKAGES = ("bench", "data_pipeline", "fmnist_models", "results")
SHADOWS = ("bench/__init__", *PACKAGES[1:], "torch", "numpy", "json", "typing", "socket", "struct")
RUN = ("run", "--models", "v0", "--budget", "2steps", *PLAN, *CPU)


def is_installed() -> bool:
    """Whether the command beside this interpreter runs this checkout's code."""
    # the checkout itself may hold metadata without an origin, left by the build
    origins = [found.read_text("direct_url.json") for found in distributions(name="fmnist-bench")]
    urls = {json.loads(origin)["url"] for origin in origins if origin}
    return CONSOLE.is_file() and REPOSITORY.as_uri() in urls


@pytest.mark.slow
@pytest.mark.skipif(not is_installed(), reason="this checkout is not installed here: `make setup`")
def test_what_lies_in_the_working_directory_is_not_taken_for_ours(
    data_root: Path, tmp_path: Path
) -> None:
    env = environment(data_root)
    for name in ("PYTHONPATH", "PYTHONSAFEPATH"):
        env.pop(name, None)

    def call(*command: str | Path, **variables: str) -> Finished:
        return finish(*command, cwd=tmp_path, env=env | variables)

    for name in (*PACKAGES, "results/runs"):  # as an earlier run leaves the last
        (tmp_path / name).mkdir()
    files = [tmp_path / f"{name}.py" for name in SHADOWS]
    for file in files:
        file.write_text("raise SystemError('a file of the user')")
    done = call(CONSOLE, *RUN)
    assert (done.returncode, "v0" in done.stdout) == (0, True), done.stderr
    assert call(CONSOLE, "table").stdout == done.stdout

    for file in files:  # `python -m` itself puts the cwd first: modules count there, folders do not
        file.unlink()
    module = (sys.executable, "-m", "bench")
    assert (again := call(*module, *RUN, PYTHONPATH=".")).returncode == 0, again.stderr
    assert (listed := call(*module, "list")).returncode == 0, listed.stderr


def test_no_further_package_lies_in_the_checkout() -> None:
    # it is on the path of whoever installs it with `-e`, before the folder of a user's model file
    assert {path.parent.name for path in REPOSITORY.glob("*/__init__.py")} == set(PACKAGES)
