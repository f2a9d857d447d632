"""`run` and `table` on the way on which nothing goes wrong."""

import csv
import hashlib
import json
import os
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from bench.commands.show import where_next
from results.rows.rows import ROW_KEYS
from tests.command_line import (
    CPU,
    PLAN,
    REPOSITORY,
    Done,
    assert_refused,
    bench,
    call,
    environment,
    read_lines,
    values,
)

MODELS = "v0,./examples/tiny_net.py:TinyNet"
CHANGES = (  # what `--by commit` adds
    "commit",
    "commit_time_utc",
    "test_accuracy_change",
    "images_per_s_ratio",
    "peak_memory_ratio",
    "within_noise",
    "not_comparable",
)
KEYS = list(ROW_KEYS)  # held by tests/results/rows/test_rows.py


@pytest.fixture(scope="module")
def sweep(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Two models, two seeds each, twenty steps."""
    folder = tmp_path_factory.mktemp("sweep") / "run"
    size = ("--models", MODELS, "--budget", "20steps", "--seeds", "2")
    return Done(bench(data_root, "run", *size, *PLAN, *CPU, "--out", folder), folder, data_root)


@pytest.fixture(scope="module")
def other_budget(sweep: Done) -> Path:
    """A copy of the sweep that claims another budget."""
    folder = sweep.folder.with_name("other")
    folder.mkdir()
    lines = [json.dumps(doctored(record)) + "\n" for record in read_lines(sweep.folder)]
    (folder / "records.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def doctored(record: dict[str, Any]) -> dict[str, Any]:
    ids = {"record_id": record["record_id"][::-1], "config_id": record["config_id"][::-1]}
    spec = record["spec"] | {"budget": "40steps"}
    return record | ids | {"spec": spec, "samples": None}


def test_a_sweep_ends_well_and_prints_its_table_on_stdout(sweep: Done) -> None:
    assert sweep.finished.returncode == 0, sweep.finished.stderr
    title, header, *rest = sweep.finished.stdout.splitlines()
    assert title == "Fashion-MNIST"
    assert header.split()[:2] == ["model", "accuracy"]
    rows = [line.split()[0] for line in rest if " k " in line]
    assert sorted(rows) == sorted(MODELS.split(","))
    assert "budget 20steps, recipe default" in sweep.finished.stdout


def test_stderr_says_what_is_run_and_where_it_lies_and_nothing_else(sweep: Done) -> None:
    first, last = sweep.finished.stderr.splitlines()
    assert first.startswith("2 models x 2 seeds, 20steps each, on cpu (")
    assert last == where_next(sweep.folder)
    words = shlex.quote(str(sweep.folder))
    assert f"records: {sweep.folder}; again: fmnist-bench table {words}" in last


def test_a_command_that_shows_a_folder_with_a_space_again_can_be_pasted() -> None:
    assert "again: fmnist-bench table 'my runs/a' b, or report " in where_next(
        Path("my runs/a"), Path("b")
    )


def test_no_escape_codes_in_a_pipe(sweep: Done) -> None:
    assert "\x1b" not in sweep.finished.stdout + sweep.finished.stderr
    assert "\r" not in sweep.finished.stdout + sweep.finished.stderr


def test_a_record_for_each_seed_with_its_samples_beside_it(sweep: Done) -> None:
    records = read_lines(sweep.folder)
    runs = [(record["spec"]["model"], record["spec"]["seed"]) for record in records]
    assert runs == [(model, seed) for model in MODELS.split(",") for seed in (0, 1)]
    for record in records:
        assert record["status"] == "ok"
        packed = (sweep.folder / record["samples"]["file"]).read_bytes()
        assert hashlib.sha256(packed).hexdigest() == record["samples"]["sha256"]
    assert len(list((sweep.folder / "samples").iterdir())) == len(records)


def test_weights_of_the_same_model_are_gone_on_from(
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    weights = REPOSITORY / "fmnist_models" / "weights" / "v0.pt"
    options = ("--models", "v0", "--set", f"weights={weights}", "--budget", "3steps")
    done = call(monkeypatch, capfd, data_root, "run", *CPU, *PLAN, *options, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "default+weights=v0.pt" in done.stdout


def test_the_budget_was_kept_to_the_step(sweep: Done) -> None:
    for record in read_lines(sweep.folder):
        assert values(record, "steps") == [20.0]
        assert values(record, "images_seen") == [20.0 * 128]


def test_table_shows_again_what_run_showed(sweep: Done) -> None:
    again = sweep.table()
    assert (again.returncode, again.stdout) == (0, sweep.finished.stdout)
    assert again.stderr == ""


def test_json_has_the_promised_keys_in_order(sweep: Done) -> None:
    rows = json.loads(sweep.table("--format", "json").stdout)
    assert [list(row) for row in rows] == [KEYS, KEYS]
    assert {row["n_seeds"] for row in rows} == {2}
    records = {record["record_id"] for record in read_lines(sweep.folder)}
    assert {name for row in rows for name in row["record_ids"]} == records


def test_rows_say_how_near_the_floor_they_came(sweep: Done) -> None:
    for row in json.loads(sweep.table("--format", "json").stdout):
        assert 0 < row["percent_of_floor"] <= 100
        assert row["binding_term"] in {"compute", "bandwidth", "latency"}
        assert row["kernels_per_step"] is None
        known = ("flops_per_step", "bytes_per_step", "mfu", "bytes_per_s", "floor_s")
        assert all(row[key] > 0 for key in known)
    assert "measured ceilings: matmul fp32 " in sweep.table("--notes").stdout


def test_csv_has_the_same_keys(sweep: Done) -> None:
    header, *rows = csv.reader(StringIO(sweep.table("--format", "csv").stdout))
    assert header == KEYS
    assert [len(row) for row in rows] == [len(KEYS)] * 2


@pytest.mark.parametrize(("fmt", "start"), [("markdown", "| model"), ("latex", r"\begin{tabular}")])
def test_formats_for_documents(sweep: Done, fmt: str, start: str) -> None:
    shown = sweep.table("--format", fmt)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(start)
    assert "v0" in shown.stdout


def test_by_commit_and_by_plan_keep_every_run(sweep: Done) -> None:
    by_commit = json.loads(sweep.table("--format", "json", "--by", "commit").stdout)
    assert [list(row) for row in by_commit] == [[*KEYS, *CHANGES]] * 2
    by_plan = json.loads(sweep.table("--format", "json", "--by", "plan").stdout)
    assert {row["plan"] for row in by_plan} == {"resident,contiguous,eager,threads:1"}
    assert sum(row["n_seeds"] for row in by_plan) == 4


def test_sorting_by_a_cost_puts_the_least_first(sweep: Done) -> None:
    shown = sweep.table("--format", "json", "--sort", "num_params")
    counts = [row["num_params"] for row in json.loads(shown.stdout)]
    assert counts == sorted(counts)
    assert counts[0] < counts[1]


def test_other_budgets_are_refused_side_by_side(sweep: Done, other_budget: Path) -> None:
    shown = sweep.table(other_budget)
    assert_refused(shown, "budget is 20steps", exit_code=4)
    assert "--mixed" in shown.stderr


def test_mixed_shows_both_labelled(sweep: Done, other_budget: Path) -> None:
    shown = sweep.table(other_budget, "--mixed", "--format", "json")
    assert [row["budget"] for row in json.loads(shown.stdout)].count("40steps") == 2
    text = sweep.table(other_budget, "--mixed").stdout
    assert "20steps" in text
    assert "40steps" in text


def test_a_reader_that_was_never_there_is_no_failure(sweep: Done) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "bench", "table", str(sweep.folder), "--format", "json"]
    with os.fdopen(writer, "wb") as stdout:
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment(sweep.data_root),
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")
