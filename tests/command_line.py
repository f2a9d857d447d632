"""Runs the command line as a user does: in processes of its own, on the real data."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main

REPOSITORY = Path(__file__).parents[1]
MARK = "FMNIST_BENCH_TEST_MARK"  # processes that carry it in their environment are ours
LIMIT_S = 900.0  # for what takes 60 s at most on two quiet cores: no test hangs for ever
PLAN = ("--plan", "threads:1")  # no probe, and no threads that fight over busy cores
CPU = ("--device", "cpu")
Finished = subprocess.CompletedProcess[str]


def environment(data_root: Path, *, hides_gpus: bool = True) -> dict[str, str]:
    """This process's environment with the data in it and, unless it is asked for, no GPU."""
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if hides_gpus else {}
    return os.environ | hidden | {"FMNIST_DATA": str(data_root.resolve())}


def finish(
    *words: str | Path,
    cwd: Path = REPOSITORY,
    env: dict[str, str] | None = None,
    timeout: float = LIMIT_S,
    check: bool = False,
    stdin: str | None = None,
) -> Finished:
    """Runs a program to its end."""
    return subprocess.run(
        [*map(str, words)],
        cwd=cwd,
        env=env,
        timeout=timeout,
        check=check,
        input=stdin,
        capture_output=True,
        text=True,
    )


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder, run as somebody."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    return finish("git", *who, *arguments, cwd=folder, check=True).stdout.strip()


def bench(
    data_root: Path, *arguments: str | Path, program: Sequence[str] = ("-m", "bench")
) -> Finished:
    """Runs the command to its end."""
    return finish(sys.executable, *program, *arguments, env=environment(data_root))


@dataclass(frozen=True)
class Done:
    """A finished `run` and its folder."""

    finished: Finished
    folder: Path
    data_root: Path

    def table(self, *arguments: str | Path) -> Finished:
        """The command `table` on its folder."""
        return bench(self.data_root, "table", self.folder, *arguments)


def call(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    data_root: Path,
    *arguments: str | Path,
) -> Finished:
    """Calls the command in this process, whose fork server then serves many tests."""
    monkeypatch.setenv("FMNIST_DATA", str(data_root.resolve()))
    monkeypatch.setattr(sys, "argv", ["fmnist-bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert isinstance(ended.value.code, int)
    return subprocess.CompletedProcess(sys.argv, ended.value.code, out, err)


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """The records of a run folder as they were written."""
    text = (folder / "records.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


FLAGS_OF_THE_MACHINE = {"beat_floor"}  # a ceiling that was measured on a busy one is too low


def is_alike(quantity: str, unit: str) -> bool:
    """Whether two equal runs measure the same: no time, nor what a busy machine changes."""
    is_time = unit in {"s", "images/s", "bytes/s", "%", "J", "W"}
    return not is_time and quantity not in {"mfu", "peak_memory", "time_in_steps"}


def timeless(record: dict[str, Any]) -> dict[str, Any]:
    """A record without its times and its name."""
    measured = record["measurements"].items()
    curve = [point[1:] for point in record["curve"]]
    kept = {
        key: value
        for key, value in record.items()
        if key not in {"record_id", "conditions", "samples", "provenance"}
    }
    same = {name: value for name, value in measured if is_alike(name, value[0])}
    flags = [flag for flag in record["flags"] if flag not in FLAGS_OF_THE_MACHINE]
    return kept | {"measurements": same, "curve": curve, "flags": flags}


def values(record: dict[str, Any], quantity: str) -> list[float]:
    """The raw values of a measurement in a record as it was written: behind its unit."""
    return [float(value) for value in record["measurements"][quantity][1:]]


def assert_refused(finished: Finished, wanted: str, exit_code: int = 2) -> None:
    """One line on stderr that holds what is wanted, and nothing on stdout."""
    assert (finished.returncode, finished.stdout) == (exit_code, ""), finished.stderr
    assert finished.stderr.startswith("fmnist-bench: ")
    assert finished.stderr.count("\n") == 1
    assert "Traceback" not in finished.stderr
    assert wanted in finished.stderr


def wait_for(condition: Callable[[], object], limit_s: float = LIMIT_S) -> bool:
    """Whether a condition came true in time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes_with(mark: str) -> list[int]:
    """Living processes that were started with this mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and wanted in _environ(folder)
    ]


def _environ(folder: Path) -> list[bytes]:
    try:  # it may end at any moment; a zombie's is empty
        return (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


@dataclass
class Running:
    """The command under way in a session of its own, all its processes marked."""

    process: subprocess.Popen[bytes]  # the parent
    mark: str  # what `processes_with` finds it and its children by
    stdout: Path  # files that take what it says
    stderr: Path

    @classmethod
    def start(
        cls,
        data_root: Path,
        folder: Path,
        *arguments: str | Path,
        program: Sequence[str] = ("-m", "bench"),
        hides_gpus: bool = True,
    ) -> "Running":
        """Starts it; its output goes to files, so that no process left behind holds a pipe."""
        folder.mkdir(exist_ok=True)
        mark = uuid.uuid4().hex
        stdout, stderr = folder / f"{mark}.out", folder / f"{mark}.err"
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, *program, *map(str, arguments)],
                cwd=REPOSITORY,
                env=environment(data_root, hides_gpus=hides_gpus) | {MARK: mark},
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        return cls(process, mark, stdout, stderr)

    def signal(self, number: int, *, group: bool = False) -> None:
        """Sends a signal, to the whole group as a terminal does or to the parent alone."""
        (os.killpg if group else os.kill)(self.process.pid, number)

    def says(self, text: str) -> bool:
        """Whether stderr holds a text by now."""
        return text in self.stderr.read_text(encoding="utf-8")

    def reaches(self, condition: Callable[[], bool]) -> bool:
        """Whether a condition comes true before the parent ends."""
        wait_for(lambda: condition() or self.process.poll() is not None)
        return condition()

    def end(self, limit_s: float = LIMIT_S) -> Finished:
        """Waits for the end of the parent; one that hangs is killed and fails the test."""
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        out, err = self.stdout.read_text("utf-8"), self.stderr.read_text("utf-8")
        return subprocess.CompletedProcess([], code, out, err)

    def all_gone(self) -> bool:
        """Whether every process of it goes."""
        return wait_for(lambda: not processes_with(self.mark))
