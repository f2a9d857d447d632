"""A gate in words: its first line, values with their units, changes, what was skipped."""

from typing import Any

import pytest

from results.gate.markdown import summary_markdown
from results.gate.verdict import Commit, Finding
from results.gate.words import change_text, claim, described, headline, notes, place, value_text
from tests.results.gate.verdicts_by_hand import (
    accuracy,
    count,
    equal,
    finding,
    make_verdict,
    memory,
    speed,
)


@pytest.mark.parametrize(
    ("findings", "line"),
    [
        ([], "Nothing to compare: no check was made"),
        ([speed("v2", "worse", 0.01148)], "Regression: v2 is 14.8 % slower a step"),
        ([accuracy("v2", "worse", -0.021)], "Regression: v2 is 2.10 points less accurate"),
        ([memory("v2", "worse", 60)], "Regression: v2 takes 25.0 % more memory"),
        (
            [count("v2", "graph breaks", "worse", 0, 3)],
            "Regression: v2, graph breaks: from 0 to 3",
        ),
        (
            [speed("v0", "unclear", 0.013), speed("v2", "worse", 0.02)],
            "Regression: v2 is 100.0 % slower a step; besides, 1 unclear",
        ),
        (
            [speed("v0", "unclear", 0.0107, "control +6.1 %"), speed("v2", "same", 0.01)],
            "Inconclusive: v0, seconds a step: from 10.0 ms to 10.7 ms (+7.0 %), control +6.1 %; "
            "nothing is worse in 1 other model",
        ),
        (
            [speed(name, "same", 0.01) for name in ("v0", "v1", "v2")],
            "No regression: 3 models, nothing slower",
        ),
        (
            [speed("v0", "same", 0.01), accuracy("v0", "same", 0), memory("v0", "same", 48)],
            "No regression: 1 model, nothing slower, less accurate or larger",
        ),
        (
            [equal("v0", 12), equal("v0, plan compile", 3), equal("epoch, ragged batch kept", 3)],
            "No regression: 1 model, nothing larger",
        ),
        (
            [speed("v0", "skipped", 0.01)],
            "Nothing to compare: no check was made, 1 check skipped",
        ),
    ],
)
def test_the_first_line_says_what_matters(findings: list[Finding], line: str) -> None:
    assert ": ".join(headline(make_verdict(findings))) == line
    name, _, text = line.partition(": ")
    assert summary_markdown(make_verdict(findings)).splitlines()[0] == f"**{name}**: {text}"


def test_the_gravest_is_said_first_and_the_rest_is_counted() -> None:
    findings = [count(f"v{n}", "FLOPs a step", "worse", 10, 20) for n in range(3)]
    findings += [speed("v0", "worse", 0.012), speed("v1", "worse", 0.02)]
    said = headline(make_verdict(findings))[1].split("; ")
    assert said[:2] == ["v1 is 100.0 % slower a step", "v0 is 20.0 % slower a step"]
    assert said[3:] == ["and 2 more"]


@pytest.mark.parametrize(
    ("check", "value", "text"),
    [
        ("speed", 0.000186, "186 us"),
        ("speed", 0.0141, "14.1 ms"),
        ("speed", 1.234, "1.23 s"),
        ("speed", 0.0, "0.00 ms"),
        ("accuracy", 0.91234, "91.23 %"),
        ("memory", 48 * 2**20, "48.0 MiB"),
        ("counts", 53_296_320, "53,296,320"),
        ("run", 0.5, "0.5"),
        ("counts", None, "-"),
        ("speed", float("nan"), "-"),
        ("memory", float("inf"), "-"),
    ],
)
def test_values_wear_their_units(check: Any, value: float | None, text: str) -> None:  # noqa: ANN401
    assert value_text(finding(check, "v0", "x"), value) == text


@pytest.mark.parametrize(
    ("check", "change", "text"),
    [
        ("speed", 0.148, "+14.8 %"),
        ("speed", -0.0001, "+0.0 %"),
        ("speed", 12.345, "+1,234 %"),
        ("counts", -0.5, "-50.0 %"),
        ("accuracy", -0.021, "-2.10 points"),
        ("accuracy", -0.000001, "+0.00 points"),
        ("accuracy", 0.123, "+12.3 points"),
        ("memory", None, "-"),
        ("speed", float("inf"), "-"),
    ],
)
def test_changes_have_a_sign_and_never_a_negative_zero(
    check: Any,  # noqa: ANN401
    change: float | None,
    text: str,
) -> None:
    found = Finding(check=check, model="v0", quantity="x", outcome="same", change=change)
    assert change_text(found) == text


def test_a_value_that_only_one_side_has_is_said() -> None:
    for base, head, values in ((None, 3, ": now 3"), (3, None, ": was 3"), (None, None, "")):
        found = finding("counts", "v0", "graph breaks", base=base, head=head)
        assert described(found) == f"v0, graph breaks{values}"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (speed("v2", "better", 0.0082), "v2 is 18.0 % faster a step"),
        (accuracy("v2", "better", 0.01), "v2 is 1.00 points more accurate"),
        (memory("v2", "better", 24), "v2 takes 50.0 % less memory"),
        (
            finding("speed", "v2", "seconds to compile", base=1.0, head=2.0),
            "v2, seconds to compile: from 1.00 s to 2.00 s (+100.0 %)",
        ),
    ],
)
def test_what_is_better_or_of_another_quantity_is_claimed(found: Finding, said: str) -> None:
    assert claim(found) == said


def test_skipped_checks_are_one_line() -> None:
    skipped = [
        finding("accuracy", f"v{n}", "accuracy", "skipped", evidence="--quick") for n in range(6)
    ]
    lines = notes(make_verdict(skipped, notes=["a\nnote"]))
    assert lines == ["a note", "skipped: accuracy of v0, v1, v2 and 3 more (--quick)"]


def test_a_new_row_is_new_and_neither_compared_nor_changed_on_purpose() -> None:
    new = finding("run", "v9", "seeds", "skipped", evidence="new")
    verdict = make_verdict([speed("v0", "same", 0.01), new])
    assert ": ".join(headline(verdict)) == "No regression: 1 model, nothing slower; 1 new"
    assert notes(verdict) == ["new, with nothing to be compared with: v9"]


def test_the_place_is_told_as_far_as_it_is_known() -> None:
    unknown = make_verdict([], environment={}, seconds=None, head=Commit("x", "x" * 40, ""))
    assert place(unknown) == ('base main = 0123456789 "Faster gathers"; head xxxxxxxxxx.')
