"""The lines below published numbers and ours: what deviates, how to read them, the notes."""

from collections.abc import Mapping, Sequence
from typing import Any

from results.records.record import RunRecord
from results.reference.replication import (
    Replication,
    deviations,
    group_replications,
    never_predicted_by,
)
from results.reference.rows import published_rows
from results.render.footer import by_reason, failure_lines, flag_lines, place_line
from results.text import distinct, one_line

MARKS = {  # in the brackets of a verdict: a letter for a table without room, and the meaning
    "short": (
        "S",
        "trained for less than the recipe's length, so the verdict does not test the published "
        "number",
    ),
    "long": ("L", "trained for more than the recipe's length"),
    "not pretrained": ("N", "started from random weights: no pretrained ones were found"),
    "changed": ("C", "trained by another recipe than its project's"),
    "other protocol": ("P", "its split, selection or image size are not the published ones"),
    "one seed": (
        "1",
        "how much seeds differ is unknown, so a number outside may be due to the seed",
    ),
    "wide": ("W", "an interval broader than 5 points says little by holding the published number"),
    "at chance": ("A", "no better than guessing, so it has learnt nothing"),
}
SAID_BY_MARKS = ("not_pretrained", "at_chance")
VERDICT = (
    "verdict: whether the published number lies inside our interval, or ours lies above or below it"
)
READING = (
    "interval: 95 %, of test sampling (one seed, Wilson) or of where a further run falls (several, "
    "Student t), broadened where the published number is from other images.",
    "rows are not to be ranked: lengths, splits and protocols differ.",
    "protocols: clean selects on a tenth of the training images; full train selects nothing; as "
    "published has the project's own split and selection.",
)


def published_footer_lines(records: Sequence[RunRecord], hidden: str | None = None) -> list[str]:
    """What a reader must know beside the table: failures and warnings first, the notes last.

    `hidden` is a line on the columns that a terminal has no room for.
    """
    groups = group_replications(records)
    if not groups:
        return []
    names, summaries = [group.label for group in groups], [group.summary for group in groups]
    shown = [record for summary in summaries for record in summary.records]
    precisions = " / ".join(distinct(record.spec["precision"] for record in shown))
    lines = [
        *failure_lines(summaries, names),
        *([hidden] if hidden else []),
        *_verdict_lines(groups),
        *(f"{g.label}: {dead}." for g in groups if (dead := never_predicted_by(g.summary))),
        *(flag for flag in flag_lines(summaries, names) if not flag.startswith(SAID_BY_MARKS)),
        *READING,
        *_sources(groups),
        f"precision {precisions}, {place_line(shown)}",
        *(
            f"{number} ({', '.join(systems)}): {note}"
            for number, (note, systems) in enumerate(_notes(published_rows(records)).items(), 1)
        ),
    ]
    return [one_line(line) for line in lines]


def lettered(text: str) -> str:
    """A verdict with letters in place of the words in its brackets."""
    place, has_marks, marks = text.removesuffix(")").partition(" (")
    if not has_marks:
        return text
    return f"{place} ({''.join(MARKS[mark][0] for mark in marks.split(', '))})"


def note_marks(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each row the numbers of its notes, as the lines below the table have them."""
    numbers = list(_notes(rows))
    marks = [sorted(numbers.index(note) + 1 for note in row["notes"]) for row in rows]
    return [", ".join(map(str, own)) for own in marks]


def _notes(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The notes in order, each with the systems that it is about."""
    return by_reason((row["system"], note) for row in rows for note in row["notes"])


def _verdict_lines(groups: Sequence[Replication]) -> list[str]:
    """How to read a verdict; what the words in brackets mean, and more of the rows that have it."""
    found: dict[str, list[str]] = {}
    for group in groups:
        for mark, detail in deviations(group).items():
            found.setdefault(mark, []).extend([f"{group.label} ({detail})"] if detail else [])
    marks = [f"{mark} ({letter})" for mark, (letter, _) in MARKS.items() if mark in found]
    lines = [f"{VERDICT}; in brackets: {', '.join(marks)}." if marks else f"{VERDICT}."]
    for mark, (_, meaning) in MARKS.items():
        if mark in found:
            details = ", ".join(found[mark])
            lines.append(f"{mark}: {meaning}{f': {details}' if details else ''}.")
    return lines


def _sources(groups: Sequence[Replication]) -> list[str]:
    """Behind each published number: what it was trained and scored on."""
    found = by_reason(
        (reported.system, f"trained on {reported.trained_on}; scored on {reported.evaluated_on}.")
        for reported, _ in groups
        if reported.trained_on
    )
    return [f"published: {', '.join(systems)}: {images}" for images, systems in found.items()]
