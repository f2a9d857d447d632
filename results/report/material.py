"""What a report is made of: the rows of the table, and for each one of its runs with samples."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from results.classes import CLASS_NAMES
from results.errors import RecordError
from results.records.record import RunRecord
from results.records.store import RunStore, read_records
from results.rows.comparable import check_comparable, is_ladder, labels
from results.rows.names import with_short_names
from results.rows.rows import table_rows
from results.rows.summary import Summary, summarize
from results.text import listed, one_line

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Samples = Mapping[str, Array]

MEMBERS_OF_OBJECTS = frozenset(  # of JavaScript: Vega keeps groups in plain objects by their names
    {
        *("constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toString"),
        *("toLocaleString", "valueOf", "__proto__", "__defineGetter__", "__defineSetter__"),
        *("__lookupGetter__", "__lookupSetter__"),
    }
)
TOO_LARGE = 1e30  # for an axis
LARGEST_SIDE = 256  # pixels of a picture: the page holds each of them
WHOLE, NUMBER, BYTE = "iu", "fiu", "u"  # numpy's letters of what an array may hold
LAST_CLASS = len(CLASS_NAMES) - 1
MAX_NAMES = 12  # of a remark, which must stay one that is read


class Form(NamedTuple):
    """What an array must be."""

    kinds: str  # letters of numpy's kinds of numbers
    low: float | None  # its least value is not lower, as NaN would be; None where any will do
    high: float | None
    shape: tuple[int | None, ...] = (None,)  # the length of each axis, None where any will do


FORMS = {
    "loss": Form(NUMBER, -TOO_LARGE, TOO_LARGE),
    "curve": Form(NUMBER, None, None, (None, None)),  # who draws it leaves out unknown points
    "predictions": Form(WHOLE, 0, LAST_CLASS),
    "confidence": Form(NUMBER, 0, 1.001),
    "mistakes": Form(WHOLE, 0, math.inf),
    "mistake_labels": Form(WHOLE, 0, LAST_CLASS),
    "mistake_images": Form(BYTE, 0, 255, (None, None, None)),
    "features_2d": Form(NUMBER, -TOO_LARGE, TOO_LARGE, (None, 2)),
    "features_share": Form(NUMBER, -1.001, 1.001, (2,)),
    "features_labels": Form(WHOLE, 0, LAST_CLASS),
    "example_images": Form(BYTE, 0, 255, (len(CLASS_NAMES), None, None)),
    "class_counts": Form(WHOLE, 0, math.inf, (len(CLASS_NAMES),)),
}


def is_sound(name: str, array: "Array") -> bool:
    """Whether an array is what its form says; one that no report draws is none."""
    form = FORMS.get(name)
    if form is None or array.ndim != len(form.shape) or array.dtype.kind not in form.kinds:
        return False
    lengths = zip(array.shape, form.shape, strict=True)
    if any(wanted is not None and length != wanted for length, wanted in lengths):
        return False
    if array.ndim == 3:  # pictures
        sides = array.shape[1:]
        if array.dtype != "uint8" or min(sides) == 0 or max(sides) > LARGEST_SIDE:
            return False
    if not array.size or form.low is None or form.high is None:
        return True
    return form.low <= float(array.min()) and float(array.max()) <= form.high


@dataclass(frozen=True, slots=True)
class Series:
    """One row of the table: a configuration over its seeds."""

    label: str  # its name in every chart; no two rows share one
    row: Mapping[str, Any]
    summary: Summary
    index: int  # its place in the order of the records: decides its colour, shape and dash
    shown: RunRecord | None = None  # whose curves are drawn; None where none ended well
    samples: "Samples" = field(default_factory=dict)  # of that run; empty where the file is missing

    @property
    def is_ok(self) -> bool:
        """Whether it has numbers."""
        return bool(self.row["status"] == "ok")

    @property
    def has_learnt(self) -> bool:
        """Whether it is better than guessing, so that a chart may make room for it."""
        return self.is_ok and "at_chance" not in self.row["flags"]

    def array(self, name: str) -> "Array | None":
        """An array of its samples; None where it is not there, or not what it should be."""
        found = self.samples.get(name)
        return found if found is not None and is_sound(name, found) else None


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that a report shows."""

    series: tuple[Series, ...]  # in the order of the table
    rungs: tuple[RunRecord, ...] = ()  # of ladders
    folders: tuple[Path, ...] = ()
    sources: Mapping[str, Path] = field(default_factory=dict)  # folder or file of each record's id
    remarks: tuple[str, ...] = ()  # what was left out or is missing, a line each

    @property
    def records(self) -> list[RunRecord]:
        """All runs in the order of the table."""
        return [record for one in self.series for record in one.summary.records]

    @property
    def finished(self) -> list[Series]:
        """The series with numbers, in the order of their colours."""
        return sorted((one for one in self.series if one.is_ok), key=lambda one: one.index)

    @property
    def names(self) -> list[str]:
        """All labels in the order of their colours."""
        return [one.label for one in sorted(self.series, key=lambda one: one.index)]


def gather(folders: Sequence[Path], *, mixed: bool = False) -> Material:
    """Read at least one run folder (or records.jsonl file) into what a report shows.

    Raises:
        RecordError: A folder has no records, or a line is no record.
        NotComparable: The records must not stand side by side, and `mixed` does not allow it.
    """
    remarks: list[str] = []
    sources: dict[str, Path] = {}
    records: list[RunRecord] = []
    for folder in folders:
        new = [r for r in read_records(folder, say=remarks.append) if r.record_id not in sources]
        sources |= {record.record_id: folder for record in new}
        records += new
    records = with_short_names(records)
    runs = [record for record in records if not is_ladder(record)]
    if not mixed:
        check_comparable(runs)
    rungs = tuple(record for record in records if is_ladder(record))
    series = _series(runs, sources, remarks)
    return Material(series, rungs, tuple(folders), sources, tuple(remarks))


def _series(
    runs: Sequence[RunRecord], sources: Mapping[str, Path], remarks: list[str]
) -> tuple[Series, ...]:
    summaries = summarize(runs)
    order = {summary.record_ids: index for index, summary in enumerate(summaries)}
    by_ids = {summary.record_ids: summary for summary in summaries}
    rows = table_rows(summaries)
    found, without = [], []
    for row, label in zip(rows, _unique(labels(rows)), strict=True):
        ids = tuple(row["record_ids"])
        shown, samples = _shown(by_ids[ids], sources)
        without += [label] if shown and not samples else []
        found.append(Series(label, row, by_ids[ids], order[ids], shown, samples))
    if without:
        remarks.append(
            f"no pictures of the runs of {listed(without, MAX_NAMES)}: the samples files of their "
            "records are missing, changed or unreadable."
        )
    for one in found:
        bad = [n for n, array in one.samples.items() if n in FORMS and not is_sound(n, array)]
        remarks += [f"cannot draw of {one.label}: {', '.join(bad)}."] if bad else []
    return tuple(found)


def _unique(names: Sequence[str]) -> list[str]:
    """The names, numbered where two rows differ in nothing that a name tells."""
    seen: dict[str, int] = {}
    unique = []
    for name in map(chart_name, names):
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return unique


def chart_name(name: str) -> str:
    """A name on one line, in quotes where Vega would take it for a member of every object."""
    line = one_line(name)
    return f'"{line}"' if line in MEMBERS_OF_OBJECTS else line


def _shown(summary: Summary, sources: Mapping[str, Path]) -> tuple[RunRecord | None, "Samples"]:
    """The first run that ended well and has its samples still, or else the first that did."""
    for record in summary.finished:
        source = sources[record.record_id]
        store = RunStore(source if source.is_dir() else source.parent)
        with suppress(RecordError):
            if samples := store.load_samples(record):
                return record, samples
    return next(iter(summary.finished), None), {}
