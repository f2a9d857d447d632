"""The two tiers of tests: `make test` runs what is not marked `slow`, `make test-all` runs all."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def slow_but(quick: Collection[Any], cases: Iterable[Any]) -> list[Any]:
    """Parameters of a test, a tuple for several: the first tier has those in `quick` alone."""
    return [case if case in quick else _slow(case) for case in cases]


def _slow(case: Any) -> Any:  # noqa: ANN401
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.slow)
