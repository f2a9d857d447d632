"""Texts that fit where they stand."""

import pytest

from results.text import cut, distinct, listed, short_names


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
