"""The verdict of a gate or a comparison: findings, and the exit code that they come to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Check = Literal["run", "speed", "accuracy", "memory", "energy", "counts"]  # gravest first
Outcome = Literal["worse", "unusable", "unclear", "changed", "skipped", "better", "same"]
SCHEMA_VERSION = 1
EXIT_CODES: dict[Outcome, int] = {"worse": 1, "unusable": 4, "unclear": 3}  # the first found counts
NAMES = {0: "ok", 1: "regression", 3: "inconclusive", 4: "nothing comparable"}
TROUBLE: tuple[Outcome, ...] = tuple(EXIT_CODES)
COMPARED: tuple[Outcome, ...] = ("changed", "better", "same")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check says of one model.

    `worse` fails the gate; `unclear` and `unusable` (the base could not be measured) leave it
    without an answer; `changed` on purpose, `skipped`, `better` and `same` pass.
    """

    check: Check
    model: str  # or the row of counts, such as `v2, plan compile`
    quantity: str  # in words: `seconds a step`, `FLOPs a step`
    outcome: Outcome
    base: float | None = None  # in base units; a fraction for accuracy; None where there is none
    head: float | None = None
    change: float | None = None  # head / base - 1, or head - base for accuracy
    evidence: str = ""  # how sure, or why there is no answer; a few words


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as it was named, its full hash, and the first line of its message."""

    revision: str
    commit: str
    subject: str

    def __str__(self) -> str:
        short = self.commit[:9]
        return short if self.commit.startswith(self.revision) else f"{self.revision} ({short})"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Two commits, or two sets of records, held against each other."""

    base: Commit
    head: Commit
    findings: Sequence[Finding]
    command: str  # repeats it
    environment: dict[str, Any] = field(default_factory=dict)  # of the device; see `RunRecord`
    rule: dict[str, Any] = field(default_factory=dict)  # thresholds and what else decides, by name
    measured: dict[str, Any] = field(default_factory=dict)  # raw values behind the findings
    notes: Sequence[str] = ()  # lines on what was not compared
    seconds: float | None = None  # that the gate took

    @property
    def exit_code(self) -> int:
        """Return 0 ok, 1 a regression, 3 inconclusive, 4 nothing comparable or nothing compared."""
        found = {finding.outcome for finding in self.findings}
        nothing = 0 if found - {"skipped"} else EXIT_CODES["unusable"]
        return next((code for outcome, code in EXIT_CODES.items() if outcome in found), nothing)

    def of(self, *outcomes: Outcome) -> list[Finding]:
        """Return the findings with one of these outcomes, in their order."""
        return [finding for finding in self.findings if finding.outcome in outcomes]

    def as_plain(self) -> dict[str, Any]:
        """Return the JSON values of verdict.json."""
        code = self.exit_code
        head = {"schema_version": SCHEMA_VERSION, "verdict": NAMES[code], "exit_code": code}
        return head | asdict(self)
