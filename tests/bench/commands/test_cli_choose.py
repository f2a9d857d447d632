"""`choose` on the command line: what its options mean, and what stands beside the answer.

tests/freeze holds the answers themselves, and the refusals of unknown words.
"""

import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from results import RunRecord
from tests.bench.ladder.ladder_by_hand import make_ladder
from tests.command_line import REPOSITORY, Finished, assert_refused
from tests.results.records_by_hand import make_record, make_sweep, make_values, with_measured

HALF_A_MINUTE = REPOSITORY / "results" / "tables" / "cpu-default-30s.jsonl"
Choose = Callable[..., Finished]
Write = Callable[[str, Sequence[RunRecord]], Path]


@pytest.fixture
def choose(cli: Callable[..., Finished]) -> Choose:
    return partial(cli, "choose")


@pytest.fixture
def sweep(write: Write) -> Path:
    return write("sweep", make_sweep())


def test_without_a_folder_the_newest_run_is_asked(choose: Choose, write: Write) -> None:
    values = make_values(0.9, 10, 7_850, 2**20)
    for age, model in enumerate(("new", "old")):
        folder = write(f"results/runs/{model}", [make_record(model, values=values)])
        os.utime(folder / "records.jsonl", (10**9 - age, 10**9 - age))
    assert choose().stdout.startswith("recommended: new\n")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), "resnet8"),
        (("--max-seconds", "1"), "fashion_cnn"),
        (("--max-memory", "100MiB"), "v0"),
        (("--max-memory", "0.5 gib"), "fashion_cnn"),
        (("--max-memory", "537MB"), "fashion_cnn"),
        (("--max-memory", str(961 * 2**20)), "resnet8"),
        (("--max-params", "7.85k"), "v0"),
        (("--max-params", "1M"), "fashion_cnn"),
        (("--max-params", "83210"), "fashion_cnn"),
        (("--max-joules", "400"), "fashion_cnn"),
        (("--min-accuracy", "0.94"), "resnet8"),
        (("--min-accuracy", "94 %"), "resnet8"),
        (("--by", "accuracy-per-second"), "v0"),
        (("--by", "accuracy-per-joule"), "v0"),
        (("--by", "time-to-target"), "fashion_cnn"),
        (("--by", "time-to-target", "--target", ".8"), "v0"),
        (("--by", "time-to-target", "--target", "0.94"), "resnet8"),
    ],
)
def test_what_is_demanded_decides(
    choose: Choose, sweep: Path, words: tuple[str, ...], wanted: str
) -> None:
    done = choose(sweep, *words, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["recommended"] == wanted


def test_the_seconds_of_the_budget_accept_every_row_trained_for_them(choose: Choose) -> None:
    done = choose(HALF_A_MINUTE, "--max-seconds", "30", "--format", "json")
    answer = json.loads(done.stdout)
    assert (len(answer["qualifying"]), answer["excluded"]) == (9, [])


@pytest.mark.parametrize("words", [(), ("--target", "0.885"), ("--target", ".8850")])
def test_runs_that_ended_at_a_target_are_chosen_by_the_time_to_it(
    choose: Choose, write: Write, words: tuple[str, ...]
) -> None:
    records = []
    for model, seconds in (("quick", 3.0), ("slow", 7.0), ("never", None)):
        spec, values = {"target": 0.885}, make_values(0.9, 9.0, 100, 100)
        record = make_record(model, values=values, spec=spec, curve=[[9.0, 1.0, 1, 0.8]])
        reached = with_measured(record, "time_to_target", "s", seconds) if seconds else record
        records.append(reached)
    done = choose(write("run", records), "--by", "time-to-target", *words, "--format", "json")
    answer = json.loads(done.stdout)
    assert (answer["recommended"], answer["runner_up"]) == ("quick", "slow")
    assert answer["objective"] == {"by": "time-to-target", "target": 0.885}
    assert answer["excluded"] == [{"model": "never", "why": "validation never 88.5 % (80.00 %)"}]


@pytest.mark.parametrize("words", [(), ("--target", "0.7333333")])
def test_a_target_of_many_digits_is_the_runs_own_too(
    choose: Choose, write: Write, words: tuple[str, ...]
) -> None:
    record = make_record("v0", values=make_values(0.9, 9.0, 1, 1), spec={"target": 0.7333333})
    run = write("run", [with_measured(record, "time_to_target", "s", 3.0)])
    done = choose(run, "--by", "time-to-target", *words)
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, "recommended: v0")
    assert "each run ended at 73.3333 % on validation or with the budget." in done.stdout


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--max-seconds", "nan"), "--max-seconds must be a positive number, not nan"),
        (("--max-joules", "0"), "--max-joules must be a positive number, not 0"),
        (("--min-accuracy", "90"), "a fraction from 0 to 1, not 90; write 0.9 for 90 %"),
        (("--min-accuracy", "-0.1"), "a fraction from 0 to 1, not -0.1; write for example 0.9"),
        (("--min-accuracy", "nan"), "a fraction from 0 to 1, not nan"),
        (("--max-memory", "500M"), "cannot read --max-memory '500M'; write for example"),
        (("--max-memory", "much"), "for example 500MB or 1.5GiB"),
        (("--max-memory", "1e999"), "--max-memory must be a positive number, not inf"),
        (("--max-params", "1Q"), "cannot read --max-params '1Q'; write for example"),
        (("--by", "speed", "--target", "0.9"), "cannot choose by 'speed'"),
        (("--target", "0.9"), "--target belongs to --by time-to-target"),
        (("--by", "time-to-target", "--target", "all"), "no time to 'all' is kept"),
    ],
)
def test_mistakes_are_one_line(
    choose: Choose, sweep: Path, words: tuple[str, ...], wanted: str
) -> None:
    assert_refused(choose(sweep, *words), wanted)


def test_what_is_not_comparable_is_labelled_where_asked_for(
    choose: Choose, sweep: Path, write: Write
) -> None:
    values = make_values(0.99, 60, 7_850, 2**20)
    other = write("other", [make_record(values=values, spec={"budget": "60s"})])
    done = choose(sweep, other, "--mixed")
    warning, first, *_ = done.stdout.splitlines()
    assert (done.returncode, first) == (0, "recommended: v0 (60s)")
    assert warning.startswith("Not comparable: budget is 60s for v0 but 3epochs for resnet8: ")


def test_ladders_are_left_out_with_a_line(choose: Choose, sweep: Path, write: Write) -> None:
    rungs = make_ladder()
    ladder = write("ladder", rungs)
    done = choose(sweep, ladder)
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, "recommended: resnet8")
    left_out = f"{len(rungs)} records of ladders left out: they compare plans, not models\n"
    assert done.stderr == left_out
    alone = choose(ladder)
    assert (alone.returncode, alone.stdout) == (4, "")
    assert alone.stderr == left_out + (
        "fmnist-bench: no ordinary run to choose from; make some with `fmnist-bench run`\n"
    )
