"""A verdict on a terminal, held by golden text: it fits, and breaks no word."""

import pytest

from results.gate.tables import render_verdict, verdict_notes
from results.gate.verdict import Verdict
from results.gate.words import headline
from tests.golden_text import assert_golden, shown
from tests.results.gate.verdicts_by_hand import (
    HOSTILE,
    MANY,
    NONE,
    REGRESSION,
    VERDICTS,
    count,
    equal,
    finding,
    make_verdict,
    speed,
)


def drawn(verdict: Verdict, width: int) -> str:
    """First line, tables and lines below, without blanks at the ends of lines."""
    tables = shown(render_verdict(verdict, width=width), width=width).splitlines()
    parts = [": ".join(headline(verdict)), "", *tables, "", *verdict_notes(verdict)]
    return "".join(f"{line}\n" for line in parts)


def tables_of(verdict: Verdict, width: int) -> list[str]:
    end = -1 - len(verdict_notes(verdict))
    return drawn(verdict, width).splitlines()[2:end]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_verdict_looks_as_it_should(width: int) -> None:
    assert_golden(f"gate_regression_{width}.txt", drawn(REGRESSION, width))


@pytest.mark.parametrize("width", [40, 52, 80, 120, 200])
@pytest.mark.parametrize("name", ["regression", "slower", "good", "unusable", "none"])
def test_tables_fit_and_break_no_word(name: str, width: int) -> None:
    verdict = VERDICTS[name]
    lines = tables_of(verdict, width)
    assert max(map(len, lines)) <= width
    shortened = [line for line in lines if "…" in line]
    assert len(shortened) <= 1  # the name of a row of counts
    assert all(line.startswith("epoch") for line in shortened)
    words = {word for line in lines for word in line.split()}
    troubles = verdict.of("worse", "unusable", "unclear")
    assert {word.strip(":,()") for f in troubles for word in f.evidence.split()} <= {
        word.strip(":,()") for word in words
    }


@pytest.mark.parametrize("width", [44, 60])
def test_a_number_stays_with_its_unit(width: int) -> None:
    lines = tables_of(REGRESSION, width)
    assert not [line for line in lines if line.strip().startswith(("%", "ms", "MiB", "points"))]


def test_names_alike_when_cut_are_told_apart() -> None:
    paths = [f"my/long/path/to/some_network_file.py:Net{n}" for n in (1, 2)]
    lines = tables_of(make_verdict([speed(path, "same", 0.01) for path in paths]), 80)
    names = [line.split()[0] for line in lines[-2:]]
    assert names[0] != names[1]
    assert all("…" in name for name in names)


def test_energy_has_a_column() -> None:
    hungry = finding("energy", "v0", "joules an image", base=2.0, head=3.0)
    assert "+50.0 %" in tables_of(make_verdict([hungry, speed("v0", "same", 0.01)]), 80)[-1]


def test_a_good_verdict_without_numbers_says_no_more_than_its_first_line() -> None:
    ended = finding("run", "v0", "finished seeds", "better")
    assert "no numbers" not in drawn(make_verdict([ended]), 80)
    assert "no numbers" in drawn(NONE, 80)


def test_hundreds_of_findings_are_cut_and_counted() -> None:
    lines = tables_of(MANY, 120)
    assert "260 more; verdict.json has them all" in lines
    assert len([line for line in lines if line.startswith("worse")]) == 40
    below = verdict_notes(MANY)
    assert len([line for line in below if line.startswith("changed on purpose: ")]) == 300


@pytest.mark.parametrize("width", [40, 120])
def test_names_cannot_steer_a_terminal(width: int) -> None:
    text = drawn(HOSTILE, width)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert max(map(len, tables_of(HOSTILE, width))) <= width


def test_what_is_worse_is_red_on_a_terminal() -> None:
    text = shown(render_verdict(REGRESSION, width=120), width=120, colours="standard")
    assert "\x1b[1;31mworse\x1b[0m" in text


def test_better_counts_are_told_too() -> None:
    fewer = [count("v2", "kernels a step", "better", 9, 5), equal("v2, plan compile", 3)]
    assert "1 better" in tables_of(make_verdict([*fewer, speed("v2", "same", 0.01)]), 80)[-1]
