"""The charts of a report as Vega-Lite: which there are, and each to the letter.

For each set of records a file of `charts` holds the SHA-256 of every chart's specification and
data, as the page has them. Of one chart of each kind, but for the largest two, the whole text lies
beside it, so that a change can be read. What a picture of them looks like depends on fonts, and is
not held.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.command_line import bench
from tests.golden_text import assert_golden
from tests.results.report.report_by_hand import write_store
from tests.tiers import slow_but

FOLDER = Path(__file__).parent / "charts"
ELSEWHERE = {"LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "1", "COLUMNS": "40"}
QUICK, WITH_SAMPLES = "few", "with-samples"
DRAWN = {  # records, and the options that they take
    QUICK: ("few.jsonl",),
    "default-30s": ("cpu-default-30s.jsonl",),
    "classic": ("cpu-classic-3epochs.jsonl",),
    "ladder": ("ladder-cpu-batch32.jsonl",),
    "published-60s": ("published-cpu-60s.jsonl",),
    "published": ("published-cpu-as-published.jsonl", "--mixed"),
    WITH_SAMPLES: (WITH_SAMPLES,),
}
WHOLE = {  # the charts whose text is kept
    QUICK: (
        *("classes-f1", "cost-num-params", "gap-accuracy", "limit-floor", "limit-roofline"),
        *("speed-epoch", "time-accuracy", "time-targets"),
    ),
    "ladder": ("ladder-1",),
    WITH_SAMPLES: ("run-training",),
}
CHARTS_OF_PAGE = re.compile(r'<script type="application/json" id="charts"[^>]*>(.*?)</script>')

Charts = Mapping[str, str]
Draw = Callable[..., Charts]


@pytest.fixture
def draw(records: Path, tmp_path: Path) -> Draw:
    """Gives the charts of some records by their names, from the page of the command `report`."""

    def draw_one(name: str, *options: str | Path) -> Charts:
        if name == WITH_SAMPLES:
            write_store(tmp_path / WITH_SAMPLES)
        source, *own = DRAWN[name]
        place = tmp_path if name == WITH_SAMPLES else records
        out = tmp_path / "page.html"
        done = bench(tmp_path, "report", place / source, *own, "--out", out, *options)
        assert done.returncode == 0, done.stderr
        found = CHARTS_OF_PAGE.search(out.read_text(encoding="utf-8"))
        assert found
        figures = json.loads(found[1])["figures"]
        return {chart: as_text(figures[chart]) for chart in sorted(figures)}

    return draw_one


@pytest.mark.parametrize("name", slow_but({QUICK}, DRAWN))
def test_the_charts_are_what_they_were(draw: Draw, tmp_path: Path, name: str) -> None:
    found = draw(name)
    for chart, content in found.items():  # for whoever wants to see what a sum stands for
        (tmp_path / f"{chart}.json").write_text(content, encoding="utf-8")
    for chart in WHOLE.get(name, ()):
        assert_golden(f"{name}/{chart}.json", found[chart], FOLDER)
    assert_golden(f"{name}.json", sums_of(found), FOLDER)


@pytest.mark.slow  # draws the quick ones a second time
def test_charts_do_not_depend_on_locale_time_zone_or_hash_seed(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in ELSEWHERE.items():
        monkeypatch.setenv(variable, value)
    assert_golden(f"{QUICK}.json", sums_of(draw(QUICK)), FOLDER)


@pytest.mark.slow
def test_every_chart_of_the_page_can_be_had_as_a_picture(draw: Draw, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    charts = draw(QUICK, "--figures", folder)
    assert sorted(path.stem for path in folder.iterdir()) == list(charts)
    for path in folder.iterdir():
        picture = path.read_text(encoding="utf-8")
        assert picture.startswith("<svg ")
        assert "var(--" not in picture  # colours that only the page knows
        assert "NaN" not in picture


def test_the_kept_texts_are_the_charts_of_the_sums() -> None:
    for name, charts in WHOLE.items():
        frozen = json.loads((FOLDER / f"{name}.json").read_bytes())
        for chart in charts:
            text = (FOLDER / name / f"{chart}.json").read_text(encoding="utf-8")
            assert sha256(text) == frozen[chart], chart


def as_text(figure: object) -> str:
    """JSON with a line for each innermost list or object, so that `diff` tells what changed."""
    text = json.dumps(figure, indent=1, ensure_ascii=False)
    joined = re.sub(r"[\[{][^][{}]*[]}]", lambda match: re.sub(r"\n *", " ", match[0]), text)
    return joined + "\n"


def sums_of(charts: Charts) -> str:
    """The SHA-256 of each chart as JSON."""
    return json.dumps({name: sha256(text) for name, text in charts.items()}, indent=2) + "\n"


def sha256(content: str) -> str:
    """The SHA-256 as 64 digits."""
    return hashlib.sha256(content.encode()).hexdigest()
