"""Which engine executes a plan."""

from dataclasses import dataclass, field

from torch import nn, optim

from bench.engine.cuda_graph import capture_compiled, capture_eager
from bench.engine.engine import Engine, Feed, LossFunction, StepEngine, make_loss
from bench.engine.group_engine import CompiledSteps, GroupEngine
from bench.engine.loader_engine import LoaderEngine
from bench.engine.update_rules import prepare_state, update_rule
from bench.engine.whole_step import WholeStep
from bench.spec.plan import WITHOUT_RULE, Plan
from bench.spec.recipe import Recipe


@dataclass
class EngineMaker:
    """Makes engines around one model; what was compiled once serves them all.

    Attributes:
        model: on the device.
        recipe: loss, precision and optimizer.
        backend: of torch.compile, under the plan `compile`.
    """

    model: nn.Module
    recipe: Recipe
    backend: str = "inductor"
    _losses: dict[Plan, LossFunction] = field(default_factory=dict, init=False)
    _whole: dict[Plan, WholeStep] = field(default_factory=dict, init=False)

    def make(self, plan: Plan, optimizer: optim.Optimizer, feed: Feed) -> Engine:
        """The engine of a plan; the model must have the plan's memory format.

        The optimizer's state is made beforehand under every plan: a compiled step and a graph need
        it, and torch's fused SGD leaves a momentum buffer unset where fp16 skips the first step.
        An optimizer without a rule makes its own at its first step.
        """
        if self.recipe.optimizer not in WITHOUT_RULE:
            prepare_state(optimizer, update_rule(self.recipe))
        if plan.mode == "step":
            return self._compiled(plan, optimizer, feed)
        steps = StepEngine(
            self.model, optimizer, feed, self._loss(plan, feed), self.recipe.precision
        )
        if plan.data == "dataloader":
            return LoaderEngine(steps)
        if plan.graph_steps is None:
            return steps
        captured = capture_eager(steps)
        return GroupEngine(plan.group_steps, self.model, optimizer, feed, captured)

    def _compiled(self, plan: Plan, optimizer: optim.Optimizer, feed: Feed) -> Engine:
        if plan not in self._whole:
            self._whole[plan] = WholeStep(self.model, self.recipe, update_rule(self.recipe))
        compiled = CompiledSteps(self._whole[plan], self.model, optimizer, feed)
        steps = compiled if plan.graph_steps is None else capture_compiled(compiled)
        return GroupEngine(plan.group_steps, self.model, optimizer, feed, steps)

    def _loss(self, plan: Plan, feed: Feed) -> LossFunction:
        if plan not in self._losses:
            device_type = feed.split.images.device.type
            self._losses[plan] = make_loss(self.model, self.recipe, plan, device_type, self.backend)
        return self._losses[plan]
