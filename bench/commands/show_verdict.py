"""What `compare` and `gate` have in common: fractions that a user gives, and the verdict shown."""

import math

from bench.errors import UsageError
from bench.shell import print_rich, terminal_width
from results.gate.tables import render_verdict, verdict_notes
from results.gate.verdict import Verdict
from results.gate.words import headline
from results.text import one_line


def fraction(option: str, value: float) -> float:
    """A fraction between 0 and 1.

    Raises:
        UsageError: it is none; the line says how a percentage is written.
    """
    if math.isfinite(value) and 0 < value < 1:
        return value
    remedy = f"{value / 100:g} for {value:g} %" if 1 <= value < 100 else "for example 0.1"
    raise UsageError(f"{option} is a fraction between 0 and 1, not {value:g}; write {remedy}")


def show_verdict(verdict: Verdict, *, notes: bool = False) -> None:
    """Writes a verdict to stdout: its headline, its tables, and the command that repeats it."""
    table = render_verdict(verdict, width=terminal_width())
    print_rich(
        table,
        verdict_notes(verdict),
        above=[": ".join(headline(verdict))],
        all_notes=notes,
        again=f"again: {one_line(verdict.command)}",
    )
