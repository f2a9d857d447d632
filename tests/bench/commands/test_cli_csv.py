"""Kaggle's CSV files by the command line: a mistake in them is one line, and good ones are run on.

The files have as many columns as Kaggle's; the bad ones are short, as mistakes are told in the
order of the lines and the number of rows last. Calls inside this process name the folder: children
have the environment in which the fork server once started.
"""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.commands.doctor import Diagnosis, examine
from tests.command_line import (
    CPU,
    PLAN,
    REPOSITORY,
    Running,
    assert_refused,
    call,
    read_lines,
)
from tests.data_pipeline.csv_by_hand import TEST, TRAIN, SmallData, csv_text, header_line

Refuses = Callable[..., None]
DATA = SmallData.drawn(num_pixels=784)
GOOD = csv_text(DATA.train)
HEADER = header_line(784)
REMEDY = "put Kaggle's file there, or remove both CSV files and run `fmnist-bench doctor --fetch`"


def with_last_field(text: str, field: str) -> str:
    return text.rstrip("\n").rpartition(",")[0] + f",{field}\n"


def whole(limit: int, found: str) -> str:
    return f"expected a whole number in 0..{limit}, found '{found}'"


LAST = "line 31, column 785 (pixel784): "
# What stands in the train file, and what the line says between its path and the remedy.
MISTAKES = {
    "a pixel column less": (
        csv_text([row[:-1] for row in DATA.train]),
        "line 1: expected 785 columns (label,pixel1,...,pixel784), found 784",
    ),
    "a pixel column less below the header": (
        csv_text([row[:-1] for row in DATA.train], HEADER),
        "line 2: expected 785 columns, found 784",
    ),
    "label": (
        csv_text([[10, *DATA.train[0][1:]]]),
        f"line 2, column 1 (label): {whole(9, '10')}",
    ),
    "label in words": (
        GOOD.replace("\n3,", "\nDress,", 1),
        f"line 5, column 1 (label): {whole(9, 'Dress')}",
    ),
    "pixel": (with_last_field(GOOD, "256"), LAST + whole(255, "256")),
    "negative pixel": (with_last_field(GOOD, "-1"), LAST + whole(255, "-1")),
    "scaled pixel": (with_last_field(GOOD, "0.25"), LAST + whole(255, "0.25")),
    "no number": (with_last_field(GOOD, "dark"), LAST + whole(255, "dark")),
    "rows": (GOOD, "expected 60,000 rows, found 30"),
    "rows without header": (GOOD.removeprefix(f"{HEADER}\n"), "expected 60,000 rows, found 30"),
    "another header": (
        csv_text(DATA.train, HEADER.replace("label", "class")),
        "line 1, column 1: expected label, found 'class'",
    ),
    "empty": ("", "is empty"),
}


@pytest.fixture
def refuses(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    data_root: Path,
    tmp_path: Path,
) -> Refuses:
    """Checks that `run` refuses the data in tmp_path with a line that holds the argument."""
    monkeypatch.chdir(REPOSITORY)
    DATA.write_csv(tmp_path)
    arguments = ("run", *CPU, "--data", tmp_path)
    return lambda wanted: assert_refused(call(monkeypatch, capfd, data_root, *arguments), wanted)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_csv_file_is_refused(refuses: Refuses, tmp_path: Path, mistake: str) -> None:
    text, wanted = MISTAKES[mistake]
    (tmp_path / TRAIN).write_text(text)
    refuses(f"{tmp_path / TRAIN}: {wanted}; {REMEDY}\n")


def test_garbage_is_refused(refuses: Refuses, tmp_path: Path) -> None:
    (tmp_path / TRAIN).write_bytes(bytes(range(256)) * 100)
    refuses(f"{tmp_path / TRAIN}: line 2: expected text in UTF-8, found other bytes; ")


@pytest.mark.parametrize(("lone", "missing"), [(TRAIN, TEST), (TEST, TRAIN)])
def test_one_csv_file_alone_is_refused(
    refuses: Refuses, tmp_path: Path, lone: str, missing: str
) -> None:
    (tmp_path / missing).unlink()
    refuses(f"{tmp_path}: no {missing} beside {lone}; put it there, or remove the other and run")


def test_swapped_csv_files_are_refused(refuses: Refuses, tmp_path: Path) -> None:
    row = ",".join("0" * 785)
    for name, num_rows in ((TRAIN, 10_000), (TEST, 60_000)):
        (tmp_path / name).write_text(f"{HEADER}\n" + f"{row}\n" * num_rows)
    refuses(
        f"{tmp_path / TRAIN} has 10,000 rows and {TEST} 60,000: "
        "they are swapped; exchange the names of the two files"
    )


def test_packed_garbage_is_refused(refuses: Refuses, tmp_path: Path) -> None:
    (tmp_path / TRAIN).write_bytes(gzip.compress(GOOD.encode())[:-9])
    refuses(f"cannot read {tmp_path / TRAIN} (")


def test_a_process_of_its_own_says_the_same_of_the_folder_in_the_environment(
    tmp_path: Path,
) -> None:
    DATA.write_csv(tmp_path)
    text, wanted = MISTAKES["label"]
    (tmp_path / TRAIN).write_text(text)
    running = Running.start(tmp_path, tmp_path / "said", "run", *CPU)
    assert_refused(running.end(), wanted)


def test_doctor_says_it_too_and_fetches_nothing(tmp_path: Path) -> None:
    DATA.write_csv(tmp_path)
    finding = data_finding(tmp_path)
    assert (finding.is_fine, finding.text) == (
        False,
        f"{tmp_path / TRAIN}: expected 60,000 rows, found 30; {REMEDY}",
    )


def data_finding(root: Path) -> Diagnosis:
    found = examine(root, fetch=True)
    return next(finding for finding in found if finding.subject == "data")


@pytest.mark.slow
def test_a_sweep_and_doctor_take_csv_files(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    data_root: Path,
    tmp_path: Path,
) -> None:
    draw = random.Random(0)
    for name, num_blocks in ((TRAIN, 6_000), (TEST, 1_000)):
        rows = [[label, *draw.choices((0, label, 25 * label), k=784)] for label in range(10)]
        text = f"{HEADER}\n" + csv_text(rows, "").lstrip() * num_blocks
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode(), 1))
    monkeypatch.chdir(REPOSITORY)
    out = tmp_path / "run"
    options = ("--models", "v0,v1", "--budget", "20steps", *PLAN, *CPU, "--out", out)
    done = call(monkeypatch, capfd, data_root, "run", "--data", tmp_path, *options)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "hold other images" in line]
    assert [record["spec"]["model"] for record in read_lines(out)] == ["v0", "v1"]
    (found,) = {record["environment"]["data_hash"] for record in read_lines(out)}
    assert f"(data hash {found}, not 1cb5a4cf9ef3)" in line
    finding = data_finding(tmp_path)
    assert (finding.is_fine, finding.text) == (True, f"{tmp_path}, hash {found}, CSV files")
