"""The table for other programs and documents: as text, and as an Apache Parquet file."""

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from results.errors import ResultsError
from results.render.columns import MISSED, Column, Row, model_column, value_columns
from results.render.table import BEST_MARK
from results.rows.rows import ROW_KEYS
from results.text import json_text, one_line, visible_lines

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("markdown", "csv", "json", "latex")
PARQUET = "parquet"
FOR_PROGRAMS = ("csv", "json", PARQUET)
# Of these an unknown is a missing text; of all other keys it is a missing number.
_TEXTS = {
    *("binding_term", "commit_time_utc", "device", "flags"),
    *("not_comparable", "reason", "record_ids", "within_noise"),
}


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
        text = json_text([dict(row) for row in rows])
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
    return visible_lines(text) if isinstance(text, str) else text  # it may end in a terminal


def tabulated(
    columns: Sequence[Column], style: str, escape: Callable[[str], str], best: str
) -> str:
    """The columns in one of tabulate's styles, each cell escaped, the best ones marked."""
    from tabulate import tabulate  # only two of the formats need it

    texts = [
        [
            best.format(escape(cell)) if is_best else escape(cell)
            for cell, is_best in zip(_unpadded(column.cells), column.is_best, strict=True)
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


def _unpadded(cells: Sequence[str]) -> list[str]:
    """Without the blanks that keep decimal points in line on a terminal."""
    return [" ".join(cell.split()) for cell in cells]


def escape_markdown(text: str) -> str:
    """The text on one line, with what GitHub would read as more than text escaped."""
    text = re.sub(r"([\\`*|\[\]])", r"\\\1", re.sub(r"&(?=#?\w+;)", "&amp;", one_line(text)))
    text = text.replace("<", "&lt;")
    for mark in "~$":  # two of them strike out what is between, or make it mathematics
        text = text.replace(mark, f"\\{mark}") if text.count(mark) > 1 else text
    # it makes an emoji of :locked: even where the colons are escaped: a mark of no width parts it
    text = re.sub(r":(?=[a-z0-9_+-]+:)", ":&#8203;", text)
    # Inside a word an underscore is only an underscore.
    return re.sub(r"(?<![^\W_])_+|_+(?![^\W_])", lambda match: r"\_" * len(match[0]), text)


def check_parquet() -> None:
    """Raise ResultsError with the remedy where pyarrow, which is no dependency, is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ResultsError(
            "parquet needs pyarrow, which is not installed: pip install 'fmnist-bench[parquet]'"
        ) from error


def export_parquet(rows: Sequence[Row], keys: Sequence[str]) -> bytes:
    """The rows as the bytes of a Parquet file, a column for each key; `keys` where there are none.

    Lists are list columns and objects are struct columns, which pandas.read_parquet gives back as
    arrays and dictionaries; unknowns are nulls. A column with words among its numbers is all text.

    Raises:
        ResultsError: pyarrow is not installed.
    """
    check_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(rows[0]) if rows else list(keys)
    columns = {name: _column(name, [row[name] for row in rows]) for name in names}
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def _column(name: str, values: Sequence[object]) -> "pa.Array":
    import pyarrow as pa

    try:
        column = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # words among numbers, such as `never`
        texts = [
            v if v is None or isinstance(v, str) else msgspec.json.encode(v).decode()
            for v in values
        ]
        return pa.array(texts)
    unknown = pa.string() if name in _TEXTS else pa.float64()
    return column.cast(_typed(column.type, unknown))


def _typed(kind: "pa.DataType", unknown: "pa.DataType") -> "pa.DataType":
    """The type with `unknown` for what no value tells: readers stumble over columns of no type."""
    import pyarrow as pa

    if pa.types.is_null(kind):
        return unknown
    if pa.types.is_list(kind):
        return pa.list_(_typed(kind.value_type, unknown))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _typed(field.type, unknown)) for field in kind])
    return kind
