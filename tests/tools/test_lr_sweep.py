"""The choice of the peak learning rates, on hand-made grids, and the committed one."""

import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from bench.spec.learning_rates import TABLE
from results import RunStore, read_records
from tests.command_line import REPOSITORY
from tools import lr_sweep
from tools.lr_sweep import (
    GRID,
    MARKDOWN,
    RECORDS,
    STEPS,
    Grid,
    as_markdown,
    as_toml,
    best_rate,
    publish,
    read_grid,
    spec_of,
)


@pytest.mark.parametrize(
    ("accuracies", "best"),
    [  # one standard error at 90 % on 6,000 images: 0.387 points
        ({0.001: 0.890, 0.002: 0.8965, 0.004: 0.900, 0.008: 0.899}, 0.002),
        ({0.001: 0.890, 0.002: 0.8955, 0.004: 0.900, 0.008: 0.899}, 0.004),
        ({0.001: None, 0.002: 0.5, 0.004: None}, 0.002),  # failed runs are never chosen
        ({0.001: None}, None),
    ],
)
def test_the_lowest_rate_within_one_standard_error_is_taken(
    accuracies: dict[float, float | None], best: float | None
) -> None:
    assert best_rate(accuracies) == best


def test_the_base_rate_is_the_lower_median_of_the_choices() -> None:
    grid: Grid = {"a": {0.001: 0.9}, "b": {0.004: 0.9}, "c": {0.002: 0.9}, "d": {0.008: 0.9}}
    rates = tomllib.loads(as_toml({**grid, "broken": {0.001: None}}))["peak"]
    assert rates == {"base": 0.002, "a": 0.001, "b": 0.004, "c": 0.002, "d": 0.008}


def test_the_table_marks_the_choice_and_names_failures() -> None:
    text = as_markdown({"v0": {0.0005: None, 0.001: 0.5, 0.002: 0.8}}, "a machine")
    assert "| v0 | failed | 50.0 | **80.0** | failed |" in text


def test_the_sweep_judges_on_validation_with_equal_effort() -> None:
    specs = [spec_of(model, rate) for model in ("v0", "resnet50") for rate in GRID]
    assert {spec.evaluation_split for spec in specs} == {"validation"}
    assert {str(spec.budget) for spec in specs} == {f"{STEPS}steps"}


def test_the_committed_choices_follow_from_the_committed_records() -> None:
    grid = read_grid(read_records(REPOSITORY / RECORDS))
    assert as_toml(grid) == TABLE.read_text(encoding="utf-8")
    rows = as_markdown(grid, "").splitlines()[-len(grid) :]
    assert rows == (REPOSITORY / MARKDOWN).read_text(encoding="utf-8").splitlines()[-len(grid) :]
    assert {len(accuracies) for accuracies in grid.values()} == {len(GRID)}


def test_a_sweep_of_one_model_leaves_the_others_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = read_records(REPOSITORY / RECORDS)
    store = RunStore(tmp_path / "store")
    for record in records:
        if record.spec["model"] == "v0":
            store.append(replace(record, status="diverged", samples=None))
    monkeypatch.setattr(lr_sweep, "TABLE", tmp_path / "rates.toml")
    monkeypatch.chdir(tmp_path)
    RECORDS.parent.mkdir(parents=True)
    shutil.copyfile(REPOSITORY / RECORDS, RECORDS)
    publish(store)
    before, after = (tomllib.loads(path.read_text()) for path in (TABLE, tmp_path / "rates.toml"))
    assert set(before["peak"]) - set(after["peak"]) == {"v0"}
    assert "| v0 | failed | failed |" in MARKDOWN.read_text()
    assert after["peak"]["resnet8"] == before["peak"]["resnet8"]
