"""The report in a real browser: opened offline, used as a reader would, held to the records."""

import re
from collections.abc import Iterator
from pathlib import Path

import altair
import pytest
from playwright.sync_api import Page, expect

from results import read_records, summarize, table_rows
from results.report.charts.theme import config
from results.report.compose import compose
from results.report.material import gather
from results.report.page import Page as Content
from results.report.page import render_page
from tests.results.report.browser import DESKTOP, opened

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
RECORDS = ROOT / "results" / "tables" / "cpu-default-30s.jsonl"
MAX_BYTES = 5_000_000
COMPARED = ":is(#cost, #time, #speed, #limit, #gap)"


@pytest.fixture(scope="module")
def content() -> Content:
    return compose(gather([RECORDS]), Path("report.html"))


@pytest.fixture(scope="module")
def report(content: Content, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(render_page(content), encoding="utf-8")
    assert file.stat().st_size < MAX_BYTES
    return file


@pytest.fixture(scope="module")
def page(report: Path) -> Iterator[Page]:
    with opened(report) as (page, complaints):
        yield page
        assert complaints == []


def test_every_chart_is_valid_vega_lite(content: Content) -> None:
    figures = [figure for section in content.sections for figure in section.figures]
    assert len(figures) > 10
    layers, schema = {"$ref": "#/definitions/TopLevelLayerSpec"}, altair.load_schema()
    for figure in figures:  # the layouts differ in numbers, and rows may be anything
        specification = {**figure.specifications["narrow"], "config": config()}
        altair.utils.schemapi.validate_jsonschema(specification, layers, rootschema=schema)


def column(page: Page, heading: str) -> list[str]:
    headings = page.locator("#comparison thead th").all_inner_texts()
    place = [re.sub(r"\W*$", "", text) for text in headings].index(re.sub(r"\W*$", "", heading))
    rows = page.locator("#comparison tbody tr:not([hidden])")
    return [row.locator("th, td").nth(place).inner_text() for row in rows.all()]


def click_heading(page: Page, heading: str) -> None:
    page.locator("#comparison thead button", has_text=re.compile(f"^{heading}$")).click()


def test_the_numbers_are_those_of_the_records(page: Page) -> None:
    rows = table_rows(summarize(read_records(RECORDS)))
    shown = dict(zip(column(page, "model"), column(page, "accuracy %"), strict=True))
    assert {name: text.strip("*") for name, text in shown.items()} == {
        row["model"]: f"{row['test_accuracy'] * 100:.2f}" for row in rows
    }


def test_a_click_on_a_heading_sorts_by_the_numbers_behind_it(page: Page) -> None:
    rows = table_rows(summarize(read_records(RECORDS)))
    click_heading(page, "images/s")
    fastest_first = sorted(rows, key=lambda row: -row["images_per_s"])
    assert column(page, "model") == [row["model"] for row in fastest_first]
    click_heading(page, "images/s")
    assert column(page, "model") == [row["model"] for row in reversed(fastest_first)]
    heading = page.locator("#comparison thead th[aria-sort]")
    assert heading.get_attribute("aria-sort") == "ascending"


def test_the_filter_leaves_the_rows_that_hold_all_words(page: Page) -> None:
    page.fill("#filter", "resnet under_trained")
    assert sorted(column(page, "model")) == ["resnet18", "resnet50"]
    assert page.inner_text("#count") == "2 of 9"
    page.fill("#filter", "")
    assert len(column(page, "model")) == 9


def test_pointing_at_a_point_tells_its_numbers(page: Page) -> None:
    v2 = next(row for row in table_rows(summarize(read_records(RECORDS))) if row["model"] == "v2")
    point = page.locator("#cost svg [aria-roledescription=point][aria-label*='model: v2;']")
    point.first.hover()
    tip = page.locator("#vg-tooltip-element.visible").inner_text()
    assert f"{v2['test_accuracy'] * 100:.2f} %" in tip
    assert "7.74 k" in tip


def test_a_model_can_be_taken_out_of_a_chart_and_put_back(page: Page) -> None:
    points = page.locator("#cost figure:not([hidden]) svg [aria-roledescription=point]")
    its_point = page.locator("#cost figure:not([hidden]) svg [aria-label*='model: v2;']")
    others = points.count() - 1
    box = page.locator("#cost .models input[value=v2]")
    box.uncheck()
    expect(its_point).to_have_count(0)
    expect(points).to_have_count(others)
    box.check()
    expect(its_point).to_have_count(1)
    expect(points).to_have_count(others + 1)


def test_all_models_can_be_taken_out_and_put_back(page: Page) -> None:
    boxes = page.locator(f"{COMPARED} .models input").all()
    for box in boxes:
        box.uncheck()
    expect(page.locator(f"{COMPARED} svg [aria-roledescription=point]")).to_have_count(0)
    for figure in page.locator(f"{COMPARED} figure:not([hidden]) svg").all():
        width = (figure.bounding_box() or {"width": 0})["width"]
        assert 400 < width < 1000
    for box in boxes:
        box.check()
    its_point = page.locator("#cost figure:not([hidden]) svg [aria-label*='model: v2;']")
    expect(its_point).to_have_count(1)


def test_ids_that_look_like_numbers_are_sorted_as_words(page: Page) -> None:
    ids = ["00000012345e1000", "9999999999999999", "0123456789abcdef"]
    page.locator("#raw tbody tr").evaluate_all(
        "(rows, ids) => ids.forEach((id, k) => { rows[k].cells[0].dataset.key = id; })", ids
    )
    page.locator("#raw thead button", has_text="record").click()
    keys = page.locator("#raw tbody th").evaluate_all("cells => cells.map((c) => c.dataset.key)")
    assert [key for key in keys if key in ids] == [ids[0], ids[2], ids[1]]


def test_the_table_is_not_cut_in_a_window_of_1280_pixels(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    room = "all => all.map((each) => each.scrollWidth - each.clientWidth)"
    assert page.locator(".scroll").evaluate_all(room) == [0, 0]
    page.set_viewport_size(DESKTOP)


def test_no_chart_is_wider_than_a_small_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    charts = page.locator("figure:not([hidden]) .chart")
    drawn = page.locator("figure:not([hidden]) .chart[data-layout=narrow][data-ready=yes]")
    expect(drawn).to_have_count(charts.count())
    wide = "all => all.filter((c) => c.scrollWidth > c.clientWidth).map((c) => c.dataset.chart)"
    assert charts.evaluate_all(wide) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size(DESKTOP)


def test_print_is_light_and_fits_a_page(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 720, "height": 1000})  # A4 without its margins
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    background = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.emulate_media(media="screen", color_scheme="light")
    page.set_viewport_size(DESKTOP)
