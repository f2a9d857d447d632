"""Precision, recall and F1 from a confusion matrix, against their definitions."""

import pytest

from results.classes import precision_recall_f1, sum_confusions


def test_by_hand() -> None:
    cat, dog, cow = precision_recall_f1([[6, 2, 0], [1, 3, 0], [2, 0, 0]])
    assert list(cat) == pytest.approx([6 / 9, 6 / 8, 12 / 17, 8])
    assert list(dog) == pytest.approx([3 / 5, 3 / 4, 6 / 9, 4])
    assert cow == (None, 0.0, None, 2)  # never predicted


def test_a_class_without_images_has_no_recall() -> None:
    absent, present = precision_recall_f1([[0, 0], [1, 3]])
    assert absent == (0.0, None, None, 0)
    assert present == pytest.approx((1, 3 / 4, 6 / 7, 4))


def test_a_class_that_is_never_right_has_an_f1_of_zero() -> None:
    assert [quality.f1 for quality in precision_recall_f1([[0, 2], [3, 0]])] == [0.0, 0.0]


def test_the_sum_is_that_of_every_cell() -> None:
    first, second = [[1, 2], [3, 4]], [[10, 20], [30, 40]]
    assert sum_confusions([first, second, first]) == [[12, 24], [36, 48]]
    assert first == [[1, 2], [3, 4]]  # what was summed is as it was
    assert sum_confusions([]) is None
