"""Run the stages of a proof one after the other within a limit; note the outcome of each."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench.machine.provenance import describe_provenance
from tools.gpu_proof.stages import Stage

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = (5.0, 10.0)  # after the first Ctrl-C, and after the second
PASSED, FAILED, CUT_SHORT, NOT_BEGUN = "passed", "failed", "cut short", "not begun"
MIN_STAGE_S = 15.0  # with less left a stage would see nothing


@dataclass(frozen=True)
class Outcome:
    """The outcome of a stage of a commit.

    Its exit code is None where it was not begun or had to be stopped. The seconds are those of all
    calls that went on with it.
    """

    name: str
    claim: str
    status: str
    exit_code: int | None
    seconds: float
    command: str
    source: str | None = None


def run_stages(
    stages: Sequence[Stage],
    out: Path,
    device: str,
    limit_s: float,
    earlier: Mapping[str, Outcome],
) -> Iterator[Outcome]:
    """Run what this source has not passed yet, until the limit is over.

    A stage may take its seconds and what those before it have left over; where the limit is longer
    than all of them need, it is shared out in proportion.
    """
    source = source_of_now()
    # as it is noted: the same wherever the folder lies, whatever model goes first
    noted = {"out": "OUT", "device": device, "best_first": "all"}
    shown = {stage.name: f"python {stage.command.format(**noted)}" for stage in stages}
    passed = {(o.name, o.command, o.source) for o in earlier.values() if o.status == PASSED}
    due = [stage for stage in stages if (stage.name, shown[stage.name], source) not in passed]
    started, spent, total = time.monotonic(), 0.0, sum(stage.seconds for stage in due)
    for stage in due:
        spent += stage.seconds * max(1.0, limit_s / total)
        left_s = started + min(spent, limit_s) - time.monotonic()
        known = {"out": str(out), "device": device, "best_first": best_first(out)}
        command = [word.format(**known) for word in shlex.split(stage.command)]
        is_possible = all(map(find_spec, stage.needs))
        status, code, seconds = _run(stage.name, command, out, left_s if is_possible else 0.0)
        before = earlier.get(stage.name)
        seconds += before.seconds if before and before.source == source else 0.0
        yield Outcome(stage.name, stage.claim, status, code, seconds, shown[stage.name], source)


def source_of_now() -> str | None:
    """Return the commit; outside a git checkout the hash of the sources."""
    provenance = describe_provenance()
    commit = provenance["commit"] or provenance["source_hash"]
    return None if commit is None else f"{commit}{'+' * bool(provenance['dirty'])}"


def best_first(out: Path) -> str:
    """List all models, the most accurate in the longest trainings so far first."""
    from results import read_records, summarize
    from results.records.store import RECORDS_FILE

    paths = sorted(out.glob(f"pareto-*/{RECORDS_FILE}"))
    accuracies: dict[str, tuple[float, float]] = {}
    for summary in summarize(read_records(*paths)):
        accuracy = summary.mean("test_accuracy")
        if accuracy is not None:
            reached = (float(str(summary.spec["budget"]).removesuffix("s")), accuracy)
            accuracies[summary.model] = max(reached, accuracies.get(summary.model, reached))
    ranked = sorted(accuracies, key=accuracies.__getitem__, reverse=True)
    return ",".join([*ranked, "all"])


def _run(
    name: str, command: Sequence[str], out: Path, limit_s: float
) -> tuple[str, int | None, float]:
    """Run a stage; return its status, exit code and seconds."""
    if limit_s < MIN_STAGE_S:
        return NOT_BEGUN, None, 0.0
    started = time.monotonic()
    with (out / f"{name}.txt").open("wb") as shown, (out / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=shown,
            stderr=log,
            process_group=0,  # Ctrl-C is ours to pass on
        )
        code = _wait(process, max(limit_s - sum(PATIENCE_S), limit_s / 2))
    status = CUT_SHORT if code is None else FAILED if code else PASSED
    return status, code, round(time.monotonic() - started, 1)


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> int | None:
    """Return the exit code; None where the time was up first and the process was stopped."""
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return None
    finally:  # also at Ctrl-C
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Send Ctrl-C, which lets a sweep end its run, again, which ends it now; then kill."""
    try:
        for patience_s in PATIENCE_S:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(patience_s)
    finally:
        with contextlib.suppress(OSError):  # what it has started, too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
