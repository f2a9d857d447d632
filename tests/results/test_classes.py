"""Precision, recall and F1 from a confusion matrix, against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.classes import precision_recall_f1, sum_confusions

COUNTS = st.integers(2, 6).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, 50), min_size=size, max_size=size), min_size=size, max_size=size
    )
)


def test_by_hand() -> None:
    cat, dog, cow, owl = precision_recall_f1(
        [[6, 2, 0, 1], [1, 3, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]]
    )
    assert list(cat) == pytest.approx([6 / 9, 6 / 9, 12 / 18, 9])
    assert list(dog) == pytest.approx([3 / 5, 3 / 4, 6 / 9, 4])
    assert cow == (None, 0.0, None, 2)  # never predicted
    assert owl == (0.0, None, None, 0)  # without images
    never_right = precision_recall_f1([[0, 2], [3, 0]])
    assert [quality.f1 for quality in never_right] == [0.0, 0.0]


@given(COUNTS)
def test_they_are_what_image_by_image_counting_gives(confusion: list[list[int]]) -> None:
    pairs = [
        (true, taken)
        for true, row in enumerate(confusion)
        for taken, count in enumerate(row)
        for _ in range(count)
    ]
    for label, quality in enumerate(precision_recall_f1(confusion)):
        of_it = [taken == label for true, taken in pairs if true == label]
        taken_for_it = [true == label for true, taken in pairs if taken == label]
        recall, precision = _share(of_it), _share(taken_for_it)
        assert quality[:2] == (precision, recall)
        assert quality.support == len(of_it)
        if precision is None or recall is None:
            assert quality.f1 is None
        else:
            total = precision + recall
            assert quality.f1 == pytest.approx(2 * precision * recall / total if total else 0.0)


@given(COUNTS, st.integers(1, 4))
def test_the_sum_is_that_of_every_cell(confusion: list[list[int]], runs: int) -> None:
    before = np.array(confusion)
    assert sum_confusions([confusion] * runs) == (before * runs).tolist()
    assert np.array_equal(before, confusion)  # what was summed is as it was
    assert sum_confusions([]) is None


def _share(answers: list[bool]) -> float | None:
    return sum(answers) / len(answers) if answers else None
