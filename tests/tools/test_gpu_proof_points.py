"""What a proof says on each point, out of hand-made records and outputs."""

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from results import Measurement, RunRecord, RunStore
from tests.bench.ladder.ladder_by_hand import make_ladder
from tests.results.records_by_hand import make_record
from tools.gpu_proof.archive import keep_tables
from tools.gpu_proof.points import summary
from tools.gpu_proof.run import PASSED, Outcome, best_first

LIMIT = {"binds": "latency", "flops_per_s": 1e14, "bytes_per_s": 1e12, "latency_s": 1.5e-6}


def trained(model: str, seed: int = 0, **values: Any) -> RunRecord:  # noqa: ANN401
    known = {"train_time": 0.4, "steps": 5625.0, "images_seen": 180_000.0, "test_accuracy": 0.83}
    known |= {"floor": 2e-5, "percent_of_floor": 28.0, "kernels_per_step": 12.0, "mfu": 0.02}
    record = make_record(conditions={"limit": LIMIT})
    measured = {name: Measurement(name, "any", (v,)) for name, v in (known | values).items()}
    recipe = record.spec["recipe"] | {"name": "classic", "batch_size": 32}
    spec = record.spec | {"model": model, "seed": seed, "recipe": recipe, "budget": "3epochs"}
    return replace(record, spec=spec, measurements=measured)


def store(out: Path, name: str, *records: RunRecord) -> None:
    for number, record in enumerate(records):
        RunStore(out / name).append(
            replace(record, record_id=f"{zlib.crc32(name.encode()):08x}{number:08x}")
        )


def section(text: str, number: int) -> str:
    return text.partition(f"## {number}. ")[2].partition("\n## ")[0]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    store(tmp_path, "classic", *(trained("v0", seed) for seed in range(3)))
    slow = [trained("v2", seed, train_time=0.9, floor=2e-4) for seed in range(3)]
    store(tmp_path, "classic-compiled", *slow)
    failed = replace(trained("v1"), status="out_of_memory", reason="it asked for 3 GiB")
    store(tmp_path, "bench", trained("v0"), failed)
    resnet50 = trained("resnet50", percent_of_floor=61.0, mfu=0.4)
    store(tmp_path, "large", resnet50, trained("resnet18_3x3"))
    store(tmp_path, "ladder-32", *make_ladder())
    for seconds, accuracies in (
        (1, {"v0": 0.8, "v2": 0.7, "v1": 0.6}),
        (3, {"v0": 0.8, "v2": 0.9}),
    ):
        runs = [trained(model, test_accuracy=value) for model, value in accuracies.items()]
        runs = [
            replace(run, spec=run.spec | {"budget": f"{seconds}s"}, config_id=f"{seconds:012x}")
            for run in runs
        ]
        store(tmp_path, f"pareto-{seconds}s", *runs)
    (tmp_path / "tests.txt").write_text("FAILED tests/a.py::test_b - why\n== 1 failed in 3.0s ==\n")
    said = "tests/gpu/test_failures.py::test_each_row PASSED   [100%]\n== 1 passed in 60.12s ==\n"
    (tmp_path / "tests-failures.txt").write_text(said)
    (tmp_path / "doctor.txt").write_text("ok  GPU 0  an H100\n")
    (tmp_path / "loader.txt").write_text("v0  1,000  2,000\n")
    return tmp_path


def test_each_point_has_its_numbers(out: Path) -> None:
    bench = Outcome("bench", "", PASSED, 0, 77.0, "python -m bench", "a" * 40)
    text = summary(out, {"bench": bench}, "an H100", is_rehearsal=False)
    assert text.startswith("# Seen on an H100\n")
    machine = section(text, 1)
    assert "- tests: 1 failed in 3.0s" in machine
    assert "FAILED tests/a.py::test_b - why" in machine
    assert "ok  GPU 0  an H100" in machine
    assert "2 models, 2 runs, 1 not ok, 77 s of wall time." in section(text, 2)
    assert "- v1, seed 0: out_of_memory: it asked for 3 GiB" in section(text, 2)
    assert "each row: passed" in section(text, 6)
    assert "v0  1,000  2,000" in section(text, 7)
    assert "- 3 s: v2 90.00 %, v0 80.00 %" in section(text, 8)
    assert "| pareto-30s | 8 | accuracy after 30 s of training | not asked for | - |" in text


def test_the_classic_table_has_targets_floors_and_the_accuracy_of_the_cpu(out: Path) -> None:
    text = section(summary(out, {}, "an H100", is_rehearsal=False), 3)
    (row,) = [line for line in text.splitlines() if line.startswith("| classic | v0")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[3:9] == ["0.4 s", "30.0 s", "0.12 s", "12", "0.113 s", "28 % latency"]
    assert cells[9:11] == ["83.00 %", "81.19 %"]
    assert cells[11].startswith("+1.81 ± ")
    assert cells[11].endswith("points: not told apart")
    assert (
        "- classic, v0: 3.33 times its target; its floor is 0.113 s, bound by latency "
        "(12 kernels a step, 1.50 us a node); 0.288 s lie above it"
    ) in text
    assert "v2: 1.5 times its target; its floor is above the target: 1.12 s" in text


def test_ladders_and_large_batches_have_their_share_of_the_floor(out: Path) -> None:
    text = section(summary(out, {}, "an H100", is_rehearsal=False), 4)
    assert "61 % latency, MFU 40" in text
    assert text.count("half of the floor: reached") == 1
    assert text.count("half of the floor: missed") == 1
    assert "x the DataLoader loop" in text


def test_an_empty_folder_says_that_nothing_was_measured(tmp_path: Path) -> None:
    text = summary(tmp_path, {}, "an H100", is_rehearsal=False)
    assert [section(text, number).count("Nothing was measured.") for number in range(1, 9)] == [
        1
    ] * 8


def test_longer_trainings_begin_with_the_models_that_were_best(out: Path) -> None:
    assert best_first(out) == "v2,v0,v1,all"
    assert best_first(out / "nowhere") == "all"


def test_what_is_kept_gives_its_table_again(
    out: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    (out / "proof.md").write_text("# Seen\n")
    names = {path.name for path in keep_tables(out, folder)}
    assert {"gpu-classic.md", "gpu-classic.jsonl", "gpu-ladder-32.md", "gpu-proof.md"} <= names
    assert (folder / "gpu-classic.jsonl").read_bytes() == (
        out / "classic/records.jsonl"
    ).read_bytes()
    assert "| v0 " in (folder / "gpu-classic.md").read_text()
    assert "- 7 rounds" in (folder / "gpu-ladder-32.md").read_text()
