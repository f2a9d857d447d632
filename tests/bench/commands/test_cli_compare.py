"""`compare` on the command line: what its options mean, whom the verdict names, hostile names.

tests/freeze holds the verdicts and their exit codes, and the refusals of unknown words.
"""

import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from results import RunRecord
from tests.command_line import Finished, assert_refused
from tests.results.compare.compare_by_hand import SEEDS, runs
from tests.results.records_by_hand import make_record

Compare = Callable[..., Finished]
Write = Callable[[str, Sequence[RunRecord]], Path]
SLOWER = runs(seconds=(4.0, 4.01, 4.02))


@pytest.fixture
def compare(cli: Callable[..., Finished]) -> Compare:
    return partial(cli, "compare")


@pytest.fixture
def base(write: Write) -> Path:
    return write("monday", runs())


def verdict_of(done: Finished) -> dict[str, Any]:
    verdict: dict[str, Any] = json.loads(done.stdout)
    assert (verdict["exit_code"], done.stderr) == (done.returncode, "")
    return verdict


def test_the_verdict_names_both_sides_and_can_be_traced(
    compare: Compare, base: Path, write: Write
) -> None:
    head = write("tuesday", runs(commit="f" * 40))
    verdict = verdict_of(compare(base, head / "records.jsonl", "--format", "json"))
    assert verdict["base"] == {"revision": "monday", "commit": "0123456789abcdef", "subject": ""}
    assert verdict["head"] == {"revision": "tuesday", "commit": "f" * 40, "subject": ""}
    ids = verdict["measured"]["record_ids"]["v0"]
    assert ids["head"] == [run.record_id for run in runs(commit="f" * 40)]
    sides = shlex.join([str(base), f"{head}/records.jsonl"])
    assert verdict["command"] == f"fmnist-bench compare {sides} --threshold 0.1 --margin 0.01"


def test_records_of_several_commits_have_no_commit_of_their_own(
    compare: Compare, base: Path, write: Write
) -> None:
    mixed = runs(SEEDS[:2]) + runs(SEEDS[2:], first_seed=2, commit="f" * 40)
    verdict = verdict_of(compare(base, write("mixed", mixed), "--format", "json"))
    assert verdict["head"]["commit"] == ""
    assert verdict["notes"] == [
        "head: runs of 2 commits together (0123456789 and ffffffffff)",
        "2 records are both in the base and the head",
    ]


def test_folders_of_one_name_are_called_by_their_paths(
    compare: Compare, base: Path, write: Write
) -> None:
    other = write("earlier/monday", runs())
    verdict = verdict_of(compare(base, other, "--format", "json"))
    assert [verdict[side]["revision"] for side in ("base", "head")] == [str(base), str(other)]


def test_records_of_two_machines_are_compared_under_one_name(
    compare: Compare, write: Write
) -> None:
    """Would catch `nothing to compare` where a CI's checkout lies in another folder."""
    done = compare(
        write("ours", runs(model="/home/a/net.py:Net")),
        write("theirs", runs(model="/home/b/net.py:Net")),
    )
    assert done.returncode == 0
    assert (
        done.stderr
        == "/home/b/net.py:Net of the head is taken for /home/a/net.py:Net of the base\n"
    )
    assert "net.py:Net" in done.stdout


def test_the_margin_decides(compare: Compare, base: Path, write: Write) -> None:
    head = write("head", runs((0.885, 0.888, 0.886)))
    codes = [
        compare(base, head, "--format", "json", "--margin", margin).returncode
        for margin in ("0.01", "0.02")
    ]
    assert codes == [1, 0]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--threshold", "10"), "--threshold is a fraction between 0 and 1, not 10; write 0.1 for"),
        (("--threshold", "0"), "--threshold is a fraction between 0 and 1, not 0; write for ex"),
        (("--threshold", "nan"), "not nan; write for example 0.1"),
        (("--margin", "1"), "--margin is a fraction between 0 and 1, not 1; write 0.01 for 1 %"),
    ],
)
def test_mistakes_are_one_line(
    compare: Compare, base: Path, words: tuple[str, ...], wanted: str
) -> None:
    assert_refused(compare(base, base, *words), wanted)


def test_a_verdict_is_written_to_a_folder(compare: Compare, base: Path, write: Write) -> None:
    done = compare(base, write("head", SLOWER), "--out", base.parent / "verdict")
    assert (done.returncode, done.stderr) == (1, "")
    assert "v0 is 100.5 % slower a step" in done.stdout
    written = json.loads((base.parent / "verdict" / "verdict.json").read_bytes())
    assert written["verdict"] == "regression"


def test_the_help_names_the_smallest_change_that_one_process_can_show(compare: Compare) -> None:
    help_text = " ".join(compare("--help").stdout.split())
    assert "a change of speed below 49 % cannot be seen" in help_text


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are UTF-8")
def test_a_folder_whose_name_is_no_utf8_is_compared(
    compare: Compare, base: Path, write: Write
) -> None:
    head = write(os.fsdecode(b"x\xffy"), SLOWER)
    done = compare(base, head, "--format", "json", "--out", base.parent / "out")
    assert (done.returncode, verdict_of(done)["head"]["revision"]) == (1, "x?y")
    for fmt in ("rich", "markdown"):
        done = compare(base, head, "--format", fmt)
        assert (done.returncode, done.stderr) == (1, "")


def test_names_in_records_and_folders_start_no_command_of_github(
    compare: Compare, write: Write
) -> None:
    hostile = "v0\n::error title=x::pwned\x1b[31m"
    folders = [
        write(f"{name}\n::error::x", runs(model=hostile, seconds=(second,) * 3))
        for name, second in (("a", 2.0), ("b", 4.0))
    ]
    for fmt in ("rich", "markdown"):
        lines = compare(*folders, "--format", fmt).stdout.splitlines()
        assert not [line for line in lines if line.startswith("::") or "\x1b" in line]
    assert sum(line.startswith("again: ") for line in compare(*folders).stdout.splitlines()) == 1


def test_a_failure_reads_as_words_and_a_new_model_is_called_new(
    compare: Compare, base: Path, write: Write
) -> None:
    full = make_record("v1", status="out_of_memory", reason="96 GiB")
    before = write("before", [*runs(commit="e" * 16), full])
    after = write("after", [*runs(), full, *runs(model="v9")])
    done = compare(before, after)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("No regression: 1 model, nothing ")
    assert done.stdout.splitlines()[0].endswith("; 1 new")
    assert "skipped: finished seeds of v1 (on both sides: out of memory: 96 GiB)" in done.stdout
    assert "new, with nothing to be compared with: v9" in done.stdout
    assert "purpose" not in done.stdout


def test_what_speed_is_worse_by_is_a_line_of_a_table(
    compare: Compare, base: Path, write: Write
) -> None:
    head = write("head", SLOWER)
    lines = compare(base, head).stdout.splitlines()
    (speed,) = [line for line in lines if line.startswith("worse") and "seconds a step" in line]
    assert speed.endswith("%, needs +56.6 % (3 + 3 runs)")
    assert max(map(len, lines[:8])) <= 120
    assert [line for line in lines if line.startswith("model ") and " energy " in line]
