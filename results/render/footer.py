"""The notes below a table: failures, flags, what was held equal, where it ran, how sure it is."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from results.errors import NotComparable
from results.records.record import RunRecord
from results.render.columns import MISSED, QUIET_FLAGS, has_missed
from results.rows.comparable import check_comparable, labels, pareto_sentence
from results.rows.difference import certainty_lines
from results.rows.rows import sort_rows, table_rows
from results.rows.settings import recipe_name, setting_text, settings_in, settings_of
from results.rows.summary import NUM_TEST_IMAGES, Summary, commit_of
from results.statistics import wilson_interval
from results.text import (
    cut,
    distinct,
    format_count,
    format_latency,
    format_percent,
    listed,
    one_line,
)

NEVER = f"{MISSED}: that accuracy was never reached on validation within this budget."
MOST_NAMED = 3  # commits, devices and so on that a line calls by name
FLAG_NOTES = {
    "at_chance": "no better than guessing, so it has learnt nothing",
    "throttled": "its GPU was slowed down for power or heat; the records say why",
    "under_trained": "saw less than one epoch of the training images",
    "compiled_in_clock": "a compiler ran while its clock did",
    "beat_floor": "faster than its floor: its convolutions took an algorithm with fewer FLOPs than "
    "the direct one that is counted (Winograd's), or the ceilings were measured on a busy machine: "
    "run `fmnist-bench doctor` while nothing else runs",
    "not_pretrained": "began with random weights: those that its recipe names were not to be had",
    "stopped_early": "ended before its budget: validation did not get better any more",
    "reached_target": "ended before its budget: validation reached the target",
    "resumed": "its training was interrupted and gone on with; its seconds are those of all parts",
    "resumed_inexact": "gone on with without all of its state (the scale of fp16's gradients, or "
    "random numbers of further GPUs)",
    "seeds_itself": "its weights are the same whatever the seed, as its code seeds torch or draws "
    "from a generator of its own, or loads them: ± is too small; leave seeding to --seeds, which "
    "seeds torch, numpy and random",
    "stray_weights": "keeps layers or parameters in a plain list or dict, where nothing trains "
    "them: use nn.ModuleList, nn.ModuleDict or nn.ParameterList",
    "ends_in_softmax": "returns probabilities, of which the loss takes the softmax once more, so "
    "that it learns slowly: return logits, without a softmax at the end",
    "touched_switches": "its code turns these for the whole process; they were put back around it",
    "save_failed": "a saved model of it could not be written; the records say why",
    "tensorboard_failed": "its files for TensorBoard could not be written to the end",
    "main_logits_only": "returns more than its logits in training, and only these are trained on: "
    "what other heads compute is in vain; build it without them (as by aux_logits=False)",
    "came_compiled": "calls torch.compile itself, which is undone here: the plan says what is "
    "compiled; choose --plan compile or step",
    "late_imports": "imported files in training that the check before the sweep had not seen, so "
    "that no change of them makes it another model; import them at the top of the model file",
    "mixed_commits": "its runs come from several commits",
    "mixed_plans": "its runs used several plans",
}
OPTIONS = {  # that do what a model wants of a switch
    **dict.fromkeys(("float32_matmul_precision", "cudnn.allow_tf32", "autocast"), "--precision"),
    **dict.fromkeys(("deterministic_algorithms", "cudnn.deterministic"), "--deterministic"),
    "num_threads": "--plan threads:N",
}


def footer_lines(
    summaries: Sequence[Summary], rows: Sequence[dict[str, Any]] | None = None
) -> list[str]:
    """What a reader must know beside the table, a fact a line, what matters most first.

    `rows` are those of the table in any order, where they are at hand already.
    """
    if not summaries:
        return []
    records = [record for summary in summaries for record in summary.records]
    rows = table_rows(summaries) if rows is None else sort_rows(rows)
    warning = comparability_warning(records)
    names = _setting_names(summaries, rows)
    lines = [
        warning,  # before all others: many failures must not take its place on a terminal
        *failure_lines(summaries, names),
        *flag_lines(summaries, names),
        *ground_lines(summaries),
        _certainty(summaries),
        *([] if warning else certainty_lines(summaries, rows)),
        NEVER if has_missed(rows) else None,
        pareto_sentence(rows),
        _learning_rates(records),
        _ceilings(records),
        *_unknowns(summaries),
    ]
    return [one_line(line) for line in lines if line]


def _setting_names(
    summaries: Sequence[Summary], rows: Sequence[Mapping[str, Any]]
) -> list[str] | None:
    """What rows are called that differ in settings; None where they do not."""
    if not settings_in(rows[0]):
        return None
    names = {tuple(row["record_ids"]): name for row, name in zip(rows, labels(rows), strict=True)}
    return [names[summary.record_ids] for summary in summaries]


def comparability_warning(records: Sequence[RunRecord]) -> str | None:
    """What differs between records that must not be ranked; None where they may be."""
    try:
        check_comparable(records)
    except NotComparable as error:
        return str(error).partition(";")[0].capitalize() + ": do not rank these rows."
    return None


def ground_lines(summaries: Sequence[Summary]) -> list[str]:
    """What was held equal, where runs with a target ended, and where they were measured."""
    records = [record for summary in summaries for record in summary.records]
    settings = settings_of([summary.spec for summary in summaries])
    told = list(settings[0]) if settings else []
    held = {
        "budget": [record.spec["budget"] for record in records],
        "recipe": [recipe_name(record.spec["recipe"]["name"], told) for record in records],
        **{key: [setting_text(own[key]) for own in settings] for key in told},
        "precision": [record.spec["precision"] for record in records],
        "evaluated on": [record.spec["evaluation_split"] for record in records],
    }
    lines = [f"{stated(held)}."]
    targets = [record.spec.get("target") for record in records]
    if any(targets):
        who = "each run" if all(targets) else "each run with a target"
        percents = " / ".join(distinct(format_percent(t) for t in targets if t))
        lines.append(f"{who} ended at {percents} on validation or with the budget.")
    return [*lines, place_line(records, (c for summary in summaries for c in summary.commits))]


def place_line(records: Sequence[RunRecord], commits: Iterable[str] | None = None) -> str:
    """Where records were measured: device, versions, data, and the commits where not given."""
    facts = environment_facts([record.environment for record in records])
    return f"{stated(facts | {'commit': commits or map(commit_of, records)})}."


def environment_facts(environments: Sequence[Mapping[str, Any]]) -> dict[str, Iterable[object]]:
    """Device, versions and data of some environments, as `stated` puts them into words."""
    caps = [environment.get("power_cap_w") for environment in environments]
    # on a GPU it is not the cores that the speed hangs on
    on_cpu = [e for e in environments if e.get("device_kind") == "cpu"]
    return {
        "device": [environment.get("device") for environment in environments],
        "cores": [environment.get("num_cores") for environment in on_cpu],
        "threads": [environment.get("num_threads") for environment in on_cpu],
        "power cap": [f"{cap:g} W" for cap in caps if cap is not None],
        "torch": [environment.get("torch") for environment in environments],
        "CUDA": [environment.get("cuda") for environment in environments],
        "Python": [environment.get("python") for environment in environments],
        "data": [(environment.get("data_hash") or "")[:12] for environment in environments],
    }


def stated(facts: Mapping[str, Iterable[object]]) -> str:
    """Facts with some of their values, as in `budget 60s, precision bf16 / fp32`."""
    texts = {name: distinct(values) for name, values in facts.items()}
    return ", ".join(
        f"{name} {listed(map(cut, values), MOST_NAMED, ' / ')}"
        for name, values in texts.items()
        if values
    )


def flag_lines(summaries: Sequence[Summary], names: Sequence[str] | None = None) -> list[str]:
    """What each flag means and which rows have it, a line a flag; `names` replace the models'."""
    named = list(zip(names or [summary.model for summary in summaries], summaries, strict=True))
    lines = []
    flags = distinct(flag for summary in summaries for flag in summary.flags)
    for flag in sorted(flags, key=lambda flag: flag == "under_trained"):  # which is no surprise
        if flag not in QUIET_FLAGS:
            without = {s.model for s in summaries if flag not in s.flags}
            bearers = distinct(
                _bearer(name, s, without) + _seeds(flag, s) + _switches(flag, s)
                for name, s in named
                if flag in s.flags
            )
            who, note = ", ".join(bearers), _note(flag, summaries)
            lines.append(f"{flag} ({who}): {note}." if note else f"{flag}: {who}.")
    return lines


def _bearer(name: str, summary: Summary, without: Container[str]) -> str:
    """The name of a row with a flag: its model's alone, unless another row of it is without."""
    model = summary.model
    return model if model not in without and name.startswith(f"{model} (") else name


def failure_lines(summaries: Sequence[Summary], names: Sequence[str] | None = None) -> list[str]:
    """Why rows failed, a line a reason; see flag_lines."""
    named = zip(names or [summary.model for summary in summaries], summaries, strict=True)
    reasons = by_reason(
        (name, str(s.reason) if s.status == "ok" else ": ".join(distinct([s.status, s.reason])))
        for name, s in named
        if s.failed
    )
    return [f"failed: {', '.join(failed)}: {reason}." for reason, failed in reasons.items()]


def by_reason(failures: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Reason to the names that share it, of pairs of a name and a reason, in their order."""
    reasons: dict[str, list[str]] = {}
    for name, reason in failures:
        reasons.setdefault(reason, []).append(name)
    return {reason: distinct(names) for reason, names in reasons.items()}


def _seeds(flag: str, summary: Summary) -> str:
    """The seeds that have a flag, where it is not on all of the runs."""
    bearers = [record for record in summary.records if flag in record.flags]
    if len(bearers) in {0, len(summary.records)}:  # 0: a flag of the group, such as mixed_plans
        return ""
    return f" seed {' and '.join(distinct(record.spec['seed'] for record in bearers))}"


def _switches(flag: str, summary: Summary) -> str:
    """The switches of the process that a model has turned, behind its name."""
    touched = _touched([summary]) if flag == "touched_switches" else []
    return f": {listed(touched, MOST_NAMED)}" if touched else ""


def _note(flag: str, summaries: Sequence[Summary]) -> str | None:
    """What a flag means; of switches also the options that do what they were turned for."""
    note = FLAG_NOTES.get(flag)
    if flag != "touched_switches":
        return note
    options = distinct(OPTIONS[name] for name in _touched(summaries) if name in OPTIONS)
    return f"{note}; say {listed(options)} instead" if options else note


def _touched(summaries: Sequence[Summary]) -> list[str]:
    records = [record for summary in summaries for record in summary.records]
    return distinct(name for record in records for name in record.conditions.get("touched", ()))


def _certainty(summaries: Sequence[Summary]) -> str | None:
    seeds = sorted({summary.n_seeds for summary in summaries if summary.n_seeds})
    if not seeds:
        return None
    num_images = max(summary.num_images or 0 for summary in summaries) or NUM_TEST_IMAGES
    low, high = wilson_interval(0.9, num_images)
    spread = "one seed, so no interval over seeds"
    if seeds[-1] > 1:
        count = " to ".join(distinct([seeds[0], seeds[-1]]))
        spread = f"mean of {count} seeds ± its 95 % interval (Student t)"
    return (
        f"accuracy: {spread}; test sampling adds ±{(high - low) / 2 * 100:.1f} points "
        f"at 90 % on {num_images:,} images. *: best."
    )


def _learning_rates(records: Sequence[RunRecord]) -> str | None:
    sources = distinct(record.spec["recipe"].get("learning_rate_source") for record in records)
    return f"learning rate: {listed(sources, MOST_NAMED, ' / ')}." if sources else None


def _ceilings(records: Sequence[RunRecord]) -> str | None:
    """The measured rates that the floors were made of; a copy's depends on its size."""
    found = [
        (r.spec["precision"], r.conditions["limit"]) for r in records if r.conditions.get("limit")
    ]
    if not found:
        return None
    matmul = distinct(
        f"matmul {precision} {format_count(limit['flops_per_s'])}FLOP/s"
        for precision, limit in found
        if limit["flops_per_s"]
    )
    rates = [limit["bytes_per_s"] for _, limit in found if limit["bytes_per_s"]]
    ends = distinct(format_count(rate) for rate in (min(rates), max(rates))) if rates else []
    copy = f"copy {' to '.join(ends)}B/s by size" if ends else ""
    waits = distinct(format_latency(limit["latency_s"]) for _, limit in found)
    latency = f"latency {listed(waits, MOST_NAMED, ' / ')}"
    return f"measured ceilings: {', '.join(distinct([listed(matmul, MOST_NAMED), copy, latency]))}."


def _unknowns(summaries: Sequence[Summary]) -> list[str]:
    """What no seed of a row knows; a cost that the first seed bore for all is known."""
    models_of: dict[tuple[str, str], list[str]] = {}  # by quantity and reason
    for summary in summaries:
        known = {"time_to_target"}  # a miss, which the table shows
        known |= {"curve"} if any(record.curve for record in summary.finished) else set()
        missing = {pair for record in summary.finished for pair in record.missing.items()}
        for quantity, reason in sorted(missing):
            if quantity not in known and not summary.values(quantity):
                models_of.setdefault((quantity, reason), []).append(summary.model)
    together: dict[tuple[str, ...], list[str]] = {}  # quantities that one reason hides
    for (quantity, reason), models in models_of.items():
        together.setdefault((reason, *models), []).append(quantity)
    everyone = [summary.model for summary in summaries if summary.finished]
    return [
        f"{', '.join(quantities)} unknown"
        + ("" if models == everyone else f" ({', '.join(distinct(models))})")
        + f": {reason}."
        for (reason, *models), quantities in together.items()
    ]
