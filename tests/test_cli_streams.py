"""Streams that are closed, broken or full: results go on being measured and recorded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import CPU, LIMIT_S, PLAN, REPOSITORY, environment, read_lines
from tests.results_records_by_hand import make_record

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


@pytest.fixture(scope="module")
def swept(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, Path]]:
    """Exit code and folder of a sweep with each kind of streams."""
    folders = {name: tmp_path_factory.mktemp(name) for name in STREAMS}
    running = {}
    for name, folder in folders.items():
        (folder / "model.py").write_text(MODEL, encoding="utf-8")
        size = ("--models", "./model.py:Prints", "--budget", "3steps", "--seeds", "2")
        line = command("run", *size, *PLAN, *CPU, "--out", "run")
        running[name] = shell(STREAMS[name].format(line), folder, data_root)
    return {name: (running[name].wait(LIMIT_S), folder) for name, folder in folders.items()}


@pytest.mark.parametrize("name", STREAMS)
def test_every_run_is_recorded(swept: dict[str, tuple[int, Path]], name: str) -> None:
    code, folder = swept[name]
    assert code == 0
    assert [record["status"] for record in read_lines(folder / "run")] == ["ok", "ok"]
    assert (folder / "shell.err").read_text() == ""


def test_the_table_is_there_where_only_stderr_has_no_reader(
    swept: dict[str, tuple[int, Path]],
) -> None:
    _, folder = swept["readers_gone"]
    assert (folder / "out").read_text().startswith("Fashion-MNIST\n")


def test_a_sweep_whose_table_nobody_reads_ends_without_a_traceback(
    swept: dict[str, tuple[int, Path]],
) -> None:
    _, folder = swept["stdout_gone"]
    said = (folder / "err").read_text()
    assert "Exception ignored" not in said
    assert "Traceback" not in said
    assert "records: run; again" in said


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    record = make_record(values={"test_accuracy": 0.9, "train_time": 1.0})
    (tmp_path / "run" / "records.jsonl").write_bytes(record.to_json_line())
    return tmp_path


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
        "from bench.streams import settle_streams; settle_streams(); import os, sys;"
        "file = open('file', 'w'); assert file.fileno() > 2, file.fileno();"
        "sys.stderr.write('told to nobody'); os.write(2, b'neither')"
    )
    done = shell(f'{sys.executable} -c "{code}" <&- >&- 2>&-', tmp_path, data_root)
    assert done.wait(LIMIT_S) == 0
    assert os.path.getsize(tmp_path / "file") == 0  # noqa: PTH202
