"""Lines below a comparison: what else differs between two sets of records, and what to do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from results.compare.cost import BLIND
from results.compare.sides import MOST_NAMED, Key, Rows
from results.gate.verdict import Finding
from results.rows.summary import Summary
from results.text import distinct, listed

if TYPE_CHECKING:
    from results.compare.rule import Rule

ADVICE = (
    "speed: stored runs were not measured in turns, so much of it may be chance; "
    "fmnist-bench gate --base REV measures two commits in turns"
)
QUIET_FLAGS = ("mixed_commits", "mixed_plans")  # have lines of their own


def same_records_line(base: Rows, head: Rows) -> list[str]:
    """That records stand on both sides, where some do: they are held to themselves."""
    theirs, ours = (
        {id_ for row in side.values() for id_ in row.record_ids} for side in (base, head)
    )
    if theirs == ours:
        return ["the base and the head are the same records"]
    num_shared = len(theirs & ours)
    if not num_shared:
        return []
    return [
        f"{num_shared} record{'s are' if num_shared > 1 else ' is'} both in the base and the head"
    ]


def difference_lines(names: Mapping[Key, str], base: Rows, head: Rows) -> list[str]:
    """What else differs between rows that stand for each other, a fact a line."""
    bearers: dict[str, list[str]] = {}
    for key, name in names.items():
        if key in base and key in head:
            for fact in _differences(base[key], head[key]):
                bearers.setdefault(fact, []).append(name)
    return [f"{listed(distinct(rows), MOST_NAMED)}: {fact}" for fact, rows in bearers.items()]


def advice_lines(findings: Sequence[Finding], rule: "Rule") -> list[str]:
    """That turns tell more of speed, where it is worse or unclear or one process cannot show it."""
    costs = [finding for finding in findings if finding.check in {"speed", "energy"}]
    hidden = [
        finding.model
        for finding in costs
        if finding.outcome == "same" and (finding.change or 0.0) > rule.threshold
        if BLIND in finding.evidence
    ]
    lines = (
        [f"{listed(distinct(hidden), MOST_NAMED)}: more than {rule.threshold * 100:g} % up, but "]
        if hidden
        else []
    )
    lines = [line + _blind_text(costs) for line in lines]
    is_open = any(finding.outcome in {"worse", "unclear"} for finding in costs)
    return [*lines, *([ADVICE] if is_open else [])]


def _blind_text(costs: Sequence[Finding]) -> str:
    return next(finding.evidence for finding in costs if BLIND in finding.evidence)


def _differences(base: Summary, head: Summary) -> Iterator[str]:
    num_before, num_after = (side.n_seeds + side.n_failed for side in (base, head))
    if num_after < num_before:
        yield f"the head has {num_after} of {num_before} seeds"
    before, after = (side.spec["recipe"] for side in (base, head))
    fields = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if fields:
        yield f"the recipe has another {listed(distinct(fields), MOST_NAMED)}"
    if base.spec.get("model_hash") != head.spec.get("model_hash"):
        yield "the file of the model has changed"
    if base.plans != head.plans:
        plans = (" / ".join(side.plans) for side in (base, head))
        yield "the plan was {} and is {}".format(*plans)
    flags = [flag for flag in head.flags if flag not in (*base.flags, *QUIET_FLAGS)]
    if flags:
        yield f"only the head is flagged {listed(distinct(flags), MOST_NAMED)}"
