"""Kaggle's CSV files by the command line: a mistake in them is one line, and good ones are run on.

tests/data_pipeline/test_csv_mistakes.py holds what every mistake is called. Calls inside this
process name the folder: children have the environment in which the fork server once started.
"""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.commands.doctor import Diagnosis, examine
from tests.command_line import CPU, PLAN, Finished, Running, assert_refused, read_lines
from tests.data_pipeline.csv_by_hand import TEST, TRAIN, SmallData, csv_text, header_line

DATA = SmallData.drawn(num_pixels=784)  # as many columns as Kaggle's, but few rows
REMEDY = "put Kaggle's file there, or remove both CSV files and run"


def test_a_mistake_is_one_line_of_run_and_of_doctor_which_fetches_nothing(
    on_data: Callable[..., Finished], tmp_path: Path
) -> None:
    DATA.write_csv(tmp_path)
    wanted = f"{tmp_path / TRAIN}: expected 60,000 rows, found 30; {REMEDY} "
    wanted += f"`fmnist-bench doctor --fetch --data {tmp_path}`"
    assert_refused(on_data("run", *CPU, "--data", tmp_path), f"{wanted}\n")
    finding = data_finding(tmp_path)
    assert (finding.is_fine, finding.text) == (False, wanted)


def test_a_process_of_its_own_says_the_same_of_the_folder_in_the_environment(
    tmp_path: Path,
) -> None:
    DATA.write_csv(tmp_path)
    (tmp_path / TRAIN).write_text(csv_text([[10, *DATA.train[0][1:]]]))
    running = Running.start(tmp_path, tmp_path / "said", "run", *CPU)
    wanted = "line 2, column 1 (label): expected a whole number in 0..9, found '10'"
    assert_refused(running.end(), wanted)


def data_finding(root: Path) -> Diagnosis:
    found = examine(root, fetch=True)
    return next(finding for finding in found if finding.subject == "data")


@pytest.mark.slow
def test_a_sweep_and_doctor_take_csv_files(
    on_data: Callable[..., Finished], tmp_path: Path
) -> None:
    draw = random.Random(0)
    for name, num_blocks in ((TRAIN, 6_000), (TEST, 1_000)):
        rows = [[label, *draw.choices((0, label, 25 * label), k=784)] for label in range(10)]
        text = f"{header_line(784)}\n" + csv_text(rows, "").lstrip() * num_blocks
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode(), 1))
    out = tmp_path / "run"
    options = ("--models", "v0,v1", "--budget", "20steps", *PLAN, *CPU, "--out", out)
    done = on_data("run", "--data", tmp_path, *options)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "hold other images" in line]
    assert [record["spec"]["model"] for record in read_lines(out)] == ["v0", "v1"]
    (found,) = {record["environment"]["data_hash"] for record in read_lines(out)}
    assert f"(data hash {found}, not 1cb5a4cf9ef3)" in line
    finding = data_finding(tmp_path)
    assert (finding.is_fine, finding.text) == (True, f"{tmp_path}, hash {found}, CSV files")
