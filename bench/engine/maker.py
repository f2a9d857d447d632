"""Make the engine that executes a plan."""

from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from torch import nn, optim

from bench.engine.cuda_graph import GraphSteps
from bench.engine.engine import (
    Engine,
    Feed,
    LoaderEngine,
    LossFunction,
    StepEngine,
    loss_function,
)
from bench.engine.group_engine import GroupEngine
from bench.engine.optimizer import prepare_state, update_rule
from bench.engine.whole_step import Functions, WholeStep
from bench.spec.plan import WITHOUT_RULE, Plan
from bench.spec.recipe import Recipe
from fmnist_models.users.compiled import uncompiled


@dataclass
class EngineMaker:
    """A maker of engines around one model; what was compiled once serves them all."""

    model: nn.Module  # on the device
    recipe: Recipe
    backend: str = "inductor"  # of torch.compile, under plan `compile`
    _losses: dict[Plan, LossFunction] = field(default_factory=dict, init=False)
    _whole_steps: dict[Plan, Functions] = field(default_factory=dict, init=False)

    def make(self, plan: Plan, optimizer: optim.Optimizer, feed: Feed) -> Engine:
        """Make the engine of a plan; the model must have the plan's memory format.

        The optimizer's state is made beforehand under every plan: a compiled step and a graph need
        it, and torch's fused SGD leaves a momentum buffer unset where fp16 skips the first step.
        An optimizer without a rule makes its own at its first step.
        """
        if self.recipe.optimizer not in WITHOUT_RULE:
            prepare_state(optimizer, update_rule(self.recipe))
        if plan.mode == "step":
            functions = self._whole_steps.setdefault(plan, {})
            whole = WholeStep(self.model, self.recipe, optimizer, feed, functions)
            run = whole.run if plan.graph_steps is None else GraphSteps(whole.advance)
            counted = whole.steps_counted
            return GroupEngine(plan.group_steps, self.model, optimizer, feed, run, counted)
        loss_of = self._loss(plan, feed)
        # what a net has compiled itself runs as it is written, unless it is within what we compile
        around = nullcontext if plan.mode == "compile" else uncompiled
        steps = StepEngine(self.model, optimizer, feed, loss_of, self.recipe.precision, around)
        if plan.data == "dataloader":
            return LoaderEngine(steps)
        if plan.graph_steps is None:
            return steps
        for group in optimizer.param_groups:  # so that it reads nothing on the host
            if "capturable" in group:
                group["capturable"] = True
        run = GraphSteps(steps.advance)
        return GroupEngine(
            plan.group_steps, self.model, optimizer, feed, run, around, reset=steps.reset
        )

    def _loss(self, plan: Plan, feed: Feed) -> LossFunction:
        if plan not in self._losses:
            model = nn.DataParallel(self.model) if plan.parallel == "dp" else self.model
            loss_of = loss_function(model, self.recipe, feed.split.images.device.type)
            if plan.mode == "compile":
                loss_of = torch.compile(loss_of, dynamic=False, backend=self.backend)
            self._losses[plan] = loss_of
        return self._losses[plan]
