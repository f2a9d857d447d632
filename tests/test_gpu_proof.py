"""`make gpu-proof`: stages within a limit, going on, what is written; on a CPU, in rehearsal."""

import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from bench import gpu_proof
from bench.gpu_proof import CUT_SHORT, FAILED, NOT_BEGUN, PASSED, STAGES, Outcome, Stage, run_stages
from tests.benchmarks.loader_against_resident import covered
from tests.benchmarks.loader_against_resident import main as compare_loaders
from tests.command_line import MARK, REPOSITORY, environment, processes_with, wait_for

QUIET = Stage("quiet", "ends well", 0.5, ("-c", "print('seen')"))
FAILS = Stage("fails", "exits with 3", 0.5, ("-c", "raise SystemExit(3)"))
WAITS = Stage(
    "waits",
    "ends at Ctrl-C",
    0.5,
    ("-c", "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('kept')"),
)
STUBBORN = Stage(
    "stubborn",
    "hears nothing",
    0.5,
    ("-c", "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)"),
)


def run(
    tmp_path: Path, *stages: Stage, limit_s: float = 60.0, earlier: Sequence[Outcome] = ()
) -> list[Outcome]:
    known = {outcome.name: outcome for outcome in earlier}
    return list(run_stages(stages, tmp_path, "cpu", limit_s, known))


def test_a_stage_passes_or_fails_by_its_exit_code(tmp_path: Path) -> None:
    outcomes = run(tmp_path, QUIET, FAILS)
    assert [(o.status, o.exit_code) for o in outcomes] == [(PASSED, 0), (FAILED, 3)]
    assert (tmp_path / "quiet.txt").read_text() == "seen\n"


def test_a_stage_that_takes_too_long_is_asked_to_end_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_proof, "MIN_STAGE_S", 0.0)
    (outcome,) = run(tmp_path, WAITS, limit_s=2.0)
    assert (outcome.status, outcome.exit_code) == (CUT_SHORT, None)
    assert (tmp_path / "waits.txt").read_text() == "kept\n"


def test_a_stage_that_does_not_listen_is_ended_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_proof, "MIN_STAGE_S", 0.0)
    monkeypatch.setattr(gpu_proof, "PATIENCE_S", (0.1, 0.1))
    (outcome,) = run(tmp_path, STUBBORN, limit_s=1.0)
    assert outcome.status == CUT_SHORT
    assert outcome.seconds < 30


def test_what_has_passed_is_not_run_again_and_what_has_no_time_is_not_begun(tmp_path: Path) -> None:
    earlier = run(tmp_path, QUIET)
    outcomes = run(tmp_path, QUIET, FAILS, limit_s=1.0, earlier=earlier)
    assert [(o.name, o.status) for o in outcomes] == [("fails", NOT_BEGUN)]


def test_what_another_commit_or_command_has_passed_counts_for_nothing(tmp_path: Path) -> None:
    (outcome,) = run(tmp_path, QUIET)
    for other in (replace(outcome, commit="0" * 40), replace(outcome, command="python -c other")):
        assert [o.status for o in run(tmp_path, QUIET, earlier=[other])] == [PASSED]


def test_a_signal_ends_the_stage_too(data_root: Path, tmp_path: Path) -> None:
    options = ("--rehearse", "--device", "cpu", "--out", str(tmp_path / "out"), "--only", "bench")
    mark = uuid.uuid4().hex
    proof = subprocess.Popen(
        [sys.executable, "-m", "bench.gpu_proof", *options],
        cwd=REPOSITORY,
        env=environment(data_root) | {MARK: mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert wait_for(lambda: len(processes_with(mark)) > 1)
    proof.send_signal(signal.SIGTERM)
    assert proof.wait(60) == 143
    assert wait_for(lambda: not processes_with(mark), 30.0)


def test_shares_add_up_and_every_stage_can_be_parsed() -> None:
    assert sum(stage.share for stage in STAGES) == pytest.approx(1.0, abs=0.01)
    assert len({stage.name for stage in STAGES}) == len(STAGES)


def rehearse(data_root: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    options = ("--rehearse", "--device", "cpu", "--out", str(out), "--limit", "120")
    return subprocess.run(
        [sys.executable, "-m", "bench.gpu_proof", *options, *more],
        cwd=REPOSITORY,
        env=environment(data_root),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.slow
def test_a_rehearsal_writes_the_folder_and_goes_on(data_root: Path, tmp_path: Path) -> None:
    first = rehearse(data_root, tmp_path, "--only", "bench")
    assert first.returncode == 0, first.stderr
    assert "proves nothing about a GPU" in first.stdout
    assert "| v0 | 1 | 0 |" in first.stdout  # where its seconds went
    second = rehearse(data_root, tmp_path)
    assert second.returncode == 0, second.stderr
    assert "bench: " not in second.stderr  # not run again
    stored = orjson.loads((tmp_path / "proof.json").read_bytes())["outcomes"]
    assert [one["name"] for one in stored] == ["bench", "doctor", "report"]
    assert {one["status"] for one in stored} == {PASSED}
    assert (tmp_path / "bench" / "report.html").exists()


def test_mistakes_are_one_line(data_root: Path, tmp_path: Path) -> None:
    unknown = rehearse(data_root, tmp_path, "--only", "nonsense")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no stage nonsense; choose from doctor, bench, report" in unknown.stderr
    (tmp_path / "proof.json").write_text('{"outcomes": [], "rehearsal": false}')
    assert "holds a proof; name another --out" in rehearse(data_root, tmp_path).stderr
    (tmp_path / "proof.json").write_text("{")
    broken = rehearse(data_root, tmp_path)
    assert broken.returncode == 2
    assert "cannot be read" in broken.stderr
    assert broken.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("spans", "length"),
    [([], 0), ([(0, 2), (1, 3)], 3), ([(5, 6), (0, 1)], 2), ([(0, 9), (2, 3)], 9)],
)
def test_kernels_that_overlap_are_busy_once(
    spans: list[tuple[float, float]], length: float
) -> None:
    assert covered(spans) == length


def test_the_loader_is_compared_on_a_cpu_too(capsys: pytest.CaptureFixture[str]) -> None:
    compare_loaders(device="cpu", models="v0", turns=2, turn=0.02)
    rate, resident, ratio, *busy = capsys.readouterr().out.splitlines()[1].split()[1:]
    assert float(ratio) > 0
    assert min(float(figure.replace(",", "")) for figure in (rate, resident)) > 0
    assert busy == ["unknown", "unknown"]
