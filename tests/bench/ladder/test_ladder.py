"""The parent of a ladder against children that play their part: order, failures, interruption."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import RunError
from bench.ladder import climber, ladder
from bench.ladder.ladder import Ladder, climb_ladder, is_complete
from bench.ladder.rungs import Rung, RungSpec
from bench.sweep.request import Request
from bench.workers.interruption import Interruption
from bench.workers.messages import TimeLimit
from results import RunRecord, RunStore
from tests.bench.ladder.ladder_by_hand import PLAYED, SPEC, TURN_IMAGES, play
from tests.command_line import wait_for


def silent(_what: str, _share: float) -> None:
    """Told of progress, and shows none."""


ENVIRONMENT = {"device": "none", "device_kind": "cpu", "data_hash": "0"}


@pytest.fixture(autouse=True)
def _players(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(climber, "climb", play)


def make_ladder(folder: Path, *names: str) -> Ladder:
    rungs = [
        RungSpec.settle(replace(SPEC, model=name), Rung(f"{index}", *how, ""), index)
        for index, name in enumerate(names)
        for how in [("step", "fp16") if name == "cannot be" else ("resident", "fp32")]
    ]
    return Ladder("v2", rungs, "cpu", ENVIRONMENT, Request(data=folder, timeout_s=60.0), 3, 0.1)


def outcomes(records: Sequence[RunRecord]) -> list[tuple[str, int]]:
    """Status and number of turns of each rung."""
    turns = [record.measurements.get("throughput") for record in records]
    return [(r.status, len(t.values) if t else 0) for r, t in zip(records, turns, strict=True)]


def played(folder: Path) -> list[str]:
    return (folder / PLAYED).read_text(encoding="utf-8").splitlines()


def test_turns_go_forward_and_backward_and_every_rung_is_recorded(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    asked = make_ladder(tmp_path, "a", "b", "c")
    records = climb_ladder(asked, Interruption(), lambda *what: told.append(what))
    assert played(tmp_path) == ["1 a", "1 b", "1 c", "2 c", "2 b", "2 a", "3 a", "3 b", "3 c"]
    assert outcomes(records) == [("ok", 3)] * 3
    names, shares = zip(*told, strict=True)
    rounds = [f"round {number} of 3" for number in (1, 2, 3)]
    assert [*names] == ["0 · warm-up", "1 · warm-up", "2 · warm-up", *rounds]
    assert [*shares] == pytest.approx([0, 0.8 / 3, 1.6 / 3, 0.8, 2.6 / 3, 2.8 / 3])
    first = records[0]
    # "odd", a child's own invention, is not among them
    assert {name: found.values for name, found in first.measurements.items()} == {
        "throughput": (TURN_IMAGES / 0.5,) * 3,
        "turn_seconds": (0.5,) * 3,
        "turn_images": (TURN_IMAGES,) * 3,
        "compile_time": (2.5,),
    }
    assert first.spec["requested_plan"] == "ladder"
    assert len({record.provenance["ladder"] for record in records}) == 1
    assert len({record.config_id for record in records}) == 3


def test_a_rung_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    ended: dict[str, tuple[str, int, str | None]] = {
        "a": ("ok", 3, None),
        "cannot be": ("unsupported", 0, None),
        "fails at once": ("out_of_memory", 0, "no more"),
        "is not ready": ("crashed", 0, "the child said nothing sensible when it was ready"),
        "diverges in 2": ("diverged", 1, "the loss became nan"),
        "dies in 3": ("crashed", 2, "the process exited with code 3"),
        "lies in 1": ("crashed", 0, "the child said nothing sensible after a turn"),
        "babbles in 2": ("crashed", 1, "the child sent a message that nobody expects: 'babble'"),
        "b": ("ok", 3, None),
    }
    records = climb_ladder(make_ladder(tmp_path, *ended), Interruption(), silent)
    reasons = [record.reason for record in records]
    assert "plan step has no place" in str(reasons[1])
    reasons[1] = None
    found = [(*outcome, reason) for outcome, reason in zip(outcomes(records), reasons, strict=True)]
    assert dict(zip(ended, found, strict=True)) == ended


def test_a_number_that_no_float_holds_is_not_sensible() -> None:
    ready = {"plan": "eager", "measured": {"compile_time": 10**400}, "conditions": {}}
    with pytest.raises(RunError, match="when it was ready"):
        climber.checked_ready(ready)
    with pytest.raises(RunError, match="after a turn"):
        climber.checked_turn({"seconds": 10**400, "images": 1})


def test_kernels_of_a_gpu_are_counted_when_all_turns_are_over(tmp_path: Path) -> None:
    asked = make_ladder(tmp_path, "a", "fails to count", "sees nothing", "dies in 1")
    on_gpu = replace(asked, environment=ENVIRONMENT | {"device_kind": "cuda"})
    records = climb_ladder(on_gpu, Interruption(), silent)
    assert outcomes(records) == [("ok", 3)] * 3 + [("crashed", 0)]
    assert played(tmp_path)[-3:] == ["counts a", "counts fails to count", "counts sees nothing"]
    kernels = [(r.value("kernels_per_step"), r.missing.get("kernels_per_step")) for r in records]
    assert kernels == [
        (12.0, None),
        (None, "it failed at the count: CUPTI is gone"),
        (None, "torch's profiler saw none"),
        (None, None),
    ]
    assert [record.value("compile_time") for record in records[:3]] == [2.5] * 3


def test_a_rung_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def has_hung(_limit: TimeLimit) -> bool:
        """Time is up once it hangs, however long the others take on a busy machine."""
        try:
            (tmp_path / "hangs").unlink()
        except FileNotFoundError:
            return False
        return True

    monkeypatch.setattr(TimeLimit, "is_over", has_hung)
    records = climb_ladder(make_ladder(tmp_path, "a", "hangs in 2"), Interruption(), silent)
    assert outcomes(records) == [("ok", 3), ("timeout", 1)]
    assert records[1].reason == "no result within 60 s"


def test_a_rung_has_no_more_memory_than_its_limit(tmp_path: Path) -> None:
    greedy = make_ladder(tmp_path, "a", "is greedy")
    asked = replace(greedy, request=replace(greedy.request, max_memory_gb=2.0))
    records = climb_ladder(asked, Interruption(), silent)
    assert outcomes(records) == [("ok", 3), ("out_of_memory", 0)]
    assert str(records[1].reason).startswith("its memory was limited to 2 GB (--max-memory-gb)")


def interrupted(folder: Path, *, count: int, goes_on: bool) -> list[RunRecord]:
    """A ladder that is interrupted while its second rung takes its second turn."""
    interruption = Interruption()

    def interrupt() -> None:
        assert wait_for((folder / "waiting").exists)
        interruption.count = count
        if goes_on:
            (folder / "go").touch()

    thread = threading.Thread(target=interrupt)
    thread.start()
    records = climb_ladder(make_ladder(folder, "a", "waits in 2", "c"), interruption, silent)
    thread.join()
    return records


def test_ctrl_c_ends_after_the_present_round(tmp_path: Path) -> None:
    records = interrupted(tmp_path, count=1, goes_on=True)
    assert outcomes(records) == [("interrupted", 2)] * 3
    assert records[0].reason == "stopped on request after 2 of 3 turns"


def test_ctrl_c_twice_ends_now(tmp_path: Path) -> None:
    records = interrupted(tmp_path, count=2, goes_on=False)
    assert outcomes(records) == [("interrupted", 1), ("interrupted", 1), ("interrupted", 2)]


def test_an_interruption_before_the_first_turn_leaves_nothing(tmp_path: Path) -> None:
    assert climb_ladder(make_ladder(tmp_path, "a"), Interruption(count=1), silent) == []


def test_only_a_ladder_with_an_answer_for_every_rung_is_complete(tmp_path: Path) -> None:
    asked = make_ladder(tmp_path, "a", "fails at once", "dies in 3")
    store = RunStore(tmp_path / "run")
    for record in climb_ladder(asked, Interruption(), silent):
        store.append(record)
    assert is_complete(store, asked.rungs[:2])
    assert not is_complete(store, asked.rungs)
    assert not is_complete(RunStore(tmp_path / "none"), asked.rungs)


def test_the_constants_are_those_of_the_documents() -> None:
    assert (ladder.ROUNDS, ladder.TURN_S) == (7, 0.5)
