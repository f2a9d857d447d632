"""Two sets of records: which rows stand for each other, how runs end, what is refused and told."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from results import NotComparable, RunRecord, compare_records
from results.compare import compare as comparison_module
from results.compare.compare import Comparison
from results.gate.verdict import Commit, Verdict
from results.rows.comparable import asked_for
from tests.bench.ladder.ladder_by_hand import make_ladder
from tests.results.compare.compare_by_hand import SEEDS, outcomes, runs
from tests.results.records_by_hand import ENVIRONMENT, make_record, make_sweep

NEW_TORCH = ENVIRONMENT | {"torch": "2.15.0"}


def failed(seed: int = 0, status: str = "crashed", **fields: Any) -> RunRecord:  # noqa: ANN401
    return make_record("v0", seed, status=status, reason="signal 9", **fields)


def exit_code(comparison: Comparison) -> int:
    commit = Commit("x", "", "")
    return Verdict(base=commit, head=commit, findings=comparison.findings, command="").exit_code


def test_a_set_is_no_worse_than_itself() -> None:
    comparison = compare_records(make_sweep(), make_sweep())
    ok = [f for f in comparison.findings if not f.model.startswith("alexnet")]
    assert {finding.outcome for finding in ok if finding.model != "resnet50"} == {"same"}
    checks = {"run", "speed", "accuracy", "memory", "energy", "counts"}
    assert {finding.check for finding in ok} == checks
    assert comparison.notes == ("the base and the head are the same records",)
    assert exit_code(comparison) == 0  # though two rows failed alike


def test_a_row_that_is_gone_or_new_and_failed_is_worse_and_a_new_one_is_none_yet() -> None:
    new = make_record("v9", status="out_of_memory", reason="96 GiB")
    base, head = runs() + runs(model="v1"), [*runs(), *runs(model="v2"), new]
    endings = {
        finding.model: (finding.outcome, finding.base, finding.head, finding.evidence)
        for finding in compare_records(base, head).findings
        if finding.check == "run"
    }
    assert endings == {
        "v0": ("same", 3, 3, ""),
        "v1": ("worse", 3, None, "gone: the head has no such run"),
        "v2": ("skipped", None, 3, "new"),
        "v9": ("worse", None, 0, "new; out of memory: 96 GiB"),
    }


@pytest.mark.parametrize(
    ("base", "head", "outcome", "evidence"),
    [
        (runs(), [failed(0), failed(1)], "worse", "on the head: crashed: signal 9"),
        (runs(), [*runs()[:2], failed(2)], "worse", "seed 2: crashed: signal 9"),
        (runs(), [*runs(), failed(3)], "worse", "seed 3: crashed: signal 9"),
        (runs(), [failed(0, "interrupted")], "unclear", "on the head: interrupted: signal 9"),
        (runs(), [*runs()[:2], failed(2, "interrupted")], "unclear", "seed 2: interrupted"),
        ([failed()], runs(), "better", "on the base: crashed: signal 9"),
        ([*runs()[:2], failed(2)], runs(), "better", ""),
        ([*runs()[:2], failed(2)], [*runs()[:2], failed(2)], "same", ""),
        ([failed()], [failed()], "skipped", "on both sides: crashed: signal 9"),
        ([failed()], [failed(0, "timeout")], "skipped", "on the base: crashed: signal 9; on the h"),
        ([failed(0, "interrupted")], runs(), "skipped", "on the base: interrupted"),
        ([failed(0, "interrupted")], [failed()], "unclear", "on the base: interrupted: signal 9;"),
        (runs(), runs()[:2], "same", "2 of 3 seeds"),
        (runs(), runs(first_seed=5), "same", ""),
        (runs(), [failed(0), *runs()], "same", ""),  # run again, and well
    ],
)
def test_how_runs_end(
    base: list[RunRecord], head: list[RunRecord], outcome: str, evidence: str
) -> None:
    findings = compare_records(base, head).findings
    (finding,) = [f for f in findings if f.check == "run"]
    assert (finding.outcome, finding.evidence[: len(evidence) or None]) == (outcome, evidence)
    # nothing is measured where a side has no run that ended well
    is_measured = all(any(run.status == "ok" for run in side) for side in (base, head))
    assert (len(findings) > 1) == is_measured


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"environment": NEW_TORCH}, "torch is 2.14.1 in the base but 2.15.0"),
        ({"environment": ENVIRONMENT | {"data_hash": "00"}}, "data_hash is 5f2c0e9a7d3b1846"),
        ({"spec": {"budget": "60s"}}, "budget is 3epochs in the base but 60s in the head"),
        ({"spec": {"target": 0.9}}, "target is None in the base but 0.9 in the head"),
        ({"spec": {"evaluation_split": "validation"}}, "evaluation_split is test in the base"),
    ],
)
def test_what_is_not_comparable_is_refused(fields: dict[str, Any], wanted: str) -> None:
    for head in (runs(**fields), [*runs(model="v1"), *runs(**fields)]):
        with pytest.raises(NotComparable, match=wanted):
            compare_records(runs() + runs(model="v1"), head)


def test_a_side_of_two_environments_is_refused() -> None:
    other = runs(model="v1", environment=NEW_TORCH)
    with pytest.raises(NotComparable, match=r"2\.15\.0 in the base"):
        compare_records(runs() + other, runs())


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (runs(model="v1"), "the base has v0, the head v1"),
        (runs(spec={"requested_plan": "eager"}), "of v0 the plan is auto in the base but eager"),
        (runs(spec={"recipe": {"name": "adam"}}), "of v0 the recipe is sgd in the base but adam"),
        (make_ladder(), "the head has no ordinary run"),
        ([], "the head has no ordinary run"),
    ],
)
def test_nothing_in_common_is_refused(head: list[RunRecord], wanted: str) -> None:
    with pytest.raises(NotComparable, match=f"nothing to compare: {wanted}"):
        compare_records(runs(), head)


def test_budgets_may_differ_from_model_to_model_as_published_ones_do() -> None:
    records = runs() + runs(model="v1", spec={"budget": "10epochs"})
    assert outcomes(compare_records(records, records)) == {"same"}


def test_namesakes_are_told_apart_by_what_was_asked_for() -> None:
    records = runs() + runs(spec={"requested_plan": "channels_last,compile"})
    comparison = compare_records(records, records)
    assert set(comparison.record_ids) == {"v0 (auto)", "v0 (channels_last,compile)"}
    ids = comparison.record_ids["v0 (auto)"]
    assert ids == {side: [run.record_id for run in runs()] for side in ("base", "head")}


@pytest.mark.parametrize(
    ("change", "notes"),
    [
        (lambda: [*runs(), *make_ladder()], ["head: 6 records of ladders left out: they compare"]),
        (lambda: runs(spec={"plan": "eager"}), ["v0: the plan was resident-graph and is eager"]),
        (lambda: runs()[:2], ["v0: the head has 2 of 3 seeds"]),
        (
            lambda: runs(spec={"model_hash": "a"}) + runs(spec={"model_hash": "b"}),
            [
                "head: 3 records left out: a later run has another file of that model",
                "v0: the file of the model has changed",
            ],
        ),
        (
            lambda: runs(spec={"full_train": True}) + runs(),
            ["head: 3 records left out: a later run has other settings"],
        ),
        (lambda: runs(flags=("throttled",)), ["v0: only the head is flagged throttled"]),
        (
            lambda: runs(provenance={"commit": "c" * 40, "dirty": True}),
            ["head: measured with changes that are in no commit"],
        ),
        (
            lambda: runs(SEEDS[:2]) + runs(SEEDS[2:], first_seed=2, commit="f" * 40),
            ["head: runs of 2 commits together (0123456789 and ffffffffff)"],
        ),
        (
            lambda: runs(spec={"recipe": {"name": "sgd", "learning_rate": 1}}) + runs(),
            ["head: 3 records left out: a later run has another recipe of that name"],
        ),
        (
            lambda: runs(spec={"recipe": {"name": "sgd"}}),
            ["v0: the recipe has another learning_rate_source"],
        ),
    ],
)
def test_what_else_differs_is_told(
    change: Callable[[], list[RunRecord]], notes: Sequence[str]
) -> None:
    told = compare_records(runs(commit="e" * 16), change()).notes
    assert len(told) == len(notes)
    for line, wanted in zip(told, notes, strict=True):
        assert line.startswith(wanted)


def test_records_that_stand_on_both_sides_are_told() -> None:
    grown = [*runs(), *runs((0.9,), first_seed=7)]
    assert compare_records(runs(), grown).notes == ("3 records are both in the base and the head",)
    assert compare_records(runs(commit="e" * 16), runs()).notes == ()


def test_what_neither_side_measured_is_no_comparison() -> None:
    bare = [replace(run, measurements={}) for run in runs()]
    comparison = compare_records(bare, bare)
    assert outcomes(comparison) == {"skipped"}
    assert exit_code(comparison) == 4
    assert exit_code(compare_records(bare, runs())) == 4
    assert outcomes(compare_records(runs(), bare)) == {"same", "unclear"}


def test_a_new_row_does_not_make_a_comparison_of_failures_one() -> None:
    head = [failed(), *runs(model="v9")]
    assert exit_code(compare_records([failed()], head)) == 4


def test_an_environment_that_only_the_base_or_only_the_head_tells_of_is_another() -> None:
    more = runs(environment=ENVIRONMENT | {"power_limit": "200 W"})
    for pair in ((runs(), more), (more, runs())):
        with pytest.raises(NotComparable, match="power_limit"):
            compare_records(*pair)


HOSTILE = "v1\n::error::\x1b[31mpwned"


@pytest.mark.parametrize(
    "fields", [{"model": HOSTILE}, {"environment": ENVIRONMENT | {"torch": HOSTILE}}]
)
def test_a_refusal_is_one_line_whatever_the_names(fields: dict[str, Any]) -> None:
    with pytest.raises(NotComparable) as refused:
        compare_records(runs(), runs(**fields))
    assert str(refused.value).isprintable()


def test_thousands_of_rows_that_differ_take_no_pass_over_all_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0

    def counted(spec: dict[str, Any]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        return asked_for(spec)

    monkeypatch.setattr(comparison_module, "asked_for", counted)
    base = [run for n in range(50) for run in runs((0.9,), model=f"m{n}")]
    head = [run for n in range(50) for run in runs((0.9,), model=f"k{n}")]
    with pytest.raises(NotComparable):
        compare_records(base, head)
    assert calls <= 2 * 50 * 2
