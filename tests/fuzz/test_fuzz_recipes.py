"""What words and TOML files ask for: what is accepted can be trained by, and written down."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from msgspec import json

from bench.spec.artifacts import parse_every
from bench.spec.budget import UNITS, Budget
from bench.spec.grid import make_grid
from bench.spec.named_recipes import DEFAULT, RECIPES
from bench.spec.plan import MAX_THREADS, Plan
from bench.spec.recipe import CHOICES, MAX_AUGMENTATIONS, TRAIN_IMAGES, Recipe
from bench.spec.recipe_settings import as_plain, override, read_config, read_settings
from bench.spec.run_spec import check_target
from bench.sweep.checked import CheckedRequest, check_options
from bench.sweep.request import Request
from data_pipeline import apply_augmentations, draw_augmentations, parse_augmentation
from fmnist_models import list_models, resolve_names
from tests.fuzz.fuzzing import NASTY_TEXTS, damaged, fuzzed, read_or_refused

FIELDS = tuple(as_plain(DEFAULT)) + tuple(Recipe.__dataclass_fields__)
NUMBERS = ["0", "1", "-1", "0.5", "1e400", "nan", "inf", "-inf", "1_000", "0x" + "f" * 5_000]
VALUES = st.one_of(
    st.sampled_from(
        [
            *NUMBERS,
            *('"sgd"', '"none"', "true", '["flip"]', '["flip", 3]', "[]", "{}", "[[1]]", "{a = 1}"),
            *("1979-05-27T07:32:00Z", "07:32:00", '"a\\u0000b"', "'''\n'''", "[" * 3_000, "="),
            *('"~nobody/x"', '"/dev/zero"', '"../../x"', "9" * 5_000, '"' + "x" * 5_000 + '"'),
        ]
    ),
    st.integers().map(str),
    st.floats().map(repr),
    st.sampled_from(sorted({word for words in CHOICES.values() for word in words})).map(repr),
    NASTY_TEXTS,
)
LISTS = st.lists(VALUES, max_size=3).map(",".join)
PAIRS = st.tuples(st.sampled_from(FIELDS) | NASTY_TEXTS, VALUES | LISTS)
TOML = b"""# a recipe
optimizer = "sgd"
learning_rate = 0.1
momentum = 0.9
nesterov = true
batch_size = 128
augment = ["flip", "shift2"]
epochs = 3
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "recipe.toml"


def assert_trainable(recipe: Recipe | None) -> None:
    """Numbers are finite and in range, words are known, and a record can hold them."""
    if recipe is None:
        return
    assert type(recipe.batch_size) is int
    assert 1 <= recipe.batch_size <= TRAIN_IMAGES
    for name in Recipe.__dataclass_fields__:
        value = getattr(recipe, name)
        assert not isinstance(value, float) or (math.isfinite(value) and 0 <= value < 1e3), name
        assert name not in CHOICES or value in CHOICES[name]
    assert len(recipe.augment) <= MAX_AUGMENTATIONS
    assert len(json.encode(as_plain(recipe))) < 2_000
    assert recipe.name.isprintable()
    assert len(recipe.name) <= 200


@fuzzed(pairs=st.lists(PAIRS, max_size=4), recipe=st.sampled_from(sorted(RECIPES)))
def test_set(pairs: list[tuple[str, str]], recipe: str) -> None:
    words = [f"{key}={value}" for key, value in pairs]
    found = read_or_refused("--set", lambda: make_grid(RECIPES[recipe], read_settings(words)))
    for one in found or ():
        assert_trainable(one)
    assert len(set(found or ())) == len(found or ()), "a setting twice"


@fuzzed(words=st.lists(NASTY_TEXTS, max_size=3))
def test_set_without_a_field(words: list[str]) -> None:
    found = read_or_refused("--set", lambda: override(DEFAULT, read_settings(words)))
    assert (found is None) == bool(words)


@fuzzed(
    content=damaged(TOML)
    | st.lists(PAIRS, max_size=5).map(
        lambda pairs: "\n".join(f"{key} = {value}" for key, value in pairs).encode(
            "utf-8", "surrogatepass"
        )
    )
    | st.sampled_from(
        [
            *(b"", b"\xff\xfe", b"\xef\xbb\xbfbatch_size = 3", b"a." * 3_000 + b"b = 1"),
            *(b"batch_size = 3\nbatch_size = 4", b"[recipe]\nbatch_size = 3", b"\0", b"[[a]]"),
        ]
    )
)
def test_config(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for one in read_or_refused("--config", lambda: make_grid(DEFAULT, read_config(path))) or ():
        assert_trainable(one)


AMOUNTS = st.one_of(
    st.integers(-3, 10**40).map(str),
    st.floats().map(repr),
    st.sampled_from(["", "1e", "1e400", "1e-400", "٣", "1_0", "+1", ".5", "1.", "9" * 5_000]),
)
BUDGETS = st.one_of(
    st.tuples(
        AMOUNTS, st.sampled_from([*UNITS, *(u.rstrip("s") for u in UNITS), "j", "S", "", "h"])
    ).map("".join),
    NASTY_TEXTS,
)


@fuzzed(text=BUDGETS)
def test_budget(text: str) -> None:
    budget = read_or_refused("--budget", lambda: Budget.parse(text))
    if budget is None:
        return
    assert 0 < budget.amount < math.inf
    assert budget.unit in UNITS
    assert Budget.parse(str(budget)) == budget
    number = re.match(r"\s*([+]?[0-9._]+(?:[eE][+-]?[0-9]+)?)\s*(.*)", text)
    assert number is not None
    if number[2].strip() in UNITS:  # else `min`, `kJ` and such stand for others
        assert budget.amount == float(number[1])
    if budget.is_counted:
        steps = budget.total_steps(batch_size=32, images_per_epoch=54_000, flops_per_image=1e6)
        assert steps >= 1


@fuzzed(text=BUDGETS, share=0.5)
def test_save_every(text: str) -> None:
    every = read_or_refused("--save-every", lambda: parse_every(text))
    if every is not None:
        assert every.unit in {"epochs", "steps", "s"}
        assert every.amount > 0
        assert every.unit == "s" or every.amount == int(every.amount) >= 1


TOKENS = st.one_of(
    st.sampled_from(
        [
            *("resident", "dataloader", "contiguous", "channels_last", "eager", "compile", "step"),
            *("single", "dp", "auto", "ladder", "", "threads", "graph"),
        ]
    ),
    st.tuples(
        st.sampled_from(["step", "graph", "threads", "eager"]), AMOUNTS | st.integers(0, 300)
    ).map(lambda pair: f"{pair[0]}:{pair[1]}"),
    NASTY_TEXTS,
)


@fuzzed(tokens=st.lists(TOKENS, max_size=5))
def test_plan(tokens: list[str]) -> None:
    text = ",".join(tokens)
    plan = read_or_refused("--plan", lambda: Plan.parse(text))
    if plan is not None:
        assert Plan.parse(str(plan)) == plan
        assert 1 <= plan.group_steps <= 256
        assert plan.threads is None or 1 <= plan.threads <= MAX_THREADS


NAMES = st.one_of(
    st.sampled_from(
        [
            *("all", "v0", "v*", "[!v]*", "*", "?0", "resnet[48]", "V0", "v0 ", "torchvision:"),
            *("torchvision:../../x", "timm:", "timm:x", "x.py", "x.py:Net", "/:.py:Net", ":Net"),
            *(
                "C:\\x.py:Net",
                "/tmp.py:Net",
                "x" * 5_000 + ".py:Net",
                "/dev/zero.py:Net",
                "[",
                "**",
            ),
        ]
    ),
    NASTY_TEXTS,
)


@fuzzed(names=st.lists(NAMES, max_size=4))
def test_models(names: list[str]) -> None:
    text = ",".join(names)
    found = read_or_refused("--models", lambda: resolve_names(text))
    if found is not None:
        assert found
        assert len(set(found)) == len(found)
        external = {part.strip() for part in text.split(",")}
        assert all(name in list_models() or name in external for name in found)


@fuzzed(
    name=NASTY_TEXTS
    | st.tuples(st.sampled_from(["flip", "shift", "cutout"]), AMOUNTS | st.just("")).map("".join)
)
def test_augmentation(name: str) -> None:
    found = read_or_refused("augmentation", lambda: parse_augmentation(name))
    if found is not None:
        assert re.fullmatch(r"flip|(shift|cutout)[1-9][0-9]{0,2}", name)
        images = torch.full((2, 1, 4, 4), 200, dtype=torch.uint8)
        generator = torch.Generator().manual_seed(0)
        drawn = draw_augmentations([found], 2, 4, generator, "cpu")
        result = apply_augmentations(images, [found], drawn)
        assert (result.shape, result.dtype) == (images.shape, torch.uint8)


@fuzzed(target=st.none() | st.floats() | st.integers())
def test_target(target: float | None) -> None:
    def read() -> str:
        check_target(target, DEFAULT)
        return "fine"

    found = read_or_refused("--target", read)
    assert (found is not None) == (target is None or 0 < target < 1)


OPTIONAL = {
    "models": NAMES | st.lists(NAMES, max_size=3).map(",".join),
    "budget": st.none() | BUDGETS,
    "recipe": st.sampled_from([*RECIPES, "published"]) | NASTY_TEXTS,
    "protocol": st.sampled_from([None, "clean", "as_published"]) | NASTY_TEXTS,
    "seeds": st.none() | st.integers(),
    "plan": st.lists(TOKENS, max_size=3).map(",".join),
    "precision": st.sampled_from(["auto", "fp32", "bf16", "fp64"]) | NASTY_TEXTS,
    "device": st.sampled_from(["auto", "cpu", "cuda:0"]) | NASTY_TEXTS,
    "settings": st.lists(PAIRS.map("=".join), max_size=2),
    "full_train": st.booleans(),
    "deterministic": st.booleans(),
    "target": st.none() | st.floats(),
}


@fuzzed(options=st.fixed_dictionaries({}, optional=OPTIONAL))
def test_options_together(options: dict[str, Any]) -> None:
    def read() -> tuple[CheckedRequest, list[Any]]:
        checked = check_options(Request(**options))
        return checked, checked.specs("cpu")

    found = read_or_refused("options of run", read)
    if found is not None:
        checked, specs = found
        assert specs
        for spec in specs:
            assert_trainable(spec.recipe)
            assert len(json.encode(spec.as_plain())) < 3_000
        seeds = checked.seed_list("cpu")
        assert len(set(seeds)) == len(seeds) <= 1_000
