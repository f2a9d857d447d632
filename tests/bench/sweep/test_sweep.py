"""A sweep whose children lie, lose their GPU or their fork server: rows, and it goes on."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import json

from bench import Budget, Plan, RunSpec
from bench.errors import RunError
from bench.run.record import RunResult, make_record
from bench.sweep import sweep
from bench.sweep.child import sendable
from bench.sweep.request import Request
from bench.sweep.sweep import Sweep, checked_progress, checked_record, run_sweep
from bench.workers.messages import MAX_SAMPLES_BYTES, packed_samples
from results import RunRecord, RunStore
from tests.bench.ladder.ladder_by_hand import SPEC
from tests.bench.workers.children_by_hand import plays
from tests.bench.workers.models_by_hand import write_models

ENVIRONMENT = {"device": "none", "device_kind": "cpu", "data_hash": "0"}
V0 = replace(SPEC, model="v0", plan=Plan.parse("threads:1"), budget=Budget(60, "steps"))
MODELS = """
class Tells(Net):
    def meet(self, logits):
        with open(HERE / "pids", "a") as file:
            file.write(f"{os.getpid()} ")
        return self.misbehave() if int(self.seed) == 0 else logits

class LosesGpu(Tells):
    def misbehave(self):
        raise torch.AcceleratorError("CUDA error: device-side assert triggered\\nmore")

class IsOutOfMemory(Tells):
    def misbehave(self):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

class KillsServer(Tells):
    def misbehave(self):
        os.kill(os.getppid(), signal.SIGKILL)
        while True:
            pass
"""


def swept(
    folder: Path,
    spec: RunSpec,
    seeds: Sequence[int] = (0,),
    data: Path | None = None,
    **options: Any,  # noqa: ANN401
) -> list[RunRecord]:
    """The records of a sweep over one configuration."""
    store = RunStore(folder / "run")
    request = Request(data=data, timeout_s=60.0, **options)
    run_sweep(Sweep([spec], seeds, "cpu", ENVIRONMENT, store, request))
    return store.read()


LOST_GPU = "1: crashed: AcceleratorError: CUDA error: device-side assert trigg"


@pytest.mark.parametrize(
    ("name", "first", "later"),  # number of processes so far: how the seed ended
    [
        ("LosesGpu", LOST_GPU, ["2: ok: None", "2: ok: None"]),
        (
            "IsOutOfMemory",
            "1: out_of_memory: CUDA out of memory. Tried to allocate 20 GiB",
            ["1: ok: None"],
        ),
        pytest.param(
            *("KillsServer", "1: crashed: the fork server died", ["2: ok: None"]),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_later_seeds_get_a_fresh_process_where_the_old_one_is_of_no_more_use(
    data_root: Path, tmp_path: Path, name: str, first: str, later: list[str]
) -> None:
    path, seeds = write_models(tmp_path / "models.py", MODELS), range(1 + len(later))
    records = swept(tmp_path, replace(V0, model=f"{path}:{name}"), seeds, data_root)
    assert [record.spec["seed"] for record in records] == list(seeds)
    pids = (tmp_path / "pids").read_text(encoding="utf-8").split()
    found, *rest = [
        f"{len(set(pids[: k + 1]))}: {record.status}: {record.reason}"
        for k, record in enumerate(records)
    ]
    assert found.startswith(first)
    assert rest == later


def test_further_seeds_take_the_plan_that_the_first_ones_were_given() -> None:
    auto = replace(V0, plan=None)
    eager, step = (
        make_record(auto.with_chosen_plan(Plan.parse(plan)), "ok", None, ENVIRONMENT)
        for plan in ("threads:1", "step")
    )
    assert sweep._pinned(auto, {}) == auto
    assert sweep._pinned(auto, {0: eager}) == auto.with_chosen_plan(Plan.parse("threads:1"))
    assert sweep._pinned(auto, {0: eager, 1: step}) == auto  # they do not agree
    assert sweep._pinned(V0, {0: step}) == V0


def test_a_gpu_that_is_gone_for_good_is_a_row_for_every_seed(tmp_path: Path) -> None:
    store, told = RunStore(tmp_path), list[RunRecord]()
    run_sweep(Sweep([V0], range(3), "cuda:99", ENVIRONMENT, store, Request(), done=told.append))
    assert told == store.read()
    assert [record.status for record in told] == ["crashed"] * 3
    assert all(str(record.reason).startswith("no device cuda:99") for record in told)


def frame(kind: str, content: object) -> bytes:
    return json.encode({"kind": kind, "content": content})


def line(**changes: Any) -> str:  # noqa: ANN401
    """What a child would send of seed 0, but for some fields."""
    record = make_record(V0, "ok", None, environment=ENVIRONMENT)
    return json.encode(json.decode(record.to_json_line()) | changes).decode()


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([frame("progress", 3)], "the child sent progress that is none"),
        ([frame("verdict", "x" * 99)], "the child sent a message that nobody expects: 'verdict'"),
        ([frame("farewell", None)], "the child sent a message that nobody expects: 'farewell'"),
        ([frame("refusal", "the data\nare gone")], "the data are gone"),
        (
            [frame("record", line(spec=V0.as_plain() | {"model": "v7"})), packed_samples({})],
            "the child sent the record of another run",
        ),
    ],
)
def test_messages_that_make_no_sense_are_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: list[bytes], reason: str
) -> None:
    monkeypatch.setattr(sweep, "run_seeds", partial(plays, tuple(frames)))
    (record,) = swept(tmp_path, V0)
    assert (record.spec["model"], record.status, record.reason) == ("v0", "crashed", reason)


@pytest.mark.parametrize("content", [["train", 0.5, "fast"], ["train", None, ""], ["train", 1, ""]])
def test_progress_is_a_text_a_share_and_a_note(content: object) -> None:
    assert list(checked_progress(content)) == content


@pytest.mark.parametrize("share", [10**400, float("nan"), -1])
def test_progress_steers_no_terminal_and_is_a_share(share: float) -> None:
    label, fraction, note = checked_progress(["\x1b[2Jtrain", share, "a\nb\x07"])
    assert (label, note) == ("train", r"a b\u0007")
    assert fraction in {0.0, 1.0}


@pytest.mark.parametrize(
    "content",
    [
        *(None, [], "train", {}, ["train", 0.5], ["train", "half", ""], [["train"], 0.5, ""]),
        *(["train", 0.5, 7], ["x" * 10_000, 0.5, ""], ["train", 0.5, "x" * 10_000]),
        *({"label": "train"}, ["train", [0.5], ""], "abc"),
    ],
)
def test_progress_that_is_none_is_refused(content: object) -> None:
    with pytest.raises(RunError, match="progress that is none"):
        checked_progress(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"config_id": "0" * 12},
        {"spec": V0.as_plain() | {"seed": 1}},
        {"spec": V0.as_plain() | {"seed": False}},
        {"spec": V0.as_plain() | {"plan": "resident,contiguous,eager,single,threads:2"}},
        {"spec": V0.as_plain() | {"budget": "70steps"}},
        {"status": "well"},
        {"record_id": "../../../passwd"},
        {"tried": ["x" * 5000]},
    ],
)
def test_records_that_cannot_be_trusted(changes: dict[str, Any]) -> None:
    assert checked_record(line(), V0, {0}).config_id == V0.config_id
    with pytest.raises(RunError) as caught:
        checked_record(line(**changes), V0, {0})
    assert (caught.value.status, "\n" in caught.value.reason) == ("crashed", False)


def test_a_record_too_deep_to_be_written_is_refused_before() -> None:
    deep = line().replace('"conditions":{}', f'"conditions":{{"x":{"[" * 2_000}{"]" * 2_000}}}')
    with pytest.raises(RunError, match="the child sent no record"):
        checked_record(deep, V0, {0})


def test_auto_may_come_to_any_plan_that_there_is() -> None:
    auto = replace(V0, plan=None)
    chosen = auto.with_chosen_plan(Plan.parse("step:5"))
    sent = line(spec=chosen.as_plain(), config_id=auto.config_id)
    assert checked_record(sent, auto, {0}).spec["plan"] == str(chosen.plan)
    with pytest.raises(RunError):
        checked_record(sent.replace("step:5", "warp:5"), auto, {0})


def test_no_samples_are_taken_on_the_childs_word() -> None:
    forged = line(samples={"file": "/etc/passwd", "sha256": "0" * 64})
    with pytest.raises(RunError, match=r"no record: .*samples.file is '/etc/passwd'"):
        checked_record(forged, V0, {0})
    named = line(record_id="0" * 16, samples={"file": f"samples/{'0' * 16}.npz", "sha256": ""})
    assert checked_record(named, V0, {0}).samples is None


def test_samples_that_are_too_many_are_left_out_and_named() -> None:
    result = RunResult(make_record(V0, "ok", None, environment={}), {"loss": np.zeros(3)})
    assert sendable(result) is result
    many = np.broadcast_to(np.zeros(1), (MAX_SAMPLES_BYTES // 8,))
    left = sendable(replace(result, samples={"loss": many}))
    assert left.samples == {}
    assert left.record.missing["samples"].startswith("left out: 0.5 GB")
