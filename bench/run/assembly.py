"""Put a training together: its data order, budget, schedule and validation curve."""

from functools import partial

import torch
from torch import nn

from bench.engine.engine import Engine
from bench.machine.meters import Meters
from bench.measure.findings import Findings
from bench.spec.budget import Budget
from bench.spec.run_spec import RunSpec
from bench.train.control import Control
from bench.train.curve import in_whole_groups
from bench.train.pacing import Pacer
from bench.train.schedule import learning_rate_at, momentum_at
from bench.train.session import ORDER_SEED, Session
from bench.train.training import Pauses, Training
from data_pipeline import BatchStream


def assemble(
    session: Session, spec: RunSpec, engine: Engine, meters: Meters, step_s: float
) -> Training:
    """Make the training of a seed, without a validation curve."""
    recipe, budget, stream = spec.recipe, spec.budget, batch_stream(session, spec)
    if budget.is_counted:
        steps = budget.total_steps(
            batch_size=recipe.batch_size,
            images_per_epoch=stream.images_per_epoch,
            flops_per_image=session.flops_per_image,
        )
        pacer = Pacer(limit=steps, per_step=1.0)
    else:
        pacer = Pacer(limit=budget.amount, per_step=predicted_cost(budget, meters, step_s))
    rate = partial(learning_rate_at, recipe)
    momentum = None if recipe.base_momentum is None else partial(momentum_at, recipe)
    return Training(engine, stream, budget, pacer, meters, rate, step_s, momentum)


def predicted_cost(budget: Budget, meters: Meters, step_s: float) -> float:
    """Predict the cost of a step in the unit of a measured budget."""
    watts = meters.gpu.power_watts() if budget.unit == "J" and meters.gpu else None
    return step_s if watts is None else watts * step_s


def batch_stream(session: Session, spec: RunSpec) -> BatchStream:
    """Make the data order of a seed; it depends on the seed alone."""
    # torch's DataLoader draws on the CPU, and a script that is told a seed uses just that seed
    is_loaders = spec.recipe.order == "dataloader"
    generator = torch.Generator("cpu" if is_loaders else session.device)
    return BatchStream(
        len(session.splits.train),
        spec.recipe.batch_size,
        drop_last=spec.recipe.drop_last,
        generator=generator.manual_seed(spec.seed + (0 if is_loaders else ORDER_SEED)),
        device=session.device,
        order=spec.recipe.order,
    )


def add_curve(
    training: Training, session: Session, spec: RunSpec, model: nn.Module, findings: Findings
) -> None:
    """Add validation on the way: each epoch where the recipe acts on it, else as a fifth pays for.

    A target takes its own looks, at recipes of both kinds.
    """
    pacer, validation = training.pacer, session.splits.validation
    if validation is None:
        return
    training.validate = lambda: session.evaluate(model, validation)
    recipe, target = spec.recipe, spec.target
    if recipe.validates_each_epoch or target is not None:
        training.control = Control(recipe, model, target)
    training.pauses = Pauses(at_epochs=recipe.validates_each_epoch)
    if recipe.validates_each_epoch and target is None:
        return
    training_s = pacer.limit / pacer.per_step * training.step_s
    known_s = None if spec.is_deterministic else training_s
    training.curve_fractions = session.curve_points(model, validation, known_s)
    if target is not None and spec.budget.is_counted:
        training.curve_fractions = in_whole_groups(
            training.curve_fractions, int(pacer.limit), training.engine.group_steps
        )
    if not training.curve_fractions:
        findings.missing["curve"] = "one validation pass would cost over a fifth of the training"
