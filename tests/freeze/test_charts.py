"""The charts of a report as SVG: which there are, and each to the byte.

For each set of records a file of `charts` holds the SHA-256 of every chart. Of one chart of each
kind, but for the largest two, the whole text lies beside it, a tag on each line, so that a change
can be read. Charts are drawn by a process that finds no fonts: vl-convert measures texts in the
system's fonts where it finds them, and in those it brings where it does not.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.command_line import REPOSITORY, bench
from tests.golden_text import golden
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
    WITH_SAMPLES: ("run-loss", "run-training"),
}

Charts = Mapping[str, bytes]
Draw = Callable[[str], Charts]


@pytest.fixture
def draw(records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    """Gives the charts of some records by their names, drawn by the command `report`."""
    monkeypatch.setenv("FONTCONFIG_FILE", str(FOLDER / "no-fonts.conf"))

    def draw_one(name: str) -> Charts:
        if name == WITH_SAMPLES:
            write_store(tmp_path / WITH_SAMPLES)
        source, *options = DRAWN[name]
        place = tmp_path if name == WITH_SAMPLES else records
        out, figures = tmp_path / "page.html", tmp_path / "figures"
        where = ("--out", out, "--figures", figures)
        done = bench(tmp_path, "report", place / source, *options, *where)
        assert done.returncode == 0, done.stderr
        return {path.stem: path.read_bytes() for path in sorted(figures.iterdir())}

    return draw_one


@pytest.mark.parametrize("name", slow_but({QUICK}, DRAWN))
def test_the_charts_are_what_they_were(draw: Draw, tmp_path: Path, name: str) -> None:
    found = draw(name)
    sums = {chart: sha256(content) for chart, content in found.items()}
    frozen = json.loads(golden(FOLDER / f"{name}.json", json.dumps(sums, indent=2) + "\n"))
    for chart in set(WHOLE.get(name, ())) & found.keys():
        golden(kept(name, chart), tag_by_tag(found[chart]))  # written where that is asked for
    lines = differences(name, frozen, found, tmp_path / "new")
    assert not lines, "\n".join(lines)


@pytest.mark.slow  # draws the quick ones a second time
def test_charts_do_not_depend_on_locale_time_zone_or_hash_seed(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in ELSEWHERE.items():
        monkeypatch.setenv(variable, value)
    frozen = json.loads((FOLDER / f"{QUICK}.json").read_bytes())
    assert differences(QUICK, frozen, draw(QUICK), tmp_path / "new") == []


def test_the_kept_texts_are_the_charts_of_the_sums() -> None:
    for name, charts in WHOLE.items():
        frozen = json.loads((FOLDER / f"{name}.json").read_bytes())
        for chart in charts:
            text = kept(name, chart).read_text(encoding="utf-8")
            assert sha256(text.replace(">\n<", "><").encode()) == frozen[chart], chart


def test_a_chart_that_changes_goes_or_comes_is_named(tmp_path: Path) -> None:
    frozen = {"same": sha256(b"<a/>"), "changed": sha256(b"<b/>"), "gone": sha256(b"<c/>")}
    found = {"same": b"<a/>", "changed": b"<b><d/></b>", "new": b"<e/>"}
    assert differences("night", frozen, found, tmp_path) == [
        f"night: the chart changed is not what it was; now it is {tmp_path / 'changed.svg'}",
        "night: the chart gone is gone",
        f"night: the chart new is new: {tmp_path / 'new.svg'}",
    ]
    assert (tmp_path / "changed.svg").read_text("utf-8") == "<b>\n<d/>\n</b>"


def test_a_chart_whose_text_is_kept_is_named_with_it(tmp_path: Path) -> None:
    (line,) = differences("ladder", {"ladder-1": sha256(b"old")}, {"ladder-1": b"new"}, tmp_path)
    assert line.endswith("; before: tests/freeze/charts/ladder/ladder-1.svg")


def differences(name: str, frozen: Mapping[str, str], found: Charts, folder: Path) -> list[str]:
    """A line for each chart that differs; the folder gets the new ones."""
    lines = []
    for chart in sorted(frozen.keys() | found.keys()):
        if chart not in found:
            lines.append(f"{name}: the chart {chart} is gone")
        elif sha256(found[chart]) != frozen.get(chart):
            path = folder / f"{chart}.svg"
            folder.mkdir(exist_ok=True)
            path.write_text(tag_by_tag(found[chart]), encoding="utf-8")
            what = f"is not what it was; now it is {path}" if chart in frozen else f"is new: {path}"
            before = kept(name, chart).relative_to(REPOSITORY)
            was = f"; before: {before}" if kept(name, chart).exists() else ""
            lines.append(f"{name}: the chart {chart} {what}{was}")
    return lines


def kept(name: str, chart: str) -> Path:
    """Where the text of a chart is kept, if it is."""
    return FOLDER / name / f"{chart}.svg"


def tag_by_tag(content: bytes) -> str:
    """The same picture with a line break between any two tags: `diff` can tell what changed."""
    return content.decode().replace("><", ">\n<")


def sha256(content: bytes) -> str:
    """The SHA-256 as 64 digits."""
    return hashlib.sha256(content).hexdigest()
