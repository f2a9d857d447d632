"""Records of runs: what they do without where they would not fit, and what a process may use."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import Plan, UsageError
from bench.errors import RunError
from bench.machine import device
from bench.run.record import SAMPLES_PLACE, shortened
from bench.sweep.folders import check_same
from results import Measurement, RecordError, RunStore
from tests.bench.ladder.test_rungs import SPEC
from tests.command_line import REPOSITORY
from tests.results.records_by_hand import ENVIRONMENT, make_record

BEGIN = """
import sys
from types import SimpleNamespace
from bench.run import runner

def begin():
    sys.exit("bench.train.session" in sys.modules)

runner.time = SimpleNamespace(perf_counter=begin)
next(runner.execute_seeds(None, [0]))
"""


def test_the_imports_of_training_are_in_the_cold_total() -> None:
    subprocess.run([sys.executable, "-c", BEGIN], cwd=REPOSITORY, check=True)


@pytest.mark.parametrize("plan", ["compile", "channels_last,step:5,threads:1"])
def test_a_compiled_plan_without_a_compiler_is_unsupported(
    plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(SPEC, plan=Plan.parse(plan))
    monkeypatch.setattr(device, "find_compiler", lambda: "g++")
    device.check_supported(spec, torch.device("cpu"))
    monkeypatch.setattr(device, "find_compiler", lambda: None)
    device.check_supported(replace(spec, plan=Plan()), torch.device("cpu"))
    with pytest.raises(RunError, match=r"needs a C\+\+ compiler: install g\+\+.* --plan") as caught:
        device.check_supported(spec, torch.device("cpu"))
    assert caught.value.status == "unsupported"


def test_a_record_that_fits_stays_whole() -> None:
    record = make_record()
    assert shortened(record) is record


def test_a_record_that_does_not_fit_loses_the_probe_first() -> None:
    long = replace(make_record(), tried=["x" * 4000], curve=[[1.0, 1.0, 1, 0.5]])
    with pytest.raises(RecordError):
        long.to_json_line()
    short = shortened(long)
    assert (short.tried, short.curve) == ([], [[1.0, 1.0, 1, 0.5]])
    assert "4 KB" in short.missing["tried"]
    assert len(replace(short, samples=SAMPLES_PLACE).to_json_line()) <= 4096


def test_a_record_that_does_not_fit_loses_digits_before_anything_else() -> None:
    number = 1234567.0 + 1 / 3
    measured = {f"time{i}": Measurement(f"time{i}", "s", (number, 2.0**60)) for i in range(62)}
    long = replace(make_record(), measurements=measured, curve=[[0.1234567890123, 1 / 3, 7, 0.5]])
    assert 0 < len(replace(long, measurements={}).to_json_line()) < 4096
    with pytest.raises(RecordError):
        long.to_json_line()
    short = shortened(long)
    assert short.measurements["time0"].values == (1234570.0, 2.0**60)
    assert (short.curve, short.missing) == ([[0.123457, 0.333333, 7, 0.5]], {})


def test_times_lose_further_digits_before_the_probe_is_lost() -> None:
    number = 7.0 + 1 / 3
    measured = {f"time{i}": Measurement(f"time{i}", "s", (number,)) for i in range(30)}
    measured["accuracy"] = Measurement("accuracy", "fraction", (2 / 3,))
    curve = [[1.23456, 0.123457, 7, 0.808333]]
    long = replace(make_record(), measurements=measured, curve=curve, tried=["x"])
    for length in range(0, 4000, 20):  # until six digits are too many
        short = shortened(replace(long, conditions={"text": "x" * length}))
        if short.measurements["time0"].values == (7.333,):
            break
    assert short.measurements["time0"].values == (7.333,)
    assert short.measurements["accuracy"].values == (0.666667,)
    assert (short.curve, short.tried) == ([[1.235, 0.123457, 7, 0.808333]], ["x"])


def test_a_record_loses_no_more_than_it_must() -> None:
    confusion = [[1000] * 10] * 10
    curve = [[0.123456789] * 4] * 300
    long = replace(make_record(), tried=["x"], curve=curve, confusion=confusion)
    short = shortened(long)
    assert (short.tried, 1 < len(short.curve or ()) <= 5) == ([], True)
    assert short.confusion == confusion
    no_room = shortened(replace(long, conditions={"text": "x" * 2600}))
    assert (no_room.curve, no_room.confusion) == (None, confusion)


def test_a_record_that_no_store_could_take_is_a_row_that_says_why() -> None:
    lost = shortened(make_record(conditions={"load": "x" * 5000}))
    assert lost.status == "crashed"
    assert "bytes of 4096" in (lost.reason or "")
    assert shortened(lost) is lost


def test_a_curve_cut_short_keeps_what_tables_read_off_it() -> None:
    accuracies = [0.5, 0.81, 0.82, 0.83, 0.86, 0.91, 0.89, 0.88, 0.9, 0.9, 0.9]
    curve = [[k + 1 / 3, 1 / 3, k, accuracy] for k, accuracy in enumerate(accuracies)]
    whole = replace(make_record(), curve=curve)
    lengths = range(0, 4000, 20)  # until it does not fit any more
    records = (shortened(replace(whole, conditions={"text": "x" * n})) for n in lengths)
    few = next(record for record in records if len(record.curve or ()) < len(curve))
    assert few.curve is not None
    assert [point[2] for point in few.curve] == [0, 1, 4, 5, 10]  # at 80, 85 and 90 %, the best


@pytest.mark.parametrize(
    ("quota", "cores"), [("100000 100000\n", 1), ("max 100000\n", None), ("10000 100000\n", 1)]
)
def test_a_containers_quota_limits_the_threads(
    quota: str, cores: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "CPU_QUOTA", tmp_path / "absent")
    without = device.usable_cores()
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(device, "CPU_QUOTA", tmp_path / "cpu.max")
    assert device.usable_cores() == (cores or without)


def test_a_sweep_is_not_resumed_in_another_environment(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.append(make_record())
    check_same(store, ENVIRONMENT, [])
    with pytest.raises(UsageError, match="begun with another torch than 9"):
        check_same(store, ENVIRONMENT | {"torch": "9"}, [])
