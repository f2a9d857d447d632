"""The line that a verdict comes to, and the lines below its tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from results.gate.verdict import Check, Commit, Finding, Outcome, Verdict
from results.gate.words import NEW, PLAN, claim, described, gravest_first, own_name
from results.text import cut, format_seconds, listed, one_line

TROUBLE: tuple[Outcome, ...] = ("worse", "unusable", "unclear")  # what the first table shows
COMPARED: tuple[Outcome, ...] = ("changed", "better", "same")
MOST_SAID = 3  # findings, models, reasons that one line names
MOST_SAID_CHARS, MOST_NOTE_CHARS = 140, 300
SHORT_HASH = 10
MOST_SUBJECT_CHARS = 72
_WORSE: Mapping[Check, str] = {
    "speed": "slower",
    "accuracy": "less accurate",
    "memory": "larger",
    "energy": "hungrier",
    "counts": "larger",
}


class Headline(NamedTuple):
    """The verdict, and what it is about."""

    verdict: str
    text: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.text}"


def headline(verdict: Verdict) -> Headline:
    """What a reader must know who reads one line."""
    if not verdict.of(*TROUBLE, *COMPARED):
        skipped = f", {_number(len(verdict.findings), 'check')} skipped" if verdict.findings else ""
        return Headline("Nothing to compare", f"no check was made{skipped}")
    name, outcome, say = _HEADLINES[verdict.exit_code]
    if outcome is None:
        return Headline(name, _all_is_well(verdict))
    found = gravest_first(verdict.of(outcome), TROUBLE)
    parts = [listed([cut(say(finding), MOST_SAID_CHARS) for finding in found], MOST_SAID, "; ")]
    others = [f"{len(verdict.of(o))} {o}" for o in TROUBLE if o != outcome and verdict.of(o)]
    parts += [f"besides, {' and '.join(others)}"] if others else []
    if outcome != "worse" and (num_well := len(_models_without_trouble(verdict))):
        parts.append(f"nothing is worse in {_number(num_well, 'other model')}")
    return Headline(name, "; ".join(parts))


def changed_lines(verdict: Verdict) -> list[str]:
    """A line for each finding that is changed on purpose."""
    return [described(finding) for finding in verdict.of("changed")]


def note_lines(verdict: Verdict) -> list[str]:
    """What was not compared, what is new, and what was skipped."""
    notes = [cut(note, MOST_NOTE_CHARS) for note in verdict.notes]
    new = listed([cut(finding.model) for finding in _new(verdict)], MOST_SAID)
    news = [f"new, with nothing to be compared with: {new}"] if new else []
    return [line for line in [*notes, *news, _skipped(verdict)] if line]


def place_line(verdict: Verdict) -> str:
    """Where it was measured, which commits, and how long it took."""
    parts = {"device": "device", "num_cores": "cores", "torch": "torch", "cuda": "CUDA"}
    environment = verdict.environment
    stated = [
        f"{name} {cut(str(environment[key]))}"
        for key, name in parts.items()
        if environment.get(key)
    ]
    took = [] if verdict.seconds is None else [f"took {format_seconds(verdict.seconds)}"]
    commits = [f"base {_commit_text(verdict.base)}", f"head {_commit_text(verdict.head)}"]
    return "; ".join([", ".join(stated), *commits, *took] if stated else [*commits, *took]) + "."


def _all_is_well(verdict: Verdict) -> str:
    compared = verdict.of(*COMPARED)
    words = list(dict.fromkeys(_WORSE[f.check] for f in compared if f.check in _WORSE))
    parts = [f"nothing {_either(sorted(words, key=_RANK.index)) or 'failed'}"]
    if models := _models(compared):
        parts = [f"{_number(len(models), 'model')}, {parts[0]}"]
    better = gravest_first(verdict.of("better"), ["better"])
    parts += [listed([claim(finding) for finding in better], MOST_SAID, "; ")] if better else []
    numbers = {"changed on purpose": len(verdict.of("changed")), "new": len(_new(verdict))}
    return "; ".join([*parts, *(f"{number} {what}" for what, number in numbers.items() if number)])


def _new(verdict: Verdict) -> list[Finding]:
    return [finding for finding in verdict.of("skipped") if _is_new(finding)]


def _is_new(finding: Finding) -> bool:
    """Whether it tells of a whole row that only the head has."""
    return finding.check == "run" and finding.evidence == NEW


def _models(findings: Iterable[Finding]) -> list[str]:
    """Models that findings are about; an epoch is a row of counts, but no model."""
    rows = (finding.model for finding in findings)
    return list(dict.fromkeys(own_name(r) for r in rows if r and (", " not in r or PLAN in r)))


def _models_without_trouble(verdict: Verdict) -> list[str]:
    troubled = set(_models(verdict.of(*TROUBLE)))
    return [name for name in _models(verdict.of(*COMPARED)) if name not in troubled]


def _skipped(verdict: Verdict) -> str:
    """In one line what was skipped, and why."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for finding in verdict.of("skipped"):
        if _is_new(finding):
            continue
        key = (cut(finding.quantity), cut(finding.evidence, MOST_NOTE_CHARS // 2))
        reasons.setdefault(key, []).append(cut(finding.model))
    texts = [
        quantity
        + (f" of {listed(named, MOST_SAID)}" if (named := [name for name in names if name]) else "")
        + (f" ({why})" if why else "")
        for (quantity, why), names in reasons.items()
    ]
    return f"skipped: {listed(texts, MOST_SAID, '; ')}" if texts else ""


def _commit_text(commit: Commit) -> str:
    """Hash and subject, and the name where it says more than the hash."""
    if not commit.commit:  # a set of records of several commits
        return cut(commit.revision)
    short = one_line(commit.commit)[:SHORT_HASH]
    is_hash = commit.commit.startswith(commit.revision)
    name = short if is_hash else f"{cut(commit.revision)} = {short}"
    return f'{name} "{cut(commit.subject, MOST_SUBJECT_CHARS)}"' if commit.subject else name


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _either(words: Sequence[str]) -> str:
    """Words as an English list: slower, less accurate or larger."""
    *first, last = words or [""]
    return f"{', '.join(first)} or {last}" if first else last


_RANK = list(dict.fromkeys(_WORSE.values()))
_HEADLINES: Mapping[int, tuple[str, Outcome | None, Callable[[Finding], str]]] = {
    0: ("No regression", None, claim),
    1: ("Regression", "worse", claim),
    3: ("Inconclusive", "unclear", described),
    4: ("Nothing to compare", "unusable", described),
}
