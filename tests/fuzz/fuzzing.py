"""Bad input by the thousand: what a reader is given is read, or refused in one line.

`make test` runs 20 examples a test and `make test-all` 100, always the same ones. `make fuzz` runs
a thousand, new ones each time, and prints how many were read and refused.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import RunError, UsageError, short_line
from data_pipeline import DataError
from fmnist_models import ModelError
from results.errors import ResultsError

REFUSALS = (UsageError, RunError, DataError, ModelError, ResultsError)
MAX_LINE_CHARS = 2_000  # a name that a user typed may be long; a dump of the input is no message
NUM_QUICK, NUM_FULL = 20, 100
NUM_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", NUM_QUICK))
TOLD: Counter[tuple[str, str]] = Counter()
"""How many inputs each reader has read and refused."""

Test = TypeVar("Test", bound=Callable[..., None])
NASTY = (
    *("", " ", "nan", "-inf", "1e400", "0x10", "\uff11", "../../etc/passwd", "/dev/null", "a\0b"),
    *("\udcff", "\u202e", "<script>", "constructor", "__proto__", "--help", "x" * 5_000, "[]"),
)
NASTY_TEXTS = st.one_of(st.text(), st.sampled_from(NASTY))
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | NASTY_TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def fuzzed(*strategies: Any, share: float = 1.0, **named: Any) -> Callable[[Test], Test]:  # noqa: ANN401
    """Like hypothesis's `given`, in the second tier, and by `make fuzz`, with more examples.

    Args:
        *strategies: as of `given`.
        share: of the usual number of examples, where each is dear.
        **named: as of `given`.
    """
    limits = settings(
        max_examples=max(round(NUM_EXAMPLES * share), 2),
        derandomize=NUM_EXAMPLES <= NUM_FULL,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: pytest.mark.fuzz(limits(given(*strategies, **named)(test)))


def read_or_refused(name: str, read: Callable[[], Any]) -> Any:  # noqa: ANN401
    """What a reader made of its input, or None where it refused it in one line.

    Args:
        name: of the reader, for the count.
        read: reads; any error but a refusal of our own fails the test.
    """
    try:
        value = read()
    except REFUSALS as error:
        assert_one_line(short_line(error))
        TOLD[name, "refused"] += 1
        return None
    TOLD[name, "read"] += 1
    return value


def assert_one_line(message: str) -> None:
    """A message that a person can read: not empty, one line once spaces are joined, not endless."""
    line = " ".join(message.split())
    assert line, "a refusal without a word"
    assert len(line) <= MAX_LINE_CHARS, f"a message of {len(line)} characters"


@contextmanager
def no_hang(seconds: float = 20.0) -> Iterator[None]:
    """Fails what takes longer, such as a reader that waits for a pipe. In the main thread only."""

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"it still reads after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """A good file after a mishap: cut, lengthened, some bytes changed, a part lost or doubled."""
    places = st.integers(0, max(len(whole) - 1, 0))
    changes = st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)
    return st.one_of(
        places.map(lambda end: whole[:end]),
        st.binary(max_size=64).map(lambda more: whole + more),
        changes.map(lambda pairs: _changed(whole, pairs)),
        st.tuples(places, places).map(lambda cut: whole[: min(cut)] + whole[max(cut) :]),
        st.tuples(places, places).map(lambda cut: whole[: max(cut)] + whole[min(cut) :]),
        st.binary(max_size=200),
    )


def _changed(whole: bytes, pairs: list[tuple[int, int]]) -> bytes:
    changed = bytearray(whole)
    for place, value in pairs:
        changed[place : place + 1] = bytes([value])
    return bytes(changed)


def places(inside: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The path of each value in nested dicts, from the outside in."""
    found: list[tuple[str, ...]] = []
    for key, value in inside.items():
        found.append((key,))
        if isinstance(value, dict):
            found += [(key, *rest) for rest in places(value)]
    return found


def holder_of(place: Sequence[str], inside: Any) -> Any:  # noqa: ANN401
    """The dict that holds the value at a place."""
    for key in place[:-1]:
        inside = inside[key]
    return inside
