"""Records, store, statistics, comparison and tables of benchmark runs; needs no torch.

Results knows names, bench knows meanings: a record holds plain JSON values. The public names load
their module on first use, so that ``import results`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.choice.choose import OBJECTIVES, Choice, Objective, choose
    from results.choice.constraints import Constraints
    from results.choice.table import render_choice
    from results.choice.text import choice_headline, choice_json, choice_notes
    from results.compare.compare import Comparison, compare_records
    from results.errors import NotComparable, RecordError, ResultsError
    from results.history.drift import drift_lines
    from results.history.rows import HISTORY_KEYS, history_rows
    from results.history.table import history_columns, history_footer_lines, render_history
    from results.ladder.footer import ladder_footer_lines, ladder_sentences
    from results.ladder.rows import LADDER_KEYS, ladder_rows
    from results.ladder.table import ladder_columns, render_ladder
    from results.records.compact import collector_paused
    from results.records.measurement import Measurement
    from results.records.record import STATUSES, RunRecord
    from results.records.store import RunStore, newest_run, read_records
    from results.reference.footer import published_footer_lines
    from results.reference.replication import is_published
    from results.reference.reported import REPORTED, Reported, find_reported
    from results.reference.rows import PUBLISHED_KEYS, published_rows
    from results.reference.table import (
        export_published,
        hidden_columns_line,
        published_columns,
        render_published,
    )
    from results.render.footer import footer_lines
    from results.render.formats import FORMATS, export
    from results.render.parquet import PARQUET, check_parquet, export_parquet
    from results.render.table import render_table
    from results.rows.comparable import (
        check_comparable,
        is_ladder,
        pareto_cost,
        pareto_front,
        pareto_sentence,
    )
    from results.rows.difference import Difference
    from results.rows.rows import ROW_KEYS, sort_rows, table_rows
    from results.rows.summary import Summary, summarize
    from results.statistics import (
        mean,
        median_interval,
        prediction_interval,
        stdev,
        t_interval,
        welch_interval,
        wilson_interval,
    )

_MODULE_OF = {
    "Choice": "choice.choose",
    "Comparison": "compare.compare",
    "Constraints": "choice.constraints",
    "Difference": "rows.difference",
    "FORMATS": "render.formats",
    "HISTORY_KEYS": "history.rows",
    "LADDER_KEYS": "ladder.rows",
    "Measurement": "records.measurement",
    "NotComparable": "errors",
    "OBJECTIVES": "choice.choose",
    "Objective": "choice.choose",
    "PARQUET": "render.parquet",
    "PUBLISHED_KEYS": "reference.rows",
    "REPORTED": "reference.reported",
    "ROW_KEYS": "rows.rows",
    "RecordError": "errors",
    "Reported": "reference.reported",
    "ResultsError": "errors",
    "RunRecord": "records.record",
    "RunStore": "records.store",
    "STATUSES": "records.record",
    "Summary": "rows.summary",
    "check_comparable": "rows.comparable",
    "check_parquet": "render.parquet",
    "choice_headline": "choice.text",
    "choice_json": "choice.text",
    "choice_notes": "choice.text",
    "choose": "choice.choose",
    "collector_paused": "records.compact",
    "compare_records": "compare.compare",
    "drift_lines": "history.drift",
    "export": "render.formats",
    "export_parquet": "render.parquet",
    "export_published": "reference.table",
    "find_reported": "reference.reported",
    "footer_lines": "render.footer",
    "hidden_columns_line": "reference.table",
    "history_columns": "history.table",
    "history_footer_lines": "history.table",
    "history_rows": "history.rows",
    "is_ladder": "rows.comparable",
    "is_published": "reference.replication",
    "ladder_columns": "ladder.table",
    "ladder_footer_lines": "ladder.footer",
    "ladder_rows": "ladder.rows",
    "ladder_sentences": "ladder.footer",
    "mean": "statistics",
    "median_interval": "statistics",
    "newest_run": "records.store",
    "pareto_cost": "rows.comparable",
    "pareto_front": "rows.comparable",
    "pareto_sentence": "rows.comparable",
    "prediction_interval": "statistics",
    "published_columns": "reference.table",
    "published_footer_lines": "reference.footer",
    "published_rows": "reference.rows",
    "read_records": "records.store",
    "render_choice": "choice.table",
    "render_history": "history.table",
    "render_ladder": "ladder.table",
    "render_published": "reference.table",
    "render_table": "render.table",
    "sort_rows": "rows.rows",
    "stdev": "statistics",
    "summarize": "rows.summary",
    "t_interval": "statistics",
    "table_rows": "rows.rows",
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
