"""What the head's author has taken into the file of counts is no regression."""

from pathlib import Path

import pytest

from bench.counts.baseline import BOUND, FILE, Baseline, Rows
from bench.gate.counts import consented_counts
from tests.bench.gate.test_counts import BASE, EPOCH, changed, only, telling

STACK = "torch 2.14 on cpu"


def test_consent_is_to_a_value_of_one_row_and_quantity() -> None:
    head = changed("v2", operators=98, flops=106_592_640)
    consented = {"v2": {"operators": 98}}
    outcomes = {f.quantity: (f.outcome, f.evidence) for f in telling(head, consented=consented)}
    assert outcomes == {
        "FLOPs a step": ("worse", "exact count"),
        "operators a step": ("changed", "tests/counts.toml renewed"),
    }
    for other in (97, 99):
        assert only(changed("v2", operators=other), consented=consented).outcome == "worse"
    assert only(changed("v0", operators=98), consented=consented).outcome == "worse"


def test_consent_to_another_model() -> None:
    head = changed("v2", parameters=7000, trainable_parameters=7000)
    consented = {"v2": {"parameters": 7000, "trainable_parameters": 7000}}
    assert {f.outcome for f in telling(head, consented=consented)} == {"changed"}


@pytest.mark.parametrize(("bound", "outcome"), [(3712, "changed"), (3500, "worse")])
def test_consent_to_larger_records(bound: int, outcome: str) -> None:
    head = changed(EPOCH, most_record_bytes=3600)
    assert only(head, consented={EPOCH: {BOUND: bound}}).outcome == outcome


def test_what_is_better_needs_no_consent() -> None:
    head = changed("v2", operators=70)
    assert only(head, consented={"v2": {"operators": 70}}).outcome == "better"


def tree(folder: Path, rows: Rows, stack: str = STACK) -> Path:
    """A tree with a file of counts."""
    (folder / FILE).parent.mkdir(parents=True)
    (folder / FILE).write_text(Baseline().renewed(rows, stack).as_toml(), encoding="utf-8")
    return folder


def test_the_heads_file_says_what_was_consented_to(tmp_path: Path) -> None:
    head = changed("v2", operators=98, flops=60_000_000) | {"v9": BASE["v0"]}
    head |= {EPOCH: {"images": 1000, "steps": 7, BOUND: 3800}}
    trees = tree(tmp_path / "base", BASE), tree(tmp_path / "head", head)
    consented = consented_counts(*trees, STACK)
    assert consented == {
        "v2": {"flops": 60_000_000, "operators": 98},
        EPOCH: {"steps": 7, BOUND: 3968},
    }
    found = telling(head, consented=consented)
    assert {finding.outcome for finding in found} == {"changed"}


def test_consent_on_another_stack_is_none_for_this_one(tmp_path: Path) -> None:
    head = changed("v2", operators=98, flops=60_000_000)
    trees = tree(tmp_path / "base", BASE), tree(tmp_path / "head", head)
    assert consented_counts(*trees, "torch 2.14 on cuda") == {"v2": {"flops": 60_000_000}}


def test_a_stack_that_the_base_did_not_know_is_no_consent(tmp_path: Path) -> None:
    base = tree(tmp_path / "base", BASE, "torch 2.13 on cpu")
    head = tree(tmp_path / "head", changed("v2", operators=98))
    assert consented_counts(base, head, STACK) == {}


def test_a_lower_bound_is_no_consent_to_a_larger_record(tmp_path: Path) -> None:
    base = tree(tmp_path / "base", changed(EPOCH, most_record_bytes=3800))
    assert consented_counts(base, tree(tmp_path / "head", BASE), STACK) == {}


@pytest.mark.parametrize("missing", ["base", "head"])
@pytest.mark.parametrize("text", [None, "no TOML", "[any]\nv0 = { wonders = 1 }\n"])
def test_without_both_files_there_is_no_consent(
    tmp_path: Path, missing: str, text: str | None
) -> None:
    base = tree(tmp_path / "base", BASE)
    head = tree(tmp_path / "head", changed("v2", operators=98))
    assert consented_counts(base, head, STACK)
    (tmp_path / missing / FILE).unlink()
    if text:
        (tmp_path / missing / FILE).write_text(text, encoding="utf-8")
    assert consented_counts(base, head, STACK) == {}
