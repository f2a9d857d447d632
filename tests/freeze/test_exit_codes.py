"""Every exit code of every command, as promises.md has them, and what goes with it.

An answer has something on stdout and nothing on stderr. A refusal has one line on stderr and
nothing on stdout; the words wanted of it hold the choices that a user is offered. Codes that take a
training, a signal or two commits are held by the tests named in `HELD_ELSEWHERE`.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line import REPOSITORY, Finished, assert_refused

Say = Callable[..., Finished]
COMMANDS = tuple(json.loads((Path(__file__).parent / "options.json").read_text(encoding="utf-8")))
PROMISED = {
    "run": {0, 1, 2, 129, 130, 143},
    "table": {0, 2, 4},
    "choose": {0, 2, 4},
    "compare": {0, 1, 2, 3, 4},
    "gate": {0, 1, 2, 3, 4, 129, 130, 143},
    "report": {0, 2, 4},
    "list": {0, 2},
    "doctor": {0, 2},
    "predict": {0, 2},
}
SIGNALS = (
    "tests/bench/sweep/test_cli_signals.py::"
    "test_a_signal_ends_with_its_code_and_the_table_of_what_there_is"
)
GATE = "tests/bench/gate/test_cli_gate.py"
GATE_ENDS = "tests/bench/gate/test_cli_gate_ends.py"
STOPPED_GATE = f"{GATE_ENDS}::test_a_gate_that_is_stopped_leaves_no_worktree_and_no_process"
HELD_ELSEWHERE = {
    ("run", 0): "tests/bench/commands/test_cli_run.py::"
    "test_a_sweep_ends_well_and_prints_its_table_on_stdout",
    ("run", 1): "tests/bench/workers/test_isolation.py::"
    "test_every_run_is_recorded_and_the_sweep_ends_with_1",
    ("run", 129): SIGNALS,
    ("run", 130): SIGNALS,
    ("run", 143): SIGNALS,
    ("gate", 0): f"{GATE}::test_equal_commits_end_with_0_and_leave_everything_behind",
    ("gate", 1): f"{GATE}::test_a_head_that_is_worse_ends_with_1_and_is_named",
    ("gate", 3): f"{GATE}::test_a_base_that_differs_from_itself_ends_with_3",
    ("gate", 4): f"{GATE}::test_a_broken_base_ends_with_4",
    ("gate", 129): STOPPED_GATE,
    ("gate", 130): STOPPED_GATE,
    ("gate", 143): STOPPED_GATE,
    ("predict", 0): "tests/bench/commands/test_predict.py::"
    "test_a_model_trained_on_test_images_is_told_apart",
}
THREE_EPOCHS, HALF_A_MINUTE = "cpu-default-3epochs.jsonl", "cpu-default-30s.jsonl"
ANSWERED = [
    ("table few.jsonl", 0),
    ("table crashed.jsonl", 0),
    ("choose few.jsonl", 0),
    ("choose few.jsonl --max-seconds 5", 4),
    ("choose crashed.jsonl", 4),
    (f"compare {THREE_EPOCHS} {THREE_EPOCHS}", 0),
    (f"compare {THREE_EPOCHS} worse.jsonl", 1),
    (f"compare {THREE_EPOCHS} slower.jsonl", 3),
    (f"compare {THREE_EPOCHS} slower.jsonl --threshold 0.9", 0),
    ("compare crashed.jsonl crashed.jsonl", 4),
    ("report crashed.jsonl --out {tmp}/page.html", 0),
    ("list", 0),
    ("doctor", 2),  # no data where the tests call it
]
REFUSED = [
    ("frobnicate", 2, "No such command 'frobnicate'"),
    ("run --models nope", 2, "choose from v0, v1, v2, fashion_cnn, alexnet, resnet4, resnet8, "),
    ("run --budget 3parsecs", 2, "3epochs, 5000steps, 180000images, 60s, 5min, 2e15flops, 500J"),
    ("run --recipe nope", 2, "choose from default, classic, r0_resnet4, r0_alexnet, r1_resnet50, "),
    ("run --recipe published --protocol nope", 2, "choose from clean, as_published"),
    ("run --precision fp64", 2, "choose from auto, fp32, tf32, bf16, fp16"),
    ("run --plan warp", 2, "choose from auto"),
    ("run --resume", 2, "there is no run in results/runs to resume"),
    ("table", 2, "no run in results/runs; make one with `fmnist-bench run`"),
    ("table nowhere", 2, "no records in nowhere"),
    ("table killed-sweeps.jsonl", 2, "killed-sweeps.jsonl, line 1: no run record: lacks schema_"),
    ("table few.jsonl --format x", 2, "choose from rich, markdown, csv, json, latex, parquet"),
    ("table few.jsonl --by x", 2, "choose from model, commit, plan, published"),
    ("table few.jsonl --sort x", 2, "choose from model, status, reason, flags, n_seeds, "),
    ("table few.jsonl --by published", 2, "no run of a reference system by its own recipe"),
    ("table ladder-cpu-batch32.jsonl --by plan", 2, "a ladder is in the order of its rungs"),
    (f"table {HALF_A_MINUTE} {THREE_EPOCHS}", 4, "not comparable: budget is 30s for"),
    ("choose", 2, "no run in results/runs"),
    ("choose few.jsonl --format csv", 2, "choose from rich, json"),
    (
        "choose few.jsonl --by x",
        2,
        "choose from accuracy, accuracy-per-second, accuracy-per-joule, time-to-target",
    ),
    (
        "choose few.jsonl --by time-to-target --target 9",
        2,
        "choose from 0.80, 0.85, 0.90, 0.92, 0.94",
    ),
    (f"choose {HALF_A_MINUTE} {THREE_EPOCHS}", 4, "not comparable: budget is 30s for"),
    ("compare few.jsonl", 2, "Missing argument"),
    ("compare few.jsonl few.jsonl --format csv", 2, "choose from rich, markdown, json"),
    ("compare few.jsonl few.jsonl --threshold 10", 2, "--threshold is a fraction between 0 and 1"),
    (f"compare {HALF_A_MINUTE} {THREE_EPOCHS}", 4, "not comparable: "),
    ("gate", 2, "Missing option"),
    ("gate --base HEAD", 2, "run it in a git checkout"),
    ("gate --base HEAD --checks beauty", 2, "choose from counts, speed, quality"),
    ("report nowhere", 2, "no records in nowhere"),
    ("report few.jsonl --figure-format gif", 2, "choose from svg, png"),
    (f"report {HALF_A_MINUTE} {THREE_EPOCHS}", 4, "not comparable: budget is 30s for"),
    ("predict", 2, "Missing argument"),
    ("predict v0.pt", 2, "name image files, or ask for --mistakes N"),
    ("predict v9 shoe.png", 2, "there is no file v9, and no such model is provided; there are "),
    ("predict v9 shoe.png --format csv", 2, "choose from rich, json"),
    ("predict v9 shoe.png --invert maybe", 2, "auto, yes, no"),
    *((f"{command} --frobnicate", 2, "No such option: --frobnicate") for command in COMMANDS),
]


@pytest.mark.parametrize(("line", "code"), ANSWERED)
def test_an_answer(say: Say, tmp_path: Path, line: str, code: int) -> None:
    finished = say(*line.format(tmp=tmp_path).split())
    assert (finished.returncode, finished.stderr) == (code, ""), finished.stderr
    assert finished.stdout


@pytest.mark.parametrize(("line", "code", "words"), REFUSED)
def test_a_refusal(say: Say, line: str, code: int, words: str) -> None:
    assert_refused(say(*line.split()), words, exit_code=code)


@pytest.mark.slow  # seconds of measuring what the machine can do, a second time
def test_a_machine_that_has_all_is_well(say: Say, data_root: Path) -> None:
    finished = say("doctor", "--data", data_root.resolve())
    assert (finished.returncode, finished.stderr) == (0, ""), finished.stdout


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_no_mistake(say: Say, command: str) -> None:
    finished = say(*command.split(), "--help")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert f"Usage: fmnist-bench {command}".rstrip() in finished.stdout


def test_no_arguments_are_a_call_for_help(say: Say) -> None:
    alone, helped = say(), say("--help")
    assert (alone.returncode, alone.stdout, alone.stderr) == (0, helped.stdout, "")


def test_every_promised_code_of_every_command_is_held_somewhere() -> None:
    here = {(line.split()[0], code) for line, code in ANSWERED}
    here |= {(line.split()[0], code) for line, code, _ in REFUSED} | {("doctor", 0)}
    held = here | HELD_ELSEWHERE.keys()
    assert {name: {code for one, code in held if one == name} for name in COMMANDS} == PROMISED


@pytest.mark.parametrize("name", sorted(set(HELD_ELSEWHERE.values())))
def test_the_tests_that_hold_the_others_are_there(name: str) -> None:
    file, _, function = name.partition("::")
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {function}\(", text, re.MULTILINE)
