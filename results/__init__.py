"""Records, store, statistics, comparison and tables of benchmark runs; needs no torch.

Results knows names, bench knows meanings: a record holds plain JSON values. The public names load
their module on first use, so that ``import results`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.choice import OBJECTIVES, Choice, Objective, choose
    from results.choice_table import render_choice
    from results.choice_text import choice_headline, choice_json, choice_notes
    from results.compact import collector_paused
    from results.compare import Comparison, compare_records
    from results.comparison import (
        check_comparable,
        is_ladder,
        pareto_cost,
        pareto_front,
        pareto_sentence,
    )
    from results.constraints import Constraints
    from results.difference import Difference
    from results.drift import drift_lines
    from results.errors import NotComparable, RecordError, ResultsError
    from results.footer import footer_lines
    from results.formats import FORMATS, export
    from results.history import HISTORY_KEYS, history_rows
    from results.history_table import history_columns, history_footer_lines, render_history
    from results.ladder import LADDER_KEYS, ladder_rows
    from results.ladder_footer import ladder_footer_lines, ladder_sentences
    from results.ladder_table import ladder_columns, render_ladder
    from results.measurement import Measurement
    from results.parquet import PARQUET, check_parquet, export_parquet
    from results.published import REPORTED, Reported, find_reported
    from results.published_footer import published_footer_lines
    from results.published_table import (
        export_published,
        hidden_columns_line,
        published_columns,
        render_published,
    )
    from results.records import STATUSES, RunRecord
    from results.replication import is_published
    from results.replication_rows import PUBLISHED_KEYS, published_rows
    from results.rows import ROW_KEYS, sort_rows, table_rows
    from results.statistics import (
        mean,
        median_interval,
        prediction_interval,
        stdev,
        t_interval,
        welch_interval,
        wilson_interval,
    )
    from results.store import RunStore, newest_run, read_records
    from results.summary import Summary, summarize
    from results.table import render_table

_MODULE_OF = {
    "Choice": "choice",
    "Comparison": "compare",
    "Constraints": "constraints",
    "Difference": "difference",
    "FORMATS": "formats",
    "HISTORY_KEYS": "history",
    "LADDER_KEYS": "ladder",
    "Measurement": "measurement",
    "NotComparable": "errors",
    "OBJECTIVES": "choice",
    "Objective": "choice",
    "PARQUET": "parquet",
    "PUBLISHED_KEYS": "replication_rows",
    "REPORTED": "published",
    "ROW_KEYS": "rows",
    "RecordError": "errors",
    "Reported": "published",
    "ResultsError": "errors",
    "RunRecord": "records",
    "RunStore": "store",
    "STATUSES": "records",
    "Summary": "summary",
    "check_comparable": "comparison",
    "check_parquet": "parquet",
    "choice_headline": "choice_text",
    "choice_json": "choice_text",
    "choice_notes": "choice_text",
    "choose": "choice",
    "collector_paused": "compact",
    "compare_records": "compare",
    "drift_lines": "drift",
    "export": "formats",
    "export_parquet": "parquet",
    "export_published": "published_table",
    "find_reported": "published",
    "footer_lines": "footer",
    "hidden_columns_line": "published_table",
    "history_columns": "history_table",
    "history_footer_lines": "history_table",
    "history_rows": "history",
    "is_ladder": "ladder",
    "is_published": "replication",
    "ladder_columns": "ladder_table",
    "ladder_footer_lines": "ladder_footer",
    "ladder_rows": "ladder",
    "ladder_sentences": "ladder_footer",
    "mean": "statistics",
    "median_interval": "statistics",
    "newest_run": "store",
    "pareto_cost": "comparison",
    "pareto_front": "comparison",
    "pareto_sentence": "comparison",
    "prediction_interval": "statistics",
    "published_columns": "published_table",
    "published_footer_lines": "published_footer",
    "published_rows": "replication_rows",
    "read_records": "store",
    "render_choice": "choice_table",
    "render_history": "history_table",
    "render_ladder": "ladder_table",
    "render_published": "published_table",
    "render_table": "table",
    "sort_rows": "rows",
    "stdev": "statistics",
    "summarize": "summary",
    "t_interval": "statistics",
    "table_rows": "rows",
    "welch_interval": "statistics",
    "wilson_interval": "statistics",
}

__all__ = [
    "FORMATS",
    "HISTORY_KEYS",
    "LADDER_KEYS",
    "OBJECTIVES",
    "PARQUET",
    "PUBLISHED_KEYS",
    "REPORTED",
    "ROW_KEYS",
    "STATUSES",
    "Choice",
    "Comparison",
    "Constraints",
    "Difference",
    "Measurement",
    "NotComparable",
    "Objective",
    "RecordError",
    "Reported",
    "ResultsError",
    "RunRecord",
    "RunStore",
    "Summary",
    "check_comparable",
    "check_parquet",
    "choice_headline",
    "choice_json",
    "choice_notes",
    "choose",
    "collector_paused",
    "compare_records",
    "drift_lines",
    "export",
    "export_parquet",
    "export_published",
    "find_reported",
    "footer_lines",
    "hidden_columns_line",
    "history_columns",
    "history_footer_lines",
    "history_rows",
    "is_ladder",
    "is_published",
    "ladder_columns",
    "ladder_footer_lines",
    "ladder_rows",
    "ladder_sentences",
    "mean",
    "median_interval",
    "newest_run",
    "pareto_cost",
    "pareto_front",
    "pareto_sentence",
    "prediction_interval",
    "published_columns",
    "published_footer_lines",
    "published_rows",
    "read_records",
    "render_choice",
    "render_history",
    "render_ladder",
    "render_published",
    "render_table",
    "sort_rows",
    "stdev",
    "summarize",
    "t_interval",
    "table_rows",
    "welch_interval",
    "wilson_interval",
]


def __getattr__(name: str) -> object:
    """The public name, loaded from its module now and kept for the next time."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
