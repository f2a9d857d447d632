"""Lines of records as a mishap or a hostile program may leave them, all the way to every format."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from results import NotComparable, RecordError, RunRecord, check_comparable, read_records
from results.compare.compare import compare_records
from results.report.compose import compose
from results.report.material import gather
from results.report.page import render_page
from tests.fuzz.fuzzing import JSON_VALUES, NASTY_TEXTS, damaged, fuzzed, read_or_refused
from tests.fuzz.shown import assert_finite, compare, ways_to_show
from tests.golden_text import GOLDEN
from tests.results.report.browser import opened
from tests.results.report.html_by_hand import assert_own_elements

TABLES = Path(__file__).parents[2] / "results" / "tables"
EXTREMES = (
    *(0, -0.0, 0.0, 1, -1, 0.5, 1e300, -1e300, 1e-300, 5e-324, 1.7e308, 2**63, 2**64 - 1, -(2**63)),
    *(1e38, 1e-45, 1e20, 1e16, 1e-9, 0.1, 0.9999999, 1.0, 100.0),
)
ODD_NAMES = (
    *("constructor", "__proto__", "toString", "length", "a\nb", "\x1b[2J", "\u202egnp", "a|b`c`"),
    *("<script>alert(1)</script>", "</script>", '"><img onerror=x>', "'", "=cmd|' /C calc'!A0"),
    *("::error::x", "%0A::error::", "\x9b31m", "x" * 5000, "\\", "\\|"),
    r"\input{x} & $x$ #1 _ ~ ^ %",
)
NUMBERS = st.sampled_from(EXTREMES) | st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.sampled_from(ODD_NAMES)
Records = list[dict[str, Any]]


def lines_of(path: Path, count: int) -> Records:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:count]]


def again(record: dict[str, Any], number: int) -> dict[str, Any]:
    """The same run with another seed by another commit."""
    record = copy.deepcopy(record)
    record |= {"record_id": f"{number:016x}", "samples": None}
    record["spec"]["seed"] = number
    record["provenance"]["commit"] = f"{number:040x}"
    return record


def genuine() -> list[Records]:
    """Small stores of genuine records: runs, a ladder, reference systems, runs with a target."""
    runs = lines_of(TABLES / "cpu-default-30s.jsonl", 3)
    target = lines_of(GOLDEN / "records-schema-2.jsonl", 4)[3:]
    return [
        [*runs, again(runs[0], 1), again(runs[0], 2)],
        lines_of(TABLES / "ladder-cpu-batch32.jsonl", 5),
        [*(published := lines_of(TABLES / "published-cpu-60s.jsonl", 2)), again(published[0], 3)],
        [*target, again(target[0], 1)],
        lines_of(GOLDEN / "records-schema-2.jsonl", 5),
    ]


GENUINE = genuine()


@st.composite
def changed_somewhere(draw: st.DrawFn) -> Records:
    """A small store with one to three fields at any depth replaced, taken out or put in."""
    records = copy.deepcopy(draw(st.sampled_from(GENUINE)))
    kinds = draw(st.lists(st.sampled_from([_rename, _remeasure, _change]), min_size=1, max_size=3))
    for change in sorted(kinds, key=lambda kind: kind is _change):  # which may take all away
        change(draw, draw(st.sampled_from(records)))
    return records


def _rename(draw: st.DrawFn, record: dict[str, Any]) -> None:
    """Gives the record another text where every text is allowed."""
    name = draw(NAMES | NASTY_TEXTS)
    places = [["reason"], ["config_id"], ["flags", "-"], ["missing", "energy"]]
    parts = {
        "spec": ("model", "plan", "precision", "evaluation_split", "rung", "rung_adds"),
        "environment": ("device", "torch", "python", "data_hash", "another"),
        "provenance": ("commit", "time_utc", "ladder", "harness_version"),
    }
    places += [[part, key] for part, keys in parts.items() for key in keys]
    places.append(["recipe", "name"])
    *way, last = draw(st.sampled_from(places))
    for key in way:
        record = record["spec"][key] if key == "recipe" else record[key]
    if isinstance(record, list):
        record.append(name)
    else:
        record[last] = name


def _remeasure(draw: st.DrawFn, record: dict[str, Any]) -> None:
    """Gives a quantity of the record, or all points of its curve, another value."""
    if not record["measurements"]:
        return
    name, value = draw(st.sampled_from(sorted(record["measurements"]))), draw(NUMBERS)
    stored = record["measurements"][name]
    unit, *values = [stored["unit"], *stored["values"]] if isinstance(stored, dict) else stored
    is_old = record["schema_version"] == 1
    values = [value] * len(values)
    record["measurements"][name] = {"unit": unit, "values": values} if is_old else [unit, *values]
    if record["curve"] and draw(st.booleans()):
        for point in record["curve"]:
            point[draw(st.integers(0, 3))] = value


def _change(draw: st.DrawFn, place: Any) -> None:  # noqa: ANN401 - a part of a record
    """Goes down into a part for a while, then changes one thing in it."""
    while True:
        keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys)) if keys else None
        inner = place[key] if keys else None
        if not isinstance(inner, (dict, list)) or not inner or draw(st.integers(0, 3)) == 0:
            break
        place = inner
    change = draw(st.sampled_from(["alike", "alike", "any", "delete", "insert"]))
    if key is not None and change == "delete":
        del place[key]
    elif key is not None and change != "insert":
        place[key] = draw(_alike(place[key]) if change == "alike" else JSON_VALUES)
    elif isinstance(place, dict):
        place[draw(NASTY_TEXTS | NAMES)] = draw(JSON_VALUES | NUMBERS)
    else:
        place.append(draw(JSON_VALUES | NUMBERS))


def _alike(value: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - any JSON value
    """Values of the same kind, so that they get through more doors."""
    if isinstance(value, str) or value is None:
        return NAMES | NASTY_TEXTS
    return NUMBERS if isinstance(value, (int, float)) else JSON_VALUES


def write(folder: Path, records: Records) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def assert_reads_again(record: RunRecord) -> None:
    try:
        line = record.to_json_line()
    except RecordError as error:
        if "bytes of 4096" in str(error):  # a name of 5,000 characters does not fit our lines
            return
        raise
    reread = RunRecord.from_json_line(line)
    assert (record.reason or "").startswith(reread.reason or "")  # a long one is cut
    assert reread == replace(record, reason=reread.reason)


@fuzzed(changed_somewhere(), share=0.5)
def test_a_changed_record_is_refused_or_shown_rightly_in_every_format(
    tmp_path_factory: pytest.TempPathFactory, records: Records
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "records", records)
    read = read_or_refused("records", lambda: read_records(path))
    for record in read or ():
        assert_reads_again(record)
    for name, show in ways_to_show(read or []) if read else ():
        read_or_refused(name, show)


WHOLE = b"".join((TABLES / name).read_bytes()[:9000] for name in ["cpu-default-30s.jsonl"])


@fuzzed(damaged(WHOLE))
def test_a_damaged_file_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.jsonl"
    path.write_bytes(content)
    said: list[str] = []
    for record in (
        read_or_refused("damaged files", lambda: read_records(path, say=said.append)) or ()
    ):
        assert_reads_again(record)
    assert len(said) <= 1


@fuzzed(damaged(json.dumps(GENUINE[0][0]).encode()))
def test_a_damaged_line_is_refused_or_read(line: bytes) -> None:
    record = read_or_refused("damaged lines", lambda: RunRecord.from_json_line(line))
    if record is not None:
        assert_reads_again(record)


@pytest.mark.slow
@fuzzed(changed_somewhere(), share=0.04)
def test_a_report_of_changed_records_is_refused_or_drawn(
    tmp_path_factory: pytest.TempPathFactory, records: Records
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "report", records)
    out = path.with_name("report.html")
    page = read_or_refused("report", lambda: compose(gather([path], mixed=True), out))
    if page is None:
        return
    for section in page.sections:
        for figure in section.figures:
            assert_finite(figure.specifications)
    assert_own_elements(render_page(page))


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


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: repr(name)[:20])
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
