"""The rows as an Apache Parquet file, for pandas, Polars, DuckDB and their like."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from results.errors import ResultsError
from results.render.columns import Row

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = "parquet"
# Of these an unknown is a missing text; of all other keys it is a missing number.
_TEXTS = {
    *("binding_term", "commit_time_utc", "device", "flags"),
    *("not_comparable", "reason", "record_ids", "within_noise"),
}


def check_parquet() -> None:
    """Refuses where pyarrow, which is no dependency, is not installed.

    Raises:
        ResultsError: In one line, with the remedy.
    """
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
