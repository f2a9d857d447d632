"""The table as text for other programs and documents."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from results.errors import ResultsError
from results.render.columns import MISSED, Column, Row, model_column, value_columns
from results.render.table import BEST_MARK
from results.rows.rows import ROW_KEYS
from results.text import one_line, printable


def export(
    rows: Sequence[Row],
    fmt: str,
    by: str = "model",
    *,
    columns: Sequence[Column] | None = None,
    keys: Sequence[str] = ROW_KEYS,
) -> str:
    """The rows in one of FORMATS, ending in a newline.

    csv and json hold the row keys in base units (csv cells that are lists or objects are JSON);
    markdown and latex hold what a person reads, in scaled units.

    Args:
        rows: Table rows, all with the same keys.
        fmt: One of FORMATS.
        by: What rows are told apart by: model, commit or plan.
        columns: What a person reads, where the rows are none of configurations.
        keys: Of the header of an empty csv.

    Raises:
        ResultsError: There is no such format.
    """
    if fmt not in FORMATS:
        raise ResultsError(f"unknown format {fmt!r}; choose from rich, {', '.join(FORMATS)}")
    if columns is None and fmt not in _OF_KEYS:
        columns = [model_column(rows), *value_columns(rows, by)]
    return FORMATS[fmt](rows, columns or (), keys).rstrip("\n") + "\n"


def _json(rows: Sequence[Row], columns: Sequence[Column], keys: Sequence[str]) -> str:
    return msgspec.json.format(msgspec.json.encode([dict(row) for row in rows])).decode()


def _csv(rows: Sequence[Row], columns: Sequence[Column], keys: Sequence[str]) -> str:
    import pandas as pd  # 0.4 s

    keys = list(rows[0]) if rows else list(keys)
    cells = [[_csv_cell(row[key]) for key in keys] for row in rows]
    frame = pd.DataFrame(cells, columns=keys, dtype=object)  # object: no count becomes a float
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _csv_cell(value: Any) -> Any:  # noqa: ANN401 - a row holds any JSON value
    text = msgspec.json.encode(value).decode() if isinstance(value, (list, dict)) else value
    if not isinstance(text, str):
        return text
    return "\n".join(map(printable, text.split("\n")))  # a table may end in a terminal


def _markdown(rows: Sequence[Row], columns: Sequence[Column], keys: Sequence[str]) -> str:
    return tabulated(columns, "github", escape_markdown, "**{}**")


def _latex(rows: Sequence[Row], columns: Sequence[Column], keys: Sequence[str]) -> str:
    text = tabulated(columns, "latex_booktabs", one_line, "{}" + BEST_MARK)
    return text.replace("±", r"$\pm$").replace(MISSED, r"$\infty$")


def tabulated(
    columns: Sequence[Column], style: str, escape: Callable[[str], str], best: str
) -> str:
    """The columns in one of tabulate's styles, each cell escaped, the best ones marked."""
    from tabulate import tabulate  # only two of the formats need it

    texts = [_texts(column, escape, best) for column in columns]
    return tabulate(
        [list(line) for line in zip(*texts, strict=True)],
        headers=[column.header for column in columns],
        tablefmt=style,
        colalign=[column.align for column in columns] if any(texts) else None,
        disable_numparse=True,
    )


def _texts(column: Column, escape: Callable[[str], str], best: str) -> list[str]:
    cells = [escape(cell.strip()) for cell in column.cells]
    return [
        best.format(cell) if is_best else cell
        for cell, is_best in zip(cells, column.is_best, strict=True)
    ]


def escape_markdown(text: str) -> str:
    """The text on one line, with what Markdown would read as more than text escaped."""
    text = re.sub(r"([\\`*|\[\]])", r"\\\1", one_line(text)).replace("<", "&lt;")
    # Inside a word an underscore is only an underscore.
    return re.sub(r"(?<![^\W_])_+|_+(?![^\W_])", lambda match: r"\_" * len(match[0]), text)


_OF_KEYS = ("csv", "json")  # hold what programs read, not columns
FORMATS: Mapping[str, Callable[[Sequence[Row], Sequence[Column], Sequence[str]], str]] = {
    "markdown": _markdown,
    "csv": _csv,
    "json": _json,
    "latex": _latex,
}
