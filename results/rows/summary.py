"""One configuration over its seeds: what its runs say together."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import msgspec

from results.errors import ResultsError
from results.records.record import RunRecord
from results.statistics import mean, t_interval
from results.text import distinct

GroupBy = Literal["model", "commit", "plan"]
# Facts of the model, true of a run that failed as well.
STATIC_QUANTITIES = ("num_params", "num_trainable_params", "flops_per_image")
NUM_TEST_IMAGES = 10_000  # where no confusion matrix says otherwise


@dataclass(frozen=True)  # no slots: what takes a pass over the records is worked out once
class Summary:
    """The runs of one configuration in one environment; every statistic is derived from them.

    The seed is the statistical unit: runs of the same seed are averaged before anything else.
    """

    records: tuple[RunRecord, ...]  # at least one, all of one configuration
    by: GroupBy = "model"  # what rows are told apart by

    @property
    def spec(self) -> dict[str, Any]:
        """The specification that all runs share, but for the seed and a probed plan."""
        return self.records[0].spec

    @property
    def environment(self) -> dict[str, Any]:
        """The environment that all runs share."""
        return self.records[0].environment

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.spec["model"])

    @cached_property
    def plans(self) -> tuple[str, ...]:
        """The resolved plans: one, but where `auto` chose several."""
        return tuple(distinct(str(record.spec["plan"]) for record in self.records))

    @cached_property
    def commits(self) -> tuple[str, ...]:
        """The commits that made the runs, a dirty one marked with +."""
        if self.by == "commit":
            return (commit_of(self.records[0]),)
        return tuple(distinct(map(commit_of, self.records)))

    @cached_property
    def finished(self) -> tuple[RunRecord, ...]:
        """The runs that ended well."""
        return tuple(record for record in self.records if record.status == "ok")

    @cached_property
    def failed(self) -> tuple[RunRecord, ...]:
        """The last run of each seed that never ended well; a seed run again counts once."""
        if len(self.finished) == len(self.records):
            return ()
        done = {record.spec["seed"] for record in self.finished}
        last = {record.spec["seed"]: record for record in self.records}
        return tuple(record for seed, record in last.items() if seed not in done)

    @property
    def n_seeds(self) -> int:
        """Seeds with numbers: the n of the means and intervals."""
        return len({record.spec["seed"] for record in self.finished})

    @property
    def n_failed(self) -> int:
        """Seeds that failed."""
        return len(self.failed)

    @property
    def status(self) -> str:
        """Ok if any seed is ok, otherwise the most frequent failure."""
        return "ok" if self.finished else self._worst().status

    @property
    def reason(self) -> str | None:
        """Why runs failed, or None where none did."""
        if not self.failed:
            return None
        worst = self._worst()
        if not self.finished:
            return worst.reason
        share = f"{self.n_failed} of {len(self.finished) + self.n_failed} runs failed"
        return f"{share}: {worst.status}" + (f": {worst.reason}" if worst.reason else "")

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """The flags of all runs, and what only the group shows: mixed_commits, mixed_plans."""
        mixed = ["mixed_commits"] if len(self.commits) > 1 else []
        mixed += ["mixed_plans"] if len(self.plans) > 1 else []
        return tuple(dict.fromkeys([*(f for record in self.records for f in record.flags), *mixed]))

    @cached_property
    def num_images(self) -> int | None:
        """Images of the final pass, or None where neither record nor split tells their number."""
        # Of one configuration on one data set, whoever tells speaks for all.
        confusion = next((run.confusion for run in self.finished if run.confusion), [])
        total = sum(map(sum, confusion))
        if not total and self.spec["evaluation_split"] == "test":
            return NUM_TEST_IMAGES
        return total or None

    @property
    def record_ids(self) -> tuple[str, ...]:
        """The records behind every number."""
        return tuple(record.record_id for record in self.records)

    def values(self, quantity: str) -> tuple[float, ...]:
        """A quantity's value for each seed that has it, in its base unit."""
        columns = self._of_all if quantity in STATIC_QUANTITIES else self._of_finished
        return columns.get(quantity, ())

    def mean(self, quantity: str) -> float | None:
        """The mean over the seeds in the base unit, or None where it is unknown."""
        values = self.values(quantity)
        return mean(values) if values else None

    def maximum(self, quantity: str) -> float | None:
        """The largest value of any seed in the base unit, or None where it is unknown."""
        return max(self.values(quantity), default=None)

    def rates(self) -> tuple[float, ...]:
        """Images a second of each seed, from totals as far as these are known."""
        images, seconds = self.values("images_seen"), self.values("train_time")
        if images and len(images) == len(seconds) and all(seconds):
            return tuple([count / time for count, time in zip(images, seconds, strict=True)])
        return self.values("throughput")

    def interval(self, quantity: str) -> tuple[float, float] | None:
        """The 95 % interval of the mean over the seeds, or None for fewer than two."""
        return t_interval(self.values(quantity))

    @cached_property
    def _of_finished(self) -> dict[str, tuple[float, ...]]:
        return _by_quantity(self.finished)

    @cached_property
    def _of_all(self) -> dict[str, tuple[float, ...]]:
        is_same = len(self.finished) == len(self.records)
        return self._of_finished if is_same else _by_quantity(self.records)

    def _worst(self) -> RunRecord:
        (status, _), *_ = Counter(record.status for record in self.failed).most_common()
        return next(record for record in self.failed if record.status == status)


def summarize(records: Iterable[RunRecord], by: GroupBy = "model") -> list[Summary]:
    """Group records by configuration, in the order in which each first came.

    Failed runs are counted too, never dropped. Different environments never share a group; `by`
    commit also tells commits apart, `by` plan what `auto` chose.

    Raises:
        ResultsError: `by` is none of these.
    """
    if by not in get_args(GroupBy):
        raise ResultsError(f"cannot group by {by!r}; choose from {', '.join(get_args(GroupBy))}")
    groups: dict[tuple[bytes, str], list[RunRecord]] = {}
    for record in records:
        key = _configuration(record, by), commit_of(record) if by == "commit" else ""
        groups.setdefault(key, []).append(record)
    return [Summary(tuple(group), by) for group in groups.values()]


def commit_of(record: RunRecord) -> str:
    """The first 10 digits of the commit that made a record, with + where the tree was dirty."""
    commit = str(record.provenance.get("commit") or "unknown")[:10]
    return f"{commit}+" if record.provenance.get("dirty") else commit


def _by_quantity(runs: Iterable[RunRecord]) -> dict[str, tuple[float, ...]]:
    """What each seed measured of each quantity; the seeds in the order in which they first came."""
    by_seed: dict[int, list[RunRecord]] = {}
    for run in runs:
        by_seed.setdefault(run.spec["seed"], []).append(run)
    columns: dict[str, dict[int, list[float]]] = {}
    for seed, its_runs in by_seed.items():
        for measurement in (m for run in its_runs for m in run.measurements.values()):
            of_seed = columns.setdefault(measurement.quantity, {})
            of_seed.setdefault(seed, []).append(measurement.mean())
    return {name: tuple(map(mean, of_seed.values())) for name, of_seed in columns.items()}


def _configuration(record: RunRecord, by: GroupBy) -> bytes:
    parts = [record.config_id, record.environment, record.spec["model"]]
    parts += [record.spec["plan"]] if by == "plan" else []
    return msgspec.json.encode(parts, order="sorted")
