"""The tiers of tests.

`make test` runs what has no mark of these, `make test-all` what is marked `slow` too, and the
nightly workflow what is marked `nightly`.
"""

from collections.abc import Collection, Iterable
from typing import Any

import pytest

# What differs from a net beside it in a detail: the second tier compiles that one.
VARIANTS = ("v1_fixed", "fashion_cnn_relu", "resnet8_postrelu")
# Compiling one whole step of these takes minutes.
DEEP = ("resnet4", "resnet4_dropout", "resnet18", "resnet18_3x3", "resnet50", "alexnet224")


def slow_but(
    quick: Collection[Any], cases: Iterable[Any], *, nightly: Collection[Any] = ()
) -> list[Any]:
    """Parameters of a test, a tuple for several: the first tier has those in `quick` alone."""
    return [
        case if case in quick else _marked(case, "nightly" if case in nightly else "slow")
        for case in cases
    ]


def _marked(case: Any, name: str) -> Any:  # noqa: ANN401
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=getattr(pytest.mark, name))
