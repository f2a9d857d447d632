"""The command `run`: checks the request, sweeps, shows the table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from bench.commands.options import from_fields
from bench.commands.run_ladder import run_ladders
from bench.commands.show import where_next
from bench.commands.table import PUBLISHED, show
from bench.errors import UsageError
from bench.machine.cores import threads_text
from bench.machine.provenance import commit_unknown
from bench.shell import say
from bench.spec.artifacts import Artifacts
from bench.spec.run_spec import RunSpec, target_text
from bench.sweep.checked import Beside, CheckedRequest, check_options
from bench.sweep.child import check, check_request
from bench.sweep.folders import RUNS, check_same, check_takes_records, make_folder, new_folder
from bench.sweep.request import Request
from bench.sweep.sweep import Sweep, run_shown
from bench.sweep.tryout import try_here, try_out
from bench.workers.isolation import ask, start_server
from data_pipeline import ensure_data
from results import RunRecord, RunStore
from results.records.store import newest_run
from results.text import plural

CHECKPOINTS, TENSORBOARD = "checkpoints", "tensorboard"  # in the folder of a run


@from_fields(Request)
def run(request: Request) -> None:
    """Train models under one budget, then print the comparison table."""
    checked = check_options(request)
    store = _named_store(request)
    if not request.resume or checked.is_ladder:
        check_takes_records(store.folder if store else RUNS)
    if not request.in_process:
        start_server()
    data = ensure_data(request.data, say=say)
    job = checked.check_job(data.data_hash)
    answer = check(job) if request.in_process else ask(check_request, job)
    beside = {
        job.model: try_here(job) if request.in_process else try_out(job, request.max_memory_bytes)
        for job in checked.tryouts()
    }
    store = store or RunStore(new_folder(RUNS))
    for remark in _remarks(checked, answer["environment"]["device_kind"]):
        say(remark)
    if checked.is_ladder:
        raise typer.Exit(run_ladders(checked, answer, beside, store))
    raise typer.Exit(_sweep(checked, answer, beside, store))


def _remarks(checked: CheckedRequest, device_kind: str) -> Iterator[str]:
    """Yield what a user may not know of the machine, before a sweep on it."""
    if why := commit_unknown():
        yield why
    names_threads = checked.plan is not None and checked.plan.threads
    if device_kind == "cpu" and not names_threads and (text := threads_text()):
        yield f"trains on {text}; unset it, or name others by --plan threads:N"


def _artifacts(checked: CheckedRequest, folder: Path) -> Artifacts:
    """What runs leave beside their records; a sweep that saved models goes on saving them."""
    request, checkpoints = checked.request, folder / CHECKPOINTS
    is_saving = request.save or request.save_every is not None or checkpoints.is_dir()
    return Artifacts(
        checkpoints=checkpoints if is_saving else None,
        every=checked.save_every,
        tensorboard=folder / TENSORBOARD if request.tensorboard else None,
    )


def _sweep(checked: CheckedRequest, answer: dict[str, Any], beside: Beside, store: RunStore) -> int:
    request, kind = checked.request, answer["environment"]["device_kind"]
    specs, seeds = checked.specs(kind, beside), checked.seed_list(kind)
    check_same(store, answer["environment"], [(spec.model, spec.config_id) for spec in specs])
    make_folder(store.folder)
    wanted = {spec.config_id for spec in specs}

    def read() -> list[RunRecord]:
        return [r for r in store.read() if r.config_id in wanted and r.spec["seed"] in seeds]

    num_runs = len(specs) * len(seeds)
    num_done = len({(r.config_id, r.spec["seed"]) for r in read() if r.is_final})
    if request.resume and num_done < num_runs:
        check_takes_records(store.folder)
    say(_announcement(checked, specs, seeds, answer, store.folder))
    artifacts = _artifacts(checked, store.folder.absolute())
    sweep = Sweep(specs, seeds, answer["device"], answer["environment"], store, request, artifacts)

    ended = run_shown(sweep, read, num_done)
    if checked.is_published:
        show(ended.records, by=PUBLISHED, notes=request.notes)
    else:
        show(ended.records, mixed=True, notes=request.notes)  # whatever was measured is shown
    say(where_next(*ended.folders))
    if ended.exit_code is not None:
        return ended.exit_code
    # the last try of each run counts
    latest = {(record.config_id, record.spec["seed"]): record for record in ended.records}
    return 0 if latest and all(record.status == "ok" for record in latest.values()) else 1


def _named_store(request: Request) -> RunStore | None:
    """The store that --out or --resume names, checked; None where a new folder is wanted.

    Raises:
        UsageError: it cannot be one, or it holds another sweep.
    """
    folder = request.out
    if folder is None and request.resume:
        folder = newest_run(RUNS)
        if folder is None:
            raise UsageError(f"there is no run in {RUNS} to resume; leave --resume out")
    if folder is None:
        return None
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file; name a folder")
    store = RunStore(folder)
    records, saved = store.read(say), list((folder / CHECKPOINTS).glob("*.pt"))
    if (records or saved) and not request.resume:
        what = plural(len(records), "record") if records else plural(len(saved), "saved model")
        raise UsageError(
            f"{folder} already holds {what}; add --resume to go on with them, or name another --out"
        )
    return store


def _announcement(
    checked: CheckedRequest,
    specs: Sequence[RunSpec],
    seeds: Sequence[int],
    answer: dict[str, Any],
    folder: Path,
) -> str:
    place = f"{answer['device']} ({answer['environment']['device']})"
    budgets = {str(spec.budget): None for spec in specs}
    length = f"{next(iter(budgets))} each" if len(budgets) == 1 else "each as long as published"
    target = specs[0].target
    end = "" if target is None else f" or to {target_text(target)} on validation"
    num_settings = checked.num_settings
    settings = f" x {num_settings:,} settings" if num_settings > 1 else ""
    models = plural(len(specs) // num_settings, "model")
    runs = f"{models}{settings} x {plural(len(seeds), 'seed')}"
    return f"{runs}, {length}{end}, on {place}, into {folder}"
