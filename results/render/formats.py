"""The table as text for other programs and documents."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from results.errors import ResultsError
from results.render.columns import MISSED, Column, Row, model_column, value_columns
from results.render.table import BEST_MARK
from results.rows.rows import ROW_KEYS
from results.text import one_line, printable

FORMATS = ("markdown", "csv", "json", "latex")


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
    if fmt == "json":
        text = msgspec.json.format(msgspec.json.encode([dict(row) for row in rows])).decode()
    elif fmt == "csv":
        text = _csv(rows, list(rows[0]) if rows else list(keys))
    else:
        if columns is None:
            columns = [model_column(rows), *value_columns(rows, by)]
        if fmt == "markdown":
            text = tabulated(columns, "github", escape_markdown, "**{}**")
        else:
            text = tabulated(columns, "latex_booktabs", one_line, "{}" + BEST_MARK)
            text = text.replace("±", r"$\pm$").replace(MISSED, r"$\infty$")
    return text.rstrip("\n") + "\n"


def _csv(rows: Sequence[Row], keys: list[str]) -> str:
    import pandas as pd  # 0.4 s

    cells = [[_csv_cell(row[key]) for key in keys] for row in rows]
    frame = pd.DataFrame(cells, columns=keys, dtype=object)  # object: no count becomes a float
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _csv_cell(value: Any) -> Any:  # noqa: ANN401 - a row holds any JSON value
    text = msgspec.json.encode(value).decode() if isinstance(value, (list, dict)) else value
    if not isinstance(text, str):
        return text
    return "\n".join(map(printable, text.split("\n")))  # a table may end in a terminal


def tabulated(
    columns: Sequence[Column], style: str, escape: Callable[[str], str], best: str
) -> str:
    """The columns in one of tabulate's styles, each cell escaped, the best ones marked."""
    from tabulate import tabulate  # only two of the formats need it

    texts = [
        [
            best.format(escape(cell.strip())) if is_best else escape(cell.strip())
            for cell, is_best in zip(column.cells, column.is_best, strict=True)
        ]
        for column in columns
    ]
    return tabulate(
        [list(line) for line in zip(*texts, strict=True)],
        headers=[column.header for column in columns],
        tablefmt=style,
        colalign=[column.align for column in columns] if any(texts) else None,
        disable_numparse=True,
    )


def escape_markdown(text: str) -> str:
    """The text on one line, with what Markdown would read as more than text escaped."""
    text = re.sub(r"([\\`*|\[\]])", r"\\\1", one_line(text)).replace("<", "&lt;")
    # Inside a word an underscore is only an underscore.
    return re.sub(r"(?<![^\W_])_+|_+(?![^\W_])", lambda match: r"\_" * len(match[0]), text)
