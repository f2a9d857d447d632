"""The plan: reading, writing, what cannot be."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import Plan, UsageError
from bench.plan import TOKENS, check_plan

FORMATS, MODES, PARALLEL = ("contiguous", "channels_last"), ("eager", "compile"), ("single", "dp")
ALL = [
    Plan(memory_format=memory_format, mode=mode, parallel=parallel, threads=threads)
    for memory_format, mode, parallel, threads in product(FORMATS, MODES, PARALLEL, (None, 1, 16))
    if (mode, parallel) != ("compile", "dp")
]


@pytest.mark.parametrize("plan", ALL, ids=str)
def test_what_is_written_reads_back_the_same(plan: Plan) -> None:
    assert Plan.parse(str(plan)) == plan
    assert check_plan(str(plan)) == str(plan)


def test_every_plan_has_a_text_of_its_own() -> None:
    assert len({str(plan) for plan in ALL}) == len(ALL) == 18


@given(st.permutations(["channels_last", "compile", "threads:3", "resident", "single"]))
def test_the_order_of_the_parts_does_not_matter(parts: list[str]) -> None:
    plan = Plan(memory_format="channels_last", mode="compile", threads=3)
    assert Plan.parse(" , ".join(parts)) == plan


@pytest.mark.parametrize("token", TOKENS)
def test_a_single_token_sets_its_field_alone(token: str) -> None:
    field, value, meaning = TOKENS[token]
    plan = Plan.parse(token)
    assert getattr(plan, field) == value
    assert meaning
    changed = [name for name in Plan.__slots__ if getattr(plan, name) != getattr(Plan(), name)]
    assert set(changed) <= {field}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("eager,compile", "mode"),
        ("eager,eager", "mode"),
        ("contiguous,channels_last", "memory_format"),
        ("single,dp", "parallel"),
        ("threads:1,threads:2", "threads"),
    ],
)
def test_naming_a_part_twice_is_refused(text: str, field: str) -> None:
    with pytest.raises(UsageError, match=f"names the {field} twice"):
        Plan.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "warp", "eager,", "threads", "threads:", "threads:-1", "threads:x"),
        *("threads:²", "Eager", "auto,eager"),
    ],
)
def test_an_unknown_part_is_refused_with_the_choices(text: str) -> None:
    with pytest.raises(UsageError, match=r"unknown plan .*choose from auto, resident.*threads:N"):
        check_plan(text)


def test_data_parallel_does_not_compile() -> None:
    with pytest.raises(UsageError, match="plan dp runs eager only"):
        Plan.parse("dp,compile")
    with pytest.raises(UsageError, match="at least one thread"):
        Plan.parse("threads:0")


def test_auto_stays_open_and_a_plan_becomes_canonical() -> None:
    assert check_plan(" auto ") == "auto"
    assert check_plan("compile") == "resident,contiguous,compile"
