"""Which tensor of an output is trained on."""

from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch

from fmnist_models.logits import describe_output, main_logits

MAIN, AUXILIARY = torch.ones(4, 10), torch.zeros(4, 10)
FEATURES, MASKS = torch.zeros(4, 392), torch.zeros(4, 10, 7, 7)
Heads = namedtuple("Heads", ["aux", "logits"])


@pytest.mark.parametrize(
    "output",
    [
        MAIN,
        (MAIN, AUXILIARY),
        [MAIN, [AUXILIARY, AUXILIARY]],
        ((AUXILIARY, AUXILIARY), MAIN),  # what lies directly in it comes first
        (FEATURES, MAIN),
        (MAIN, None),
        ((MAIN,),),
        Heads(AUXILIARY, MAIN),
        {"aux": AUXILIARY, "out": MAIN},
        {"aux": AUXILIARY, "output": MAIN},
        {"classes": MAIN, "aux": AUXILIARY},
        {"logits": (MAIN, AUXILIARY)},
        SimpleNamespace(loss=None, logits=MAIN, hidden_states=(FEATURES,)),
    ],
    ids=lambda output: describe_output(output)[:40],
)
def test_the_main_logits_are_found(output: object) -> None:
    assert main_logits(output, 4) is MAIN


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (None, "a NoneType"),
        ("logits", "a str"),
        (FEATURES, "shape (4, 392)"),
        (torch.zeros(4), "shape (4,)"),
        (AUXILIARY[:3], "shape (3, 10)"),  # squeezed, or another batch
        ((FEATURES, MASKS), "a tuple of (4, 392), (4, 10, 7, 7)"),
        ({"out": MASKS}, "a dict of (4, 10, 7, 7)"),
        ([FEATURES] * 5, "a list of (4, 392), (4, 392), (4, 392), (4, 392), ..."),
    ],
)
def test_what_has_none_is_described(output: object, words: str) -> None:
    assert main_logits(output, 4) is None
    assert describe_output(output) == words
