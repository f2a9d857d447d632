"""The lines below published numbers and ours: the interval, what deviates, the footnotes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results.records.record import RunRecord
from results.reference.judgement import (
    AT_CHANCE,
    CHANGED,
    LETTERS,
    LONG,
    NOT_PRETRAINED,
    ONE_SEED,
    OTHER_PROTOCOL,
    SHORT,
    WIDE,
    deviations,
)
from results.reference.replication import Replication, group_replications, label, never_predicted_by
from results.reference.rows import published_rows
from results.render.footer import FLAG_NOTES, place_line
from results.text import one_line

MEANINGS = {  # of the words in the brackets of a verdict
    SHORT: "trained for less than the recipe's length, so that the verdict is no test of the "
    "published number",
    LONG: "trained for more than the recipe's length",
    NOT_PRETRAINED: "started from random weights, as the pretrained ones were not to be had",
    CHANGED: "trained by another recipe than its project's",
    OTHER_PROTOCOL: "split, selection or image size are not those of the published number",
    ONE_SEED: "the interval knows nothing of how much seeds differ, so a number outside may be a "
    "matter of the seed",
    WIDE: "an interval broader than 5 points says little by holding the published number",
    AT_CHANCE: "no better than guessing, so it has learnt nothing",
}
NOTES = FLAG_NOTES | {"stopped_early": "validation images ended the training, as the recipe says"}
DEVIATION_FLAGS = {"not_pretrained", "at_chance"}  # said among the deviations
STANDING = (
    "each row is set against the number beside it, not against other rows: lengths, splits and "
    "protocols differ.",
    "protocols: clean selects on a tenth of the training images and reads the test images once; "
    "full train keeps none and selects nothing; as published is the project's own split and "
    "selection.",
)
INTERVAL = (
    "interval: 95 %. Of one seed: test sampling (Wilson). Of several: where one further run falls "
    "(mean ± t s sqrt(1 + 1/n)), broadened by test sampling where the published number is from "
    "other images."
)
VERDICT = (
    "verdict: inside: the published number lies in our interval; above, below: our whole interval "
    "lies above or below it. Words in brackets say what else differs; notes say what is wrong with "
    "the published number itself."
)


def published_footer_lines(records: Sequence[RunRecord]) -> list[str]:
    """What a reader must know beside the table, a fact a line, what matters most first."""
    groups = group_replications(records)
    if not groups:
        return []
    shown = [record for group in groups for record in group.summary.records]
    lines = [
        *_failures(groups),
        *_deviations(groups),
        *_dead_classes(groups),
        *_flags(groups),
        f"precision {' / '.join(dict.fromkeys(r.spec['precision'] for r in shown))}.",
        place_line(shown),
        INTERVAL,
        VERDICT,
        *STANDING,
        *_sources(groups),
        *_notes(published_rows(records)),
    ]
    return [one_line(line) for line in lines]


def note_marks(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each row the numbers of its notes, as the lines below the table have them: `1-3, 5`."""
    numbers = _numbered(rows)
    return [_ranges(sorted(numbers[note] for note in row["notes"])) for row in rows]


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as text, three and more in a row as a range."""
    runs: list[list[int]] = []
    for number in numbers:
        if not runs or number != runs[-1][-1] + 1:
            runs.append([])
        runs[-1].append(number)
    return ", ".join(
        f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
    )


def _numbered(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    notes = dict.fromkeys(note for row in rows for note in row["notes"])
    return {note: number for number, note in enumerate(notes, start=1)}


def _notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The notes, each with the systems that it is about."""
    systems: dict[str, dict[str, None]] = {}
    for row in rows:
        for note in row["notes"]:
            systems.setdefault(note, {})[row["system"]] = None
    return [
        f"{number} ({', '.join(systems[note])}): {note}" for note, number in _numbered(rows).items()
    ]


def _deviations(groups: Sequence[Replication]) -> list[str]:
    found: dict[str, list[str]] = {}
    for group in groups:
        for mark, detail in deviations(group):
            found.setdefault(mark, []).append(label(group) + (f" ({detail})" if detail else ""))
    everyone = [label(group) for group in groups]
    return [
        f"{mark} ({letter}): {MEANINGS[mark]}: "
        f"{'all rows' if found[mark] == everyone else ', '.join(found[mark])}."
        for mark, letter in LETTERS.items()
        if mark in found
    ]


def _sources(groups: Sequence[Replication]) -> list[str]:
    """Behind each published number: what it was trained and scored on."""
    systems: dict[tuple[str, str], dict[str, None]] = {}
    for reported, _ in groups:
        if reported.trained_on and reported.evaluated_on:
            images = (reported.trained_on, reported.evaluated_on)
            systems.setdefault(images, {})[reported.system] = None
    return [
        f"published: {', '.join(names)}: trained on {trained_on}; scored on {evaluated_on}."
        for (trained_on, evaluated_on), names in systems.items()
    ]


def _flags(groups: Sequence[Replication]) -> list[str]:
    bearers: dict[str, list[str]] = {}
    for group in groups:
        for flag in group.summary.flags:
            bearers.setdefault(flag, []).append(label(group) + _seeds(flag, group))
    return [
        f"{flag}: {f'{note}: ' if (note := NOTES.get(flag)) else ''}{', '.join(names)}."
        for flag, names in bearers.items()
        if flag not in DEVIATION_FLAGS
    ]


def _seeds(flag: str, group: Replication) -> str:
    """The seeds that have a flag, where it is not on all of the runs."""
    records = group.summary.records
    seeds = [str(record.spec["seed"]) for record in records if flag in record.flags]
    return "" if len(seeds) in {0, len(records)} else f" (seed {', '.join(seeds)})"


def _dead_classes(groups: Sequence[Replication]) -> list[str]:
    found = [(label(group), never_predicted_by(group.summary)) for group in groups]
    return [f"{name}: {text}." for name, text in found if text]


def _failures(groups: Sequence[Replication]) -> list[str]:
    return [
        f"failed: {label(group)}: {_failure(group)}." for group in groups if group.summary.failed
    ]


def _failure(group: Replication) -> str:
    status, reason = group.summary.status, group.summary.reason
    if status == "ok" or not reason:
        return reason or status
    return f"{status}: {reason}"
