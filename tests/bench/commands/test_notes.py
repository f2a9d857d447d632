"""A terminal table ends in at most six lines, failures first; `--notes` prints all of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.commands.table import show
from bench.shell import print_rich
from tests.bench.ladder.ladder_by_hand import make_ladder
from tests.command_line import Finished
from tests.results.records_by_hand import make_record, make_sweep

MANY = [f"note {number}" for number in range(1, 10)]


def below(out: str) -> list[str]:
    return out.rpartition("\n\n")[2].splitlines()


@pytest.mark.parametrize(
    ("notes", "all_notes", "again", "wanted"),
    [
        (MANY[:6], False, "", MANY[:6]),
        (MANY[:7], False, "", [*MANY[:5], "2 more notes: add --notes"]),
        (MANY, True, "", MANY),
        (MANY[:5], False, "again: it", [*MANY[:5], "again: it"]),
        (MANY[:6], False, "again: it", [*MANY[:4], "2 more notes: add --notes", "again: it"]),
        (MANY, True, "again: it", [*MANY, "again: it"]),
    ],
)
def test_at_most_six_lines_stand_below_a_table(
    notes: list[str],
    all_notes: bool,
    again: str,
    wanted: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rich("table", notes, above=["above"], all_notes=all_notes, again=again)
    out = capsys.readouterr().out
    assert below(out) == wanted
    assert out.startswith("above\n\ntable\n\n")


def test_failures_and_their_reasons_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    show(make_sweep())
    short = below(capsys.readouterr().out)
    show(make_sweep(), notes=True)
    whole = below(capsys.readouterr().out)
    assert len(short) == 6
    assert short[:5] == whole[:5]
    assert short[5] == f"{len(whole) - 5} more notes: add --notes"
    assert [line.startswith("failed: ") for line in whole] == [True] * 3 + [False] * 9


def test_many_failures_do_not_hide_that_rows_are_not_comparable(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = [make_record(f"m{k}", status="crashed", reason=f"reason {k}") for k in range(9)]
    records = [make_record("v0"), make_record("v1", spec={"budget": "60s"}), *failed]
    show(records, mixed=True)
    first, second, *_ = below(capsys.readouterr().out)
    assert first.startswith("Not comparable: budget is 3epochs for v0 but 60s for v1")
    assert second.startswith("failed: m0: crashed: reason 0")


def test_what_a_ladder_comes_to_stands_above_it(capsys: pytest.CaptureFixture[str]) -> None:
    show(make_ladder(), notes=True)
    out = capsys.readouterr().out
    assert out.startswith("v2: step is 4.00x the DataLoader loop")
    assert len(below(out)) == 5


@pytest.mark.parametrize("command", ["table", "choose", "compare"])
def test_the_option_shows_what_is_left_out(
    command: str, cli: Callable[..., Finished], write: Callable[..., Path]
) -> None:
    folders = [write("run", make_sweep())] * (2 if command == "compare" else 1)
    short, whole = (below(cli(command, *folders, *option).stdout) for option in ((), ("--notes",)))
    assert len(short) <= 6
    assert (len(short) < len(whole)) == any(line.endswith("add --notes") for line in short)
