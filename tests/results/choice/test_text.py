"""The choice as a person reads it, held by golden text, and as a program does."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pytest

from results import RunRecord, choose
from results.choice.choose import Choice, Constraints, Objective
from results.choice.table import choice_notes, render_choice
from results.choice.text import choice_headline, choice_json
from results.rows.names import with_short_names
from results.rows.rows import ROW_KEYS
from tests.golden_text import WIDTHS, assert_golden, shown
from tests.results.choice.choice_by_hand import run
from tests.results.records_by_hand import make_curve, make_record, make_sweep, make_values


def drawn(choice: Choice, width: int) -> str:
    """The whole answer as a terminal of this width shows it."""
    table = render_choice(choice, width=width)
    return shown(*choice_headline(choice), "", table, "", *choice_notes(choice), width=width)


def table(choice: Choice, width: int = 200) -> list[str]:
    return shown(render_choice(choice, width=width), width=width).splitlines()


def why(records: Sequence[RunRecord], by: str = "accuracy", **demands: Any) -> str:  # noqa: ANN401
    return choice_headline(choose(records, Constraints(**demands), Objective(by)))[1]


def runner_up(*records: RunRecord, by: str = "accuracy") -> list[str]:
    return choice_headline(choose(records, None, Objective(by)))[2:]


def seeds(model: str, *accuracies: float, **fields: Any) -> list[RunRecord]:  # noqa: ANN401
    values = [make_values(accuracy, 10, 7_850, 2**20) for accuracy in accuracies]
    return [make_record(model, seed, values=own, **fields) for seed, own in enumerate(values)]


def test_the_answer_looks_as_it_should() -> None:
    constraints = Constraints(max_seconds=0.2, max_memory_bytes=2**30)
    for width in WIDTHS:
        assert_golden(f"choice_{width}.txt", drawn(choose(make_sweep()), width))
        nothing = choose(make_sweep(), constraints)
        assert_golden(f"choice_none_{width}.txt", drawn(nothing, width))


def test_the_table_fits_and_keeps_its_last_column() -> None:
    choice = choose(make_sweep(), Constraints(max_seconds=10))
    for width in (40, 48, 64, 88, 112, 152, 200):
        lines = table(choice, width)
        assert max(map(len, lines)) <= width
        assert len(lines) == 2 + 7
        assert lines[0].endswith("choice")
        assert "94.15" in lines[2]
        assert lines[2].endswith("recommended")
        assert sum("no: " in line for line in lines) == 4


@pytest.mark.parametrize(
    ("records", "cells"),
    [
        (seeds("v0", 0.90, 0.90), "v0 90.00 89.4 to 90.6 "),
        (seeds("v0", 0.89, 0.90, 0.91), "v0 90.00 87.4 to 92.5 "),  # 2.48 and 0.59 points
        (seeds("v0", 0.90, spec={"evaluation_split": "half of test"}), "v0 90.00 10.0 s "),
    ],
)
def test_the_interval_knows_seeds_and_test_images(records: list[RunRecord], cells: str) -> None:
    (line,) = table(choose(records))[2:]
    assert " ".join(line.split()).startswith(cells)


def test_the_runner_up_is_told_apart_or_not() -> None:
    best = seeds("best", 0.90, 0.901, 0.902)
    far, near = seeds("far", 0.80, 0.801, 0.802), seeds("near", 0.899, 0.90, 0.901)
    assert runner_up(*best, *far)[0].startswith(
        "runner-up: far, 10.0 points less accurate (told apart: ±"
    )
    assert runner_up(*best, *far, *near)[0] == (
        "runner-up: near, 0.10 points less accurate "
        "(cannot be told apart: ±0.86 by seeds and test images)."
    )
    assert runner_up(*best[:1], *far[:1])[0] == (
        "runner-up: far, 10.0 points less accurate "
        "(unknown for other seeds: ±0.98 by test images alone)."
    )


def test_the_reason_of_each_objective() -> None:
    records = [
        run("tiny", 0.80, train_time=1, energy=90, curve=make_curve(1.0, [0.9])),
        run("large", 0.94, train_time=30, energy=300, curve=make_curve(60.0, [0.8, 0.91])),
    ]
    for by, figures in {
        "accuracy-per-second": "80.0 points a second, large 3.13 points a second",
        "accuracy-per-joule": "0.889 points a joule, large 0.313 points a joule",
        "time-to-target": "1.00 s to 90 %, large 60.0 s to 90 %",
    }.items():
        assert f"tiny is best by {by} of 2 rows that qualify ({figures}): " in why(records, by)
    assert runner_up(*records, by="time-to-target")[0].startswith(
        "runner-up: large, 14.0 points more accurate ("
    )


def test_the_reason_of_a_single_row_and_of_a_tie() -> None:
    assert why([run("v2")]).startswith("why: v2 is the only row: 90.00 % on test (one ")
    assert runner_up(run("v2")) == ["runner-up: none"]
    only = why([run("v2"), run("v0", train_time=20)], max_seconds=10)
    assert only.startswith("why: v2 is the only one of 2 rows to qualify: ")
    equals = [run("v2"), run("v0")]
    assert "v0 is tied for best by accuracy of 2 rows" in why(equals)
    assert "v0 is tied for best by accuracy-per-second of" in why(equals, "accuracy-per-second")


def test_what_the_runner_up_would_cost_and_save() -> None:
    best = run("best", 0.92, train_time=10, peak_memory=2**20, energy=100, num_params=2000)
    other = run("other", 0.90, train_time=4, peak_memory=2**21, energy=150, num_params=2000)
    assert runner_up(best, other)[1:] == [
        "its cost, relative to best: -6.00 s of training, +1.00 MiB of memory, +50 J."
    ]
    assert runner_up(run("a"), run("b"))[1:] == []
    unknown = run("other", 0.9, peak_memory=None, num_params=2000)
    assert runner_up(best, unknown)[1:] == []


def test_by_time_the_runner_up_may_be_more_accurate() -> None:
    early = run("early", 0.90, curve=make_curve(5.0, [0.9]))
    late = run("late", 0.91, curve=make_curve(9.0, [0.9]))
    first, costs = runner_up(early, late, by="time-to-target")
    assert first.startswith("runner-up: late, 1.00 points more accurate (")
    assert costs == "its cost, relative to early: +4.00 s to 90 %."


@pytest.mark.parametrize(
    ("recipe", "remedy"),
    [
        ("default", "`fmnist-bench run --models 'my net.py:Net' --budget 11s`."),
        ("sgd", "`fmnist-bench run --models 'my net.py:Net' --budget 11s --recipe sgd`."),
        (
            "r3@as_published",
            "`fmnist-bench run --models 'my net.py:Net' --budget 11s --recipe r3 "
            "--protocol as_published`.",
        ),
        ("default+batch_size=64", "a budget of 11s."),
    ],
)
def test_where_nothing_qualifies_the_nearest_and_a_hint_that_can_be_typed_are_told(
    recipe: str, remedy: str
) -> None:
    fields: dict[str, Any] = {
        "curve": make_curve(30, [0.7, 0.871, 0.88]),
        "spec": {"recipe": {"name": recipe}},
    }
    records = [run("my net.py:Net", train_time=30, **fields)]
    assert choice_headline(choose(records, Constraints(max_seconds=11))) == [
        "recommended: none, as nothing qualifies",
        "nearest: my net.py:Net, train time 30.0 s > 11.0 s (off by 173 %).",
        "hint: after 10.0 s of its 30.0 s my net.py:Net had 70.00 % on validation; measure it with "
        + remedy,
    ]


def test_every_demand_that_the_nearest_misses_is_told() -> None:
    demanded = Constraints(max_memory_bytes=50, min_accuracy=0.95, max_params=800, max_joules=9)
    line = choice_headline(choose([run("v2", energy=10)], demanded))[1]
    assert line == (
        "nearest: v2, accuracy 90.00 % < 95.00 % (off by 5.26 %), memory 100 B > 50 B (off by "
        "100 %), energy 10 J > 9 J (off by 11.1 %) and params 1.00 k > 800 (off by 25.0 %)."
    )


def test_nothing_near_is_said_to_be_so() -> None:
    lines = choice_headline(choose([run("v2", status="crashed")]))
    assert lines[1].startswith("nearest: none; each row failed, ")
    assert table(choose([])) == ["no records"]


def test_what_cannot_be_compared_is_labelled() -> None:
    records = [run("v2", 0.91), run("v2", 0.90, spec={"budget": "60s"}), run("v0", 0.8)]
    choice = choose(records)
    first, _, _, second, *_ = choice_headline(choice)
    assert (
        first == "Not comparable: budget is 3epochs for v2 but 60s for v2: do not rank these rows."
    )
    assert second == "runner-up: v2 (60s), not comparable with v2 (3epochs)."
    assert table(choice)[0].split()[:2] == ["model", "budget"]


def test_beaten_rows_are_named_below_and_many_excluded_ones_counted() -> None:
    records = [run("best", 0.95), run("second", 0.94, num_params=1), run("beaten", 0.90)]
    records += [run(f"x{number:02}", 0.9, train_time=99) for number in range(15)]
    choice = choose(records, Constraints(max_seconds=50))
    assert len(table(choice)) == 2 + 2 + 12
    notes = choice_notes(choice)
    assert "also qualify, but a row on the front is better: beaten." in notes
    assert "3 more rows do not qualify; --format json lists them." in notes


def test_flags_and_failed_seeds_of_what_is_recommended_are_told() -> None:
    records = [run("v2", flags=("throttled", "odd")), run("v2", seed=1, status="crashed")]
    choice = choose(records)
    failed, throttled, odd, *_ = choice_notes(choice)
    assert failed == "failed: v2: 1 of 2 runs failed: crashed."
    assert throttled.startswith("throttled (v2 seed 0): its GPU was slowed down")
    assert odd == "odd: v2 seed 0."
    assert table(choice)[2].rstrip().endswith("recommended (1 of 2 failed)")


@pytest.mark.parametrize("by", ["accuracy-per-second", "accuracy-per-joule"])
def test_accuracy_per_second_never_stands_alone(by: str) -> None:
    note = f"{by} favours tiny models: look at accuracy and train time as well."
    assert choice_notes(choose([run("v2", energy=1)], None, Objective(by)))[0] == note
    assert note not in choice_notes(choose([run("v2", energy=1)]))


def test_names_from_records_steer_no_terminal() -> None:
    records = [run("[bold]\x1b[31mnet\n.py:Net"), run("v0", 0.8)]
    text = drawn(choose(with_short_names(records)), 200)
    assert "\x1b" not in text
    assert text.count(r"[bold]\u001b[31mnet\n.py:Net") > 1  # in the table as in the sentences


def test_json_holds_the_answer_in_base_units() -> None:
    choice = choose(make_sweep(), Constraints(max_seconds=10.0))
    answer = json.loads(choice_json(choice))
    rows, costs = answer.pop("qualifying"), answer.pop("runner_up_costs")
    assert [row["model"] for row in rows] == ["resnet8", "fashion_cnn", "v0"]
    assert {tuple(row) for row in rows} == {ROW_KEYS}
    assert answer.pop("excluded")[0] == {"model": "resnet50", "why": "train time 60.2 s > 10.0 s"}
    assert answer == {
        "recommended": "resnet8",
        "reason": choice_headline(choice)[1].removeprefix("why: "),
        "runner_up": "fashion_cnn",
        "objective": {"by": "accuracy", "target": None},
        "constraints": asdict(choice.constraints),
        "pareto_front": ["resnet8", "fashion_cnn", "v0"],
        "nearest_miss": None,
    }
    assert costs["test_accuracy_difference"] == pytest.approx(0.91187 - 0.94147, abs=1e-4)
    assert costs["train_time_s_difference"] == pytest.approx(0.916 - 6.33)
    assert costs["test_accuracy_verdict"] == "different"
    low, high = costs["test_accuracy_difference_ci95"]
    assert low < costs["test_accuracy_difference"] < high < 0


def test_json_tells_the_nearest_miss_and_its_hint() -> None:
    curve = make_curve(30, [0.7, 0.8, 0.9])
    choice = choose([run("v2", train_time=30, curve=curve)], Constraints(max_seconds=12))
    answer = json.loads(choice_json(choice))
    assert (answer["recommended"], answer["reason"], answer["runner_up_costs"]) == (None,) * 3
    hint = answer["nearest_miss"].pop("hint")
    assert hint.startswith("after 10.0 s of its 30.0 s v2 had 70.00 % on validation")
    missed = {"constraint": "--max-seconds 12", "key": "train_time_s", "value": 30, "bound": 12}
    misses = [missed | {"relative_excess": 1.5}]
    assert answer["nearest_miss"] == {"model": "v2", "misses": misses}
    timed = choose([run("v2", curve=curve)], None, Objective("time-to-target", 0.85))
    assert json.loads(choice_json(timed))["objective"] == {"by": "time-to-target", "target": 0.85}
