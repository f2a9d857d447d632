"""Shows records in every way there is, and holds what came out to the rules of its format."""

import csv
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from bench.commands import choose as choose_command
from bench.commands import compare as compare_command
from bench.commands import table
from results import RunRecord, summarize, table_rows
from results.choice.choose import OBJECTIVES, Constraints, Objective
from results.compare.checks import Rule
from results.gate.files import annotations
from results.gate.markdown import BREAK
from results.render.formats import export_parquet

Shown = Callable[[], object]


def ways_to_show(records: Sequence[RunRecord]) -> Iterator[tuple[str, Shown]]:
    """A name and a call for each command and format; each raises a refusal or returns."""
    for fmt in ("rich", "markdown", "csv", "json", "latex"):
        for by in ("model", "commit", "plan", "published"):
            yield (
                f"table --by {by}",
                lambda fmt=fmt, by=by: _table(records, fmt, by),  # type: ignore[misc]
            )
    for objective in OBJECTIVES:
        yield "choose", lambda objective=objective: _choose(records, objective)  # type: ignore[misc]
    yield "compare", lambda: compare(records, records[: len(records) // 2] or records)
    yield "table --format parquet", lambda: _parquet(records)


def _table(records: Sequence[RunRecord], fmt: str, by: str) -> None:
    text = written(lambda: table.show(records, fmt=fmt, by=by, mixed=True))
    RULES[fmt](text)


def _choose(records: Sequence[RunRecord], objective: str) -> None:
    with redirect_stderr(io.StringIO()):  # ladders left out
        ordinary = choose_command._ordinary(records, is_mixed=True)
    for fmt in ("rich", "json"):
        text = written(
            lambda fmt=fmt: choose_command.answer(  # type: ignore[misc]
                ordinary, Constraints(max_seconds=10.0), Objective(objective), fmt
            )
        )
        RULES[fmt](text)


def compare(base: Sequence[RunRecord], head: Sequence[RunRecord]) -> None:
    """The comparison in each format, and what GitHub would be told."""
    verdict = compare_command.judge((Path("a"), Path("b")), base, head, Rule())
    for fmt in compare_command.FORMATS:
        text = written(lambda fmt=fmt: compare_command.show(verdict, fmt))  # type: ignore[misc]
        # in the summary, what parts a name from what GitHub would make of it has no width
        (assert_printable if fmt == "markdown" else RULES[fmt])(text.replace(BREAK, ""))
    for line in annotations(verdict):
        assert line.isprintable()
        assert re.match(r"::(error|warning) title=[^:,]*::", line)


def _parquet(records: Sequence[RunRecord]) -> None:
    import pyarrow.parquet

    rows = table_rows(summarize(records))
    assert_finite(rows)
    table = pyarrow.parquet.read_table(io.BytesIO(export_parquet(rows, list(rows[0]))))
    assert table.num_rows == len(rows)
    assert [row["model"] for row in table.to_pylist()] == [row["model"] for row in rows]


def written(write: Callable[[], object]) -> str:
    """What a call writes to stdout; that to stderr must not steer a terminal either."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        write()
        sys.stdout.flush()
    assert_printable(err.getvalue())
    return out.buffer.getvalue().decode()


def assert_printable(text: str) -> None:
    """Nothing that steers a terminal: no escapes, no marks that turn the direction of writing."""
    odd = {char for char in text if not char.isprintable() and char != "\n"}
    assert not odd, odd


def is_json(text: str) -> None:
    """Well-formed, and no number without end."""
    assert_finite(json.loads(text, parse_constant=_no_constant))


def _no_constant(name: str) -> object:
    raise AssertionError(f"{name} is no JSON")


def assert_finite(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """No number in it is infinite."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            assert_finite(inner)
    assert not isinstance(value, float) or math.isfinite(value)


def is_csv(text: str) -> None:
    """As many cells in each row as there are columns."""
    assert_printable(text)
    header, *rows = csv.reader(io.StringIO(text))
    assert rows
    assert {len(row) for row in rows} == {len(header)}


def is_markdown(text: str) -> None:
    """As many cells in each row, and no element of HTML."""
    assert_printable(text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows
    assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows}) == 1
    assert "<" not in text


def is_latex(text: str) -> None:
    """As many cells in each row, no command that a name has brought along."""
    assert_printable(text)
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("%"))
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    left = re.sub(r"\\(begin|end)\{tabular\}|\\(top|mid|bottom)rule|\\(infty|pm)", "", text)
    left = re.sub(r"\\(textbackslash|textasciitilde|\^|ensuremath)(\{[^{}]*\})+", "", left)
    assert not re.search(r"\\[a-zA-Z]", left), text


RULES: Mapping[str, Callable[[str], None]] = {
    "rich": assert_printable,
    "markdown": is_markdown,
    "csv": is_csv,
    "json": is_json,
    "latex": is_latex,
}
