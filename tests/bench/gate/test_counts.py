"""Counts of two commits: what is worse, what is gone or new, and what was consented to."""

from pathlib import Path

import pytest

from bench.counts.baseline import BOUND, FILE, WORDS, Baseline, Rows
from bench.gate.counts import consented_counts, judge_counts
from results.gate.verdict import Finding

STACK = "torch 2.14 on cpu"
EPOCH, COMPILED = "epoch, ragged batch kept", "v2, plan compile"
BASE: Rows = {
    "v0": {"parameters": 7960, "flops": 255_680, "kept_bytes": 0},
    "v0, plan compile": {"graphs": 2, "later_graphs": 0},
    "v2": {"parameters": 7740, "flops": 53_296_320, "operators": 77},
    COMPILED: {"graphs": 2, "later_graphs": 0},
    EPOCH: {"images": 1000, "steps": 8, BOUND: 3425},
}
EXACT, ANOTHER = "exact count", "what is measured is another"
LONGER, RENEWED = "more than the 32 bytes that digits may take", "tests/counts.toml renewed"


def changed(row: str, **counts: int) -> Rows:
    return BASE | {row: BASE[row] | counts}


def summarized(found: list[Finding]) -> list[tuple[str, str, str, str]]:
    return [(f.model, f.quantity, f.outcome, f.evidence) for f in found]


def test_equal_counts_are_one_finding_a_model_and_epoch() -> None:
    found = judge_counts(BASE, BASE, {"v2": {"flops": 1}})
    assert summarized(found) == [
        ("v0", "counts", "same", "5 equal"),
        ("v2", "counts", "same", "5 equal"),
        (EPOCH, "counts", "same", "3 equal"),
    ]


@pytest.mark.parametrize(
    ("quantity", "before", "after", "consent", "outcome", "evidence"),
    [
        ("flops", 10, 13, None, "worse", EXACT),
        ("kernels", 40, 41, None, "worse", EXACT),
        ("kept_bytes", 0, 320, None, "worse", f"{EXACT}: it leaks"),
        ("later_graphs", 0, 1, None, "worse", f"{EXACT}: it recompiles"),
        ("wonders", 7, 8, None, "worse", EXACT),  # a quantity that this commit does not know
        ("operators", 77, 70, None, "better", EXACT),
        ("operators", 77, 70, 70, "better", EXACT),  # needs no consent
        *(
            (quantity, 10, other, None, "worse", ANOTHER)
            for quantity in ("parameters", "trainable_parameters", "images", "steps")
            for other in (9, 11)
        ),
        (BOUND, 3425, 3425 + 32, None, "same", "1 equal"),
        (BOUND, 3425, 3425 - 32, None, "same", "1 equal"),
        (BOUND, 3425, 3425 + 33, None, "worse", LONGER),
        (BOUND, 3425, 3425 - 33, None, "better", EXACT),
        ("flops", 10, None, None, "worse", "no longer counted"),
        ("flops", None, 10, None, "changed", "new"),
        ("kept_bytes", 0, None, None, "worse", "no longer counted"),
        (BOUND, 3425, None, None, "worse", "no longer counted"),
        (BOUND, None, 3425, None, "changed", "new"),
        ("operators", 77, 98, 98, "changed", RENEWED),
        ("operators", 77, 98, 97, "worse", EXACT),
        ("operators", 77, 98, 99, "worse", EXACT),
        ("parameters", 10, 7, 7, "changed", RENEWED),
        (BOUND, 3425, 3600, 3600, "changed", RENEWED),
        (BOUND, 3425, 3600, 3601, "changed", RENEWED),
        (BOUND, 3425, 3600, 3599, "worse", LONGER),
    ],
)
def test_a_count(
    quantity: str,
    before: int | None,
    after: int | None,
    consent: int | None,
    outcome: str,
    evidence: str,
) -> None:
    base, head, consented = (
        {"v2": {quantity: value} if value is not None else {}} for value in (before, after, consent)
    )
    (finding,) = judge_counts(base, head, consented)
    assert (finding.check, finding.model) == ("counts", "v2")
    assert (finding.outcome, finding.evidence) == (outcome, evidence)
    if outcome != "same":
        assert finding.quantity == WORDS.get(quantity, quantity)
        assert (finding.base, finding.head) == (before, after)
        assert finding.change == (after / before - 1 if before and after is not None else None)


def test_the_order_of_findings_is_that_of_the_words() -> None:
    head = changed("v2", operators=98, kept_bytes=320, parameters=8000)
    found = [f for f in judge_counts(BASE, head, {}) if f.outcome != "same"]
    wanted = ["parameters", "bytes kept from step to step", "operators a step"]
    assert [finding.quantity for finding in found] == wanted


def test_consent_is_to_a_value_of_one_row_and_quantity() -> None:
    head = changed("v2", operators=98, flops=106_592_640) | {"v0": {"operators": 98}}
    found = judge_counts(BASE | {"v0": {"operators": 50}}, head, {"v2": {"operators": 98}})
    assert summarized(found)[:3] == [
        ("v0", "operators a step", "worse", EXACT),
        ("v2", "FLOPs a step", "worse", EXACT),
        ("v2", "operators a step", "changed", RENEWED),
    ]


def test_a_row_that_is_gone_is_worse_and_one_that_came_is_new() -> None:
    head = {row.replace("v2", "v9"): counts for row, counts in BASE.items()}
    assert summarized(judge_counts(BASE, head, {})) == [
        ("v2", "counts", "worse", "gone"),
        (COMPILED, "counts", "worse", "gone"),
        ("v9", "counts", "changed", "new"),
        ("v9, plan compile", "counts", "changed", "new"),
        ("v0", "counts", "same", "5 equal"),
        (EPOCH, "counts", "same", "3 equal"),
    ]


def test_a_base_without_counts_is_no_base() -> None:
    (finding,) = judge_counts({}, BASE, {})
    assert finding.outcome == "unusable"


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
