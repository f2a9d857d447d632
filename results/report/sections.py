"""The parts of the page that hold charts, in the order in which a reader asks."""

from collections.abc import Sequence

from results.report.charts.class_charts import class_figures
from results.report.charts.confusion import confusion_figures
from results.report.charts.cost import cost_figures
from results.report.charts.features import feature_figures
from results.report.charts.figure import ReportFigure, names_of
from results.report.charts.gap import gap_figures
from results.report.charts.ladder_chart import ladder_figures
from results.report.charts.limit import limit_figures
from results.report.charts.over_time import time_figures
from results.report.charts.run_charts import run_figures
from results.report.charts.speed import speed_figures
from results.report.material import Material
from results.report.page import Section
from results.report.pictures import mistake_pictures, sample_strips

NUM_AT_FIRST = 3  # models in the charts of classes, which ten would crowd


def sections(material: Material) -> list[Section]:
    """The parts with charts or pictures; those without any data are left out."""
    found = [
        _of_any("cost", "What accuracy costs", _COST, cost_figures(material), material),
        _of_any("time", "How fast it learns", _TIME, time_figures(material), material),
        _of_any("speed", "Speed and memory", _SPEED, speed_figures(material), material),
        _of_any("limit", "How near the machine's limit", _LIMIT, limit_figures(material), material),
        _of_any("gap", "Learnt or memorised", _GAP, gap_figures(material), material),
        _of_any(
            "classes",
            "Which classes are hard",
            "How well each class is recognised, by model.",
            class_figures(material),
            material,
            _best(material, NUM_AT_FIRST),
        ),
        _of_one(
            "mistakes",
            "What one model gets wrong",
            "Which class it takes for which, and the mistakes it was surest of.",
            confusion_figures(material),
            material,
            mistake_pictures(material),
        ),
        _of_one(
            "run",
            "One run, step by step",
            "How one training went, and how its model sees the images.",
            [*run_figures(material), *feature_figures(material)],
            material,
        ),
        Section("ladder", "What each optimisation gains", _LADDER, tuple(ladder_figures(material))),
        _samples(material),
    ]
    return [section for section in found if section.figures or section.pictures]


_COST = "Each model at what it cost; where it may be had for less, the line passes above it."
_TIME = "Validation accuracy as training goes on, and how long each model takes to reach a target."
_SPEED = "What training takes of the machine, whatever accuracy comes of it."
_LIMIT = "What this machine could do at best, and what each model made of it."
_GAP = "How much better a model knows the images that it was trained on."
_LADDER = "The same training under one plan after the other; each rung against the lowest."


def _of_any(
    key: str,
    title: str,
    lead: str,
    figures: Sequence[ReportFigure],
    material: Material,
    picked: Sequence[str] | None = None,
) -> Section:
    """A part whose charts show any of the models; by default all at first."""
    names = tuple(names_of(material.finished))
    first = names if picked is None else tuple(picked)
    return Section(key, title, lead, tuple(figures), "shown", names, first)


def _of_one(
    key: str,
    title: str,
    lead: str,
    figures: Sequence[ReportFigure],
    material: Material,
    pictures: Sequence[tuple[str, str]] = (),
) -> Section:
    """A part whose charts show one model; the most accurate at first."""
    names = tuple(names_of(material.finished))
    picked = tuple(_best(material, 1))
    return Section(key, title, lead, tuple(figures), "chosen", names, picked, tuple(pictures))


def _samples(material: Material) -> Section:
    html = sample_strips(material)
    pictures = (("all", html),) if html else ()
    lead = "What all models were trained on."
    return Section("data", "The images", lead, picked=("all",), pictures=pictures)


def _best(material: Material, count: int) -> list[str]:
    return names_of([series for series in material.series if series.is_ok][:count])
