"""Put a report together: the table, the charts by section, and where the numbers come from."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from results.choice.choose import TO_TARGET, Objective, choose
from results.choice.text import choice_headline, reason
from results.errors import ResultsError
from results.render.footer import footer_lines
from results.report.charts.class_charts import class_figures, confusion_figures
from results.report.charts.cost import cost_figures, speed_figures
from results.report.charts.gap import gap_figures
from results.report.charts.ladder_chart import ladder_figures
from results.report.charts.limit import limit_figures
from results.report.charts.over_time import time_figures
from results.report.charts.run_charts import run_figures
from results.report.charts.setting_charts import setting_figures, setting_lines, varied_settings
from results.report.charts.theme import PAGE, WIDE, config, in_light
from results.report.charts.vega import CHOSEN, SHOWN, ReportFigure, Specification, names_of
from results.report.material import Material
from results.report.page import Page, Section, render_page
from results.report.pictures import mistake_pictures, sample_strips
from results.report.tables import comparison_table, count_records, facts, records_table

TITLE = "Fashion-MNIST: which model, at what price, how sure"
PICTURE_FORMATS = ("svg", "png")
PIXEL_RATIO = 2.0  # of a PNG
NUM_AT_FIRST = 3  # models in the charts of classes, which ten would crowd
MAX_CHOICES = 100  # rows that are shown one at a time: each adds its pictures to the page


# key, title and lead of a section, its charts, and what a reader picks there
_Part = tuple[str, str, str, Sequence[ReportFigure], tuple[Any, ...]]


def compose(material: Material, out: Path) -> Page:
    """The content of the page; links are relative to where it is written."""
    summaries = [series.summary for series in material.series]
    rows = [dict(series.row) for series in material.series]
    return Page(
        title=TITLE,
        answer=answer(material),
        table=comparison_table(material.series),
        notes=(*footer_lines(summaries, rows=rows), *material.remarks),
        sections=tuple(sections(material)),
        facts=facts(material),
        records=records_table(material, out),
        footer=f"Made by fmnist-bench from {count_records(material)}.",
    )


def answer(material: Material) -> tuple[str, ...]:
    """What `fmnist-bench choose` says of the same records: by accuracy, and by time to 90 %."""
    if not material.records:
        return ()
    headline = choice_headline(choose(material.records))
    soonest = choose(material.records, objective=Objective(TO_TARGET))
    if not soonest.recommended:
        return tuple(headline)
    return (*headline, f"soonest at 90 % on validation: {reason(soonest)}")


SETTING = (
    "The same training under each value of the setting; the lines are models, and other settings."
)
COST = "Each model at what it cost; where it may be had for less, the line passes above it."
TIME = "Validation accuracy as training goes on, and how long each model takes to reach a target."
SPEED = "What training takes of the machine, whatever accuracy comes of it."
LIMIT = "What this machine could do at best, and what each model made of it."
GAP = "How much better a model knows the images that it was trained on."
CLASSES = "How well each class is recognised, by model."
MISTAKES = "Which class it takes for which, and the mistakes it was surest of."
RUN = "How one training went, and how its model sees the images."
LADDER = "The same training under one plan after the other; each rung against the lowest."
DATA = "What all models were trained on."


def sections(material: Material) -> list[Section]:
    """The parts with charts or pictures, in the order in which a reader asks."""
    names = tuple(names_of(material.finished))
    best = [series for series in material.series if series.is_ok]
    single = replace(material, series=tuple(best[:MAX_CHOICES]))
    only = f" Of the first {MAX_CHOICES} rows of the table." if len(best) > MAX_CHOICES else ""
    all_models = (SHOWN, names, names)
    few_models = (SHOWN, names, tuple(names_of(best[:NUM_AT_FIRST])))
    one_model = (CHOSEN, tuple(names_of(single.finished)), tuple(names_of(best[:1])))
    wrong = (*one_model, mistake_pictures(single))
    strips = sample_strips(material)
    images = (("all", strips),) if strips else ()
    parts: list[_Part] = [
        *_setting_parts(material),
        ("cost", "What accuracy costs", COST, cost_figures(material), all_models),
        ("time", "How fast it learns", TIME, time_figures(material), all_models),
        ("speed", "Speed and memory", SPEED, speed_figures(material), all_models),
        ("limit", "How near the machine's limit", LIMIT, limit_figures(material), all_models),
        ("gap", "Learnt or memorised", GAP, gap_figures(material), all_models),
        ("classes", "Which classes are hard", CLASSES, class_figures(material), few_models),
        (
            "mistakes",
            "What one model gets wrong",
            MISTAKES + only,
            confusion_figures(single),
            wrong,
        ),
        ("run", "One run, step by step", RUN + only, run_figures(single), one_model),
        ("ladder", "What each optimisation gains", LADDER, ladder_figures(material), ()),
        ("data", "The images", DATA, [], ("", (), ("all",), images)),
    ]
    found = [
        Section(key, title, lead, tuple(figures), *picked)
        for key, title, lead, figures, picked in parts
    ]
    return [section for section in found if section.figures or section.pictures]


def _setting_parts(material: Material) -> list[_Part]:
    """A part for each setting in which rows differ."""
    parts: list[_Part] = []
    for key in varied_settings(material):
        lines = tuple(dict.fromkeys(setting_lines(material, key)))
        figures, picked = setting_figures(material, key), (SHOWN, lines, lines)
        parts.append((f"setting-{key}", f"What {key} changes", SETTING, figures, picked))
    return parts


def write_report(page: Page, out: Path, libraries: str | None = None) -> int:
    """Write a page to one HTML file and return its size in bytes.

    `libraries` are those of `chart_libraries`, where they are kept: making them takes seconds.

    Raises:
        ResultsError: The file cannot be written.
    """
    text = render_page(page, libraries).encode("utf-8")
    _write(out, text)
    return len(text)


def write_figures(page: Page, folder: Path, fmt: str = "svg") -> list[Path]:
    """Write every chart of a page as a picture for documents, from the same specifications.

    Raises:
        ResultsError: There is no such format, or the folder cannot be written.
    """
    check_format(fmt)
    paths = []
    for section in page.sections:
        for figure in section.figures:
            paths.append(folder / f"{figure.key}.{fmt}")
            _write(paths[-1], picture(figure, section, fmt))
    return paths


def check_format(fmt: str) -> None:
    """Raise ResultsError with the choices for an unknown format of pictures."""
    if fmt not in PICTURE_FORMATS:
        choices = ", ".join(PICTURE_FORMATS)
        raise ResultsError(f"unknown figure format {fmt!r}; choose from {choices}")


def picture(figure: ReportFigure, section: Section, fmt: str) -> bytes:
    """A chart for a document: the wide layout in light colours, its title over it.

    It shows what the page shows at first; where that is one model, the title names it.
    """
    import vl_convert

    specification = in_light(json.dumps(_titled(figure, section)))
    if fmt == "svg":
        return vl_convert.vegalite_to_svg(specification).encode("utf-8")
    return vl_convert.vegalite_to_png(specification, scale=PIXEL_RATIO)


def _titled(figure: ReportFigure, section: Section) -> Specification:
    specification = dict(figure.specifications[WIDE.name])
    is_of_one = section.picks == CHOSEN and section.picked
    title = f"{figure.title}: {section.picked[0]}" if is_of_one else figure.title
    specification["params"] = [
        parameter | {"value": _picked(parameter, section)}
        for parameter in specification.get("params", [])
    ]
    heading = {"text": title, "fontWeight": "bold", "fontSize": 14}
    if "title" in specification:  # what the chart itself says over it
        heading["subtitle"] = specification["title"]["text"]
    look = config() | {"background": PAGE}
    return specification | {"title": heading, "config": look, "datasets": figure.datasets}


def _picked(parameter: Specification, section: Section) -> object:
    """The value of a parameter of a chart as the page has it at first."""
    if parameter["name"] == CHOSEN:
        return next(iter(section.picked), None)
    if parameter["name"] == SHOWN:
        return [name for name in parameter["value"] if name in section.picked]
    return parameter["value"]


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ResultsError(f"cannot write {path}: {error.strerror}") from None
