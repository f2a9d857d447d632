"""Whether two accuracies can be told apart, and the lines of the footer that say so."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from results import Summary, summarize
from results.render.footer import footer_lines
from results.rows.difference import Difference, certainty_lines, difference
from results.rows.rows import table_rows
from results.statistics import welch_interval
from results.text import points
from tests.results.records_by_hand import make_record, make_sweep


def summary_of(model: str, *accuracies: float, **fields: Any) -> Summary:  # noqa: ANN401
    records = [
        make_record(model, seed, values={"test_accuracy": accuracy}, **fields)
        for seed, accuracy in enumerate(accuracies)
    ]
    return Summary(tuple(records))


def gap_of(ours: Sequence[float], theirs: Sequence[float], **fields: Any) -> Difference:  # noqa: ANN401
    found = difference(summary_of("v2", *ours, **fields), summary_of("v0", *theirs, **fields))
    assert found is not None
    return found


def test_the_interval_is_welchs_and_that_of_the_images_in_quadrature() -> None:
    ours, theirs = (0.90, 0.91, 0.92), (0.80, 0.83)
    found = gap_of(ours, theirs)
    low, high = welch_interval(ours, theirs) or (0.0, 0.0)
    images = 1.96 * math.sqrt((0.91 * 0.09 + 0.815 * 0.185) / 10_000)
    half = math.hypot((high - low) / 2, images)
    assert (found.estimate, found.half_width) == pytest.approx((0.095, half))
    assert found.interval == pytest.approx((0.095 - half, 0.095 + half))


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ((0.90, 0.901, 0.902), (0.80, 0.801, 0.802), "different"),
        ((0.90, 0.901, 0.902), (0.899, 0.90, 0.901), "not told apart"),
        ((0.90, 0.90), (0.885, 0.885), "different"),
        ((0.90,), (0.895,), "not told apart"),
        ((0.90,), (0.80,), "unknown"),
        ((0.90, 0.901, 0.902), (0.80,), "unknown"),
        ((0.90,), (0.80, 0.801, 0.802), "unknown"),
        ((0.90,), (0.90,), "not told apart"),
        ((1.0, 1.0), (1.0, 1.0), "not told apart"),
    ],
)
def test_verdicts(ours: tuple[float, ...], theirs: tuple[float, ...], verdict: str) -> None:
    found, turned = gap_of(ours, theirs), gap_of(theirs, ours)
    assert (found.verdict, turned.verdict) == (verdict, verdict)
    assert found.estimate == -turned.estimate


def test_a_seed_run_many_times_is_still_one_seed() -> None:
    records = [
        make_record("v2", 0, values={"test_accuracy": accuracy}, conditions={"turn": accuracy})
        for accuracy in (0.90, 0.901, 0.902)
    ]
    found = difference(Summary(tuple(records)), summary_of("v0", 0.80, 0.81))
    assert found is not None
    assert (found.verdict, found.knows_seeds) == ("unknown", False)


def test_fewer_images_tell_less_apart_and_an_unknown_number_nothing() -> None:
    ours, theirs = (0.90, 0.901, 0.902), (0.88, 0.881, 0.882)
    assert gap_of(ours, theirs).verdict == "different"
    assert gap_of(ours, theirs, confusion=[[10] * 10] * 10).verdict == "not told apart"
    unknown = gap_of((0.9, 0.9), (0.5, 0.5), spec={"evaluation_split": "half of test"})
    assert (unknown.verdict, unknown.interval) == ("unknown", None)


def test_an_unknown_accuracy_has_no_difference() -> None:
    failed = Summary((make_record(status="crashed"),))
    assert difference(summary_of("v2", 0.9), failed) is None
    assert difference(failed, summary_of("v2", 0.9)) is None


@pytest.mark.parametrize("num_seeds", [(2, 2), (2, 5), (5, 5)])
@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_identical_models_are_called_different_in_at_most_a_twentieth(
    num_seeds: tuple[int, int], spread: float
) -> None:
    rng = np.random.default_rng(0)
    num_trials, num_images = 400, 10_000
    verdicts = []
    for _ in range(num_trials):
        # Images drawn anew for each run: less alike than in truth, where all see the same.
        true = np.clip(rng.normal(0.9, spread, sum(num_seeds)), 0, 1)
        accuracies = (rng.binomial(num_images, true) / num_images).tolist()
        verdicts.append(gap_of(accuracies[: num_seeds[0]], accuracies[num_seeds[0] :]).verdict)
    assert verdicts.count("different") <= 0.05 * num_trials


def lines_of(*summaries: Summary) -> list[str]:
    return certainty_lines(summaries, table_rows(summaries))


def test_the_footer_names_what_cannot_be_told_apart_from_the_best() -> None:
    (line,) = lines_of(
        summary_of("v0", 0.80, 0.81, 0.80),
        summary_of("fashion_cnn", 0.905, 0.906, 0.904),
        summary_of("v2", 0.904, 0.902, 0.906),
    )
    assert line.startswith("accuracy: v2 (0.10 points less, ±0.")
    assert line.endswith(" by seeds and test images) cannot be told apart from fashion_cnn.")
    plans = [summary_of("v0", 0.9, spec={"plan": plan}) for plan in ("eager", "graph")]
    assert lines_of(*plans)[0].startswith("accuracy: v0 (graph) (0.00 points less, ")


@pytest.mark.parametrize(
    ("num_rows", "names"),
    [(3, "m1 and m2"), (5, "m1, m2, m3 and m4"), (10, "m1, m2, m3 and 6 more")],
)
def test_with_one_seed_the_footer_says_whose_lead_is_unknown(num_rows: int, names: str) -> None:
    records = [summary_of(f"m{rank}", 0.9 - rank / 20) for rank in range(num_rows)]
    assert lines_of(*records, summary_of("v2", 0.899)) == [
        "accuracy: v2 (0.10 points less, ±0.83 by test images alone) cannot be told apart from m0.",
        "accuracy: how much seeds differ is not known (one seed), so whether m0 leads "
        f"{names} for other seeds too is unknown.",
    ]


def test_nothing_is_said_where_nothing_is_to_be_said() -> None:
    assert lines_of(summary_of("v2", 0.9)) == []
    assert lines_of(Summary((make_record(status="crashed"),))) == []
    assert lines_of(summary_of("v2", 0.9, 0.9), summary_of("v0", 0.8, 0.8)) == []
    unknown = {"spec": {"evaluation_split": "half"}}  # of how many images, without confusion
    assert lines_of(*[summary_of(m, 0.9, 0.8, **unknown) for m in ("v2", "v0")]) == []
    chance = summary_of("v1", 0.1, flags=("at_chance",))
    assert lines_of(summary_of("v2", 0.9, 0.9), chance) == []


def test_rows_that_must_not_be_ranked_are_not_compared() -> None:
    values = {"test_accuracy": 0.9}
    records = [make_record(values=values), make_record("v2", values=values, spec={"budget": "9s"})]
    assert not [line for line in footer_lines(summarize(records)) if "told apart" in line]
    assert any("is unknown" in line for line in footer_lines(summarize(make_sweep())))


def test_points() -> None:
    assert (points(0.0012), points(0.0999), points(0.123)) == ("0.12", "9.99", "12.3")
