"""The two tiers of tests: `make test` runs what is not marked `slow`, `make test-all` runs all."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def slow_but(quick: Collection[Any], values: Iterable[Any]) -> list[Any]:
    """Parameters of a test: those in `quick` belong to the first tier, all others to the second."""
    return [
        value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values
    ]
