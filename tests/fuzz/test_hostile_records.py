"""Names that mean something to a terminal, a format or a browser: shown, and nothing more."""

import copy
from pathlib import Path

import pytest

from results import NotComparable, check_comparable, read_records
from results.compare.compare import compare_records
from results.report.compose import compose
from results.report.material import gather
from results.report.page import render_page
from tests.fuzz.fuzzing import read_or_refused
from tests.fuzz.shown import compare, ways_to_show
from tests.fuzz.test_fuzz_records import GENUINE, ODD_NAMES, Records, write
from tests.results.report.browser import opened
from tests.results.report.html_by_hand import assert_own_elements

IDS = [repr(name)[:20] for name in ODD_NAMES]


def named(records: Records, name: str) -> Records:
    """Every text that is free, of every record but the first."""
    first, *records = copy.deepcopy(records)
    for record in records:
        record["flags"].append(name)
        record["missing"]["energy"] = name
        record |= {"reason": name, "config_id": name}
        record["spec"] |= {"model": name, "plan": name, "precision": name}
        record["spec"]["evaluation_split"] = name
        record["environment"] |= {"device": name, "torch": name, "data_hash": name, name: name}
        record["provenance"] |= {"commit": name, "time_utc": name, "harness_version": name}
        record["spec"]["recipe"] |= {"name": name, "learning_rate_source": name}
        if "rung" in record["spec"]:
            record["spec"] |= {"rung": f"{name}{record['spec']['rung']}", "rung_adds": name}
    records[-1]["status"] = "crashed"
    return [first, *records]


@pytest.mark.parametrize("name", ODD_NAMES, ids=IDS)
def test_odd_names_are_shown_in_every_format_and_are_only_names(name: str, tmp_path: Path) -> None:
    for store in GENUINE[:2]:
        records = read_records(write(tmp_path, named(store, name)))
        for way, show in ways_to_show(records):
            read_or_refused(f"odd names: {way}", show)
        if store is GENUINE[0]:  # those that have one environment
            compare(records[1:], records[2:])


@pytest.mark.slow
def test_a_page_with_odd_names_has_the_elements_of_the_template(tmp_path: Path) -> None:
    name = "\"'><img onerror=x></script><script>alert(1)</script>&lt;b&gt;<!--"
    path = write(tmp_path, named(GENUINE[0], name))
    page = render_page(compose(gather([path], mixed=True), tmp_path / "report.html"))
    assert_own_elements(page)


@pytest.mark.slow
def test_a_browser_draws_models_whose_names_every_object_has(tmp_path: Path) -> None:
    records = copy.deepcopy(GENUINE[0][:3])
    for record, name in zip(records, ("constructor", "__proto__", "</script><b>"), strict=True):
        record["spec"]["model"] = name
    out = tmp_path / "report.html"
    page = compose(gather([write(tmp_path, records)], mixed=True), out)
    out.write_text(render_page(page), encoding="utf-8")
    with opened(out) as (browser, complaints):
        for name in ("constructor", "__proto__"):
            marks = f"#cost figure:not([hidden]) svg [aria-label*='model: \"{name}\";']"
            assert browser.locator(marks).count() == 1
        assert complaints == []


def test_a_refusal_stays_short_whatever_the_names(tmp_path: Path) -> None:
    records = named(GENUINE[0], "x" * 5_000)
    path = write(tmp_path, [record | {"status": "ok"} for record in records])
    base, *head = read_records(path)
    with pytest.raises(NotComparable, match="not comparable") as refused:
        compare_records([base], head)
    assert len(str(refused.value)) < 400
    with pytest.raises(NotComparable, match="not comparable") as refused:
        check_comparable([base, *head])
    assert len(str(refused.value)) < 400
