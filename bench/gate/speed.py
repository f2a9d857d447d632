"""The speed of both commits: a round of fresh pairs, and one more of what it shows as slower."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.gate.process import WorkerError
from results.gate.pairs import Pair, SpeedRule, percent, unsettled

Take = Callable[[Sequence[str], int], tuple[dict[str, Pair], dict[str, WorkerError]]]
"""Gives what fresh workers took in turns of some models, as the pair of this number."""
Pairs = dict[str, list[Pair]]
"""Pairs by model."""


@dataclass
class Speed:
    """Pairs of the first round and of the one that confirms; models that failed are in neither."""

    first: Pairs = field(default_factory=dict)
    second: Pairs = field(default_factory=dict)
    failures: dict[str, WorkerError] = field(default_factory=dict)


def measure_speed(
    take: Take, models: Sequence[str], rule: SpeedRule, say: Callable[[str], None]
) -> Speed:
    """Takes as many pairs as the rule wants, and as many again of the models it doubts.

    Raises:
        WorkerError: a commit's workers cannot start.
    """
    speed, count = Speed(), rule.num_pairs(len(models))
    speed.first = _round(take, models, range(count), speed.failures, say)
    if doubted := unsettled(speed.first, rule):
        say(f"measuring again, to be sure: {', '.join(doubted)}")
        speed.second = _round(take, doubted, range(count, 2 * count), speed.failures, say)
    for model in speed.failures:
        speed.first.pop(model, None)
    return speed


def _round(
    take: Take,
    models: Sequence[str],
    numbers: range,
    failures: dict[str, WorkerError],
    say: Callable[[str], None],
) -> Pairs:
    found: Pairs = {model: [] for model in models}
    for number in numbers:
        pairs, failed = take([*found], number)
        for model, pair in pairs.items():
            found[model].append(pair)
        for model, error in failed.items():
            failures[model] = error
            del found[model]
        say(f"pair {number - numbers.start + 1} of {len(numbers)}: {_changes(pairs)}")
    return found


def _changes(pairs: Mapping[str, Pair]) -> str:
    return ", ".join(f"{model} {percent(pair.change)}" for model, pair in pairs.items())
