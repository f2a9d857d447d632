"""Lists of values: which settings they come to, and that a bad one is a line."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.spec.grid import MAX_COMBINATIONS, make_grid
from bench.spec.named_recipes import DEFAULT
from bench.spec.recipe import Recipe
from bench.spec.recipe_settings import TOLD, override, read_config, read_settings
from bench.spec.values import RESERVED
from results.rows.rows import ROW_KEYS
from results.rows.settings import FIELDS, SETTING_KEYS

MANY = "batch_size=" + ",".join(map(str, range(1, 1001)))


def grid(*words: str) -> list[Recipe]:
    return make_grid(DEFAULT, read_settings(words))


def test_every_combination_once_the_last_list_in_turn() -> None:
    """A list that is read as one value, or a product in another order than listed."""
    found = [
        (one.batch_size, one.optimizer) for one in grid("batch_size=32, 64", "optimizer=sgd,adamw")
    ]
    assert found == [(32, "sgd"), (32, "adamw"), (64, "sgd"), (64, "adamw")]
    (single,) = grid("batch_size=32", "optimizer=sgd")
    assert single == override(DEFAULT, {"batch_size": 32, "optimizer": "sgd"})


@pytest.mark.parametrize(
    ("words", "field", "values"),
    [
        (["learning_rate=none,0.1,1"], "learning_rate", [None, 0.1, 1.0]),
        (["nesterov=false,true", "momentum=0.9"], "nesterov", [False, True]),
        (["batch_size=[32, 64]"], "batch_size", [32, 64]),
        (["batch_size=[32]"], "batch_size", [32]),
        (["learning_rate=(.05, None)"], "learning_rate", [0.05, None]),
        (["augment=flip,shift2"], "augment", [("flip", "shift2")]),
        (
            ['augment=[["flip"], ["flip", "shift2"], []]'],
            "augment",
            [("flip",), ("flip", "shift2"), ()],
        ),
        (["augment=(('flip',), ('shift2',))"], "augment", [("flip",), ("shift2",)]),
        (["augment=[[flip], [], [flip, shift2]]"], "augment", [("flip",), (), ("flip", "shift2")]),
        (["augment=flip", "augment=shift2"], "augment", [("shift2",)]),
        (["optimizer=[sgd, 'adamw']"], "optimizer", ["sgd", "adamw"]),
        (["weight_decay=[0,5]"], "weight_decay", [0.0, 5.0]),
        (["weights=[run1]/a.pt,b.pt"], "weights", ["[run1]/a.pt", "b.pt"]),
        (['weights="a,b.pt"'], "weights", ["a,b.pt"]),
        (["weights=random,b.pt"], "weights", ["random", "b.pt"]),
        (
            ["schedule=step,linear", "epochs=3", "schedule_epochs=1", "warmup_fraction=0"],
            "schedule",
            ["step", "linear"],
        ),
    ],
)
def test_the_values_of_a_list(words: list[str], field: str, values: list[object]) -> None:
    """A comma that belongs to a value, and fields that only make a recipe together."""
    assert [getattr(one, field) for one in grid(*words)] == values


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([MANY, MANY.replace("batch_size", "epochs")], "batch_size and epochs make 1,000,000 comb"),
        ([MANY + ",1001"], f"more than the {MAX_COMBINATIONS:,} of one run"),
        ([MANY, "epochs=[]"], "the list of epochs has no value"),
        (["lr=1,2"], "a recipe has no field 'lr'"),
        (["batch_size=32,0,64"], "batch_size=0: recipe field batch_size is out of range: 0"),
        (["batch_size=32,many"], "batch_size takes a whole number, not 'many' in '32,many'"),
        (["batch_size=[32,64"], r"'\[32,64'; for several values write \[32, 64\], or --set batch"),
        (["batch_size={32,64}"], r"not '\{32' in '\{32,64\}'; for several values write"),
        (["batch_size=range(32,128,32)"], r"in 'range\(32,128,32\)'; for several values write"),
        (['batch_size="32,64"'], r"not '32,64'; for several values write \[32, 64\]"),
        (
            ["learning_rate=0.1;0.2"],
            r"for several values write \[0.1, 0.2\], or --set learning_rate",
        ),
        (
            ["drop_last=[true,false"],
            r"for several values write \[true, false\], or --set drop_last",
        ),
        (["learning_rate=[0,05]"], r"not '05' in '\[0,05\]'"),
        (["learning_rate=0,05"], r"write 0.05; for the two values \[0, 5\]"),
        (['weight_decay="0,5"'], r"write 0.5; for the two values \[0, 5\]"),
        (["augment=["], r"not '\['; write augment=flip,shift2 or"),
        (["augment=(("], r"not '\(\('; write augment=flip,shift2 or"),
        (["augment=flip,shift2]"], r"not 'flip,shift2\]'; write augment=flip,shift2 or"),
        (["augment=none,flip"], r'not \'none,flip\'; .* augment=\[\["flip"\],\["shift2"\]\]'),
        (["batch_size=[[32], 64]"], r"batch_size takes a whole number, not \[32\]"),
        (["optimizer=sgd,sdg"], "optimizer=sdg: unknown optimizer 'sdg'; choose from sgd"),
        (["learning_rate=0.1,1e-1"], "the list of learning_rate has 0.1 twice"),
        (["batch_size=32,,64"], "--set batch_size='32,,64' has an empty value"),
        (["batch_size=32,"], "has an empty value"),
        (["batch_size=32,64", "batch_size=128"], "--set gives batch_size twice"),
        (
            ["schedule=linear,plateau", "validation_fraction=0.1,0"],
            "schedule=plateau, validation_fraction=0: ",
        ),
    ],
)
def test_a_bad_grid_is_one_line_that_names_what_is_wrong(words: list[str], line: str) -> None:
    """A bad value that is dropped, or hidden among good ones; a grid that would never end."""
    with pytest.raises(UsageError, match=line) as refused:
        grid(*words)
    assert len(str(refused.value)) < 400 + len(str(FIELDS))


def test_a_file_may_list_values_and_set_wins_over_it(tmp_path: Path) -> None:
    """A list of a file that stays beside the value that replaces it."""
    path = tmp_path / "recipe.toml"
    path.write_text('batch_size = [32, 64]\naugment = ["flip", "shift2"]\n')
    assert [one.batch_size for one in make_grid(DEFAULT, read_config(path))] == [32, 64]
    changes: dict[str, Any] = read_config(path) | read_settings(["batch_size=16"])
    (recipe,) = make_grid(DEFAULT, changes)
    assert (recipe.batch_size, recipe.augment) == (16, ("flip", "shift2"))


def test_rows_know_every_field_and_what_a_record_leaves_out() -> None:
    """A field that is added, or gets another default, and would be missing or wrong in a table."""
    defaults = {one.name: one.default for one in fields(Recipe) if one.name not in RESERVED}
    assert list(FIELDS) == list(defaults)
    assert {key: None if key in TOLD else value for key, value in defaults.items()} == FIELDS
    assert not set(SETTING_KEYS) & set(ROW_KEYS)
