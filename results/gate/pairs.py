"""Pairs of processes, and the rule that judges them: slower, faster, the same, or no answer.

The pair is the statistical unit: turns of one process resemble each other (lag-1 correlations of
0.7 to 0.9 were seen), and processes of the same code differ by more than their turns do. A step is
slower where the estimate exceeds a threshold *and* an exact test over pairs clears a least effect,
after a second round has confirmed the first; and there is no answer where the base differs from
itself by half as much.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from results.gate.verdict import Finding, Outcome
from results.gate.words import STEP
from results.statistics import mean, median

BASE, HEAD, AGAIN = "base", "head", "again"
LEAST_PAIRS = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """Seconds a step of each turn, a turn a round and side, in time order.

    `again` is a second process of the base, the control.
    """

    base: tuple[float, ...]
    head: tuple[float, ...]
    again: tuple[float, ...]

    @property
    def change(self) -> float:
        """Logarithm of head over base, all turns and both processes of the base counting.

        Of totals, not the median of rounds, which would drop what comes only now and then, as work
        at the start of each epoch does.
        """
        return _log_mean(self.head) - (_log_mean(self.base) + _log_mean(self.again)) / 2

    @property
    def control(self) -> float:
        """Logarithm of base over base: what chance alone has made of this pair."""
        return _log_mean(self.again) - _log_mean(self.base)


Pairs = Mapping[str, Sequence[Pair]]
"""Pairs by model."""


@dataclass(frozen=True, slots=True)
class SpeedRule:
    """When a step counts as slower; shares of the base's seconds."""

    threshold: float = 0.10  # that the estimate must exceed
    least_effect: float = 0.02  # that the test must clear; no reviewer would act on less
    error_rate: float = 0.05  # of one gate, all its models together

    def num_pairs(self, num_models: int) -> int:
        """Return the pairs of a round: with fewer, no exact test could reject anything.

        Of k pairs that all agree, the test has p = 2^-k; over m models the smallest of
        them must come below error_rate / m.
        """
        return max(LEAST_PAIRS, math.ceil(math.log2(num_models / self.error_rate)))


def unsettled(first: Pairs, rule: SpeedRule) -> list[str]:
    """List models for a second round: slower by more than the threshold, or with a bad control."""
    return [
        model
        for model, pairs in first.items()
        if estimate(pairs) > math.log1p(rule.threshold) or _doubt(pairs, rule)
    ]


def judge(first: Pairs, second: Pairs, rule: SpeedRule) -> list[Finding]:
    """Judge each model by its pairs: a round of all, and a second of those unsettled."""
    every = {model: [*pairs, *second.get(model, ())] for model, pairs in first.items()}
    least = math.log1p(rule.least_effect)
    p_values = {model: signed_rank_p(_changes(pairs), least) for model, pairs in every.items()}
    is_significant = holm(p_values, rule.error_rate)
    findings = []
    for model, pairs in every.items():
        again = second.get(model)
        # the second round must show half of the threshold by itself
        is_confirmed = not again or estimate(again) > math.log1p(rule.threshold / 2)
        outcome, why = _outcome(pairs, rule, is_sure=is_confirmed and is_significant[model])
        changes = _changes(pairs)
        finding = Finding(
            check="speed",
            model=model,
            quantity=STEP,
            outcome=outcome,
            base=median([seconds for pair in pairs for seconds in (*pair.base, *pair.again)]),
            head=median([seconds for pair in pairs for seconds in pair.head]),
            change=math.expm1(estimate(pairs)),
            evidence=f"{why}{len(pairs)} pairs, {percent(min(changes))} to "
            f"{percent(max(changes))}; base against itself {percent(_control(pairs))}",
        )
        findings.append(finding)
    return findings


def estimate(pairs: Sequence[Pair]) -> float:
    """Estimate the logarithm of head over base: the median of the pairs."""
    return median(_changes(pairs))


def holm(p_values: Mapping[str, float], error_rate: float) -> dict[str, bool]:
    """Reject hypotheses, so that any true one is rejected with at most this probability.

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
    """Return the exact one-sided p of Wilcoxon's signed-rank test that values lie above `shift`.

    Ranks, as one pair in ten on a busy machine is off by more than all the others together.
    """
    from scipy.stats import wilcoxon  # a second to import

    centred = [value - shift for value in values]
    return float(wilcoxon(centred, alternative="greater", method="exact").pvalue)


def percent(logarithm: float) -> str:
    """Write a logarithm of a ratio as the change that it stands for: +14.8 %."""
    return f"{100 * math.expm1(logarithm):+.1f} %"


def _outcome(pairs: Sequence[Pair], rule: SpeedRule, *, is_sure: bool) -> tuple[Outcome, str]:
    change, threshold, doubt = estimate(pairs), math.log1p(rule.threshold), _doubt(pairs, rule)
    if change - doubt > threshold and is_sure:
        return "worse", ""
    if doubt:
        return "unclear", "the base differs from itself; "
    if change > threshold:
        return "unclear", "the pairs disagree; "
    return ("better" if change < -threshold and max(_changes(pairs)) < 0 else "same"), ""


def _doubt(pairs: Sequence[Pair], rule: SpeedRule) -> float:
    """Return by how much the base differs from itself; 0 below half the threshold."""
    size = abs(_control(pairs))
    return size if size >= math.log1p(rule.threshold / 2) else 0.0


def _control(pairs: Sequence[Pair]) -> float:
    return median([pair.control for pair in pairs])


def _changes(pairs: Sequence[Pair]) -> list[float]:
    return [pair.change for pair in pairs]


def _log_mean(turns: Sequence[float]) -> float:
    return math.log(mean(turns))  # every turn has as many steps
