"""Grouping over seeds, commits and plans; failures counted."""

import pytest

from results import ResultsError, RunRecord, Summary, summarize
from tests.results.records_by_hand import ENVIRONMENT, make_record


def one(*records: RunRecord) -> Summary:
    (summary,) = summarize(records)
    return summary


def test_seeds_of_one_configuration_share_a_summary() -> None:
    assert summarize([]) == []
    records = [make_record(model, seed) for seed in range(2) for model in ("v0", "v1")]
    summaries = summarize(records)
    assert [(s.model, s.n_seeds, s.n_failed) for s in summaries] == [("v0", 2, 0), ("v1", 2, 0)]
    assert summaries[0].record_ids == (records[0].record_id, records[2].record_id)


def test_mean_and_interval_are_over_the_seeds() -> None:
    values = [{"test_accuracy": 0.8}, {"test_accuracy": 0.9}]
    summary = one(*[make_record(seed=seed, values=v) for seed, v in enumerate(values)])
    assert summary.mean("test_accuracy") == pytest.approx(0.85)
    assert summary.interval("test_accuracy") == pytest.approx((0.2147, 1.4853), abs=1e-4)
    assert summary.maximum("test_accuracy") == pytest.approx(0.9)
    assert (summary.mean("energy"), summary.maximum("energy")) == (None, None)


def test_a_seed_run_twice_counts_once() -> None:
    accuracies = [(0, 0.8, "a"), (0, 0.9, "b"), (1, 0.95, "a")]
    summary = one(
        *(
            make_record(seed=seed, values={"test_accuracy": accuracy}, conditions={"turn": turn})
            for seed, accuracy, turn in accuracies
        )
    )
    assert summary.n_seeds == 2
    assert summary.values("test_accuracy") == pytest.approx((0.85, 0.95))


def test_rates_are_of_one_seed_though_a_run_of_another_lacks_a_quantity() -> None:
    bare = make_record(seed=0, values={"train_time": 2.0}, conditions={"turn": 0})
    fast, slow = (
        make_record(seed=seed, values={"images_seen": images, "train_time": 2.0})
        for seed, images in ((1, 200.0), (0, 100.0))
    )
    assert one(bare, fast, slow).rates() == (50.0, 100.0)


def failed(seed: int, status: str, reason: str | None = None, **values: float) -> RunRecord:
    return make_record(seed=seed, values=values, status=status, reason=reason)


GOOD = make_record(seed=0, values={"test_accuracy": 0.9})


@pytest.mark.parametrize(
    ("records", "status", "n_seeds", "n_failed", "reason"),
    [
        (
            [GOOD, failed(1, "diverged", "loss is nan", test_accuracy=0.1)],
            *("ok", 1, 1, "1 of 2 runs failed: diverged: loss is nan"),
        ),
        (
            [failed(0, "crashed"), failed(1, "timeout", "late"), failed(2, "timeout", "later")],
            *("timeout", 0, 3, "late"),  # the most frequent failure stands for all
        ),
        ([failed(0, "interrupted"), GOOD], "ok", 1, 0, None),  # run again, and well
        ([failed(0, "crashed"), GOOD], "ok", 1, 0, None),
        (
            [failed(1, "crashed"), failed(1, "timeout"), GOOD],  # a seed that failed twice
            *("ok", 1, 1, "1 of 2 runs failed: timeout"),
        ),
        ([GOOD, failed(1, "interrupted")], "ok", 1, 1, "1 of 2 runs failed: interrupted"),
    ],
)
def test_failures_are_counted_and_leave_the_numbers_alone(
    records: list[RunRecord], status: str, n_seeds: int, n_failed: int, reason: str | None
) -> None:
    summary = one(*records)
    assert (summary.status, summary.n_seeds, summary.n_failed) == (status, n_seeds, n_failed)
    assert summary.reason == reason
    assert summary.mean("test_accuracy") == (0.9 if n_seeds else None)
    assert len(summary.record_ids) == len(records)


def test_facts_of_the_model_are_known_even_if_it_failed() -> None:
    bare = failed(0, "diverged", num_params=7850.0, train_time=0.1)
    assert (one(bare).mean("num_params"), one(bare).mean("train_time")) == (7850, None)
    beside = one(bare, make_record(seed=1, values={"train_time": 2.0}))
    assert (beside.values("num_params"), beside.values("train_time")) == ((7850,), (2.0,))


def test_by_commit_tells_commits_and_dirty_trees_apart() -> None:
    records = [make_record(commit="a" * 40), make_record(commit="b" * 40)]
    records.append(make_record(provenance={"commit": "b" * 40, "dirty": True}))
    commits = [summary.commits for summary in summarize(records, by="commit")]
    assert commits == [("a" * 10,), ("b" * 10,), ("b" * 10 + "+",)]
    assert one(*records).flags == ("mixed_commits",)


def test_by_plan_tells_apart_what_auto_chose() -> None:
    records = [
        make_record(seed=seed, spec={"plan": plan}, config_id="c" * 16)
        for seed, plan in enumerate(["graph", "compile"])
    ]
    plans = [summary.plans for summary in summarize(records, by="plan")]
    assert plans == [("graph",), ("compile",)]
    assert (one(*records).plans, one(*records).flags) == (("graph", "compile"), ("mixed_plans",))


def test_environments_never_share_a_mean() -> None:
    records = [make_record(), make_record(environment=ENVIRONMENT | {"device": "CPU"})]
    assert len(summarize(records)) == 2


def test_flags_are_joined_in_order() -> None:
    records = [make_record(seed=0, flags=("b", "a")), make_record(seed=1, flags=("a", "c"))]
    assert one(*records).flags == ("b", "a", "c")


def test_an_unknown_grouping_names_the_choices() -> None:
    with pytest.raises(ResultsError, match="'seed'; choose from model, commit, plan"):
        summarize([], by="seed")  # type: ignore[arg-type]
