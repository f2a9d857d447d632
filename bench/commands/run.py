"""The command `run`: checks the request, sweeps, shows the table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands.show import show, show_published, where_next
from bench.errors import UsageError
from bench.machine.memory_limit import GB
from bench.shell import say
from bench.spec.artifacts import EVERY_EPOCH, Keep, parse_every
from bench.spec.budget import Budget
from bench.spec.run_spec import RunSpec
from bench.spec.target import target_text
from bench.sweep.child import check
from bench.sweep.folders import RUNS, check_takes_records, make_folder, new_folder
from bench.sweep.progress import SweepProgress
from bench.sweep.request import Checked, Request, ask_child, check_options
from bench.sweep.rescue import noting, run_and_rescue
from bench.sweep.same import check_same
from bench.sweep.sweep import Sweep, recorded_runs, run_sweep
from bench.workers.interruption import Interruption
from data_pipeline import ensure_data

if TYPE_CHECKING:
    from results import RunRecord, RunStore

MAX_LIMIT_GB = 1e6  # no machine has a petabyte
CHECKPOINTS, TENSORBOARD = "checkpoints", "tensorboard"  # in the folder of a run


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `run` that say where and how, not what."""

    data: Path | None = None
    out: Path | None = None
    resume: bool = False
    in_process: bool = False
    timeout_s: float | None = None
    max_memory_gb: float | None = None
    save: bool = False
    save_every: str | None = None
    tensorboard: bool = False


def run(request: Request, options: Options) -> int:
    """Runs a sweep and prints its table.

    Returns:
        The exit code: 0, 1 where a run failed, 130 or 143 where the user interrupted.

    Raises:
        UsageError, ModelError, DataError: bad input, before anything has run.
    """
    from results import RunStore

    checked = check_options(request)
    if checked.is_ladder and options.in_process:
        raise UsageError("--plan ladder needs its child processes; leave --in-process out")
    if checked.is_ladder and (options.save or options.save_every or options.tensorboard):
        raise UsageError("--plan ladder trains to no end; leave --save and --tensorboard out")
    max_memory_bytes = _memory_limit(options)
    if options.timeout_s is not None and not math.isfinite(options.timeout_s):
        raise UsageError(f"--timeout {options.timeout_s:g} never comes; leave it out for no limit")
    every = EVERY_EPOCH if options.save_every is None else parse_every(options.save_every)
    store = _named_store(options)
    if not options.resume or checked.is_ladder:
        check_takes_records(store.folder if store else RUNS)
    if not options.in_process:
        from bench.workers.isolation import start_server

        start_server()
    data = ensure_data(options.data, say=say)
    job = checked.check_job(data.data_hash, max_memory_bytes)
    answer = check(job) if options.in_process else ask_child(job)
    store = store or RunStore(new_folder(RUNS))
    if checked.is_ladder:
        from bench.commands.ladder import run_ladders

        return run_ladders(checked, options, answer, store, max_memory_bytes)
    keep = _kept(options, store.folder.absolute(), every)
    return _sweep(checked, options, answer, store, keep, max_memory_bytes)


def _memory_limit(options: Options) -> int | None:
    """The limit of each child in bytes.

    Raises:
        UsageError: it is none, or there are no children.
    """
    limit_gb = options.max_memory_gb
    if limit_gb is None:
        return None
    if not 0 < limit_gb < MAX_LIMIT_GB:
        raise UsageError(f"--max-memory-gb must be a positive number of GB, not {limit_gb:g}")
    if options.in_process:
        raise UsageError("--max-memory-gb limits child processes; leave --in-process out")
    return int(limit_gb * GB)


def _kept(options: Options, folder: Path, every: Budget) -> Keep:
    """What runs leave beside their records; a sweep that saved models goes on saving them."""
    checkpoints = folder / CHECKPOINTS
    is_saving = options.save or options.save_every is not None or checkpoints.is_dir()
    return Keep(
        checkpoints=checkpoints if is_saving else None,
        every=every,
        tensorboard=folder / TENSORBOARD if options.tensorboard else None,
    )


def _sweep(
    checked: Checked,
    options: Options,
    answer: dict[str, Any],
    store: "RunStore",
    keep: Keep,
    max_memory_bytes: int | None,
) -> int:
    kind = answer["environment"]["device_kind"]
    specs, seeds = checked.specs(kind), checked.seed_list(kind)
    check_same(store, specs, answer["environment"])
    make_folder(store.folder)
    recorded = _of_this_sweep(store, specs, seeds)
    num_done = sum(len(set(seeds) & set(recorded_runs(store, spec))) for spec in specs)
    if options.resume and num_done < len(specs) * len(seeds):
        check_takes_records(store.folder)
    say(_announcement(specs, seeds, answer, store.folder))

    def work() -> Interruption:
        with SweepProgress(len(specs) * len(seeds), num_done) as progress:
            return run_sweep(
                Sweep(
                    specs=specs,
                    seeds=seeds,
                    device=answer["device"],
                    environment=answer["environment"],
                    store=store,
                    data=options.data,
                    timeout_s=options.timeout_s,
                    max_memory_bytes=max_memory_bytes,
                    in_process=options.in_process,
                    keep=keep,
                    report=progress.report,
                    done=noting(recorded, progress.done),
                )
            )

    ended = run_and_rescue(work, store, recorded, lambda: _of_this_sweep(store, specs, seeds), say)
    if checked.is_published:
        show_published(ended.records)
    else:
        show(ended.records, mixed=True)  # whatever was measured is shown
    say(where_next(*ended.folders))
    if ended.exit_code is not None:
        return ended.exit_code
    return 0 if _latest_are_ok(ended.records) else 1


def _named_store(options: Options) -> "RunStore | None":
    """The store that --out or --resume names, checked; None where a new folder is wanted."""
    from results import RunStore, newest_run

    folder = options.out
    if folder is None and options.resume:
        folder = newest_run(RUNS)
        if folder is None:
            raise UsageError(f"there is no run in {RUNS} to resume; leave --resume out")
    if folder is None:
        return None
    _check_out(RunStore(folder), options)
    return RunStore(folder)


def _check_out(store: "RunStore", options: Options) -> None:
    """Refuses a folder that cannot be one, or that holds another sweep."""
    if store.folder.exists() and not store.folder.is_dir():
        raise UsageError(f"--out {store.folder} is a file; name a folder")
    records = store.read(say)
    saved = list((store.folder / CHECKPOINTS).glob("*.pt"))
    if (records or saved) and not options.resume:
        what = f"{len(records)} records" if records else f"{len(saved)} saved models"
        raise UsageError(
            f"{store.folder} already holds {what}; "
            "add --resume to go on with them, or name another --out"
        )


def _announcement(
    specs: Sequence[RunSpec], seeds: Sequence[int], answer: dict[str, Any], folder: Path
) -> str:
    models = f"{len(specs)} model{'s' if len(specs) > 1 else ''}"
    each = f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    place = f"{answer['device']} ({answer['environment']['device']})"
    budgets = {str(spec.budget): None for spec in specs}
    length = f"{next(iter(budgets))} each" if len(budgets) == 1 else "each as long as published"
    target = specs[0].target
    end = "" if target is None else f" or to {target_text(target)} on validation"
    return f"{models} x {each}, {length}{end}, on {place}, into {folder}"


def _of_this_sweep(
    store: "RunStore", specs: Sequence[RunSpec], seeds: Sequence[int]
) -> "list[RunRecord]":
    wanted = {spec.config_id for spec in specs}
    return [r for r in store.read() if r.config_id in wanted and r.spec["seed"] in seeds]


def _latest_are_ok(records: "Sequence[RunRecord]") -> bool:
    """Whether every run ended well, the last try of each counting."""
    latest = {(record.config_id, record.spec["seed"]): record for record in records}
    return bool(latest) and all(record.status == "ok" for record in latest.values())
