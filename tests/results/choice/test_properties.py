"""What is chosen, held against its definition over records that tie, lack values or failed."""

import math
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from results import RunRecord, choose
from results.choice.choose import OBJECTIVES, Candidate, Constraints, Objective
from results.choice.text import choice_json
from tests.results.choice.choice_by_hand import run
from tests.results.records_by_hand import make_curve, make_sweep

FEW = st.integers(1, 3)  # few values, so that ties are common
FEW_OR_UNKNOWN = st.none() | FEW


@st.composite
def runs(draw: st.DrawFn) -> list[RunRecord]:
    """Up to six rows that tie, lack values, failed or learnt nothing."""
    records = []
    for number in range(draw(st.integers(1, 6))):
        levels = draw(st.lists(FEW, min_size=3, max_size=3))
        records.append(
            run(
                f"m{number}",
                draw(FEW) / 4,
                train_time=draw(FEW_OR_UNKNOWN),
                peak_memory=draw(FEW_OR_UNKNOWN),
                num_params=draw(FEW),
                energy=draw(FEW_OR_UNKNOWN),
                curve=draw(st.none() | st.just(make_curve(3.0, [(n + 6) / 10 for n in levels]))),
                status=draw(st.sampled_from(["ok", "ok", "ok", "crashed"])),
                flags=draw(st.sampled_from([(), (), (), ("at_chance",)])),
            )
        )
    return records


CONSTRAINTS = st.builds(
    Constraints,
    max_seconds=FEW_OR_UNKNOWN,
    min_accuracy=st.sampled_from([None, 0.5, 0.75]),
    max_memory_bytes=FEW_OR_UNKNOWN,
    max_joules=FEW_OR_UNKNOWN,
    max_params=FEW_OR_UNKNOWN,
)
OBJECTIVE = st.builds(Objective, st.sampled_from(OBJECTIVES), st.sampled_from([0.8, 0.9]))


def goodness(candidate: Candidate, objective: Objective) -> list[float]:
    """A row on every axis of the definition, more is better; unknown is worst."""
    row = candidate.row
    aim = objective.value(row)
    is_time = objective.by == "time-to-target"
    costs = [row[k] for k in ("train_time_s", "peak_memory_bytes", "num_params", "energy_j")]
    gains = [-aim if is_time and aim is not None else aim, row["test_accuracy"]]
    known = [*gains, *(None if cost is None else -cost for cost in costs)]
    return [-math.inf if axis is None else axis for axis in known]


def is_beaten(ours: list[float], theirs: list[float]) -> bool:
    return theirs != ours and all(t >= o for t, o in zip(theirs, ours, strict=True))


def meets(candidate: Candidate, demanded: Constraints) -> bool:
    row = candidate.row
    pairs = (
        (row["train_time_s"], demanded.max_seconds),
        (row["peak_memory_bytes"], demanded.max_memory_bytes),
        (row["energy_j"], demanded.max_joules),
        (row["num_params"], demanded.max_params),
    )
    is_cheap = all(most is None or (cost is not None and cost <= most) for cost, most in pairs)
    is_sound = row["status"] == "ok" and "at_chance" not in row["flags"]
    return is_sound and is_cheap and row["test_accuracy"] >= (demanded.min_accuracy or 0.0)


@given(runs(), CONSTRAINTS, OBJECTIVE)
def test_the_recommended_row_keeps_every_demand_and_nothing_beats_it(
    records: list[RunRecord], demanded: Constraints, objective: Objective
) -> None:
    choice = choose(records, demanded, objective)
    everyone = [*choice.qualifying, *choice.excluded]
    wanted = {
        one.label
        for one in everyone
        if meets(one, demanded) and objective.value(one.row) is not None
    }
    assert {one.label for one in choice.qualifying} == wanted
    assert len(everyone) == len(records)
    assert (choice.recommended is not None) == bool(wanted)
    axes = {one.label: goodness(one, objective) for one in choice.qualifying}
    if choice.recommended:
        best = axes[choice.recommended.label]
        assert best[0] == max(own[0] for own in axes.values())  # the best by the objective
        assert not any(is_beaten(best, other) for other in axes.values())
    front = {
        label
        for label, own in axes.items()
        if not any(is_beaten(own, other) for other in axes.values())
    }
    assert {one.label for one in choice.front} == front


@given(runs(), CONSTRAINTS, OBJECTIVE, st.randoms())
def test_the_order_of_the_records_does_not_matter(
    records: list[RunRecord], demanded: Constraints, objective: Objective, random: Random
) -> None:
    again = choose(random.sample(records, len(records)), demanded, objective)
    assert again == choose(records, demanded, objective)


@settings(deadline=None)  # the first of them imports scipy
@given(st.randoms())
def test_nor_does_the_order_of_seeds(random: Random) -> None:
    records = make_sweep()
    again = choose(random.sample(records, len(records)))
    assert again == choose(records)
    assert choice_json(again) == choice_json(choose(records))


@given(runs(), CONSTRAINTS, OBJECTIVE)
def test_the_nearest_miss_misses_by_the_smallest_share(
    records: list[RunRecord], demanded: Constraints, objective: Objective
) -> None:
    choice = choose(records, demanded, objective)
    shares = [one.relative_excess for one in choice.excluded]
    assert shares == sorted(shares)
    assert all(one.why for one in choice.excluded)
    if choice.nearest:
        assert not choice.qualifying
        assert choice.nearest.relative_excess == min(shares)
        assert math.isfinite(choice.nearest.relative_excess)
    elif not choice.qualifying:
        assert all(math.isinf(share) for share in shares)
