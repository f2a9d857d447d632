"""Texts that fit where they stand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.text import (
    cut,
    cut_name,
    distinct,
    json_text,
    listed,
    one_line,
    short_names,
    visible,
)


def test_names_alike_when_cut_keep_what_tells_them_apart() -> None:
    names = ["v2", "fashion_cnn (3epochs)", "fashion_cnn (30s)", "resnet50 (r1)", "resnet50 (r1_b)"]
    assert list(short_names(names, 13).values()) == [
        "v2",
        "fashio…3epoc…",
        "fashio…30s)",
        "resnet50 (r1)",
        "resnet50 (r1…",
    ]
    assert all(len(name) <= 9 for name in short_names(["n" * 30, "n" * 31], 9).values())


@pytest.mark.parametrize(
    ("texts", "most", "between", "text"),
    [
        ("", None, None, ""),
        ("a", None, None, "a"),
        ("ab", None, None, "a and b"),
        ("abc", None, None, "a, b and c"),
        ("abcd", 3, None, "a, b, c and d"),
        ("abcde", 3, None, "a, b, c and 2 more"),
        ("abcd", 3, " / ", "a / b / c / d"),
        ("abcde", 3, "; ", "a; b; c; and 2 more"),
    ],
)
def test_lists_read_as_a_person_would_write_them(
    texts: str, most: int | None, between: str | None, text: str
) -> None:
    assert listed(texts, most, between) == text


def test_values_are_named_once_and_what_is_unknown_not_at_all() -> None:
    assert distinct([0, "b", None, "", 0, "0", False, "b"]) == ["0", "b", "False"]


def test_a_text_of_any_length_leaves_a_letter_and_a_mark() -> None:
    assert [cut("models", most) for most in (1, 2, 5, 60)] == ["m…", "m…", "mode…", "models"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x/[red]:locked: \\ ü 网 é", "x/[red]:locked: \\ ü 网 é"),
        ("a\u202eb\u200b\ufeff\u00ad\u00a0", r"a\u202eb\u200b\ufeff\u00ad\u00a0"),
        ("a\n\t\x1b[31m\x7f\x9b", r"a\n\t\u001b[31m\u007f\u009b"),
        ("a\u3164\ufe0f\u034f\U000e0101", r"a\u3164\ufe0f\u034f\udb40\udd01"),  # Python prints them
        ("\udcff", r"\udcff"),  # a byte of a file's name that is no UTF-8
    ],
)
def test_what_steers_a_terminal_or_is_not_seen_is_written_as_json_does(
    text: str, shown: str
) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown
    assert json.loads(json_text([text.replace("\udcff", "")])) == [text.replace("\udcff", "")]
    assert json_text([text.replace("\udcff", "")]).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("sentence", "line"),
    [
        ("it \x1b[1;31mbroke\x1b[0m\n  at  once\t!\r\n", "it broke at  once !"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x1b]0;title\x07", "link"),
        ("cut \x1b[31", r"cut \u001b[31"),
        ("\u202ereversed\x00", r"\u202ereversed\u0000"),
        (" \n ", ""),
    ],
)
def test_a_sentence_loses_colours_and_line_breaks_alone(sentence: str, line: str) -> None:
    assert one_line(sentence) == line


@pytest.mark.parametrize("characters", [12, 26, 40])
def test_no_two_names_are_alike_when_cut(characters: int) -> None:
    path = "a_file_with_many_networks_in_it.py:"
    names = [f"{path}Residual{kind}Network" for kind in ("A", "B", "ABC")]
    names += [f"{path}{number}{'x' * 60}{end}" for number in range(3) for end in "yz"]
    names += [f"{path}{'x' * 50}{number}{'y' * 50}" for number in range(9)]
    short = short_names(names, characters)
    assert len(set(short.values())) == len(names)
    assert max(map(len, short.values())) <= characters


def test_a_long_name_keeps_its_file_and_what_is_called_in_it() -> None:
    assert cut_name("a_file_of_networks.py:Residual", 20) == "a_file_of…y:Residual"
    assert cut_name("net.py:Net", 10) == "net.py:Net"


@given(st.text())
def test_any_text_can_be_shown_and_is_not_changed_twice(text: str) -> None:
    for shown in (visible, one_line):
        once = shown(text)
        assert once.isprintable()
        assert shown(once) == once


@given(
    st.lists(st.text("ab1/.#…", max_size=40), unique=True, min_size=1, max_size=12),
    st.integers(12, 30),
)
def test_no_two_of_any_names_are_alike_when_cut(names: list[str], characters: int) -> None:
    short = short_names(names, characters)
    assert len(set(short.values())) == len(names)
    assert max(map(len, short.values())) <= characters


def test_names_of_a_grid_are_cut_to_the_values_of_their_settings() -> None:
    """Twelve lanes of a chart that are all called `v0 (optimizer=...`, or a number alone."""
    names = [f"v0 (optimizer={o}, batch_size={b})" for o in ("sgd", "adamw") for b in (32, 128)]
    assert list(short_names(names, 20).values()) == [
        *("v0 (sgd, 32)", "v0 (sgd, 128)", "v0 (adamw, 32)", "v0 (adamw, 128)")
    ]
    assert list(short_names(names, 60).values()) == names
