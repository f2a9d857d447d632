"""Which rows cannot be told apart from the most accurate one, in a line below the table."""

from collections.abc import Sequence

from results.rows.comparable import Row, is_at_chance, labels
from results.rows.difference import NOT_TOLD_APART, UNKNOWN, Difference, difference
from results.rows.summary import Summary
from results.text import listed, points

MOST_NAMED = 3  # rows that a line calls by name


def certainty_lines(summaries: Sequence[Summary], rows: Sequence[Row]) -> list[str]:
    """Whose accuracy the best one's is not told apart from, and whose lead is unknown; often none.

    Args:
        summaries: Configurations that may stand side by side.
        rows: Their table rows, in any order.
    """
    of_ids = {summary.record_ids: summary for summary in summaries}
    rivals = [
        (row["test_accuracy"], label, of_ids[tuple(row["record_ids"])])
        for row, label in zip(rows, labels(rows), strict=True)
        if row["test_accuracy"] is not None and not is_at_chance(row)
    ]
    if not rivals:
        return []
    _, best, summary = leader = max(rivals, key=lambda rival: rival[0])
    gaps = [
        (label, gap)
        for _, label, other in (rival for rival in rivals if rival is not leader)
        if (gap := difference(summary, other))
    ]
    close = [
        f"{label} ({points(gap.estimate)} points less, {half_width_text(gap)})"
        for label, gap in gaps
        if gap.verdict == NOT_TOLD_APART
    ]
    unknown = [label for label, gap in gaps if gap.verdict == UNKNOWN and not gap.knows_seeds]
    lines = []
    if close:
        names = listed(close, MOST_NAMED)
        lines.append(f"accuracy: {names} cannot be told apart from {best}.")
    if unknown:
        lines.append(
            f"accuracy: how much seeds differ is not known (one seed), so whether {best} leads "
            f"{listed(unknown, MOST_NAMED)} for other seeds too is unknown."
        )
    return lines


def half_width_text(gap: Difference) -> str:
    """How far chance reaches in a difference, and what chance that is: ±0.83 by test images."""
    if gap.half_width is None:
        return "number of test images unknown"
    source = "seeds and test images" if gap.knows_seeds else "test images alone"
    return f"±{points(gap.half_width)} by {source}"
