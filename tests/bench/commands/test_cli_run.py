"""`run` and `table` on the way on which nothing goes wrong."""

import hashlib
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.commands.show import where_next
from tests.command_line import CPU, PLAN, REPOSITORY, Done, Finished, bench, read_lines, values

MODELS = "v0,./examples/tiny_net.py:TinyNet"


@pytest.fixture(scope="module")
def sweep(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Two models, two seeds each, twenty steps."""
    folder = tmp_path_factory.mktemp("sweep") / "run"
    size = ("--models", MODELS, "--budget", "20steps", "--seeds", "2")
    return Done(bench(data_root, "run", *size, *PLAN, *CPU, "--out", folder), folder, data_root)


def test_a_sweep_ends_well_and_prints_its_table_on_stdout(sweep: Done) -> None:
    assert sweep.finished.returncode == 0, sweep.finished.stderr
    title, header, *rest = sweep.finished.stdout.splitlines()
    assert title == "Fashion-MNIST"
    assert header.split()[:2] == ["model", "accuracy"]
    rows = [line.split()[0] for line in rest if " k " in line]
    assert sorted(rows) == ["tiny_net.py:TinyNet", "v0"]
    assert "budget 20steps, recipe default" in sweep.finished.stdout
    assert not {"\x1b", "\r"} & set(sweep.finished.stdout + sweep.finished.stderr)  # in a pipe


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


def test_a_record_for_each_seed_with_its_samples_beside_it(sweep: Done) -> None:
    records = read_lines(sweep.folder)
    runs = [(record["spec"]["model"], record["spec"]["seed"]) for record in records]
    models = ["v0", "examples/tiny_net.py:TinyNet"]  # a path is spelled in one way
    assert runs == [(model, seed) for model in models for seed in (0, 1)]
    for record in records:
        assert record["status"] == "ok"
        assert values(record, "steps") == [20.0]
        assert values(record, "images_seen") == [20.0 * 128]
        packed = (sweep.folder / record["samples"]["file"]).read_bytes()
        assert hashlib.sha256(packed).hexdigest() == record["samples"]["sha256"]
    assert len(list((sweep.folder / "samples").iterdir())) == len(records)


def test_weights_of_the_same_model_are_gone_on_from(
    on_data: Callable[..., Finished], tmp_path: Path
) -> None:
    weights = REPOSITORY / "fmnist_models" / "weights" / "v0.pt"
    options = ("--models", "v0", "--set", f"weights={weights}", "--budget", "3steps")
    done = on_data("run", *CPU, *PLAN, *options, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "default+weights=v0.pt" in done.stdout


def test_table_shows_again_what_run_showed(sweep: Done) -> None:
    again = sweep.table()
    assert (again.returncode, again.stdout, again.stderr) == (0, sweep.finished.stdout, "")


def test_rows_name_their_records_and_say_how_near_the_floor_they_came(sweep: Done) -> None:
    rows = json.loads(sweep.table("--format", "json").stdout)
    named = [name for row in rows for name in row["record_ids"]]
    assert sorted(named) == sorted(record["record_id"] for record in read_lines(sweep.folder))
    for row in rows:
        assert 0 < row["percent_of_floor"] <= 100
        assert row["binding_term"] in {"compute", "bandwidth", "latency"}
        assert row["kernels_per_step"] is None
        known = ("flops_per_step", "bytes_per_step", "mfu", "bytes_per_s", "floor_s")
        assert all(row[key] > 0 for key in known)
    assert "measured ceilings: matmul fp32 " in sweep.table("--notes").stdout


@pytest.mark.slow
def test_a_grid_is_gone_on_with_where_it_stood(
    on_data: Callable[..., Finished], tmp_path: Path
) -> None:
    """Combinations that share a configuration, so that one is trained twice or never."""
    settings = ("--set", "batch_size=32,64", "--set", "augment=[['flip'], []]")
    size = ("--models", "v0", "--budget", "3steps", "--out", tmp_path)
    command = ("run", *CPU, *PLAN, *size, *settings)
    done = on_data(*command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("1 model x 4 settings x 1 seed, 3steps each")
    lines = (tmp_path / "records.jsonl").read_bytes().splitlines(keepends=True)
    found = [
        (r["spec"]["recipe"]["batch_size"], r["spec"]["recipe"]["augment"])
        for r in read_lines(tmp_path)
    ]
    assert found == [(32, ["flip"]), (32, []), (64, ["flip"]), (64, [])]
    (tmp_path / "records.jsonl").write_bytes(b"".join(lines[:2] + lines[3:]))
    assert on_data(*command, "--resume").returncode == 0
    records = read_lines(tmp_path)
    assert len(records) == 4
    assert records[-1]["config_id"] == json.loads(lines[2])["config_id"]
    rows = json.loads(on_data("table", tmp_path, "--format", "json", "--by", "augment").stdout)
    assert [row["augment"] for row in rows] == [["flip"], ["flip"], [], []]
