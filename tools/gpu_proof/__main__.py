"""`make gpu-proof`: run within a limit what the harness claims of a GPU, and keep the results.

Stages run one after the other, the most telling first; one that outlasts its time is stopped as by
Ctrl-C, and what it has measured stays. Called again with the same folder it goes on: what has
passed is not run again, and a sweep goes on where it was.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import UsageError
from bench.shell import run_main, write_out
from bench.workers.interruption import exit_on_signals
from data_pipeline.sources.files import write_file
from tools.gpu_proof.archive import archive, keep_tables
from tools.gpu_proof.points import summary
from tools.gpu_proof.run import PASSED, Outcome, run_stages
from tools.gpu_proof.stages import REHEARSAL, STAGES, chosen_stages

FOLDER = Path("results/runs/gpu-proof")
REHEARSAL_FOLDER = Path("results/runs/gpu-proof-rehearsal")
LIMIT_S = 540.0
OUTCOMES = "proof.json"


def read_outcomes(out: Path, device: str, *, is_rehearsal: bool) -> dict[str, Outcome]:
    """Read the outcomes of earlier calls in a folder, by stage.

    Raises:
        UsageError: the folder is damaged, or of another kind or device.
    """
    path = out / OUTCOMES
    if not path.exists():
        return {}
    try:
        stored = json.loads(path.read_bytes())
        outcomes = {one["name"]: Outcome(**one) for one in stored["outcomes"]}
        was_rehearsal, earlier = stored["rehearsal"], stored["device"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); name another --out") from None
    if was_rehearsal != is_rehearsal:
        kind = "a rehearsal" if was_rehearsal else "a proof"
        raise UsageError(f"{out} holds {kind}; name another --out")
    if earlier != device:
        raise UsageError(f"{out} was begun on {earlier}, not on {device}; name another --out")
    return outcomes


def write_outcomes(
    out: Path, outcomes: Mapping[str, Outcome], device: str, *, is_rehearsal: bool
) -> None:
    """Write `proof.json` and `proof.md`."""
    plain = [asdict(outcome) for outcome in outcomes.values()]
    content = {"rehearsal": is_rehearsal, "device": device, "outcomes": plain}
    write_file(out / OUTCOMES, json.dumps(content, indent=2).encode())
    text = summary(out, outcomes, device, is_rehearsal=is_rehearsal)
    write_file(out / "proof.md", text.encode())


def main(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for records, tables and logs.", show_default=str(FOLDER)),
    ] = None,
    device: Annotated[str, typer.Option(help="cuda:N, or cpu with --rehearse.")] = "cuda:0",
    limit: Annotated[float, typer.Option(help="Seconds for all stages.", min=1.0)] = LIMIT_S,
    only: Annotated[str | None, typer.Option(help="Names of stages, separated by commas.")] = None,
    archive_to: Annotated[
        Path | None, typer.Option("--archive", help="Folder that gets it packed after each stage.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Run nothing: put tables and records of --out into this folder."),
    ] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="A small run on a CPU, which proves nothing.")
    ] = False,
) -> None:
    """Run on a GPU all that is claimed of one; write records, tables, logs and a summary."""
    out = (out or (REHEARSAL_FOLDER if rehearse else FOLDER)).absolute()
    if keep is not None:
        write_out("".join(f"{path}\n" for path in keep_tables(out, keep)))
        return
    stages = chosen_stages(REHEARSAL if rehearse else STAGES, only)
    gpu = "a CPU" if rehearse else _gpu_name(device)
    outcomes = read_outcomes(out, gpu, is_rehearsal=rehearse)
    out.mkdir(parents=True, exist_ok=True)
    with exit_on_signals():
        for outcome in run_stages(stages, out, device, limit, outcomes):
            outcomes[outcome.name] = outcome
            sys.stderr.write(f"{outcome.name}: {outcome.status} after {outcome.seconds:.0f} s\n")
            write_outcomes(out, outcomes, gpu, is_rehearsal=rehearse)
            if archive_to is not None:
                archive(out, archive_to)
    if outcomes:
        write_out((out / "proof.md").read_text(encoding="utf-8"))
    raise typer.Exit(0 if all(outcomes[stage.name].status == PASSED for stage in stages) else 1)


def _gpu_name(device: str) -> str:
    """Return the name of the GPU.

    Raises:
        UsageError: there is none to be seen.
    """
    import torch

    if not torch.cuda.is_available():
        raise UsageError("there is no CUDA device to be seen; try the script with --rehearse")
    return torch.cuda.get_device_name(torch.device(device))


if __name__ == "__main__":
    sys.exit(run_main(main, "gpu-proof", sys.argv[1:]))
