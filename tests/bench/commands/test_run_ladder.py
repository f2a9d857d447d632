"""A ladder whose store refuses: the rungs that are not in it are not lost."""

from pathlib import Path

import pytest

from bench.commands import run_ladder as ladder_command
from bench.ladder.ladder import Ladder
from bench.sweep.request import Request
from bench.sweep.rescue import Refused
from results import RecordError, RunRecord, RunStore
from tests.results.records_by_hand import make_record


def test_rungs_that_are_not_stored_come_with_the_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rungs = [make_record(seed=seed) for seed in range(3)]
    climbed: list[str] = []

    def climb(ladder: Ladder, *_others: object) -> list[RunRecord]:
        climbed.append(ladder.model)
        return rungs

    class Store(RunStore):
        """Takes one record."""

        def append(self, record: RunRecord, samples: object = None) -> RunRecord:
            """The first alone."""
            if self.read():
                raise RecordError("full")
            assert samples is None
            return super().append(record)

    monkeypatch.setattr(ladder_command, "climb_ladder", climb)
    ladders = [Ladder(model, [], "cpu", {}, Request(), 7, 0.5) for model in ("v0", "v1")]
    recorded: list[RunRecord] = []
    with pytest.raises(Refused, match="full") as refused:
        ladder_command._climb(ladders, Store(tmp_path / "run"), recorded.append)
    assert recorded == rungs[:1]
    assert [result.record for result in refused.value.results] == rungs[1:]
    assert climbed == ["v0"]  # none is begun that could not be kept
