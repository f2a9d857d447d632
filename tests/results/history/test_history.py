"""The history of models over commits: order, changes, noise; and its text, held by golden files."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from bench.commands.table import show
from results import NotComparable, RunRecord, summarize
from results.history.rows import HISTORY_KEYS, history_rows
from results.history.table import history_footer_lines, render_history
from results.rows.rows import ROW_KEYS
from tests.golden_text import WIDTHS, assert_golden, shown
from tests.results.records_by_hand import ENVIRONMENT, make_record, make_values

NEW_TORCH = ENVIRONMENT | {"torch": "2.15.0"}
CHANGES = ("test_accuracy_change", "images_per_s_ratio", "peak_memory_ratio")


def at(
    commit: str,
    day: int,
    accuracies: Sequence[float] = (0.9,),
    model: str = "v0",
    **fields: Any,  # noqa: ANN401
) -> list[RunRecord]:
    """A seed for each accuracy, run on a day of July."""
    values = fields.pop("values", {})
    time = f"2026-07-{day:02d}T10:00:00+00:00"
    provenance = {"commit": commit * 10, "dirty": False, "time_utc": time}
    return [
        make_record(
            model,
            seed,
            values=make_values(accuracy, 2.0, 7_850, 21 * 2**20) | values,
            provenance=provenance,
            **fields,
        )
        for seed, accuracy in enumerate(accuracies)
    ]


def history(*groups: Sequence[RunRecord]) -> list[dict[str, Any]]:
    return history_rows(summarize([record for group in groups for record in group], by="commit"))


def make_history() -> list[RunRecord]:
    """Two models over five commits: noise, a gain, a slower commit, a failure, a new torch."""
    faster = {"train_time": 1.0, "peak_memory": 18.0 * 2**20}
    return [
        *at("e", 1, (0.912, 0.914, 0.913), "resnet8"),
        *at("b", 3, (0.9121, 0.9143, 0.9132), "resnet8"),
        *at("a", 5, (0.932, 0.933, 0.934), "resnet8", values=faster),
        *at("c", 9, (0.1,), "resnet8", status="crashed", reason="the child ended with signal 9"),
        *at("d", 12, (0.932, 0.934, 0.933), "resnet8", values=faster, flags=("throttled",)),
        *at("e", 1, (0.84,)),
        *at("a", 6, (0.86,)),
        *at("d", 12, (0.86, 0.861), environment=NEW_TORCH),
    ]


def drawn(records: Sequence[RunRecord], width: int) -> str:
    rows = history_rows(summarize(records, by="commit"))
    return shown(
        render_history(rows, width=width, title="Fashion-MNIST, over commits"), width=width
    )


def test_the_history_looks_as_it_should() -> None:
    for width in WIDTHS:
        text = drawn(make_history(), width)
        assert_golden(f"history_{width}.txt", text)
        assert max(map(len, text.splitlines())) <= width
        assert len(text.splitlines()) == 3 + 8  # nothing wraps


def test_the_footer_explains_the_mark() -> None:
    text = "\n".join(history_footer_lines(summarize(make_history(), by="commit"))) + "\n"
    assert_golden("history_footer.txt", text)
    assert history_footer_lines([]) == []


def test_no_records_are_said_to_be_none() -> None:
    assert drawn([], 80) == "Fashion-MNIST, over commits\nno records\n"


def test_the_keys_are_those_of_rows_and_the_changes_at_the_end() -> None:
    keys = (*ROW_KEYS, "commit", "commit_time_utc", *CHANGES, "within_noise", "not_comparable")
    rows = history_rows(summarize(make_history(), by="commit"))
    assert {HISTORY_KEYS, *map(tuple, rows)} == {keys}


def test_models_stand_together_and_commits_in_order_of_time() -> None:
    untimed = [make_record(commit="0" * 40)]
    rows = history(untimed, at("a", 9), at("b", 2, model="v1"), at("c", 4), at("b", 3))
    order = [(row["model"], row["commit"][0]) for row in rows]
    assert order == [("v0", "b"), ("v0", "c"), ("v0", "a"), ("v0", "0"), ("v1", "b")]
    # of the first record of the commit, whichever model's it is
    assert rows[0]["commit_time_utc"] == "2026-07-02T10:00:00+00:00"


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-07-01T12:00:00+02:00", "2026-07-01T10:00:00+00:00"),
        ("2026-07-01T10:00:00Z", "2026-07-01T10:00:00+00:00"),
        ("2026-07-01", "2026-07-01T00:00:00+00:00"),
        ("yesterday", None),
        (17, None),
        (None, None),
    ],
)
def test_times_in_other_forms_are_put_into_utc(time: object, expected: str | None) -> None:
    record = make_record(provenance={"commit": "a" * 40, "time_utc": time})
    (row,) = history([record])
    assert row["commit_time_utc"] == expected


def test_changes_are_against_the_row_above() -> None:
    half = {"train_time": 1.0, "peak_memory": 7.0 * 2**20}
    first, second = history(at("a", 1, (0.90, 0.91)), at("b", 2, (0.93, 0.94), values=half))
    assert [first[key] for key in CHANGES] == [None] * 3
    assert [second[key] for key in CHANGES] == pytest.approx([0.03, 2.0, 1 / 3])


@pytest.mark.parametrize(
    ("before", "after", "noise"),
    [
        ((0.900, 0.901, 0.902), (0.930, 0.931, 0.932), CHANGES[1:]),  # the seeds agree
        ((0.930, 0.931, 0.932), (0.900, 0.901, 0.902), CHANGES[1:]),
        ((0.900, 0.901, 0.902), (0.89, 0.91, 0.90), CHANGES),
        ((0.5,), (0.9, 0.9, 0.9), CHANGES),  # one seed tells nothing from noise
    ],
)
def test_what_the_seeds_of_both_rows_agree_on_is_no_noise(
    before: Sequence[float], after: Sequence[float], noise: Sequence[str]
) -> None:
    _, row = history(at("a", 1, before), at("b", 2, after))
    assert row["within_noise"] == [*noise]


def test_an_unknown_figure_has_no_change_and_is_no_noise() -> None:
    first = at("a", 1)
    provenance = first[0].provenance | {"commit": "b"}
    _, row = history(first, [make_record(values={"test_accuracy": 0.95}, provenance=provenance)])
    assert [row[key] for key in CHANGES[1:]] == [None, None]
    assert row["within_noise"] == ["test_accuracy_change"]


def test_a_failed_row_is_stepped_over() -> None:
    rows = history(at("a", 1, (0.8,)), at("b", 2, status="crashed"), at("c", 3, (0.9,)))
    changes = [row["test_accuracy_change"] for row in rows]
    assert changes == [None, None, pytest.approx(0.1)]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"environment": NEW_TORCH}, "torch"),
        ({"spec": {"budget": "60s"}}, "budget"),
        ({"spec": {"target": 0.5}}, "target"),
        ({"spec": {"evaluation_split": "validation"}}, "evaluation_split"),
        ({"spec": {"recipe": {"name": "zadam"}}}, "recipe"),
        ({"spec": {"precision": "fp32"}}, "precision"),
    ],
)
def test_what_is_not_comparable_has_no_change(fields: dict[str, Any], field: str) -> None:
    rows = history(at("a", 1), at("b", 2, **fields))
    (row,) = [row for row in rows if row["not_comparable"]]
    assert row["not_comparable"] == field
    assert (row["test_accuracy_change"], row["within_noise"]) == (None, [])


def test_mixed_environments_are_refused_unless_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(NotComparable, match=r"torch is 2\.14\.1 for resnet8 but 2\.15\.0 for v0"):
        show(make_history(), by="commit")
    show(make_history(), by="commit", mixed=True)
    assert "not comparable: torch" in capsys.readouterr().out


def test_json_is_the_rows_and_a_sort_that_is_asked_for_wins(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = history_rows(summarize(make_history(), by="commit"))
    show(make_history(), by="commit", mixed=True, fmt="json")
    assert json.loads(capsys.readouterr().out) == rows
    show(make_history(), by="commit", mixed=True, fmt="json", sort="train_time_s")
    seconds = [row["train_time_s"] for row in json.loads(capsys.readouterr().out)]
    assert seconds[:-1] == sorted(seconds[:-1])


def test_names_cannot_steer_a_terminal() -> None:
    records = at("a", 1, model="v0\x1b[2J\nv1") + at("b", 2, flags=("\x1b[31mred",))
    assert "\x1b" not in drawn(records, 200)


def test_changes_within_noise_are_dim_on_a_terminal() -> None:
    rows = history(at("a", 1), at("b", 2))
    text = shown(render_history(rows, width=80), width=80, colours="standard")
    assert "  \x1b[2m~+0.00\x1b[0m  " in text
