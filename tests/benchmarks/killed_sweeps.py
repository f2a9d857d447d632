"""Whether a sweep that is killed at any moment and resumed is the sweep that nobody disturbed.

    python -m tests.benchmarks.killed_sweeps --sweeps 200 --jobs 2 --out /tmp/killed

One sweep runs undisturbed. Then others like it are killed with SIGKILL at a random moment, some
seconds after a record drawn by chance, so that the load of the machine decides nothing: in turn the
parent, its whole process group, the child at work and the fork server; every fifth saves
models as it trains. Each is resumed until it ends, and must hold what the undisturbed one holds, to
the bit. A line for each goes into killed.jsonl; the summary is markdown; exit code 1 where anything
is wrong.
"""

import json
import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from typing import Annotated

import typer

from results import RunStore
from tests.benchmarks.killing import (
    VICTIMS,
    count_torn,
    kill,
    num_gone_on,
    num_orphans,
    problems_of,
)
from tests.command_line import CPU, REPOSITORY, Running

PLAN = ("--deterministic", "--plan", "contiguous,eager,threads:1")
MODELS = ("--models", "./examples/tiny_net.py:TinyNet,v0")
FEW = ("--set", "validation_fraction=0.01")  # a curve that costs little
SAVING = ("--save-every", "40steps")
SAVING_TURN = 5  # every fifth sweep saves models
MAX_RESUMES = 5
POLL_S = 0.002
PHASES = ("before the first record", "between records", "after the last")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
KINDS = ("lost", "duplicated", "differing", "left")


@dataclass(frozen=True)
class Workload:
    """The sweep that is run again and again."""

    steps: int  # of each run
    seeds: int  # of each of the two models
    data: Path

    @property
    def num_runs(self) -> int:
        """Records of a whole sweep."""
        return 2 * self.seeds

    def start(self, folder: Path, *more: str) -> Running:
        """Starts it, or goes on with it, its records in the folder's `run`."""
        size = ("--budget", f"{self.steps}steps", "--seeds", str(self.seeds))
        where = ("--out", folder / "run", "--resume", *CPU)
        return Running.start(self.data, folder, "run", *MODELS, *size, *FEW, *PLAN, *where, *more)


@dataclass
class Outcome:
    """A sweep that was killed and resumed."""

    number: int
    victim: str  # that SIGKILL was sent to
    is_saving: bool  # models on the way
    after: int  # number of records after which it was to be killed,
    delay_s: float  # and how many seconds later; of none, after its start
    killed_s: float | None = None  # seconds after its start; None where it ended before
    num_recorded: int = 0  # lines of the store then
    num_resumes: int = 0  # until it ended well
    torn: int = 0  # lines that are no whole record
    orphans: int = 0  # samples files without a record
    gone_on: int = 0  # trainings that went on from a saved model
    problems: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.problems.values())


@dataclass(frozen=True)
class Pace:
    """How fast the undisturbed sweep was."""

    first_s: float  # from its start to its first record
    run_s: float  # mean from a record to the next, or to the end


def undisturbed(workload: Workload, folder: Path) -> tuple[RunStore, Pace]:
    """The sweep that nobody disturbs, and its pace."""
    started, store = time.monotonic(), RunStore(folder / "run")
    running = workload.start(folder)
    running.reaches(lambda: _num_lines(store) > 0)
    first_s = time.monotonic() - started
    finished = running.end()
    if finished.returncode:
        raise SystemExit(f"the undisturbed sweep failed:\n{finished.stderr}")
    return store, Pace(first_s, (time.monotonic() - started - first_s) / workload.num_runs)


def disturb(workload: Workload, outcome: Outcome, folder: Path, wanted: RunStore) -> Outcome:
    """Runs a sweep, kills it, resumes it until it ends, and looks at what it left."""
    more = SAVING if outcome.is_saving else ()
    store = RunStore(folder / "run")
    running = workload.start(folder, *more)
    _kill_in_time(running, outcome, store)
    running.process.wait()
    unkilled = [] if running.all_gone() else ["a process outlived the sweep"]
    finished = None
    for outcome.num_resumes in range(1, MAX_RESUMES + 1):
        finished = workload.start(folder, *more).end()
        if finished.returncode == 0:
            break
    outcome.problems = problems_of(store, wanted)
    outcome.problems["left"] += unkilled
    if finished is None or finished.returncode:
        outcome.problems["lost"].append(f"never ended well: {finished and finished.stderr[-500:]}")
    outcome.torn, outcome.orphans = count_torn(store), num_orphans(store)
    outcome.gone_on = num_gone_on(store)
    return outcome


def _kill_in_time(running: Running, outcome: Outcome, store: RunStore) -> None:
    started = due = time.monotonic()
    running.reaches(lambda: _num_lines(store) >= outcome.after)
    if outcome.after:
        due = time.monotonic()
    due += outcome.delay_s
    while running.process.poll() is None:
        if time.monotonic() >= due and kill(running, outcome.victim):
            outcome.killed_s = round(time.monotonic() - started, 3)
            break
        time.sleep(POLL_S)
    outcome.num_recorded = _num_lines(store)


def _num_lines(store: RunStore) -> int:
    return store.path.read_bytes().count(b"\n") if store.path.exists() else 0


def draw(number: int, generator: random.Random, num_runs: int, pace: Pace) -> Outcome:
    """Victim and moment of a sweep: a few before the first record, the others after each alike."""
    after = max(generator.randint(-2, num_runs), 0)
    delay_s = round(generator.uniform(0.0, pace.run_s if after else pace.first_s), 3)
    is_saving = number % SAVING_TURN == SAVING_TURN - 1
    return Outcome(number, VICTIMS[number % len(VICTIMS)], is_saving, after, delay_s)


def summary(outcomes: Sequence[Outcome], num_runs: int) -> str:
    """The outcomes as a table in markdown, and what was found below it."""
    counts = Counter((o.victim, phase_of(o, num_runs)) for o in outcomes)
    phases = [*PHASES, "not killed"]
    lines = [f"| killed | {' | '.join(phases)} |", f"|---|{'---:|' * len(phases)}"]
    lines += [
        f"| {victim} | {' | '.join(str(counts[victim, phase]) for phase in phases)} |"
        for victim in VICTIMS
    ]
    totals = {kind: sum(len(o.problems.get(kind, ())) for o in outcomes) for kind in KINDS}
    found = ", ".join(f"{kind} {count}" for kind, count in totals.items())
    torn, orphans = sum(o.torn for o in outcomes), sum(o.orphans for o in outcomes)
    saving = sum(o.is_saving for o in outcomes)
    resumes, gone_on = sum(o.num_resumes for o in outcomes), sum(o.gone_on for o in outcomes)
    lines += [
        "",
        f"{len(outcomes)} sweeps of {num_runs} runs, {saving} of them saving models, "
        f"{resumes} resumptions, {gone_on} trainings gone on with. Records: {found}. "
        f"Torn lines {torn}, samples without a record {orphans}.",
    ]
    return "\n".join(lines)


def phase_of(outcome: Outcome, num_runs: int) -> str:
    """What a sweep was doing when it was killed."""
    if outcome.killed_s is None:
        return "not killed"
    if outcome.num_recorded == 0:
        return PHASES[0]
    return PHASES[1] if outcome.num_recorded < num_runs else PHASES[2]


def killed_sweeps(  # the parts of it, for a test
    workload: Workload, outcomes: Iterable[Outcome], folder: Path, wanted: RunStore, jobs: int
) -> list[Outcome]:
    """Disturbs some sweeps, so many at a time; keeps the folders of those that went wrong."""
    lock, done = Lock(), []

    def one(outcome: Outcome) -> None:
        own = folder / f"sweep{outcome.number}"
        disturb(workload, outcome, own, wanted)
        if outcome.is_well:
            shutil.rmtree(own)
        with lock:
            done.append(outcome)
            with (folder / "killed.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
            if len(done) % 10 == 0 or not outcome.is_well:
                bad = sum(not o.is_well for o in done)
                sys.stderr.write(f"{len(done)} sweeps killed and resumed, {bad} went wrong\n")

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, outcomes))
    return sorted(done, key=lambda outcome: outcome.number)


@app.command()
def main(
    sweeps: Annotated[int, typer.Option(help="Sweeps to kill.")] = 200,
    jobs: Annotated[int, typer.Option(help="Sweeps at a time.")] = 2,
    out: Annotated[Path | None, typer.Option(help="Folder for the work, made here.")] = None,
    seed: Annotated[int, typer.Option(help="Of the moments.")] = 0,
    steps: Annotated[int, typer.Option(help="Of each run.")] = 150,
    seeds: Annotated[int, typer.Option(help="Runs of each of the two models.")] = 6,
) -> None:
    """Kill sweeps at random moments, resume them, and compare what they leave."""
    folder = out or Path(mkdtemp(prefix="killed-sweeps-"))
    folder.mkdir(parents=True, exist_ok=True)
    data = Path(os.environ.get("FMNIST_DATA") or REPOSITORY / "data")
    workload = Workload(steps, seeds, data)
    undisturbed(workload, folder / "warm")  # whose caches the others share
    wanted, pace = undisturbed(workload, folder / "undisturbed")
    sys.stderr.write(f"undisturbed: {pace}; moments drawn with seed {seed}; {folder}\n")
    generator = random.Random(seed)
    drawn = [draw(number, generator, workload.num_runs, pace) for number in range(sweeps)]
    outcomes = killed_sweeps(workload, drawn, folder, wanted, jobs)
    sys.stdout.write(summary(outcomes, workload.num_runs) + "\n")
    for outcome in outcomes:
        if not outcome.is_well:
            sys.stdout.write(f"\nsweep {outcome.number} ({outcome.victim}): {outcome.problems}\n")
    raise typer.Exit(0 if all(outcome.is_well for outcome in outcomes) else 1)


if __name__ == "__main__":
    app()
