"""The plan: reading, writing, what cannot be."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import Plan, UsageError
from bench.spec.plan import NUMBERED_TOKENS, TOKENS

FORMATS = ("contiguous", "channels_last")
WAYS = [
    {"mode": "eager"},
    {"mode": "eager", "parallel": "dp"},
    {"mode": "eager", "data": "dataloader"},
    {"mode": "compile"},
    {"mode": "compile", "data": "dataloader"},
    {"mode": "step"},
    {"mode": "step", "steps_per_call": 5},
    {"mode": "step", "graph_steps": 8},
    {"mode": "eager", "graph_steps": 8},
    {"mode": "compile", "graph_steps": 1},
]
ALL = [
    Plan(memory_format=memory_format, threads=threads, **way)  # type: ignore[arg-type]
    for memory_format, way, threads in product(FORMATS, WAYS, (None, 1, 16))
]


def test_what_is_written_reads_back_the_same() -> None:
    assert [Plan.parse(str(plan)) for plan in ALL] == ALL
    assert len({str(plan) for plan in ALL}) == len(ALL) == 60


@given(st.permutations(["channels_last", "compile", "threads:3", "resident", "single"]))
def test_the_order_of_the_parts_does_not_matter(parts: list[str]) -> None:
    plan = Plan(memory_format="channels_last", mode="compile", threads=3)
    assert Plan.parse(" , ".join(parts)) == plan


def test_a_single_token_sets_its_field_alone() -> None:
    for token, (field, value, meaning) in TOKENS.items():
        plan = Plan.parse(token)
        assert (getattr(plan, field), bool(meaning)) == (value, True)
        changed = {name for name in Plan.__slots__ if getattr(plan, name) != getattr(Plan(), name)}
        assert changed <= {field}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("eager,compile", "mode"),
        ("eager,eager", "mode"),
        ("contiguous,channels_last", "memory_format"),
        ("single,dp", "parallel"),
        ("threads:1,threads:2", "threads"),
        ("step,step:5", "mode"),
        ("step:2,compile", "mode"),
        ("graph:1,graph:2", "graph_steps"),
        ("resident,dataloader", "data"),
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
    with pytest.raises(
        UsageError, match=r"unknown plan .*choose from auto, ladder, resident.*threads:N"
    ):
        Plan.parse(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("dp,compile", "plan dp runs eager only"),
        ("dp,graph:4", "plan dp runs eager only"),
        ("dataloader,step", "plan dataloader runs eager or compile"),
        ("dataloader,graph:4", "plan dataloader runs eager or compile"),
        ("step:5,graph:4", "both say how many steps a call holds; write step,graph:4"),
        ("step:0", "choose step:1 to step:256"),
        ("step:257", "choose step:1 to step:256"),
        ("graph:0", "choose graph:1 to graph:256"),
        ("threads:0", "threads:0 is out of range"),
        ("threads:1025", "choose threads:1 to threads:1024"),
    ],
)
def test_what_cannot_be_says_why(text: str, line: str) -> None:
    with pytest.raises(UsageError, match=line):
        Plan.parse(text)


def test_a_plan_tells_what_a_call_holds() -> None:
    plans = ("eager", "step", "step:5", "graph:8", "step,graph:8")
    assert [Plan.parse(text).group_steps for text in plans] == [1, 1, 5, 8, 8]
    assert [Plan.parse(text).is_compiled for text in plans] == [False, True, True, False, True]


def test_a_number_is_needed_and_must_be_one() -> None:
    for name, number in product(NUMBERED_TOKENS, ("", "-1", "x", "9999999999")):
        with pytest.raises(UsageError, match="unknown plan"):
            Plan.parse(f"{name}:{number}")
