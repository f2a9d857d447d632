"""What a run says of the process-wide switches that its model's code has turned."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.measure.findings import Findings
from bench.train.session import Session
from fmnist_models.users.switches import LIBRARY_SWITCHES

MOST_SWITCHES = 6  # that a record, of at most 4 KB, calls by name


@contextmanager
def switches_reported(session: Session, findings: Findings) -> Iterator[None]:
    """Put the switches of the process back after a run, however it ends; note what it turned."""
    try:
        yield
    finally:
        session.put_switches_back()
        if touched := session.switches.touched:
            minor = {switch.name for switch in LIBRARY_SWITCHES}
            names = [*sorted(touched - minor), *sorted(touched & minor)]
            findings.conditions["touched"] = names[:MOST_SWITCHES]
            findings.flags.append("touched_switches")
