"""`make gpu-proof`: runs, within a limit, what the harness claims of a GPU; keeps what it saw.

Stages run one after the other, the most telling first. Each may take its share of the limit and
what those before it have left over; then it is stopped as by Ctrl-C, and what it has measured
stays. Called again with the same folder it goes on: what has passed is not run again.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import orjson
import typer

from bench.__main__ import run_app
from bench.errors import UsageError
from bench.gpu_proof_summary import summary
from bench.provenance import describe_provenance
from bench.show import write_out
from data_pipeline.files import write_file

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("results/runs/gpu-proof")
REHEARSAL_FOLDER = Path("results/runs/gpu-proof-rehearsal")
LIMIT_S = 540.0
OUTCOMES = "proof.json"
PATIENCE_S = (5.0, 10.0)  # after the first Ctrl-C, and after the second
PASSED, FAILED, CUT_SHORT, NOT_BEGUN = "passed", "failed", "cut short", "not begun"
MIN_STAGE_S = 5.0  # with less left a stage would see nothing


@dataclass(frozen=True)
class Stage:
    """One command and what it shows.

    Attributes:
        name: of its folder, its output (`NAME.txt`) and its log (`NAME.log`).
        claim: what is seen where it passes.
        share: of the limit.
        arguments: of the interpreter; `{out}` and `{device}` are filled in.
    """

    name: str
    claim: str
    share: float
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a stage of a commit.

    Its exit code is None where it was not begun or had to be stopped.
    """

    name: str
    claim: str
    status: str
    exit_code: int | None
    seconds: float
    command: str
    commit: str | None = None


def run_stage(name: str, claim: str, share: float, *options: str) -> Stage:
    """A sweep or a ladder into a folder of its own, which a second call goes on with."""
    place = ("--device", "{device}", "--out", f"{{out}}/{name}", "--resume")
    return Stage(name, claim, share, ("-m", "bench", "run", *options, *place))


PARETO_S = (1, 3, 10, 30)
STAGES = (
    Stage("doctor", "ceilings, sensors, clocks, power cap", 0.05, ("-m", "bench", "doctor")),
    Stage("tests", "every test marked gpu", 0.24, ("-m", "pytest", "-m", "gpu", "-v")),
    run_stage("bench", "nine architectures, 3 epochs, 3 seeds, no failed row", 0.31),
    run_stage(
        *("classic", "V0, V1, V2 as their project trains them", 0.08),
        *("--models", "v0,v1,v2", "--recipe", "classic", "--budget", "3epochs"),
    ),
    Stage(
        "loader",
        "resident data against a tuned DataLoader: images/s, GPU-busy share",
        0.06,
        ("-m", "tests.benchmarks.loader_against_resident", "--device", "{device}"),
    ),
    *(
        run_stage(
            *(f"ladder-{size}", f"what each technique buys at batch {size}", 0.06),
            *("--plan", "ladder", "--models", "v0,resnet18_3x3,resnet50,all"),
            *("--set", f"batch_size={size}"),
        )
        for size in (32, 1024)
    ),
    *(
        run_stage(
            *(f"pareto-{seconds}s", f"accuracy after {seconds} s of training", 0.03),
            *("--budget", f"{seconds}s", "--seeds", "3"),
        )
        for seconds in PARETO_S
    ),
    Stage(
        "report",
        "the page of all accuracies for time",
        0.02,
        (
            *("-m", "bench", "report", "--mixed", "--out", "{out}/report.html"),
            *(f"{{out}}/pareto-{seconds}s" for seconds in PARETO_S),
        ),
    ),
)
# at a size that a CPU is through with in a minute: to see that the script itself works
REHEARSAL = (
    Stage("doctor", "rehearsal", 0.2, ("-m", "bench", "doctor")),
    run_stage(
        "bench", "rehearsal", 0.4, "--models", "v0", "--budget", "20steps", "--plan", "eager"
    ),
    Stage("report", "rehearsal", 0.4, ("-m", "bench", "report", "{out}/bench")),
)


def main(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for records, tables and logs.", show_default=str(FOLDER)),
    ] = None,
    device: Annotated[str, typer.Option(help="cuda:N, or cpu with --rehearse.")] = "cuda:0",
    limit: Annotated[float, typer.Option(help="Seconds for all stages.", min=1.0)] = LIMIT_S,
    only: Annotated[str | None, typer.Option(help="Names of stages, separated by commas.")] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="A small run on a CPU, which proves nothing.")
    ] = False,
) -> None:
    """Run on a GPU all that is claimed of one; write records, tables, logs and a summary."""
    stages = chosen_stages(REHEARSAL if rehearse else STAGES, only)
    if not rehearse:
        _require_gpu()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, _leave)
    out = (out or (REHEARSAL_FOLDER if rehearse else FOLDER)).absolute()
    out.mkdir(parents=True, exist_ok=True)
    outcomes = earlier_outcomes(out, is_rehearsal=rehearse)
    for outcome in run_stages(stages, out, device, limit, outcomes):
        outcomes[outcome.name] = outcome
        sys.stderr.write(f"{outcome.name}: {outcome.status} after {outcome.seconds:.0f} s\n")
        write_down(out, outcomes, is_rehearsal=rehearse)
    if outcomes:
        write_out((out / "proof.md").read_text(encoding="utf-8"))
    asked = [outcomes[stage.name].status for stage in stages]
    raise typer.Exit(0 if set(asked) <= {PASSED} else 1)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def chosen_stages(stages: Sequence[Stage], only: str | None) -> list[Stage]:
    """The stages of the given names, in their own order; all where no name is given.

    Raises:
        UsageError: there is no such stage.
    """
    names = [stage.name for stage in stages]
    wanted = names if only is None else [name.strip() for name in only.split(",")]
    if unknown := set(wanted) - set(names):
        choices = ", ".join(names)
        raise UsageError(f"no stage {', '.join(sorted(unknown))}; choose from {choices}")
    return [stage for stage in stages if stage.name in wanted]


def run_stages(
    stages: Sequence[Stage],
    out: Path,
    device: str,
    limit_s: float,
    earlier: Mapping[str, Outcome],
) -> Iterator[Outcome]:
    """Runs what this commit has not passed yet, each stage until its share of the limit is over."""
    commit = describe_provenance()["commit"]
    due = [
        (stage, command)
        for stage in stages
        for command in [[text.format(out=out, device=device) for text in stage.arguments]]
        if not _has_passed(earlier.get(stage.name), _shown(command), commit)
    ]
    started, shares, total = time.monotonic(), 0.0, sum(stage.share for stage, _ in due)
    for stage, command in due:
        shares += stage.share
        left_s = started + limit_s * shares / total - time.monotonic()
        status, code, seconds = _run(stage.name, command, out, left_s)
        shown = _shown(command)
        yield Outcome(stage.name, stage.claim, status, code, seconds, shown, commit)


def _has_passed(earlier: Outcome | None, command: str, commit: str | None) -> bool:
    """Whether the same command of the same commit has."""
    return earlier is not None and (earlier.status, earlier.command, earlier.commit) == (
        PASSED,
        command,
        commit,
    )


def _shown(command: Sequence[str]) -> str:
    return " ".join(["python", *command])


def _run(
    name: str, command: Sequence[str], out: Path, limit_s: float
) -> tuple[str, int | None, float]:
    """Status, exit code and seconds of a stage."""
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
    """The exit code; None where the time was up first, and the process was stopped."""
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return None
    finally:  # also at Ctrl-C
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C once, which lets a sweep end its run, then again, which ends it now; then by force."""
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


def _require_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        raise UsageError("there is no CUDA device to be seen; try the script with --rehearse")


def earlier_outcomes(out: Path, *, is_rehearsal: bool) -> dict[str, Outcome]:
    """What earlier calls have seen, by stage.

    Raises:
        UsageError: the file is damaged, or a rehearsal and a proof would share a folder.
    """
    path = out / OUTCOMES
    if not path.exists():
        return {}
    try:
        stored = orjson.loads(path.read_bytes())
        outcomes = {one["name"]: Outcome(**one) for one in stored["outcomes"]}
        was_rehearsal = stored["rehearsal"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); name another --out") from None
    if was_rehearsal != is_rehearsal:
        kind = "a rehearsal" if was_rehearsal else "a proof"
        raise UsageError(f"{out} holds {kind}; name another --out")
    return outcomes


def write_down(out: Path, outcomes: dict[str, Outcome], *, is_rehearsal: bool) -> None:
    """Writes `proof.json` and `proof.md`."""
    plain: list[dict[str, Any]] = [asdict(outcome) for outcome in outcomes.values()]
    content = {"rehearsal": is_rehearsal, "outcomes": plain}
    write_file(out / OUTCOMES, orjson.dumps(content, option=orjson.OPT_INDENT_2))
    write_file(out / "proof.md", summary(out, plain, is_rehearsal=is_rehearsal).encode())


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None)
    app.command()(main)
    sys.exit(run_app(app, sys.argv[1:], "gpu-proof"))
