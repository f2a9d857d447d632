"""Streams that are closed, broken or full: results go on being measured and recorded."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line import CPU, LIMIT_S, PLAN, REPOSITORY, environment, read_lines
from tests.results.records_by_hand import make_record

# more than a pipe holds, so that it finds the reader gone
MODEL = """
from torch import nn

class Prints(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(784, 10)

    def forward(self, images):
        print("x" * 20_000)
        return self.head(images.flatten(1))
"""
STREAMS = {
    "readers_gone": "( {} <&- >out ) 2>&1 | true; exit ${{PIPESTATUS[0]}}",
    "stdout_gone": "{} 2>err | true; exit ${{PIPESTATUS[0]}}",
    "all_closed": "{} <&- >&- 2>&-",
}
FULL = Path("/dev/full")  # takes nothing, like a full disk


def shell(line: str, folder: Path, data_root: Path) -> subprocess.Popen[bytes]:
    """A line of bash under way in a folder, all that it says into files."""
    with (folder / "shell.out").open("wb") as out, (folder / "shell.err").open("wb") as err:
        return subprocess.Popen(
            ["bash", "-c", line],
            cwd=folder,
            env=environment(data_root) | {"PYTHONPATH": str(REPOSITORY)},
            stdout=out,
            stderr=err,
        )


def command(*arguments: str | Path) -> str:
    return " ".join([sys.executable, "-m", "bench", *map(str, arguments)])


@pytest.mark.slow
@pytest.mark.parametrize("name", STREAMS)
def test_a_sweep_outlives_whoever_read_what_it_says(
    name: str, data_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    size = ("--models", "./model.py:Prints", "--budget", "3steps", "--seeds", "2")
    line = STREAMS[name].format(command("run", *size, *PLAN, *CPU, "--out", "run"))
    assert shell(line, tmp_path, data_root).wait(LIMIT_S) == 0
    assert [record["status"] for record in read_lines(tmp_path / "run")] == ["ok", "ok"]
    assert (tmp_path / "shell.err").read_text() == ""
    if name == "readers_gone":
        assert (tmp_path / "out").read_text().startswith("Fashion-MNIST\n")
    if name == "stdout_gone":
        said = (tmp_path / "err").read_text()
        assert "Exception ignored" not in said
        assert "Traceback" not in said
        assert "records: run; again" in said


def test_a_pipe_that_is_full_and_does_not_wait_for_its_reader_ends_nothing() -> None:
    says = "from bench.shell import say, settle_streams; settle_streams()"
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    script = f"{says}\nfor _ in range(3000): say(99 * 'x')\nprint('done')"
    command = [sys.executable, "-c", script]
    said = subprocess.check_output(command, cwd=REPOSITORY, stderr=theirs)
    assert (said, os.read(ours, 100)) == (b"done\n", 99 * b"x" + b"\n")
    os.close(ours)
    os.close(theirs)


@pytest.fixture
def run_folder(write: Callable[..., Path]) -> Path:
    return write("run", [make_record(values={"test_accuracy": 0.9, "train_time": 1.0})]).parent


@pytest.mark.parametrize(
    ("line", "code", "err"),
    [
        ("{} | true; exit ${{PIPESTATUS[0]}}", 0, ""),
        ("{} 2>&1 >/dev/null | true; exit ${{PIPESTATUS[0]}}", 0, ""),
        ("{} <&- >&- 2>&-", 0, ""),
        (
            "{} >/dev/full",
            2,
            "fmnist-bench: cannot write to stdout: No space left on device\n",
        ),
    ],
)
def test_a_table_that_cannot_be_told(
    run_folder: Path, data_root: Path, line: str, code: int, err: str
) -> None:
    if "full" in line and not FULL.exists():
        pytest.skip("no /dev/full")
    done = shell(line.format(command("table", "run")), run_folder, data_root)
    assert done.wait(LIMIT_S) == code
    assert (run_folder / "shell.err").read_text() == err


def test_a_mistake_that_cannot_be_told_still_has_its_code(
    run_folder: Path, data_root: Path
) -> None:
    line = command("table", "nowhere") + " 2>&1 | true; exit ${PIPESTATUS[0]}"
    assert shell(line, run_folder, data_root).wait(LIMIT_S) == 2


def test_a_file_never_gets_the_number_of_a_closed_stream(tmp_path: Path, data_root: Path) -> None:
    code = (
        "from bench.shell import settle_streams; settle_streams(); import os, sys;"
        "file = open('file', 'w'); assert file.fileno() > 2, file.fileno();"
        "sys.stderr.write('told to nobody'); os.write(2, b'neither')"
    )
    done = shell(f'{sys.executable} -c "{code}" <&- >&- 2>&-', tmp_path, data_root)
    assert done.wait(LIMIT_S) == 0
    assert os.path.getsize(tmp_path / "file") == 0  # noqa: PTH202
