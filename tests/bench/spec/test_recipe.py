"""Recipes: named, frozen, changed by name and type only."""

from dataclasses import FrozenInstanceError, fields
from datetime import date
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import RECIPES, Recipe, UsageError
from bench.spec.named_recipes import PUBLISHED, find_recipe
from bench.spec.recipe import CHOICES
from bench.spec.recipe_settings import (
    MAX_NAME_CHARS,
    TOLD,
    as_plain,
    override,
    read_config,
    read_settings,
)
from bench.spec.values import KINDS, RESERVED

BASE = RECIPES["default"]
OPEN = [field.name for field in fields(Recipe) if field.name not in RESERVED]
CHOOSABLE = [key for key in CHOICES if key not in RESERVED]
SAMPLES: list[object] = [True, 7, 0.5, "text", ["flip"], [1], [0.5], {}, date(2026, 7, 1), None]
RIGHT = {  # samples of the type of a field
    str: ("text",),
    bool: (True,),
    int: (7,),
    int | None: (7, None),
    float: (7, 0.5),
    float | None: (7, 0.5, None),
    tuple[str, ...]: ("text", ["flip"], None),
}


def test_a_value_of_another_type_is_refused() -> None:
    for key, kind in KINDS.items():
        right = {repr(value) for value in RIGHT[kind]}  # True is no 1
        for value in SAMPLES:
            if repr(value) not in right:
                with pytest.raises(UsageError, match=f"^recipe field {key} takes "):
                    override(BASE, {key: value})


@given(st.text())
def test_an_unknown_field_is_refused_with_the_choices(key: str) -> None:
    if key not in OPEN:
        with pytest.raises(UsageError, match=r"has no field .* choose from optimizer"):
            override(BASE, {key: 1})


def test_the_label_of_a_recipe_is_no_setting() -> None:
    for key in ("name", "source", "protocol"):
        with pytest.raises(UsageError, match=r"has no field"):
            override(BASE, {key: "mine"})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("learning_rate=0.5", 0.5),
        ("learning_rate = 1", 1.0),
        ("learning_rate=1e-3", 0.001),
        ("learning_rate=none", None),
        ("input_size=16", 16),
        ("input_size=none", None),
        ("batch_size=64", 64),
        ("drop_last=true", True),
        ("drop_last=false", False),
        ("optimizer=sgd", "sgd"),
        ('optimizer="adam"', "adam"),
        ("augment=flip", ("flip",)),
        ("augment=flip,shift2", ("flip", "shift2")),
        ("augment=flip, cutout8 ,", ("flip", "cutout8")),
        ('augment=["shift2", "flip"]', ("shift2", "flip")),
        ("augment=[]", ()),
        ("augment=", ()),
        ("augment=none", ()),
        ("augment=('shift2', 'flip')", ("shift2", "flip")),
        ("augment=[shift2, flip]", ("shift2", "flip")),
        ("augment=(flip)", ("flip",)),
        ("learning_rate=.05", 0.05),
        ("learning_rate=5.", 5.0),
        ("learning_rate=None", None),
        ("epochs=~", None),
        ("epochs=null", None),
        ("drop_last=True", True),
        ("drop_last=no", False),
        ("batch_size='64'", 64),
    ],
)
def test_a_setting_is_read_as_toml_python_or_yaml_write_it(setting: str, value: object) -> None:
    changed = override(BASE, read_settings([setting]))
    found = getattr(changed, setting.partition("=")[0].strip())
    assert found == value
    assert type(found) is type(value)


def test_later_settings_win() -> None:
    assert read_settings(["batch_size=1", "batch_size=2"]) == {"batch_size": 2}


@pytest.mark.parametrize(
    "setting",
    [
        *("batch_size", "=1", "batch_size=", "batch_size=1.5", "batch_size=1e2", "drop_last=1"),
        *("learning_rate=abc", "learning_rate=[0.1]", "learning_rate=true", "optimizer=3"),
        *("learning_rate=" + "9" * 400, "batch_size=" + "9" * 5000),
    ],
    ids=lambda setting: setting[:30],
)
def test_a_bad_setting_is_one_line(setting: str) -> None:
    with pytest.raises(UsageError) as caught:
        override(BASE, read_settings([setting]))
    assert len(str(caught.value).splitlines()) == 1


OUT_OF_RANGE: dict[str, tuple[float, ...]] = {
    "learning_rate": (0.0, -0.1, 1e3, float("nan")),
    "momentum": (1.0, -0.1),
    "weight_decay": (10.0, float("inf")),
    "warmup_fraction": (1.0,),
    "batch_size": (0, 60_001),
    "label_smoothing": (1.0,),
    "input_size": (0, 513),
    "validation_fraction": (0.51, float("nan")),
    "epochs": (0,),
    "base_learning_rate": (0.0,),
    "base_momentum": (1.0,),
    "schedule_epochs": (0,),
    "schedule_factor": (1.0,),
    "schedule_patience": (-1,),
    "stop_patience": (0,),
}


def test_out_of_range_names_the_field() -> None:
    for key, values in OUT_OF_RANGE.items():
        for value in values:
            with pytest.raises(UsageError, match=f"{key} is out of range"):
                override(BASE, {key: value})


def test_a_whole_number_has_few_enough_digits_for_a_record() -> None:
    with pytest.raises(UsageError, match="batch_size takes a whole number, not 1000"):
        override(BASE, {"batch_size": 10**40})


def test_an_unknown_choice_is_refused_with_the_choices() -> None:
    for key, word in product(CHOOSABLE, ("nonsense", "none")):
        with pytest.raises(UsageError, match=f"unknown {key} '{word}'; choose from .*, "):
            override(BASE, {key: word})


def test_a_toml_file_gives_fields_and_settings_win_over_it(tmp_path: Path) -> None:
    """Also one that an editor on Windows began with a byte order mark."""
    path = tmp_path / "mine.toml"
    path.write_text(
        'batch_size = 64\naugment = ["flip"]\nlearning_rate = 1\n', encoding="utf-8-sig"
    )
    recipe = override(override(BASE, read_config(path)), read_settings(["batch_size=32"]))
    assert (recipe.batch_size, recipe.augment, recipe.learning_rate) == (32, ("flip",), 1.0)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"batch_size", "is no TOML"),
        ("batch_size = 3".encode("utf-16"), "save it as UTF-8"),
        (b"a = 1\na = 2", "is no TOML"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_toml_is_refused(
    tmp_path: Path, content: bytes | None, line: str
) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=f"--config .*mine.toml.*{line}"):
        read_config(path)


def test_named_recipes_bear_their_names() -> None:
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {n: n for n in RECIPES}
    assert find_recipe("classic").learning_rate == 0.1
    with pytest.raises(UsageError, match="unknown recipe 'nope'; choose from default, classic"):
        find_recipe("nope")


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        BASE.batch_size = 1  # type: ignore[misc]


def test_the_plain_form_is_json_and_has_what_differs() -> None:
    plain = as_plain(BASE)
    defaults = {field.name: field.default for field in fields(Recipe)}
    changed = {name for name, value in defaults.items() if getattr(BASE, name) != value}
    assert set(plain) == (changed | set(TOLD)) - {"source"}
    assert plain["augment"] == ["flip"]
    assert set(as_plain(override(BASE, {"selection": "loss"}))) == {*plain, "selection"}


def test_a_name_and_a_path_stay_short_enough_for_a_record(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 30) / ("name" * 40)
    changed = override(BASE, {"weights": str(path)})
    assert changed.weights == str(path)
    assert as_plain(changed)["weights"] == path.name[-60:]
    changes: dict[str, object] = {"augment": [f"augmentation_{k}" for k in range(16)]}
    name, other = (override(BASE, {**changes, "batch_size": size}).name for size in (64, 65))
    assert len(name) <= MAX_NAME_CHARS
    assert name.startswith("default+2changes-")
    assert other != name


def test_a_file_of_weights_may_lie_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert override(BASE, {"weights": "~/w.pt"}).weights == "/somewhere/w.pt"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nesterov": True}, "nesterov needs a momentum above 0"),
        ({"schedule": "step"}, "set epochs and schedule_epochs"),
        ({"schedule": "triangular", "epochs": 9, "schedule_epochs": 3}, "set warmup_fraction=0"),
        ({"base_momentum": 0.8}, "base_momentum needs optimizer sgd"),
        ({"selection": "loss", "validation_fraction": 0.0}, "look at validation images"),
        ({"stop_patience": 3, "validation_fraction": 0.0}, "look at validation images"),
        ({"schedule": "plateau", "stop_patience": 11}, "choose 12 or more"),
        ({"split": "test"}, "shows test images to the training"),
        ({"split": "swapped", "selection": "accuracy"}, "only a reference recipe"),
        ({"schedule": "one_cycle"}, "set warmup_fraction=0"),
        ({"base_learning_rate": 0.1}, "of a triangular schedule"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        override(BASE, changes)


def test_a_triangle_stands_on_its_base() -> None:
    with pytest.raises(UsageError, match=r"base_learning_rate 0.001 must lie below .* 0.0001"):
        override(RECIPES["r1_resnet50"], {"learning_rate": 0.0001})


def test_a_base_momentum_above_the_momentum_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be above momentum"):
        override(RECIPES["r1_resnet50"], {"base_momentum": 0.95})


def test_the_normalizations_are_those_of_the_data_pipeline() -> None:
    from data_pipeline import NORMALIZATIONS as PIPELINE

    assert set(CHOICES["normalize"]) == set(PIPELINE)


def test_a_changed_recipe_bears_its_changes_in_its_name() -> None:
    changed = override(RECIPES["default"], {"batch_size": 64, "augment": ["flip", "shift2"]})
    assert changed.name == "default+batch_size=64+augment=flip/shift2"
    assert override(RECIPES["default"], {"batch_size": 128}).name == "default"


def test_a_reference_recipe_selects_on_training_images_when_clean() -> None:
    for name in PUBLISHED:
        clean = find_recipe(name, "clean")
        assert (clean.split, clean.protocol) == ("train", "clean"), name
        assert clean.validation_fraction > 0, name
        published = find_recipe(name, "as_published")
        assert published.name == f"{name}@as_published"
        assert (published.precision, published.protocol) == ("fp32", "as_published"), name


@pytest.mark.parametrize(
    ("name", "protocol", "words"),
    [("default", "clean", "is no published one"), ("classic", "dirty", "unknown protocol 'dirty'")],
)
def test_a_protocol_that_cannot_be_is_refused(name: str, protocol: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        find_recipe(name, protocol)
