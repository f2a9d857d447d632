"""Counts of two commits: what is worse, gone or new, and what was consented to."""

from pathlib import Path

import pytest

from bench.counts.baseline import BOUND, FILE, WORDS, Baseline, Rows
from bench.gate.counts import RECORD_SLACK_BYTES, consented_counts, judge_counts
from results.gate.verdict import Finding

STACK = "torch 2.14 on cpu"
EPOCH = "epoch, ragged batch kept"
COMPILED = "v2, plan compile"
BASE: Rows = {
    "v0": {"parameters": 7960, "trainable_parameters": 7960, "flops": 255_680, "kept_bytes": 0}
    | {"operators": 50, "peak_bytes": 158_744},
    "v0, plan compile": {"graphs": 2, "later_graphs": 0, "graph_breaks": 0},
    "v2": {"parameters": 7740, "trainable_parameters": 7740, "flops": 53_296_320, "kept_bytes": 0}
    | {"operators": 77, "peak_bytes": 1_148_520},
    COMPILED: {"graphs": 2, "later_graphs": 0, "graph_breaks": 0},
    EPOCH: {"images": 1000, "steps": 8, BOUND: 3425},
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
    found = judge_counts(BASE, BASE, {"v2": {"flops": 1}})
    assert [(f.check, f.model, f.quantity, f.outcome, f.evidence) for f in found] == [
        ("counts", "v0", "counts", "same", "9 equal"),
        ("counts", "v2", "counts", "same", "9 equal"),
        ("counts", EPOCH, "counts", "same", "3 equal"),
    ]


@pytest.mark.parametrize(
    ("row", "quantity", "evidence"),
    [
        *(("v2", name, "exact count") for name in ("flops", "operators", "peak_bytes")),
        ("v2", "kept_bytes", "exact count: it leaks"),
        (COMPILED, "graphs", "exact count"),
        (COMPILED, "later_graphs", "exact count: it recompiles"),
        (COMPILED, "graph_breaks", "exact count"),
    ],
)
def test_growth_is_worse_and_names_both_values(row: str, quantity: str, evidence: str) -> None:
    before = BASE[row][quantity]
    assert only(changed(row, **{quantity: before + 3})) == Finding(
        check="counts",
        model=row,
        quantity=WORDS[quantity],
        outcome="worse",
        base=before,
        head=before + 3,
        change=(before + 3) / before - 1 if before else None,
        evidence=evidence,
    )


def test_the_order_of_findings_is_that_of_the_words() -> None:
    head = changed("v2", peak_bytes=2_000_000, kept_bytes=320, parameters=8000)
    wanted = ["parameters", "bytes kept from step to step", "peak bytes of a step"]
    assert [finding.quantity for finding in telling(head)] == wanted


def test_fewer_is_better_and_needs_no_consent() -> None:
    finding = only(changed("v2", operators=70), consented={"v2": {"operators": 70}})
    assert (finding.outcome, finding.evidence) == ("better", "exact count")
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


def test_a_row_that_is_gone_is_worse_and_one_that_came_is_new() -> None:
    head = {row.replace("v2", "v9"): counts for row, counts in BASE.items()}
    found = telling(head)
    assert [(f.model, f.quantity, f.outcome, f.evidence) for f in found] == [
        ("v2", "counts", "worse", "gone"),
        (COMPILED, "counts", "worse", "gone"),
        ("v9", "counts", "changed", "new"),
        ("v9, plan compile", "counts", "changed", "new"),
    ]
    head = {row: counts for row, counts in BASE.items() if row != COMPILED}
    assert (only(head).model, only(head).evidence) == (COMPILED, "gone")


@pytest.mark.parametrize(
    ("row", "lost"), [("v2", "flops"), ("v2", "kept_bytes"), (EPOCH, BOUND), (EPOCH, "images")]
)
def test_a_quantity_no_longer_counted_is_worse_and_one_that_came_is_not(
    row: str, lost: str
) -> None:
    fewer = BASE | {row: {name: value for name, value in BASE[row].items() if name != lost}}
    worse, new = only(fewer), only(BASE, base=fewer)
    assert (worse.quantity, worse.outcome, worse.head) == (WORDS[lost], "worse", None)
    assert (new.quantity, new.outcome, new.base) == (WORDS[lost], "changed", None)
    assert (worse.evidence, new.evidence) == ("no longer counted", "new")


@pytest.mark.parametrize(
    ("quantity", "words"), [("kernels", "kernels a step"), ("wonders", "wonders")]
)
def test_a_quantity_that_the_file_or_this_commit_does_not_know_is_judged(
    quantity: str, words: str
) -> None:
    finding = only({"v0": {quantity: 8}}, base={"v0": {quantity: 7}})
    assert (finding.quantity, finding.outcome) == (words, "worse")


def test_a_base_without_counts_is_no_base() -> None:
    assert only(BASE, base={}).outcome == "unusable"


def test_consent_is_to_a_value_of_one_row_and_quantity() -> None:
    head = changed("v2", operators=98, flops=106_592_640)
    consented = {"v2": {"operators": 98}}
    outcomes = {f.quantity: (f.outcome, f.evidence) for f in telling(head, consented=consented)}
    assert outcomes == {
        "FLOPs a step": ("worse", "exact count"),
        "operators a step": ("changed", "tests/counts.toml renewed"),
    }
    for row, other in (("v2", 97), ("v2", 99), ("v0", 98)):
        assert only(changed(row, operators=other), consented=consented).outcome == "worse"


def test_consent_to_another_model() -> None:
    counts = {"parameters": 7000, "trainable_parameters": 7000}
    found = telling(changed("v2", **counts), consented={"v2": counts})
    assert {finding.outcome for finding in found} == {"changed"}


@pytest.mark.parametrize(("bound", "outcome"), [(3600, "changed"), (3599, "worse")])
def test_consent_to_larger_records(bound: int, outcome: str) -> None:
    head = changed(EPOCH, most_record_bytes=3600)
    assert only(head, consented={EPOCH: {BOUND: bound}}).outcome == outcome


def tree(folder: Path, rows: Rows, stack: str = STACK) -> Path:
    """A tree with a file of counts."""
    (folder / FILE).parent.mkdir(parents=True)
    (folder / FILE).write_text(Baseline().renewed(rows, stack).as_toml(), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("stack", "operators"), [(STACK, {"operators": 98}), ("torch 2.14 on cuda", {})]
)
def test_the_heads_file_says_what_was_consented_to(
    tmp_path: Path, stack: str, operators: dict[str, int]
) -> None:
    head = changed("v2", operators=98, flops=60_000_000) | {"v9": BASE["v0"]}
    head |= {EPOCH: {"images": 1000, "steps": 7, BOUND: 3800}}
    trees = tree(tmp_path / "base", BASE), tree(tmp_path / "head", head)
    consented = {"v2": {"flops": 60_000_000} | operators, EPOCH: {"steps": 7, BOUND: 3968}}
    assert consented_counts(*trees, stack) == consented


@pytest.mark.parametrize(
    ("base", "stack", "head"),
    [
        (BASE, "torch 2.13 on cpu", changed("v2", operators=98)),  # the base knew another stack
        (changed(EPOCH, most_record_bytes=3800), STACK, BASE),  # a lower bound
    ],
)
def test_what_is_no_consent(tmp_path: Path, base: Rows, stack: str, head: Rows) -> None:
    trees = tree(tmp_path / "base", base, stack), tree(tmp_path / "head", head)
    assert consented_counts(*trees, STACK) == {}


@pytest.mark.parametrize("missing", ["base", "head"])
@pytest.mark.parametrize("text", [None, "no TOML", "[any]\nv0 = { wonders = 1 }\n"])
def test_without_both_files_there_is_no_consent(
    tmp_path: Path, missing: str, text: str | None
) -> None:
    base = tree(tmp_path / "base", BASE)
    head = tree(tmp_path / "head", changed("v2", operators=98))
    (tmp_path / missing / FILE).unlink()
    if text:
        (tmp_path / missing / FILE).write_text(text, encoding="utf-8")
    assert consented_counts(base, head, STACK) == {}
