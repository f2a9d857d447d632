"""What a run says of the process-wide switches that its model's code has turned."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.measure.findings import Findings
from bench.train.session import Session
from fmnist_models.switches import LIBRARY_SWITCHES

MOST_SWITCHES = 6  # that a record, of at most 4 KB, calls by name


@contextmanager
def switches_reported(session: Session, findings: Findings) -> Iterator[None]:
    """Put the switches of the process back after a run, however it ends, and note what it turned.

    Those that any import may turn, torch's own included, are no reason for a flag.
    """
    try:
        yield
    finally:
        session.put_switches_back()
        touched = session.switches.touched
        told = touched - {switch.name for switch in LIBRARY_SWITCHES}
        if touched:
            names = [*sorted(told), *sorted(touched - told)]
            findings.conditions["touched"] = names[:MOST_SWITCHES]
        if told:
            findings.flags.append("touched_switches")
