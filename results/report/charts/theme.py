"""How charts look: sizes, fonts, and the colours of the page's style sheet.

In the page every colour of a chart is a CSS variable, so that light, dark and print need no second
drawing. A picture for a document has no style sheet: there the variables become the light colours.
"""

import re
from dataclasses import dataclass
from typing import Any

# Colour-blind safe (after Okabe and Ito, jfly.uni-koeln.de/color), darkened until each has a
# contrast of 3:1 on white; beyond eight series the shape and the dash tell them apart.
LIGHT = {
    "--page": "#ffffff",
    "--text": "#1b1f24",
    "--quiet": "#57606a",
    "--grid": "#d9dee3",
    "--accent": "#0b61a4",
    "--series-1": "#0072b2",
    "--series-2": "#c94f00",
    "--series-3": "#007a5a",
    "--series-4": "#b03f91",
    "--series-5": "#9a6a00",
    "--series-6": "#4f4f4f",
    "--series-7": "#5b50c8",
    "--series-8": "#2586b8",
}
DARK = {
    "--page": "#14181d",
    "--text": "#e6e9ec",
    "--quiet": "#a3adb8",
    "--grid": "#343c45",
    "--accent": "#67b7f0",
    "--series-1": "#56b4e9",
    "--series-2": "#ff8f4d",
    "--series-3": "#2fc79b",
    "--series-4": "#e58cc9",
    "--series-5": "#f0c24b",
    "--series-6": "#c9ced4",
    "--series-7": "#aaa2ff",
    "--series-8": "#8fd3f4",
}
TEXT, QUIET, GRID, PAGE, ACCENT = (
    f"var(--{name})" for name in ("text", "quiet", "grid", "page", "accent")
)
NUM_COLOURS = 8
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
DASHES = ((1, 0), (6, 3), (2, 2))
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
FONT_SIZE = 12
CHARACTER_WIDTH = 7.0  # pixels of a character at FONT_SIZE, on the wide side: texts must not touch


@dataclass(frozen=True, slots=True)
class ChartLayout:
    """Size of the plot area in pixels; each chart is drawn for a desktop and for a phone."""

    name: str
    width: int
    height: int

    @property
    def is_narrow(self) -> bool:
        """Whether it is for a phone."""
        return self.name == "narrow"


WIDE = ChartLayout("wide", 800, 420)
NARROW = ChartLayout("narrow", 258, 300)  # with its axes it fits a window of 360 pixels
LAYOUTS = (WIDE, NARROW)


def series_colour(index: int) -> str:
    """The colour of a series, a variable of the style sheet."""
    return f"var(--series-{index % NUM_COLOURS + 1})"


def config() -> dict[str, Any]:
    """Vega-Lite's config: one look for every chart."""
    labels = {"labelColor": TEXT, "labelFontSize": FONT_SIZE, "labelFont": FONT}
    titles = {"titleColor": TEXT, "titleFontSize": FONT_SIZE, "titleFont": FONT}
    titles |= {"titleFontWeight": "normal"}
    axis = {"titlePadding": 8, "gridColor": GRID, "domainColor": QUIET, "tickColor": QUIET}
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": labels | titles | axis,
        "legend": labels | titles | {"symbolSize": 90, "symbolOpacity": 1},
        "text": {"color": TEXT, "fontSize": FONT_SIZE, "font": FONT, "baseline": "middle"},
        "point": {"size": 100, "filled": True, "opacity": 1},
        "rule": {"color": QUIET},
        "title": {
            "color": TEXT,
            "font": FONT,
            "fontSize": FONT_SIZE,
            "fontWeight": "normal",
            "lineHeight": 16,
            "anchor": "start",
            "subtitleColor": TEXT,
            "subtitleFont": FONT,
        },
    }


def in_light(specification: str) -> str:
    """A chart's JSON with the colours themselves in place of the style sheet's variables."""
    return re.sub(r"var\((--[a-z0-9-]+)\)", lambda match: LIGHT[match[1]], specification)


def style_variables(colours: dict[str, str]) -> str:
    """The declarations of a colour scheme for the style sheet."""
    return " ".join(f"{name}: {value};" for name, value in colours.items())
