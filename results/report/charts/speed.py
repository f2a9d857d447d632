"""How fast and at what price it trains: throughput, memory, time of an epoch and energy."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from results.report.charts.figure import ReportFigure, draw, names_of, unknown_for
from results.report.charts.lanes import Bar, bars, needs_log
from results.report.charts.theme import series_colour
from results.report.material import Material, Series
from results.text import format_bytes, format_count, format_joules, format_seconds


class BarQuantity(NamedTuple):
    """A row key as bars."""

    key: str
    measured: str  # the quantity whose interval over the seeds is drawn; empty where none holds
    name: str
    axis: str
    text: Callable[[float], str]  # a value as a person reads it
    unit: float = 1.0  # of the axis, in base units
    is_gain: bool = False  # more is better
    remark: str = ""  # what a reader must know beside it


IMAGES = BarQuantity(
    key="images_per_s",
    measured="throughput",
    name="Training throughput",
    axis="training images a second",
    text=lambda rate: f"{format_count(rate)} images/s",
    is_gain=True,
    remark="Only the training clock counts: permutation, augmentation and steps.",
)
MEMORY = BarQuantity(
    key="peak_memory_bytes",
    measured="",  # the row holds the largest of the seeds, not a mean
    name="Peak memory",
    axis="peak memory of training (MiB)",
    text=format_bytes,
    unit=2.0**20,
    remark="The largest of the seeds.",
)
EPOCH = ("epoch_time_s", "epoch_time", "Time of an epoch", "training time of an epoch (s)")
ENERGY = ("energy_j", "energy", "Energy", "energy of the training (J)")
SPEEDS = (
    IMAGES,
    MEMORY,
    BarQuantity(*EPOCH, format_seconds),
    BarQuantity(*ENERGY, format_joules),
)


def speed_figures(material: Material) -> list[ReportFigure]:
    """A figure for each quantity that at least two series know."""
    known = {each: [one for one in material.finished if one.row[each.key]] for each in SPEEDS}
    return [_figure(material, speed, some) for speed, some in known.items() if len(some) > 1]


def _figure(material: Material, speed: BarQuantity, known: Sequence[Series]) -> ReportFigure:
    series = sorted(known, key=lambda one: float(one.row[speed.key]), reverse=speed.is_gain)
    lines = [_bar(speed, one, series_colour(one.index)) for one in series]
    is_log = needs_log([bar.value for bar in lines if bar.value is not None])
    caption = f"{'More' if speed.is_gain else 'Less'} is better; the best stands on top."
    caption += f" {speed.remark}" if speed.remark else ""
    if any(bar.interval for bar in lines):
        caption += " Thin lines: 95 % interval of the mean over the seeds."
    caption += unknown_for("unknown", names_of(material.finished), names_of(series))
    return draw(
        f"speed-{speed.key.partition('_')[0]}",
        speed.name,
        caption,
        lambda layout: bars(lines, speed.axis, layout, is_log=is_log),
        rows=[bar.row() for bar in lines],
    )


def _bar(speed: BarQuantity, series: Series, fill: str) -> Bar:
    value = float(series.row[speed.key])
    interval = series.summary.interval(speed.measured) if speed.measured else None
    low, high = interval or (value, value)
    facts = {
        "model": series.label,
        speed.name.lower(): speed.text(value),
        "seeds": str(series.row["n_seeds"]),
        "plan": series.row["plan"],
        "flags": ", ".join(series.row["flags"]) or "none",
    }
    if speed.measured:
        none = "one seed" if series.row["n_seeds"] == 1 else "unknown"
        spread = f"{speed.text(max(0.0, low))} to {speed.text(high)}"
        facts["95 % interval"] = spread if interval else none
    return Bar(
        series.label,
        value / speed.unit,
        speed.text(value),
        fill,
        (low / speed.unit, high / speed.unit) if interval else None,
        facts,
        "" if series.has_learnt else "at chance",
    )
