"""`make gpu-proof`: stages within a limit, going on, what is written; on a CPU, in rehearsal."""

import shlex
import signal
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import json

from bench.errors import UsageError
from bench.sweep.checked import check_options
from bench.sweep.request import Request
from tests.benchmarks.loader_against_resident import covered
from tests.benchmarks.loader_against_resident import main as compare_loaders
from tests.command_line import (
    LIMIT_S,
    REPOSITORY,
    Finished,
    Running,
    environment,
    finish,
    processes_with,
    read_lines,
    wait_for,
)
from tools.gpu_proof import run as gpu_proof_run
from tools.gpu_proof.__main__ import main
from tools.gpu_proof.archive import PROOF_ARCHIVE, SAMPLES_ARCHIVE
from tools.gpu_proof.run import CUT_SHORT, FAILED, NOT_BEGUN, PASSED, Outcome, run_stages
from tools.gpu_proof.stages import (
    CORE_TESTS,
    FAILURE_TESTS,
    ISSUE_POINTS,
    PLAN_TESTS,
    REHEARSAL,
    STAGES,
    Stage,
)


def script(name: str, claim: str, code: str) -> Stage:
    return Stage(name, (), 30, claim, f"-c {shlex.quote(code)}")


QUIET = script("quiet", "ends well", "print('seen')")
FAILS = script("fails", "exits with 3", "raise SystemExit(3)")
BEGINS = "import pathlib, time\npathlib.Path('{out}/begun').touch()\n"
WAITS = script(
    "waits",
    "ends at Ctrl-C",
    f"{BEGINS}try: time.sleep(60)\nexcept KeyboardInterrupt: print('kept')",
)
STUBBORN = script(
    "stubborn",
    "hears nothing",
    f"import signal\nsignal.signal(2, signal.SIG_IGN)\n{BEGINS}time.sleep(60)\nprint(1)",
)


def run(
    tmp_path: Path, *stages: Stage, limit_s: float = 60.0, earlier: Sequence[Outcome] = ()
) -> list[Outcome]:
    known = {outcome.name: outcome for outcome in earlier}
    return list(run_stages(stages, tmp_path, "cpu", limit_s, known))


def test_a_stage_passes_or_fails_by_its_exit_code_and_is_not_run_again_where_it_has_passed(
    tmp_path: Path,
) -> None:
    outcomes = run(tmp_path, QUIET, FAILS)
    assert [(o.status, o.exit_code) for o in outcomes] == [(PASSED, 0), (FAILED, 3)]
    assert (tmp_path / "quiet.txt").read_text() == "seen\n"
    again = run(tmp_path, QUIET, FAILS, limit_s=1.0, earlier=outcomes)  # no time for a stage
    assert [(o.name, o.status) for o in again] == [("fails", NOT_BEGUN)]


@pytest.mark.parametrize(
    ("stage", "patience_s", "kept"),
    [(WAITS, (5.0, 10.0), "kept\n"), (STUBBORN, (0.1, 0.1), "")],  # the latter ends by force
)
def test_a_stage_that_takes_too_long_is_asked_to_end_and_keeps_what_it_has(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: Stage,
    patience_s: tuple[float, float],
    kept: str,
) -> None:
    wait = gpu_proof_run._wait

    def wait_for_begin(process: subprocess.Popen[bytes], _limit_s: float) -> int | None:
        assert wait_for((tmp_path / "begun").exists)
        return wait(process, 0.1)

    monkeypatch.setattr(gpu_proof_run, "_wait", wait_for_begin)
    monkeypatch.setattr(gpu_proof_run, "PATIENCE_S", patience_s)
    (outcome,) = run(tmp_path, stage)
    assert (outcome.status, outcome.exit_code) == (CUT_SHORT, None)
    assert (tmp_path / f"{stage.name}.txt").read_text() == kept


def test_what_another_commit_or_command_has_passed_counts_for_nothing(tmp_path: Path) -> None:
    (outcome,) = run(tmp_path, QUIET)
    for other in (replace(outcome, source="0" * 40), replace(outcome, command="python -c other")):
        assert [o.status for o in run(tmp_path, QUIET, earlier=[other])] == [PASSED]


REHEARSE = ("-m", "tools.gpu_proof", "--rehearse", "--device", "cpu", "--out")


@pytest.mark.slow
def test_a_signal_ends_the_stage_too(data_root: Path, tmp_path: Path) -> None:
    options = (tmp_path / "out", "--only", "bench")
    proof = Running.start(data_root, tmp_path, *options, program=REHEARSE)
    assert wait_for(lambda: len(processes_with(proof.mark)) > 1)
    proof.signal(signal.SIGTERM)
    assert proof.process.wait(LIMIT_S) == 143
    assert wait_for(lambda: not processes_with(proof.mark))


def test_a_stage_has_its_seconds_and_what_was_left_over_and_a_long_limit_gives_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def run_in_no_time(_name: str, _command: object, _out: Path, limit_s: float) -> object:
        given.append(round(limit_s))
        return PASSED, 0, 0.0

    monkeypatch.setattr(gpu_proof_run, "_run", run_in_no_time)
    stages = [replace(QUIET, name=f"stage-{number}", seconds=100) for number in range(4)]
    for limit_s in (250.0, 4000.0):
        run(tmp_path, *stages, limit_s=limit_s)
    assert given == [100, 200, 250, 250, 1000, 2000, 3000, 4000]


def test_the_rehearsal_has_the_same_stages_and_differs_in_options_of_size_only() -> None:
    sizes = {
        *("--models", "--budget", "--seeds", "--plan", "--precision", "--turns", "--turn", "--set")
    }

    def without_sizes(stage: Stage) -> list[str]:
        words = stage.command.split()
        kept = [text for text in words if text not in sizes]
        values = [b for a, b in pairwise(words) if a in sizes]
        return [text for text in kept if text not in values]

    assert [stage.name for stage in REHEARSAL] == [stage.name for stage in STAGES]
    for small, whole in zip(REHEARSAL, STAGES, strict=True):
        assert without_sizes(small) == without_sizes(whole)
        assert (small.claim, small.points) == (whole.claim, whole.points)


def test_every_point_has_a_stage_and_every_stage_a_line_in_the_document() -> None:
    assert {point for stage in STAGES for point in stage.points} == set(ISSUE_POINTS)
    document = (REPOSITORY / "docs" / "gpu.md").read_text(encoding="utf-8")
    assert [stage.name for stage in STAGES if f"`{stage.name}`" not in document] == []
    assert [number for number in ISSUE_POINTS if f"| {number} |" not in document] == []


def test_the_command_for_a_lent_machine_is_one_that_can_be_given() -> None:
    document = (REPOSITORY / "docs" / "gpu.md").read_text(encoding="utf-8")
    (command,) = [part for part in document.split("```") if "--archive $OUT" in part]
    assert len(command) < 2000  # characters, the most that are taken there
    assert finish("bash", "-n", stdin=command).stderr == ""


def test_every_test_marked_gpu_is_in_a_stage() -> None:
    marked = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        if "pytest.mark" + ".gpu" in path.read_text(encoding="utf-8")
    }
    assert marked == {*CORE_TESTS, *PLAN_TESTS, *FAILURE_TESTS}


def test_every_sweep_asks_for_what_there_is() -> None:
    for stage in (*STAGES, *REHEARSAL):
        words = stage.command.split()
        if words[:3] == ["-m", "bench", "run"]:
            options = dict(pairwise(words))
            check_options(
                Request(
                    models=options.get("--models", "all").replace("{best_first}", "v2,all"),
                    budget=options.get("--budget"),
                    plan=options.get("--plan", "auto"),
                    precision=options.get("--precision", "auto"),
                    recipe=options.get("--recipe", "default"),
                    settings=[b for a, b in pairwise(words) if a == "--set"],
                )
            )


def rehearse(data_root: Path, out: Path, *more: str) -> Finished:
    options = ("--limit", f"{LIMIT_S}", *more)
    return finish(sys.executable, *REHEARSE, out, *options, env=environment(data_root))


@pytest.mark.slow
def test_a_rehearsal_writes_the_folder_and_goes_on(data_root: Path, tmp_path: Path) -> None:
    first = rehearse(data_root, tmp_path / "out", "--only", "bench")
    assert first.returncode == 0, first.stderr
    assert "proves nothing about a GPU" in first.stdout
    assert "| v0 | 1 | 0 |" in first.stdout  # where its seconds went
    some = ("--only", "bench,classic,loader,pareto-1s,pareto-3s,doctor")
    second = rehearse(data_root, tmp_path / "out", *some, "--archive", str(tmp_path / "packed"))
    assert second.returncode == 0, second.stderr
    assert "bench: " not in second.stderr  # not run again
    stored = json.decode((tmp_path / "out" / "proof.json").read_bytes())["outcomes"]
    assert {one["name"] for one in stored} == set(some[1].split(","))
    assert {one["status"] for one in stored} == {PASSED}
    elsewhere = tmp_path / "elsewhere"  # as on a fresh machine
    for name in (PROOF_ARCHIVE, SAMPLES_ARCHIVE):
        with tarfile.open(tmp_path / "packed" / name) as packed:
            packed.extractall(elsewhere, filter="data")
    third = rehearse(data_root, elsewhere / "out", *some)
    assert third.returncode == 0, third.stderr
    assert third.stderr == ""  # nothing is run again
    assert len(read_lines(elsewhere / "out" / "bench")) == 2


def test_mistakes_are_one_line(data_root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no stage nonsense; choose from doctor, tests,"):
        main(tmp_path, rehearse=True, only="nonsense")
    stored = '{"outcomes": [], "rehearsal": %s, "device": "another"}'
    for text, wanted in (
        (stored % "true", "was begun on another, not on a CPU"),
        (stored % "false", "holds a proof; name another --out"),
    ):
        (tmp_path / "proof.json").write_text(text)
        with pytest.raises(UsageError, match=wanted):
            main(tmp_path, rehearse=True)
    (tmp_path / "proof.json").write_text("{")
    broken = rehearse(data_root, tmp_path)
    assert (broken.returncode, broken.stdout) == (2, "")
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


@pytest.mark.slow
def test_the_loader_is_compared_on_a_cpu_too(capsys: pytest.CaptureFixture[str]) -> None:
    compare_loaders(device="cpu", models="v0", turns=2, turn=0.02)
    rate, resident, ratio, *busy = capsys.readouterr().out.splitlines()[1].split()[1:]
    assert float(ratio) > 0
    assert min(float(figure.replace(",", "")) for figure in (rate, resident)) > 0
    assert busy == ["unknown", "unknown"]
