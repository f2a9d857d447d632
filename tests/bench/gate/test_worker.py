"""A commit's side of a gate: the questions that it answers."""

import hashlib
import inspect
import threading
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

import fmnist_models
from bench.counts import count as counting
from bench.counts.baseline import EPOCHS, FILE, Baseline, stack_of
from bench.errors import RunError, UsageError
from bench.gate.process import PROTOCOL
from bench.gate.worker import FAILURE, Worker, serve
from bench.workers import messages
from fmnist_models import ModelError
from tests.command_line import REPOSITORY

Asker = Callable[..., tuple[str, Any]]


class Tiny(Worker):
    """Answers questions that cost nothing."""

    def double(self, number: int) -> int:
        """Twice the number."""
        return 2 * number

    def refuse(self) -> None:
        """Refuses."""
        raise UsageError("unknown model 'v9'")

    def fail(self) -> None:
        """Fails as a training does."""
        raise RunError("diverged", "the loss became nan at step 3")

    def crash(self) -> None:
        """Fails as code does."""
        raise ZeroDivisionError("no way\nand more")

    def _secret(self) -> str:
        return "secret"


@pytest.fixture
def ask() -> Iterator[Asker]:
    """Asks a worker at the other end of a pipe; it ends with the pipe."""
    ours, theirs = Pipe()
    thread = threading.Thread(target=serve, args=(theirs, Tiny()), daemon=True)
    thread.start()

    def ask(question: str, content: Any = None) -> tuple[str, Any]:  # noqa: ANN401
        messages.send(ours, question, {} if content is None else content)
        assert ours.poll(60)
        return messages.receive(ours)

    yield ask
    ours.close()
    thread.join(30)
    assert not thread.is_alive()
    theirs.close()


def test_questions_are_answered_one_after_the_other_whatever_becomes_of_one(ask: Asker) -> None:
    assert ask("double", {"number": 4}) == (messages.ANSWER, 8)
    assert ask("drop", {"model": "v2"}) == (messages.ANSWER, None)
    assert ask("refuse") == (messages.REFUSAL, "unknown model 'v9'")
    diverged = {"status": "diverged", "reason": "the loss became nan at step 3"}
    assert ask("fail") == (FAILURE, diverged)
    kind, crashed = ask("crash")
    assert (kind, crashed["status"]) == (FAILURE, "crashed")
    assert crashed["reason"].startswith(f"ZeroDivisionError: no way ({Path(__file__).name}:")
    assert ask("double", {"number": 5}) == (messages.ANSWER, 10)


@pytest.mark.parametrize(
    "question", ["nothing", "", "_secret", "__init__", "__class__", "ready", "__dict__"]
)
def test_only_public_methods_are_questions(ask: Asker, question: str) -> None:
    kind, line = ask(question)
    assert kind == messages.REFUSAL
    assert line.startswith(f"unknown question {question!r}; choose from count, count_epochs, ")
    assert "_secret" not in line.partition(";")[2]


@pytest.mark.parametrize("content", [{"wrong": 1}, {}, [1], 5])
def test_arguments_that_do_not_fit_are_a_failure(ask: Asker, content: Any) -> None:  # noqa: ANN401
    kind, failure = ask("double", content)
    assert (kind, failure["status"]) == (FAILURE, "crashed")
    assert failure["reason"].startswith("TypeError: ")


def test_it_introduces_itself() -> None:
    assert Worker().introduce() == {"protocol": PROTOCOL, "root": str(REPOSITORY)}


def test_it_resolves_models_plans_and_what_counts_hold_for() -> None:
    answer = Worker().resolve("v0,v2", "cpu", ["batch_size=64"], None)
    assert [*answer["plans"]] == ["v0", "v2"]
    assert all("eager" in plan and "threads:1" in plan for plan in answer["plans"].values())
    assert "channels_last" in answer["plans"]["v2"]
    assert (answer["device"], answer["stack"]) == ("cpu", stack_of("cpu"))
    assert Worker().resolve("v2", "cpu", [], "compile")["plans"] == {"v2": "compile"}


@pytest.mark.parametrize(
    ("models", "settings", "plan", "named"),
    [
        ("v9", [], None, "v9"),
        ("v2", ["wonders=1"], None, "wonders"),
        ("v2", ["batch_size=x"], None, "batch_size"),
        *(("v0", [], plan, plan[:5]) for plan in ("nonsense", "auto", "graph:8", "threads:0")),
    ],
)
def test_it_refuses_at_once_what_cannot_be(
    models: str, settings: list[str], plan: str | None, named: str
) -> None:
    with pytest.raises((UsageError, ModelError), match=named) as caught:
        Worker().resolve(models, "cpu", settings, plan)
    assert "\n" not in str(caught.value)


def test_its_rows_are_named_as_those_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "count_net", lambda *_: {"flops": 1})
    monkeypatch.setattr(counting, "count_graphs", lambda *_: {"graphs": 2})
    monkeypatch.setattr(counting, "count_epoch", lambda **_: {"steps": 3})
    assert Worker().count("v2", "cpu") == {"v2": {"flops": 1}, "v2, plan compile": {"graphs": 2}}
    assert Worker().count_epochs("cpu") == {row: {"steps": 3} for row in EPOCHS}
    baseline = Baseline.read(REPOSITORY / FILE)
    named = {row for rows in (baseline.portable, *baseline.stacks.values()) for row in rows}
    assert {"v2", "v2, plan compile", *EPOCHS} <= named


def test_the_protocol_is_raised_where_a_question_or_an_answer_changes() -> None:
    methods = {n: m for n, m in vars(Worker).items() if n[0] != "_" and inspect.isfunction(m)}
    text = "\n".join(f"{name}{inspect.signature(m)}" for name, m in sorted(methods.items()))
    frozen = {2: "03e4ba9ec9a4"}
    assert frozen == {PROTOCOL: hashlib.sha256(text.encode()).hexdigest()[:12]}, text


def test_a_model_that_cannot_be_built_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fmnist_models, "build_model", Mock(side_effect=RuntimeError("ill")))
    assert [*Worker().resolve("v0,v2", "cpu", [], None)["plans"]] == ["v0", "v2"]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)])
def test_a_model_that_is_ready_takes_turns_of_so_many_steps(device: str) -> None:
    worker = Worker()
    plan = worker.resolve("v0", device, None, None)["plans"]["v0"]
    ready = worker.prepare("v0", plan, device, ["batch_size=32"], turn_s=0.02)
    assert ready["steps"] == pytest.approx(0.02 / ready["step_s"], rel=0.1, abs=1)
    before = torch.get_num_threads(), [*worker.ready]
    step_s = worker.turn("v0", 7)
    assert worker.ready["v0"].trace.steps == 7
    assert 1e-5 < step_s < 1.0
    assert (torch.get_num_threads(), [*worker.ready]) == before
    worker.drop("v0")
    assert not worker.ready
