"""Counts of two commits: what is worse, what is gone, what is new."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.counts.baseline import BOUND, WORDS, Rows
from bench.gate.counts import RECORD_SLACK_BYTES, judge_counts
from results.gate.verdict import Finding

EPOCH = "epoch, ragged batch kept"
BASE: Rows = {
    "v0": {"parameters": 7960, "trainable_parameters": 7960, "flops": 255_680, "kept_bytes": 0}
    | {"operators": 50, "peak_bytes": 158_744},
    "v0, plan compile": {"graphs": 2, "later_graphs": 0, "graph_breaks": 0},
    "v2": {"parameters": 7740, "trainable_parameters": 7740, "flops": 53_296_320, "kept_bytes": 0}
    | {"operators": 77, "peak_bytes": 1_148_520},
    "v2, plan compile": {"graphs": 2, "later_graphs": 0, "graph_breaks": 0},
    EPOCH: {"images": 1000, "steps": 8, "most_record_bytes": 3425},
}


def changed(row: str, **counts: int) -> Rows:
    return BASE | {row: BASE[row] | counts}


def telling(head: Rows, base: Rows = BASE, consented: Rows | None = None) -> list[Finding]:
    """Findings but those of equal counts."""
    found = judge_counts(base, head, consented or {})
    return [finding for finding in found if finding.outcome != "same"]


def only(head: Rows, **more: Rows) -> Finding:
    (finding,) = telling(head, **more)
    return finding


def test_equal_counts_are_one_finding_a_model_and_epoch() -> None:
    found = judge_counts(BASE, BASE, {})
    assert [(finding.model, finding.outcome, finding.evidence) for finding in found] == [
        ("v0", "same", "9 equal"),
        ("v2", "same", "9 equal"),
        (EPOCH, "same", "3 equal"),
    ]
    assert {(finding.check, finding.quantity) for finding in found} == {("counts", "counts")}


@pytest.mark.parametrize(
    ("row", "quantity"),
    [
        *(("v2", name) for name in ("flops", "kept_bytes", "operators", "peak_bytes")),
        *(("v2, plan compile", name) for name in ("graphs", "later_graphs", "graph_breaks")),
    ],
)
def test_growth_is_worse_and_names_both_values(row: str, quantity: str) -> None:
    before = BASE[row][quantity]
    finding = only(changed(row, **{quantity: before + 3}))
    assert (finding.model, finding.quantity, finding.outcome) == (row, WORDS[quantity], "worse")
    assert (finding.base, finding.head) == (before, before + 3)
    assert finding.change == (pytest.approx(3 / before) if before else None)


def test_leaks_and_recompilations_are_called_so() -> None:
    assert only(changed("v2", kept_bytes=320)).evidence == "exact count: it leaks"
    found = only(changed("v2, plan compile", later_graphs=1))
    assert found.evidence == "exact count: it recompiles"


def test_the_order_of_findings_is_that_of_the_words() -> None:
    head = changed("v2", peak_bytes=2_000_000, kept_bytes=320, parameters=8000)
    wanted = ["parameters", "bytes kept from step to step", "peak bytes of a step"]
    assert [finding.quantity for finding in telling(head)] == wanted


def test_kernels_are_counted_too() -> None:
    base = {"v2": BASE["v2"] | {"kernels": 40}}
    finding = only({"v2": base["v2"] | {"kernels": 41}}, base=base)
    assert (finding.quantity, finding.outcome) == ("kernels a step", "worse")


def test_fewer_is_better() -> None:
    finding = only(changed("v2", operators=70))
    assert finding.outcome == "better"
    assert finding.change == pytest.approx(-1 / 11)


@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize(
    ("row", "quantity"),
    [("v0", "parameters"), ("v0", "trainable_parameters"), (EPOCH, "images"), (EPOCH, "steps")],
)
def test_another_thing_measured_is_worse_either_way(row: str, quantity: str, step: int) -> None:
    finding = only(changed(row, **{quantity: BASE[row][quantity] + step}))
    assert (finding.outcome, finding.evidence) == ("worse", "what is measured is another")


@pytest.mark.parametrize(
    ("growth", "outcomes"),
    [
        (RECORD_SLACK_BYTES, []),
        (-RECORD_SLACK_BYTES, []),
        (RECORD_SLACK_BYTES + 1, ["worse"]),
        (-RECORD_SLACK_BYTES - 1, ["better"]),
    ],
)
def test_the_digits_of_a_record_are_no_growth(growth: int, outcomes: list[str]) -> None:
    head = changed(EPOCH, most_record_bytes=3425 + growth)
    assert [finding.outcome for finding in telling(head)] == outcomes


def test_a_model_that_is_gone_is_worse_row_by_row() -> None:
    head = {row: counts for row, counts in BASE.items() if not row.startswith("v2")}
    found = telling(head)
    assert [(f.model, f.quantity, f.outcome, f.evidence) for f in found] == [
        ("v2", "counts", "worse", "gone"),
        ("v2, plan compile", "counts", "worse", "gone"),
    ]


def test_a_lost_row_of_a_model_that_is_there_is_worse() -> None:
    head = {row: counts for row, counts in BASE.items() if row != "v2, plan compile"}
    head |= {"v9": BASE["v2"], "v9, plan compile": BASE["v2, plan compile"]}
    gone, *new = telling(head)
    assert (gone.model, gone.outcome, gone.evidence) == ("v2, plan compile", "worse", "gone")
    assert [finding.outcome for finding in new] == ["changed", "changed"]


def test_a_new_name_is_gone_and_new() -> None:
    head = {row.replace("v2", "v9"): counts for row, counts in BASE.items()}
    found = telling(head)
    assert [(f.model, f.outcome, f.evidence) for f in found] == [
        ("v2", "worse", "gone"),
        ("v2, plan compile", "worse", "gone"),
        ("v9", "changed", "new"),
        ("v9, plan compile", "changed", "new"),
    ]


def test_a_quantity_no_longer_counted_is_worse_and_one_that_came_is_not() -> None:
    lost = {q: value for q, value in BASE["v2"].items() if q != "flops"} | {"kernels": 7}
    worse, new = telling(BASE | {"v2": lost})
    assert (worse.quantity, worse.outcome, worse.head) == ("FLOPs a step", "worse", None)
    assert (new.quantity, new.outcome, new.base) == ("kernels a step", "changed", None)


def test_a_quantity_that_this_commit_does_not_know_is_judged_under_its_own_name() -> None:
    base, head = {"v0": {"wonders": 7}}, {"v0": {"wonders": 8}}
    assert (only(head, base=base).quantity, only(head, base=base).outcome) == ("wonders", "worse")


def test_a_base_without_counts_is_no_base() -> None:
    assert only(BASE, base={}).outcome == "unusable"


quantities = st.dictionaries(st.sampled_from(sorted(WORDS)), st.integers(0, 50), min_size=1)
rows = st.dictionaries(
    st.sampled_from(["v0", "v0, plan compile", "v2", EPOCH]), quantities, min_size=1
)


@given(rows=rows, consented=rows)
def test_identical_counts_are_never_worse(rows: Rows, consented: Rows) -> None:
    assert {finding.outcome for finding in judge_counts(rows, rows, consented)} == {"same"}


@given(base=rows, head=rows, consented=rows)
def test_consent_only_ever_makes_worse_into_changed(
    base: Rows, head: Rows, consented: Rows
) -> None:
    plain, eased = judge_counts(base, head, {}), judge_counts(base, head, consented)
    for before, after in zip(plain, eased, strict=True):
        assert before.outcome == after.outcome or (
            (before.outcome, after.outcome) == ("worse", "changed")
        )


@given(base=rows, head=rows)
def test_whatever_differs_is_found(base: Rows, head: Rows) -> None:
    found = telling(head, base=base)
    named = {finding.model for finding in found}
    exact = {
        row
        for row in base.keys() | head.keys()
        if {q: n for q, n in base.get(row, {}).items() if q != BOUND}
        != {q: n for q, n in head.get(row, {}).items() if q != BOUND}
    }
    assert exact <= named
