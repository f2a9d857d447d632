"""What `table`, `choose`, `compare` and `list` write of the published records, to the byte.

Of each kind of table there are as many records as a person would still read a difference of.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line import Finished
from tests.golden_text import assert_golden

Say = Callable[..., Finished]
FOLDER = Path(__file__).parent / "tables"
JSON = "--format json"
CLASSIC, THREE_EPOCHS = "cpu-classic-3epochs.jsonl", "cpu-default-3epochs.jsonl"
AS_PUBLISHED = "published-cpu-as-published.jsonl"
WRITTEN = {  # the file that holds stdout, the command line and its exit code
    "list.txt": ("list", 0),
    "table.txt": (f"table {CLASSIC}", 0),
    "table.csv": (f"table {CLASSIC} --format csv", 0),
    "table.md": (f"table {CLASSIC} --format markdown", 0),
    "table.tex": (f"table {CLASSIC} --format latex", 0),
    "table-classic.json": (f"table {CLASSIC} {JSON}", 0),
    "table-default-30s.json": (f"table cpu-default-30s.jsonl {JSON}", 0),
    "table-default-3epochs.json": (f"table {THREE_EPOCHS} {JSON} --sort train_time_s", 0),
    "table-failed.json": (f"table worse.jsonl {JSON}", 0),
    "table-rates.json": (f"table cpu-r0-resnet4-rates.jsonl {JSON}", 0),
    "table-mixed.json": (f"table {AS_PUBLISHED} {JSON} --mixed", 0),
    "plans.json": (f"table {CLASSIC} cpu-classic-3epochs-step.jsonl --by plan {JSON}", 0),
    "history.json": (f"table {THREE_EPOCHS} worse.jsonl --by commit {JSON}", 0),
    "history.csv": (f"table {THREE_EPOCHS} worse.jsonl --by commit --format csv", 0),
    "history.txt": (f"table {THREE_EPOCHS} worse.jsonl --by commit", 0),
    "ladder.json": (f"table ladder-cpu-batch32.jsonl {JSON}", 0),
    "ladder.txt": ("table ladder-cpu-batch32.jsonl", 0),
    "published.json": (f"table {AS_PUBLISHED} --by published {JSON}", 0),
    "published.md": (f"table {AS_PUBLISHED} --by published --format markdown", 0),
    "published-60s.json": (f"table published-cpu-60s.jsonl --by published {JSON}", 0),
    "choice.json": (f"choose cpu-default-30s.jsonl {JSON}", 0),
    "choice.txt": (f"choose {THREE_EPOCHS}", 0),
    "choice-soonest.json": (f"choose {THREE_EPOCHS} --by time-to-target --target 0.85 {JSON}", 0),
    "choice-limits.json": (
        f"choose {THREE_EPOCHS} --max-seconds 20 --min-accuracy 0.8 --max-memory 100MiB "
        f"--max-params 1M --by accuracy-per-second {JSON}",
        0,
    ),
    "choice-none.json": (f"choose few.jsonl --max-seconds 5 {JSON}", 4),
    "choice-mixed.json": (f"choose {AS_PUBLISHED} --mixed {JSON}", 0),
    "comparison-same.json": (f"compare {THREE_EPOCHS} {THREE_EPOCHS} {JSON}", 0),
    "comparison-worse.json": (f"compare {THREE_EPOCHS} worse.jsonl {JSON}", 1),
    "comparison-worse.txt": (f"compare {THREE_EPOCHS} worse.jsonl", 1),
    "comparison-worse.md": (f"compare {THREE_EPOCHS} worse.jsonl --format markdown", 1),
    "comparison-unclear.json": (f"compare {THREE_EPOCHS} slower.jsonl {JSON} --margin 0.02", 3),
    "comparison-better.json": (f"compare worse.jsonl {THREE_EPOCHS} {JSON} --threshold 0.2", 0),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_is_what_it_was(say: Say, name: str) -> None:
    line, code = WRITTEN[name]
    finished = say(*line.split())
    assert (finished.returncode, finished.stderr) == (code, ""), finished.stderr
    assert_golden(name, finished.stdout, FOLDER)


def test_each_file_is_the_output_of_a_command() -> None:
    assert {path.name for path in FOLDER.iterdir()} == WRITTEN.keys()
