"""`run --plan ladder`: measures the plans of each model against each other, shows the ladders."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from bench.commands.show import where_next
from bench.commands.table import show
from bench.ladder import ladder as constants
from bench.ladder.child import survey
from bench.ladder.ladder import Ladder, climb_ladder, is_complete
from bench.ladder.rungs import RungSpec, list_rungs
from bench.machine.compilers import cpu_has_bf16, why_no_compiler
from bench.run.record import RunResult
from bench.shell import say
from bench.sweep.checked import Beside, CheckedRequest
from bench.sweep.folders import check_same, make_folder
from bench.sweep.progress import ProgressBars
from bench.sweep.rescue import run_and_rescue, store_or_refuse
from bench.workers.interruption import Interruption, watch_signals
from bench.workers.isolation import ask
from results import RunRecord, RunStore
from results.text import plural


def run_ladders(
    checked: CheckedRequest, answer: dict[str, Any], beside: Beside, store: RunStore
) -> int:
    """Measure the ladder of each model that has none in the store yet, and print them all.

    Returns:
        The exit code: 0, 1 where a rung failed, 130 or 143 where the user interrupted.
    """
    found = ask(survey, checked.models, max_memory_bytes=checked.request.max_memory_bytes)
    ladders = make_ladders(checked, answer, beside, found)
    configurations = [(ladder.model, rung.config_id) for ladder in ladders for rung in ladder.rungs]
    check_same(store, answer["environment"], configurations)
    make_folder(store.folder)
    say(_announcement(ladders, answer, store))
    wanted = {config_id for _, config_id in configurations}

    def read() -> list[RunRecord]:
        return [record for record in store.read() if record.config_id in wanted]

    ended = run_and_rescue(partial(_climb, ladders, store), store, read)
    show(ended.records, mixed=True, notes=checked.request.notes)
    say(where_next(*ended.folders))
    if ended.exit_code is not None:
        return ended.exit_code
    return 0 if all(_is_well(ladder, ended.records) for ladder in ladders) else 1


def make_ladders(
    checked: CheckedRequest,
    answer: dict[str, Any],
    beside: Beside,
    found: dict[str, dict[str, Any]],
) -> list[Ladder]:
    """The ladder of each model, its plans settled as far as can be without a child."""
    kind, precision = answer["environment"]["device_kind"], checked.trainings[0].recipe.precision
    has_bf16, no_compiler = bool(cpu_has_bf16()), why_no_compiler(kind)
    ladders = []
    for spec in checked.specs(kind, beside):
        rungs = list_rungs(kind, precision, has_bf16=has_bf16, **found[spec.model])
        ladders.append(
            Ladder(
                model=spec.model,
                rungs=[
                    RungSpec.settle(spec, rung, index, no_compiler=no_compiler)
                    for index, rung in enumerate(rungs)
                ],
                device=answer["device"],
                environment=answer["environment"],
                request=checked.request,
                rounds=constants.ROUNDS,
                turn_s=constants.TURN_S,
            )
        )
    return ladders


def _climb(
    ladders: Sequence[Ladder], store: RunStore, note: Callable[[RunRecord], None]
) -> Interruption:
    """Measure what the store does not hold, and tell of each record.

    Raises:
        Refused: the store takes no more.
    """
    missing = [ladder for ladder in ladders if not is_complete(store, ladder.rungs)]
    num_done = len(ladders) - len(missing)
    with (
        ProgressBars("models", len(ladders), num_done, is_quiet=True) as bars,
        watch_signals(unit="round") as asked,
    ):
        for ladder in missing:
            if asked.after_run:
                break

            def report(what: str, share: float, model: str = ladder.model) -> None:
                bars.show(f"{model} · {what}", share)

            results = [RunResult(record) for record in climb_ladder(ladder, asked, report)]
            store_or_refuse(store, results, note)
            bars.done(f"{ladder.model}: done")
    return asked


def _announcement(ladders: Sequence[Ladder], answer: dict[str, Any], store: RunStore) -> str:
    counts = sorted({len(ladder.rungs) for ladder in ladders})
    rungs = " or ".join(map(str, counts))
    turns = f"{ladders[0].rounds} rounds of turns of {ladders[0].turn_s:g} s"
    place = f"{answer['device']} ({answer['environment']['device']})"
    return (
        f"{plural(len(ladders), 'model')} x {rungs} rungs, {turns}, on {place}, into {store.folder}"
    )


def _is_well(ladder: Ladder, records: Sequence[RunRecord]) -> bool:
    """Whether the last try of every rung was measured, or cannot be here.

    A plan that this machine does not have is no failure of a ladder, which tries them all.
    """
    latest = {record.config_id: record.status for record in records}
    statuses = {latest.get(rung.config_id) for rung in ladder.rungs}
    return "ok" in statuses and statuses <= {"ok", "unsupported"}
