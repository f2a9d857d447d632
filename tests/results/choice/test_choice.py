"""Which row is chosen, why others are not, and what comes nearest where none is."""

import time

import pytest

from results import ResultsError, RunRecord, choose
from results.choice.choose import Choice, Constraints, Objective
from results.choice.text import hint
from tests.results.choice.choice_by_hand import run
from tests.results.records_by_hand import make_curve, make_record, with_measured

CURVE = [0.79, 0.86, 0.91]


def chosen(*records: RunRecord, by: str = "accuracy", **demands: float) -> str | None:
    choice = choose(records, Constraints(**demands), Objective(by))
    return choice.recommended.label if choice.recommended else None


def front(choice: Choice) -> list[str]:
    return [candidate.label for candidate in choice.front]


def test_a_front_known_by_hand() -> None:
    records = [
        run("best", 0.94, train_time=30),
        run("good", 0.92, train_time=10),
        run("slow", 0.92, train_time=20),  # beaten by good
        run("light", 0.90, train_time=20, peak_memory=10),
        run("small", 0.80, train_time=20, num_params=10),
        run("bad", 0.79, train_time=20, num_params=10),  # beaten by small
    ]
    choice = choose(records)
    assert front(choice) == ["best", "good", "light", "small"]
    assert [one.label for one in choice.qualifying][1:3] == ["good", "slow"]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"train_time": 9}, "b"),
        ({"train_time": 11, "peak_memory": 1}, "a"),
        ({"peak_memory": 99}, "b"),
        ({"peak_memory": 101, "num_params": 1}, "a"),
        ({"num_params": 999}, "b"),
        ({"energy": 5}, "b"),  # of a it is unknown
        ({"peak_memory": None, "num_params": 1}, "a"),
        ({}, "a"),
    ],
)
def test_ties_go_to_time_then_memory_then_parameters_then_energy_then_the_name(
    changes: dict[str, float | None], wanted: str
) -> None:
    assert chosen(run("a"), run("b", **changes)) == wanted
    assert chosen(run("b", **changes), run("a")) == wanted


def test_by_the_objectives() -> None:
    records = [
        run("tiny", 0.80, train_time=1, energy=90, curve=make_curve(1.0, [0.80])),
        run("middle", 0.90, train_time=10, energy=80, curve=make_curve(10.0, CURVE)),
        run("large", 0.94, train_time=30, energy=300, curve=make_curve(6.0, CURVE)),
    ]
    assert chosen(*records) == "large"
    assert chosen(*records, by="accuracy-per-second") == "tiny"
    assert chosen(*records, by="accuracy-per-joule") == "middle"
    assert chosen(*records, by="time-to-target") == "large"  # as its curve has it
    equally_fast = run("slower", 0.95, train_time=99, curve=records[2].curve)
    assert chosen(*records, equally_fast, by="time-to-target") == "slower"


def test_the_overrun_of_a_budget_is_free() -> None:
    spec = {"budget": "30s"}
    records = [
        run("v2", 0.91, train_time=30.04, peak_memory=9, spec=spec),
        run("v1", 0.91, train_time=30.001, peak_memory=99, spec=spec),
    ]
    assert chosen(*records, max_seconds=30) == "v2"  # as fast, as both have the budget's seconds
    assert chosen(*records, max_seconds=29.9) is None
    assert chosen(*records, by="accuracy-per-second") == "v2"
    assert chosen(run("v2", train_time=30.04), max_seconds=30) is None
    energy = run("v2", energy=501, spec={"budget": "500J"})
    assert chosen(energy, max_joules=500) == "v2"


@pytest.mark.parametrize(
    ("record", "demands", "by", "why"),
    [
        (run("v", peak_memory=None), {"max_memory_bytes": 1}, "accuracy", "memory unknown"),
        (run("v"), {"max_joules": 1}, "accuracy", "energy unknown"),
        (run("v"), {"max_joules": 1}, "accuracy-per-joule", "energy unknown"),
        (run("v", train_time=None), {}, "accuracy-per-second", "train time unknown"),
        (run("v", None), {}, "accuracy", "accuracy unknown"),
        (run("v"), {}, "time-to-target", "no curve, so time to 90 % unknown"),
        (
            run("v", curve=make_curve(9, [0.8, 0.85])),
            {},
            "time-to-target",
            "validation never 90 % (85.00 %)",
        ),
        (run("v"), {"max_seconds": 5}, "accuracy", "train time 10.0 s > 5.00 s"),
        (run("v"), {"max_seconds": 9.9999}, "accuracy", "train time 10 > 9.9999"),
        (run("v"), {"min_accuracy": 0.95}, "accuracy", "accuracy 90.00 % < 95.00 %"),
        (run("v"), {"max_memory_bytes": 50}, "accuracy", "memory 100 B > 50 B"),
        (run("v"), {"max_params": 999}, "accuracy", "params 1.00 k > 999"),
        (
            run("v"),
            {"max_params": 500, "max_seconds": 5},
            "accuracy",
            "train time 10.0 s > 5.00 s; params 1.00 k > 500",
        ),
        (run("v", flags=("at_chance",)), {}, "accuracy", "at chance: it has learnt nothing"),
        (
            run("v", status="diverged", reason="nan\n\x1b[31m"),
            {},
            "accuracy",
            "diverged: nan",
        ),
    ],
)
def test_why_a_row_does_not_qualify(
    record: RunRecord, demands: dict[str, float], by: str, why: str
) -> None:
    choice = choose([record], Constraints(**demands), Objective(by))
    assert (choice.recommended, [one.why for one in choice.excluded]) == (None, [why])


def test_a_target_missed_by_half_of_the_seeds_is_missed() -> None:
    curves = [make_curve(9, [0.8, 0.95]), make_curve(9, [0.8, 0.88])]
    records = [
        make_record("v", seed, values={"test_accuracy": 0.9}, curve=curve)
        for seed, curve in enumerate(curves)
    ]
    (excluded,) = choose(records, None, Objective("time-to-target")).excluded
    assert excluded.why == "validation never 90 % (88.00 %)"
    assert excluded.relative_excess == pytest.approx(0.02 / 0.9)
    (miss,) = excluded.misses
    assert (miss.key, miss.value) == ("best_validation_accuracy", 0.88)  # no seconds


def ended(target: float, seconds: float | None, curve: list[float] | None) -> RunRecord:
    """A run with a target of its own; a record that was too long has lost its curve."""
    record = run("v", spec={"target": target}, curve=curve and make_curve(9, curve))
    if seconds is not None:
        return with_measured(record, "time_to_target", "s", seconds)
    return record


@pytest.mark.parametrize(
    ("record", "target", "why"),
    [
        (ended(0.85, 9, [0.8, 0.86]), 0.90, "ended at 85 %, so time to 90 % unknown"),
        (ended(0.9, None, [0.8, 0.86]), 0.90, "validation never 90 % (86.00 %)"),
        (ended(0.9, None, None), 0.90, "validation never 90 %"),
        (ended(0.92, None, None), 0.90, "no curve, so time to 90 % unknown"),
        (ended(0.9, 9, None), 0.90, None),
        (ended(0.92, 9, [0.8, 0.93]), 0.90, None),
        (ended(0.92, 9, [0.8, 0.93]), 0.87, "not a target of its own, so time to 87 % unknown"),
        (
            run("v", curve=make_curve(9, [0.93])),
            0.87,
            "not a target of its own, so time to 87 % unknown",
        ),
        (ended(0.87, None, [0.8, 0.86]), 0.87, "validation never 87 % (86.00 %)"),
    ],
)
def test_who_ended_at_a_target_has_not_missed_a_higher_one(
    record: RunRecord, target: float, why: str | None
) -> None:
    objective = Objective("time-to-target", target)
    choice = choose([record], None, objective)
    assert [one.why for one in (*choice.qualifying, *choice.excluded)] == [why]


def test_the_nearest_counts_what_a_row_misses_most() -> None:
    records = [
        run("a", 0.9, train_time=20, peak_memory=11),
        run("b", 0.9, train_time=12, peak_memory=30),
        run("c", 0.9, train_time=15, peak_memory=15),
    ]
    nearest = choose(records, Constraints(max_seconds=10, max_memory_bytes=10)).nearest
    assert nearest is not None
    assert (nearest.label, nearest.relative_excess) == ("c", 0.5)


def test_a_curve_hints_at_what_a_shorter_run_may_come_to() -> None:
    records = [
        run("v2", train_time=30, curve=make_curve(30, [0.7, 0.871, 0.88, 0.9, 0.9, 0.9])),
        run("v0", train_time=30, curve=make_curve(30, [0.6, 0.7, 0.8, 0.8, 0.8, 0.8])),
        run("late", train_time=30, curve=make_curve(30, [0.99])),
        run("heavy", train_time=30, peak_memory=999, curve=make_curve(30, [0.9, 0.99, 0.99])),
    ]

    def hinted(**demands: float) -> str:
        return (hint(choose(records, Constraints(**demands))) or "none").partition(";")[0]

    told = "after 10.0 s of its 30.0 s v2 had 87.10 % on validation"
    assert hinted(max_seconds=11, max_memory_bytes=500) == told
    assert hinted(max_seconds=11, min_accuracy=0.871, max_memory_bytes=500) == told
    assert hinted(max_seconds=11, min_accuracy=0.895) != "none"  # heavy, whom nothing limits
    assert hinted(max_seconds=11, min_accuracy=0.895, max_memory_bytes=500) == "none"
    assert hinted(max_seconds=1) == "none"
    assert hinted() == "none"
    timeless = run("v", train_time=None, curve=make_curve(30, [0.7, 0.8, 0.9]))
    assert hint(choose([timeless], Constraints(max_seconds=11))) is None


def test_a_seed_at_chance_is_not_all_of_them() -> None:
    seeds = [run("v", 0.9), run("v", 0.1, seed=1, flags=("at_chance",)), run("v", 0.9, seed=2)]
    (excluded,) = choose(seeds).excluded
    assert excluded.why == "at chance with 1 of 3 seeds"


def test_one_row_wins_and_no_row_does_not() -> None:
    alone = choose([run("v2")])
    assert (alone.recommended, alone.runner_up) == (alone.qualifying[0], None)
    nobody = choose([])
    assert (nobody.recommended, nobody.nearest, nobody.front) == (None, None, ())


def test_what_cannot_be_asked_names_the_choices() -> None:
    with pytest.raises(ResultsError, match="cannot choose by 'speed'; choose from accuracy, "):
        Objective("speed")


def test_thousands_of_records_are_no_hardship() -> None:
    # Twenty rows of a hundred seeds, and five hundred rows of which a hundred are on the front.
    many = [
        make_record(f"m{number % 20}", number // 20, values={"test_accuracy": 0.9})
        for number in range(2000)
    ]
    wide = [run(f"w{n}", 0.5 + n % 100 / 1000, train_time=1 + n % 100) for n in range(500)]
    started = time.process_time()
    assert len(choose(many).qualifying) == 20
    assert len(choose(wide).front) == 500  # five equals each
    assert time.process_time() - started < 10
