"""Grouping over seeds, commits and plans; failures counted."""

import pytest

from results import ResultsError, summarize
from tests.results.records_by_hand import ENVIRONMENT, make_record


def test_seeds_of_one_configuration_share_a_summary() -> None:
    records = [make_record(model, seed) for seed in range(2) for model in ("v0", "v1")]
    summaries = summarize(records)
    assert [(s.model, s.n_seeds, s.n_failed) for s in summaries] == [("v0", 2, 0), ("v1", 2, 0)]
    assert summaries[0].record_ids == (records[0].record_id, records[2].record_id)


def test_mean_and_interval_are_over_the_seeds() -> None:
    records = [make_record(seed=n, values={"test_accuracy": 0.8 + n / 10}) for n in range(2)]
    (summary,) = summarize(records)
    assert summary.mean("test_accuracy") == pytest.approx(0.85)
    assert summary.interval("test_accuracy") == pytest.approx((0.2147, 1.4853), abs=1e-4)
    assert summary.maximum("test_accuracy") == pytest.approx(0.9)
    assert summary.mean("energy") is None
    assert summary.maximum("energy") is None


def test_a_seed_run_twice_counts_once() -> None:
    accuracies = [(0, 0.8, "a"), (0, 0.9, "b"), (1, 0.95, "a")]
    records = [
        make_record(seed=seed, values={"test_accuracy": accuracy}, conditions={"turn": turn})
        for seed, accuracy, turn in accuracies
    ]
    (summary,) = summarize(records)
    assert summary.n_seeds == 2
    assert summary.values("test_accuracy") == pytest.approx((0.85, 0.95))


def test_rates_are_of_one_seed_though_a_run_of_another_lacks_a_quantity() -> None:
    bare = make_record(seed=0, values={"train_time": 2.0}, conditions={"turn": 0})
    fast, slow = (
        make_record(seed=seed, values={"images_seen": images, "train_time": 2.0})
        for seed, images in ((1, 200.0), (0, 100.0))
    )
    (summary,) = summarize([bare, fast, slow])
    assert summary.rates() == (50.0, 100.0)


def test_failures_are_counted_and_leave_the_numbers_alone() -> None:
    good = make_record(seed=0, values={"test_accuracy": 0.9})
    bad = make_record(
        seed=1, values={"test_accuracy": 0.1}, status="diverged", reason="loss is nan"
    )
    (summary,) = summarize([good, bad])
    assert (summary.status, summary.n_seeds, summary.n_failed) == ("ok", 1, 1)
    assert summary.mean("test_accuracy") == 0.9
    assert summary.reason == "1 of 2 runs failed: diverged: loss is nan"
    assert len(summary.record_ids) == 2


def test_the_most_frequent_failure_stands_for_all() -> None:
    records = [
        make_record(seed=seed, status=status, reason=f"by {status}")
        for seed, status in enumerate(["crashed", "timeout", "timeout"])
    ]
    (summary,) = summarize(records)
    assert (summary.status, summary.reason) == ("timeout", "by timeout")
    assert (summary.n_seeds, summary.n_failed) == (0, 3)


def test_facts_of_the_model_are_known_even_if_it_failed() -> None:
    values = {"num_params": 7850.0, "train_time": 0.1}
    (summary,) = summarize([make_record(values=values, status="diverged")])
    assert summary.mean("num_params") == 7850
    assert summary.mean("train_time") is None


@pytest.mark.parametrize("status", ["interrupted", "crashed"])
def test_a_seed_that_was_run_again_well_is_no_failure(status: str) -> None:
    (summary,) = summarize([make_record(status=status), make_record()])
    assert (summary.status, summary.n_failed, summary.reason) == ("ok", 0, None)


def test_a_seed_that_failed_twice_counts_once() -> None:
    records = [make_record(status="crashed"), make_record(status="timeout"), make_record(seed=1)]
    (summary,) = summarize(records)
    assert (summary.n_seeds, summary.n_failed) == (1, 1)
    assert summary.reason is not None
    assert "timeout" in summary.reason


def test_an_interruption_not_resumed_is_a_failure() -> None:
    (summary,) = summarize([make_record(seed=0), make_record(seed=1, status="interrupted")])
    assert summary.n_failed == 1


def test_by_commit_tells_commits_and_dirty_trees_apart() -> None:
    dirty = {"commit": "b" * 40, "dirty": True}
    records = [make_record(commit="a" * 40), make_record(commit="b" * 40)]
    records.append(make_record(provenance=dirty))
    commits = [summary.commits for summary in summarize(records, by="commit")]
    assert commits == [("a" * 10,), ("b" * 10,), ("b" * 10 + "+",)]
    (pooled,) = summarize(records)
    assert pooled.flags == ("mixed_commits",)


def test_by_plan_tells_apart_what_auto_chose() -> None:
    config = "c" * 16
    records = [
        make_record(seed=seed, spec={"plan": plan}, config_id=config)
        for seed, plan in enumerate(["graph", "compile"])
    ]
    assert [summary.plans for summary in summarize(records, by="plan")] == [
        ("graph",),
        ("compile",),
    ]
    (pooled,) = summarize(records)
    assert (pooled.plans, pooled.flags) == (("graph", "compile"), ("mixed_plans",))


def test_environments_never_share_a_mean() -> None:
    records = [make_record(), make_record(environment=ENVIRONMENT | {"device": "CPU"})]
    assert len(summarize(records)) == 2


def test_flags_are_joined_in_order() -> None:
    records = [make_record(seed=0, flags=("b", "a")), make_record(seed=1, flags=("a", "c"))]
    assert summarize(records)[0].flags == ("b", "a", "c")


def test_no_records_no_summaries() -> None:
    assert summarize([]) == []


def test_an_unknown_grouping_names_the_choices() -> None:
    with pytest.raises(ResultsError, match="'seed'; choose from model, commit, plan"):
        summarize([], by="seed")  # type: ignore[arg-type]
