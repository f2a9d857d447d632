"""`--plan auto`: which plans are tried, how long, and which is taken for a budget."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from torch import nn

from bench import Budget, Plan
from bench.plans import candidates
from bench.plans.candidates import compiled_plans, expected_compile_s, hope, uncompiled_plans
from bench.plans.probe import CAP_S, ROUNDS, Compilation, PlanCandidate, Probe, probe_seconds
from tests.bench.train.training_by_hand import FakeClock, small_net

PLANS = (Plan(), Plan(memory_format="channels_last"), Plan(threads=1))
STEP = Plan(mode="step", threads=1)
NEVER = 1e9
KNOWN = [PlanCandidate(Plan(), [0.1]), PlanCandidate(STEP, [0.01], compile_s=1.0)]


class SpeechlessError(RuntimeError):
    """Cannot be told."""

    def __str__(self) -> str:
        raise ValueError


@dataclass
class Machine:
    """Plans whose steps and compilations take those seconds; all others raise the error."""

    costs: dict[Plan, float]
    compile_s: float = 10.0
    steps: float = 100.0
    error: Exception = field(default_factory=lambda: RuntimeError("it broke\nand more"))
    clock: FakeClock = field(default_factory=FakeClock)
    order: list[Plan] = field(default_factory=list)

    def time_steps(self, plan: Plan) -> list[float]:
        """Two steps; only the first of all is the best."""
        cost = self._cost_of(plan)
        self.clock.work(2 * cost)
        return [cost, cost + self.order.count(plan)]

    def compile(self, plan: Plan) -> Compilation:
        """Takes its time."""
        self._cost_of(plan)
        self.clock.work(self.compile_s)
        return Compilation(self.compile_s, is_cold=True)

    def _cost_of(self, plan: Plan) -> float:
        self.order.append(plan)
        if plan not in self.costs:
            raise self.error
        return self.costs[plan]

    def choose(
        self,
        plans: Sequence[Plan] = PLANS,
        compiled: Sequence[Plan] = (),
        cap_s: float = NEVER,
        known: Sequence[PlanCandidate] = (),
        expected_s: float = 1.0,
        refused: Sequence[Plan] = (),
    ) -> tuple[Plan, list[PlanCandidate]]:
        """The answer of a probe on this machine."""
        probe = Probe(
            self.time_steps,
            self.compile,
            expected_s,
            lambda _step_s: self.steps,
            0.5,
            self.clock.now,
            lambda plan: f"no place for {plan.mode}; use another" if plan in refused else None,
        )
        kept = {candidate.plan: candidate for candidate in known}
        return probe.choose(plans, lambda _best: compiled, cap_s, kept)


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_fastest_is_taken_and_all_are_told(best: int) -> None:
    machine = Machine({plan: 1.0 if k == best else 2.0 for k, plan in enumerate(PLANS)})
    plan, tried = machine.choose()
    assert plan == PLANS[best]
    assert [candidate.best_s for candidate in tried] == list(machine.costs.values())
    assert [len(candidate.step_seconds) for candidate in tried] == [2 * ROUNDS] * 3
    assert machine.order == [*PLANS] * ROUNDS  # interleaved: a slow minute hits all alike


@pytest.mark.parametrize(("cap_s", "rounds"), [(0.0, 1), (5.9, 1), (6.1, 2), (13.0, 3)])
def test_no_round_begins_after_the_cap_and_the_first_is_whole(cap_s: float, rounds: int) -> None:
    machine = Machine(dict.fromkeys(PLANS, 1.0))  # 6 s a round
    machine.choose(cap_s=cap_s)
    assert len(machine.order) == 3 * rounds


@pytest.mark.parametrize(
    ("steps", "compile_s", "is_taken"), [(100, 4.0, True), (100, 6.0, False), (200, 6.0, True)]
)
def test_a_compiled_plan_must_earn_its_compilation(
    steps: float, compile_s: float, is_taken: bool
) -> None:
    # 0.1 s a step against 0.05 s: half of the training is saved
    machine = Machine({Plan(): 0.1, STEP: 0.05}, compile_s, steps)
    plan, tried = machine.choose([Plan()], [STEP])
    assert (plan == STEP) == is_taken
    assert tried[-1].compile_s == compile_s


@pytest.mark.parametrize(
    ("step_s", "steps", "expected_s", "told"),
    [
        # it could save half of one second
        (0.1, 10.0, 0.6, "not tried: compiling takes about 1 s, training 1.0 s"),
        # no probe may take so long
        (1.0, 1e6, CAP_S + 1, "not tried: compiling takes about 16 s, training 1000000.0 s"),
    ],
)
def test_what_cannot_pay_or_takes_too_long_is_not_compiled_and_says_so(
    step_s: float, steps: float, expected_s: float, told: str
) -> None:
    machine = Machine({Plan(): step_s, STEP: 0.001}, steps=steps)
    plan, tried = machine.choose([Plan()], [STEP], expected_s=expected_s)
    assert plan == Plan()
    assert STEP not in machine.order
    assert tried[-1].as_plain()["error"] == told


@pytest.mark.parametrize(("plans", "compiled"), [([Plan()], [STEP]), ([STEP, Plan()], [])])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("no compiler\nfor it"), "RuntimeError: no compiler"),
        (SpeechlessError(), "SpeechlessError:"),
    ],
)
def test_a_plan_that_fails_falls_out_and_says_why(
    plans: list[Plan], compiled: list[Plan], error: Exception, told: str
) -> None:
    machine = Machine({Plan(): 0.1}, error=error)
    plan, tried = machine.choose(plans, compiled)
    assert plan == Plan()
    assert machine.order.count(STEP) == 1
    failed = next(candidate for candidate in tried if candidate.plan == STEP)
    assert failed.as_plain() == {"plan": str(STEP), "error": told}


def test_where_every_plan_fails_the_run_does() -> None:
    with pytest.raises(RuntimeError, match="it broke"):
        Machine({}).choose(PLANS)


def test_plans_that_the_recipe_has_no_place_for_are_not_tried_and_say_why() -> None:
    machine = Machine(dict.fromkeys(PLANS, 0.1), steps=1e6)
    plan, tried = machine.choose(PLANS, [STEP], refused=[PLANS[1], STEP])
    assert plan in {PLANS[0], PLANS[2]}
    assert set(machine.order) == {PLANS[0], PLANS[2]}
    assert [candidate.plan for candidate in tried] == [*PLANS, STEP]
    assert [candidate.error for candidate in tried] == [
        None,
        "not tried: no place for eager",
        None,
        "not tried: no place for step",
    ]


def test_what_is_refused_is_not_taken_from_an_earlier_run() -> None:
    machine = Machine({})
    plan, tried = machine.choose([Plan()], [STEP], known=KNOWN, refused=[STEP])
    assert (plan, machine.order) == (Plan(), [])
    assert tried[0] == KNOWN[0]


def test_what_is_known_is_not_timed_again() -> None:
    machine = Machine({})
    plan, tried = machine.choose([Plan()], [STEP], known=KNOWN)
    assert (plan, tried, machine.order) == (STEP, KNOWN, [])


def test_code_that_was_compiled_cold_is_tried_again_at_a_quarter() -> None:
    machine = Machine({STEP: 0.01}, compile_s=1.5)
    cold = PlanCandidate(STEP, [0.01], compile_s=16.0, is_cold=True)
    known = [PlanCandidate(Plan(), [0.1]), cold]
    plan, tried = machine.choose([Plan()], [STEP], known=known)
    assert plan == STEP
    assert tried[-1].compile_s == 1.5
    machine = Machine({STEP: 0.01}, compile_s=1.5)
    known[1].compile_s = 24.0  # a quarter is more than half of the training
    assert machine.choose([Plan()], [STEP], known=known)[0] == Plan()
    assert machine.order == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 1.0), ("30s", 3.0), ("1e6s", CAP_S), ("3epochs", CAP_S), ("500J", CAP_S)],
)
def test_a_probe_takes_a_tenth_of_a_seconds_budget_at_most(text: str, seconds: float) -> None:
    assert probe_seconds(Budget.parse(text)) == seconds


def texts(plans: Sequence[Plan]) -> list[str]:
    return [str(plan).removeprefix("resident,") for plan in plans]


def test_convolutions_are_tried_in_both_formats_and_linear_nets_on_one_thread() -> None:
    formats, linear = ["contiguous,eager", "channels_last,eager"], nn.Linear(2, 2)
    assert texts(uncompiled_plans(small_net(), "cpu")) == formats
    graphs = [f"{text},graph:8" for text in formats]
    assert texts(uncompiled_plans(small_net(), "cuda")) == formats + graphs
    assert texts(uncompiled_plans(linear, "cpu")) == [formats[0], f"{formats[0]},threads:1"]
    assert texts(uncompiled_plans(linear, "cuda")) == [formats[0], graphs[0]]


@pytest.mark.parametrize(
    ("best", "net", "device", "compiled"),
    [
        (PLANS[1], nn.Conv2d(1, 1, 1), "cpu", "channels_last,step"),
        (PLANS[1], nn.Conv2d(1, 1, 1), "cuda", "channels_last,step,graph:8"),
        (PLANS[0], nn.Linear(2, 2), "cpu", "contiguous,step:5,threads:1"),
        (PLANS[2], nn.Linear(2, 2), "cpu", "contiguous,step:5,threads:1"),
    ],
)
def test_the_compiled_plan_keeps_what_won_without_a_compiler(
    best: Plan, net: nn.Module, device: str, compiled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "why_no_compiler", lambda _kind: None)
    assert texts(compiled_plans(best, net, device)) == [compiled]


def test_without_a_compiler_none_is_considered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert compiled_plans(Plan(), small_net(), "cpu") == ()


def test_deeper_nets_are_expected_to_compile_longer() -> None:
    deeper = nn.Sequential(small_net(), small_net())
    assert expected_compile_s(small_net()) < expected_compile_s(deeper) < CAP_S
    assert expected_compile_s(nn.Linear(2, 2)) < CAP_S  # else it would never be tried
    assert 0 < hope(small_net(), "cpu") < hope(nn.Linear(2, 2), "cpu") < 1


def test_what_was_tried_is_plain_and_short() -> None:
    plain = PlanCandidate(Plan(threads=1), [0.123456789, 0.1]).as_plain()
    assert plain == {"plan": "resident,contiguous,eager,threads:1", "step_s": [0.1, 0.123457]}
