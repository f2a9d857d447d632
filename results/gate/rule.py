"""The rule by which pairs of processes are judged: slower, faster, the same, or no answer.

The pair is the unit: turns within one resemble each other. A step is slower where the estimate
exceeds a threshold *and* an exact test over pairs clears a least effect, after a second round has
confirmed the first; and there is no answer where the base differs from itself by half as much.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from results.gate.pairs import Pair
from results.gate.verdict import Finding, Outcome
from results.gate.words import STEP
from results.statistics import median

LEAST_PAIRS = 5
Pairs = Mapping[str, Sequence[Pair]]
"""Pairs by model."""


@dataclass(frozen=True, slots=True)
class SpeedRule:
    """When a step counts as slower.

    Attributes:
        threshold: the estimate must exceed it; a share of the base's seconds.
        least_effect: what the test must clear; no reviewer would act on less.
        error_rate: of one gate, all its models together.
    """

    threshold: float = 0.10
    least_effect: float = 0.02
    error_rate: float = 0.05

    def num_pairs(self, num_models: int) -> int:
        """Fresh pairs of a round: with fewer, no exact test could reject anything.

        Of k pairs that all agree, the test has p = 2^-k; over m models the smallest of
        them must come below error_rate / m.
        """
        return max(LEAST_PAIRS, math.ceil(math.log2(num_models / self.error_rate)))


def unsettled(first: Pairs, rule: SpeedRule) -> list[str]:
    """Models that need a second round: slower by more than the threshold, or with a bad control."""
    return [
        model
        for model, pairs in first.items()
        if estimate(pairs) > math.log1p(rule.threshold) or is_control_off(pairs, rule)
    ]


Correction = Callable[[Mapping[str, float], float], dict[str, bool]]
"""Which of some p-values are significant at an error rate of all together."""


def judge(
    first: Pairs, second: Pairs, rule: SpeedRule, correct: Correction | None = None
) -> list[Finding]:
    """What the pairs say of each model.

    Args:
        first: a round of every model.
        second: of those that were unsettled.
        rule: decides.
        correct: for there being several models; None for `holm`.
    """
    every = {model: [*pairs, *second.get(model, ())] for model, pairs in first.items()}
    is_significant = (correct or holm)(
        {
            model: signed_rank_p(_changes(pairs), math.log1p(rule.least_effect))
            for model, pairs in every.items()
        },
        rule.error_rate,
    )
    findings = []
    for model, pairs in every.items():
        is_confirmed = _is_confirmed(second.get(model, ()), rule) and is_significant[model]
        findings.append(_finding(model, pairs, is_confirmed, rule))
    return findings


def estimate(pairs: Sequence[Pair]) -> float:
    """Logarithm of head over base: the median of the pairs."""
    return median(_changes(pairs))


def control(pairs: Sequence[Pair]) -> float:
    """Logarithm of base over base: the median of the pairs."""
    return median([pair.control for pair in pairs])


def is_control_off(pairs: Sequence[Pair], rule: SpeedRule) -> bool:
    """Whether the base differs from itself by half the threshold or more, in either direction."""
    return abs(control(pairs)) >= math.log1p(rule.threshold / 2)


def holm(p_values: Mapping[str, float], error_rate: float) -> dict[str, bool]:
    """Which hypotheses are rejected, so that any false one is with at most this probability.

    The smallest of m values is held to error_rate / m, the next to error_rate / (m - 1), and so
    on up to the first that is too large (Holm 1979, A simple sequentially rejective procedure).
    """
    rejected = dict.fromkeys(p_values, False)
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        if p_values[name] > error_rate / (len(p_values) - rank):
            break
        rejected[name] = True
    return rejected


def signed_rank_p(values: Sequence[float], shift: float = 0.0) -> float:
    """Exact one-sided p of Wilcoxon's signed-rank test: do some values lie above `shift`?

    Under the null hypothesis each value less the shift is as likely as its negative; p is the share
    of the 2^k ways to flip signs whose ranks sum to no less than those seen (Wilcoxon 1945,
    Individual Comparisons by Ranking Methods). Ranks, as one pair in ten on a busy machine is off
    by more than all the others together.

    Args:
        values: k of them; the time is of the order k^3.
        shift: nothing below it is looked for.
    """
    centred = [value - shift for value in values if value != shift]
    sizes = sorted(map(abs, centred))
    # twice the mean rank of equal sizes, so that all are whole numbers
    ranks = {size: 2 * sizes.index(size) + sizes.count(size) + 1 for size in set(sizes)}
    seen = sum(ranks[abs(value)] for value in centred if value > 0)
    ways = {0: 1}  # to get each sum
    for size in sizes:
        more: dict[int, int] = {}
        for total, number in ways.items():
            for sum_ in (total, total + ranks[size]):
                more[sum_] = more.get(sum_, 0) + number
        ways = more
    return sum(number for total, number in ways.items() if total >= seen) / sum(ways.values())


def percent(logarithm: float) -> str:
    """A logarithm of a ratio as the change that it stands for: +14.8 %."""
    return f"{100 * math.expm1(logarithm):+.1f} %"


def _is_confirmed(second: Sequence[Pair], rule: SpeedRule) -> bool:
    """Whether a second round, where there was one, shows at least half of the threshold itself."""
    return not second or estimate(second) > math.log1p(rule.threshold / 2)


def _finding(model: str, pairs: Sequence[Pair], is_confirmed: bool, rule: SpeedRule) -> Finding:
    outcome, why = _outcome(pairs, is_confirmed, rule)
    return Finding(
        check="speed",
        model=model,
        quantity=STEP,
        outcome=outcome,
        base=median([seconds for pair in pairs for seconds in (*pair.base, *pair.again)]),
        head=median([seconds for pair in pairs for seconds in pair.head]),
        change=math.expm1(estimate(pairs)),
        evidence=f"{why}{_evidence(pairs)}",
    )


def _outcome(pairs: Sequence[Pair], is_confirmed: bool, rule: SpeedRule) -> tuple[Outcome, str]:
    change, threshold = estimate(pairs), math.log1p(rule.threshold)
    doubt = abs(control(pairs)) if is_control_off(pairs, rule) else 0.0
    if change - doubt > threshold and is_confirmed:
        return "worse", ""
    if doubt:
        return "unclear", "the base differs from itself; "
    if change > threshold:
        return "unclear", "the pairs disagree; "
    return ("better" if change < -threshold and max(_changes(pairs)) < 0 else "same"), ""


def _evidence(pairs: Sequence[Pair]) -> str:
    changes = _changes(pairs)
    low, high = percent(min(changes)), percent(max(changes))
    itself = percent(control(pairs))
    return f"{len(pairs)} pairs, {low} to {high}; base against itself {itself}"


def _changes(pairs: Sequence[Pair]) -> list[float]:
    return [pair.change for pair in pairs]
