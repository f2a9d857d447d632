"""Rows that differ in settings: told apart in every format, grouped and sorted by them."""

import json
from typing import Any

import pytest
from rich.console import Console

from results import summarize, table_rows
from results.records.record import RunRecord
from results.render.footer import footer_lines
from results.render.formats import export
from results.render.table import render_table
from results.rows.comparable import labels
from results.rows.rows import ROW_KEYS
from results.rows.settings import recipe_name, setting_text, settings_of
from tests.results.records_by_hand import make_record, make_values

MEBIBYTE = 2**20


def run(model: str, *, accuracy: float = 0.8, name: str = "", **recipe: Any) -> RunRecord:  # noqa: ANN401
    """A run by the recipe `sgd`, changed; fields that a record leaves out may be missing."""
    changes = "".join(f"+{key}={value}" for key, value in recipe.items())
    spec = {"recipe": {"name": (name or "sgd") + changes, "batch_size": 32} | recipe}
    return make_record(model, spec=spec, values=make_values(accuracy, 1.0, 100, MEBIBYTE))


def grid() -> list[RunRecord]:
    return [
        run(model, accuracy=0.8 + size / 1000 + momentum / 100, batch_size=size, momentum=momentum)
        for model in ("v0", "v2")
        for size in (128, 32)
        for momentum in (0.9, 0.5)
    ]


def shown(records: list[RunRecord], by: str = "model") -> str:
    console = Console(width=100, record=True)
    with console.capture() as capture:
        console.print(render_table(table_rows(summarize(records), by=by), width=100, by=by))
    return capture.get()


def test_rows_have_the_settings_in_which_they_differ_and_no_others() -> None:
    """A setting that is dropped, or a column of what all rows share."""
    rows = table_rows(summarize(grid()))
    assert {tuple(row) for row in rows} == {(*ROW_KEYS, "momentum", "batch_size")}
    assert labels(rows)[0] == "v0 (momentum=0.9, batch_size=128)"
    assert len(set(labels(rows))) == len(rows) == 8
    (row,) = table_rows(summarize(grid()[:1]))
    assert tuple(row) == ROW_KEYS


def test_a_value_that_a_record_leaves_out_is_the_fields_own() -> None:
    """Unknown in place of the default, of which no record tells."""
    rows = table_rows(summarize([run("v0", momentum=0.9), run("v0")]))
    assert {row["momentum"] for row in rows} == {0.9, 0.0}


def test_two_recipes_are_told_apart_by_name_and_a_learning_rate_is_each_models_own() -> None:
    """Twenty columns of two published recipes, or one of the swept rates of all models."""
    records = [run("v0", name="adam", batch_size=64), run("v0"), run("v2", learning_rate=0.1)]
    assert settings_of([record.spec for record in records]) == [{}, {}, {}]
    two_rates = [run("v0", learning_rate=0.1), run("v0", learning_rate=0.2)]
    assert settings_of([record.spec for record in two_rates])[0] == {"learning_rate": 0.1}


def test_two_files_of_weights_of_one_name_are_two_settings() -> None:
    """Rows that look alike, since a record keeps a file's name alone."""
    specs = [run("v0", weights="w.pt").spec | {"weights_hash": mark * 12} for mark in "ab"]
    assert [own["weights"] for own in settings_of(specs)] == ["w.pt aaaaaa", "w.pt bbbbbb"]


@pytest.mark.parametrize(
    ("name", "told", "rest"),
    [
        ("default+batch_size=32+optimizer=sgd", ["batch_size"], "default+optimizer=sgd"),
        ("default+precision=bf16", [], "default"),  # always a key of its own
        ("default+epochs=3", ["recipe_epochs"], "default"),
        ("default+9changes-0123abcd", ["batch_size"], "default"),
        ("default+9changes-0123abcd", [], "default+9changes-0123abcd"),
    ],
)
def test_a_recipe_is_named_without_what_stands_beside_it(
    name: str, told: list[str], rest: str
) -> None:
    assert recipe_name(name, told) == rest


def test_by_a_setting_rows_of_a_value_stand_together_in_its_order() -> None:
    """128 before 32 as words, or groups that the accuracy takes apart."""
    rows = table_rows(summarize(grid()), by="batch_size")
    assert [row["batch_size"] for row in rows] == [32] * 4 + [128] * 4
    assert rows[0]["test_accuracy"] > rows[3]["test_accuracy"], "best first in each"
    header = shown(grid(), by="batch_size").splitlines()[0].split()
    assert header[:3] == ["model", "batch_size", "momentum"]
    rows = table_rows(summarize(grid()), sort="batch_size")
    assert [row["batch_size"] for row in rows] == [32] * 4 + [128] * 4
    rows = table_rows(summarize(grid()[:1]), by="batch_size")
    assert rows[0]["batch_size"] == 128, "asked for, though all are alike in it"


def test_a_failed_row_tells_its_setting() -> None:
    """Which of the settings ran out of memory is not told."""
    spec = {"recipe": {"name": "sgd+batch_size=4096", "batch_size": 4096}}
    failed = make_record("v0", spec=spec, status="out_of_memory", reason="too large")
    text = shown([run("v0"), failed])
    assert ["v0", "4096", "out_of_memory:", "too", "large"] in map(str.split, text.splitlines())
    summaries = summarize([run("v0"), failed])
    assert "failed: v0 (batch_size=4096): out_of_memory: too large." in footer_lines(summaries)
    assert "4096" in shown([failed, make_record("v2", spec=spec, status="crashed")], "batch_size")


def test_every_format_has_the_settings() -> None:
    """A format without them, or the recipe's name told twice."""
    rows = table_rows(summarize(grid()))
    assert json.loads(export(rows, "json"))[0]["batch_size"] == 128
    assert export(rows, "csv").splitlines()[0].endswith(",momentum,batch_size")
    for fmt in ("markdown", "latex"):
        header = next(line for line in export(rows, fmt).splitlines() if "model" in line)
        assert "batch_size" in header.replace("\\", "")
        assert "recipe" not in header
    facts = next(line for line in footer_lines(summarize(grid())) if line.startswith("budget"))
    assert "recipe sgd, momentum 0.9 / 0.5, batch_size 128 / 32, " in facts


def test_settings_of_any_json_are_shown_and_sorted() -> None:
    """A table that another program's record breaks."""
    values = [3, "word", None, True, 1e-5, [], ["flip", 3], {"a": [1]}, -(2**63), "\u202e"]
    rows = table_rows(summarize([run("v0", momentum=value) for value in values]), by="momentum")
    assert len(rows) == len(values)
    assert len(table_rows(summarize([run("v0", momentum=v) for v in values]), "momentum")) == 10
    texts = [setting_text(value) for value in (1e-5, [], ["flip", "shift2"], True, None, 64, 1.0)]
    assert texts == ["1e-05", "none", "flip/shift2", "true", "none", "64", "1"]
    near = (0.1234567, 0.12345671)
    assert [setting_text(value) for value in near] == list(map(repr, near)), "two settings alike"
    for fmt in ("json", "csv", "markdown"):
        assert "\u202e" not in export(rows, fmt)
