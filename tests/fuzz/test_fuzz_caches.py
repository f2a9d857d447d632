"""Cached files: one that is damaged is as good as absent; what is trusted can be true."""

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from bench.counts.baseline import Baseline
from bench.machine.cache import write_cached
from bench.machine.ceilings import Ceilings, _cache_name, _cached
from bench.plans.probe import PlanCandidate
from bench.plans.settle import read_timings, write_timings
from bench.spec.plan import Plan
from tests.fuzz.fuzzing import JSON_VALUES, damaged, fuzzed, read_or_refused

NAME = "plans/a.json"
TIMED = PlanCandidate(Plan.parse("eager"), [0.5, 0.25], 1.5, True)
ENVIRONMENT = {"device": "one of a kind"}
CEILINGS = Ceilings({1024: 1e9, 2048: 2e9}, {"fp32": 1e11}, 1e-6)
PLAIN = msgspec.to_builtins(CEILINGS, str_keys=True)
HUGE = 10**400
KEYS = st.integers().map(str) | st.text()
NUMBERS = JSON_VALUES | st.sampled_from([-1, 0, 1e308, "nan", "inf", "1", True, 10**30, HUGE, None])


@pytest.fixture(autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FMNIST_CACHE", str(path))
    (path / "plans").mkdir()
    (path / "ceilings").mkdir()
    return path


def assert_timings(found: dict[Plan, PlanCandidate] | None) -> None:
    assert found is not None, "a cache is no reason to refuse"
    for plan, candidate in found.items():
        assert plan == candidate.plan
        assert 0 < candidate.best_s < math.inf
        assert 0 <= candidate.total_s(1e6) < math.inf


@fuzzed(data=st.data())
def test_damaged_timings(folder: Path, data: st.DataObject) -> None:
    write_timings(NAME, [TIMED])
    path = folder / NAME
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    assert_timings(read_or_refused("cached timings", lambda: read_timings(NAME)))
    write_timings(NAME, [TIMED])  # over whatever lies there
    assert read_timings(NAME)[TIMED.plan].best_s == 0.25


ENTRIES = st.fixed_dictionaries(
    {"plan": st.sampled_from(["eager", "step:3", "nope", "threads:0"]) | NUMBERS},
    optional={
        "step_s": st.lists(NUMBERS, max_size=3) | NUMBERS,
        "compile_s": NUMBERS,
        "cold": NUMBERS,
    },
)


@fuzzed(timings=st.lists(ENTRIES | NUMBERS, max_size=3) | NUMBERS)
def test_odd_timings(folder: Path, timings: object) -> None:
    (folder / NAME).write_bytes(_json({"timings": timings}))
    assert_timings(read_or_refused("cached timings", lambda: read_timings(NAME)))


def assert_ceilings(found: Ceilings | None) -> None:
    if found is not None:
        rates = [*found.copy_bytes_per_s.values(), *found.matmul_flops_per_s.values()]
        assert all(0 < rate < math.inf for rate in [*rates, found.latency_s])
        assert all(type(size) is int and size > 0 for size in found.copy_bytes_per_s)
        assert found.better_of(CEILINGS).latency_s <= CEILINGS.latency_s


@fuzzed(data=st.data())
def test_damaged_ceilings(folder: Path, data: st.DataObject) -> None:
    content = data.draw(damaged(msgspec.json.encode(CEILINGS)))
    (folder / _cache_name(ENVIRONMENT)).write_bytes(content)
    assert_ceilings(read_or_refused("cached ceilings", lambda: _cached(ENVIRONMENT)))


@fuzzed(
    plain=st.fixed_dictionaries(
        {},
        optional={
            "copy_bytes_per_s": st.dictionaries(KEYS, NUMBERS, max_size=2) | NUMBERS,
            "matmul_flops_per_s": st.dictionaries(st.text(), NUMBERS, max_size=2) | NUMBERS,
            "latency_s": NUMBERS,
        },
    )
)
def test_odd_ceilings(folder: Path, plain: dict[str, Any]) -> None:
    whole = PLAIN | plain
    (folder / _cache_name(ENVIRONMENT)).write_bytes(_json(whole))
    assert_ceilings(read_or_refused("cached ceilings", lambda: _cached(ENVIRONMENT)))


def test_a_number_that_no_float_holds_is_damage(folder: Path) -> None:
    (folder / _cache_name(ENVIRONMENT)).write_bytes(_json(PLAIN | {"latency_s": HUGE}))
    assert _cached(ENVIRONMENT) is None
    timing = TIMED.as_plain(digits=12, fastest=2)
    (folder / NAME).write_bytes(_json({"timings": [timing | {"step_s": [HUGE]}]}))
    assert read_timings(NAME) == {}


def test_whole_ceilings_are_trusted() -> None:
    write_cached(_cache_name(ENVIRONMENT), CEILINGS)
    assert _cached(ENVIRONMENT) == CEILINGS


COUNTS = b"""[any]
v0 = { parameters = 7_850, flops = 376_320 }
"v2, plan compile" = { steps = 3 }

["torch 2.11 on cpu"]
v0 = { operators = 20, peak_bytes = 100 }
"""


@fuzzed(
    content=damaged(COUNTS)
    | NUMBERS.map(lambda number: f"[any]\nv0 = {{ parameters = {number!r} }}".encode())
    | st.sampled_from(
        [
            *(b"any = " + b"[" * 5_000, b"[any]\nv0 = { parameters = 0x" + b"f" * 5_000 + b" }"),
            *(b"[any]\nv0 = { parameters = -1 }", b"any = 3", b"[any]\nv0 = [[1]]"),
        ]
    )
)
def test_counts(folder: Path, content: bytes) -> None:
    path = folder / "counts.toml"
    path.write_bytes(content)
    found = read_or_refused("file of counts", lambda: Baseline.read(path))
    if found is not None:
        rows = [*found.portable.values(), *(c for s in found.stacks.values() for c in s.values())]
        assert all(
            type(value) is int and value >= 0 for counts in rows for value in counts.values()
        )


def _json(value: object) -> bytes:
    """As JSON, with whole numbers of any size, which msgspec does not read."""
    return json.dumps(value, ensure_ascii=True).encode()
