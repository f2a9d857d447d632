"""Records, store, comparison and tables of benchmark runs; needs no torch.

Results knows names, bench knows meanings: a record holds plain JSON values. The public names load
their module on first use, so that ``import results`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.choice.choose import choose
    from results.compare.compare import compare_records
    from results.errors import NotComparable, RecordError, ResultsError
    from results.records.measurement import Measurement
    from results.records.record import RunRecord
    from results.records.store import RunStore, read_records
    from results.rows.comparable import check_comparable
    from results.rows.rows import table_rows
    from results.rows.summary import Summary, summarize

__all__ = [
    "Measurement",
    "NotComparable",
    "RecordError",
    "ResultsError",
    "RunRecord",
    "RunStore",
    "Summary",
    "check_comparable",
    "choose",
    "compare_records",
    "read_records",
    "summarize",
    "table_rows",
]
_NAMES_OF_MODULE = {
    "choice.choose": "choose",
    "compare.compare": "compare_records",
    "errors": "NotComparable RecordError ResultsError",
    "records.measurement": "Measurement",
    "records.record": "RunRecord",
    "records.store": "RunStore read_records",
    "rows.comparable": "check_comparable",
    "rows.rows": "table_rows",
    "rows.summary": "Summary summarize",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module, and keep it for the next time."""
    for module, names in _NAMES_OF_MODULE.items():
        if name in names.split():
            value = globals()[name] = getattr(import_module(f"results.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
