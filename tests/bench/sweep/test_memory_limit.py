"""What counts towards `--max-memory-gb` before a model is there."""

from contextlib import nullcontext
from multiprocessing.connection import Connection
from typing import Any, cast

import pytest
import torch

from bench.machine import device
from bench.sweep import child
from bench.sweep.child import CheckJob, check_request


@pytest.mark.parametrize(("kind", "opened"), [("cuda:0", ["init", "wait"]), ("cpu", [])])
def test_the_limit_is_held_against_a_child_that_has_its_gpu(
    kind: str, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def note(what: str, answer: Any = None) -> Any:  # noqa: ANN401
        def noted(*_: object) -> Any:  # noqa: ANN401
            order.append(what)
            return answer

        return noted

    monkeypatch.setattr(device, "pick_device", torch.device)
    monkeypatch.setattr(torch.cuda, "init", note("init"))
    monkeypatch.setattr(torch.cuda, "synchronize", note("wait"))
    monkeypatch.setattr(child, "memory_in_use", note("in use", 10**9))
    monkeypatch.setattr(child, "limit_memory", note("limit"))
    monkeypatch.setattr(child, "check", note("check", {}))
    monkeypatch.setattr("bench.sweep.child.messages.send", note("answer"))
    monkeypatch.setattr(child, "as_child", nullcontext)  # which ends its process with the pipe
    job = CheckJob(kind, "", max_memory_bytes=2 * 10**9)
    check_request(cast("Connection", None), job)
    assert order == [*opened, "in use", "limit", "check", "answer"]
