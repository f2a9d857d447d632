"""Counts of a net, of a compiled plan and of an epoch, on synthetic images: needs no data set.

Everything goes the way of a run: the engine of a plan takes the steps, a session trains the epoch.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import nn

from bench.engine.engine import MEMORY_FORMATS, Engine, Feed, StepEngine
from bench.engine.maker import EngineMaker
from bench.engine.optimizer import make_optimizer
from bench.machine.compilers import compile_counts
from bench.machine.device import prepare_compilers
from bench.machine.environment import describe_conditions, describe_environment
from bench.measure.findings import Findings
from bench.measure.tally import RATE, tally_step
from bench.measure.workload import num_parameters
from bench.run.record import make_record
from bench.run.seed import run_seed
from bench.spec.budget import Budget
from bench.spec.named_recipes import DEFAULT
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from bench.train.session import Session
from bench.train.splits import Splits
from data_pipeline import ResidentSplit, parse_augmentation

BATCH_SIZE, RAGGED_SIZE, STEP_IMAGES = 8, 3, 64
EPOCH_IMAGES, OTHER_IMAGES = 1000, 200  # with batches of 128 the last one is ragged
NO_DATA_HASH = "0" * 12
PLAN = Plan(threads=1)


def count_net(model: nn.Module, input_size: int, device: str = "cpu") -> dict[str, int]:
    """Count parameters, and what a step of 8 images does under the default recipe and plan eager.

    The count trains the model.
    """
    engine = _engine(model, input_size, PLAN, torch.device(device))
    assert isinstance(engine, StepEngine)
    with _undisturbed(torch.device(device)):
        counts = tally_step(engine, torch.arange(BATCH_SIZE, device=device))
    num_trainable = num_parameters(model, trainable_only=True)
    of_model = {"parameters": num_parameters(model), "trainable_parameters": num_trainable}
    return of_model | counts


def count_graphs(
    model: nn.Module, input_size: int, plan: Plan, device: str = "cpu"
) -> dict[str, int]:
    """Count graphs compiled and graph breaks over two epochs with a ragged last batch.

    Plan `compile` stops short of Inductor: what is compiled anew is decided before it, and its
    code would take most of the time. The count trains the model.
    """
    prepare_compilers()
    torch._dynamo.reset()  # what was compiled before is not found again
    engine = _engine(model, input_size, plan, torch.device(device))
    sizes = [BATCH_SIZE] * (plan.group_steps + 1) + [RAGGED_SIZE]
    marks, order = [compile_counts()], torch.Generator().manual_seed(0)
    with _undisturbed(torch.device(device)), warnings.catch_warnings(action="ignore"):
        for _ in range(2):
            epoch = [torch.randint(STEP_IMAGES, (size,), generator=order) for size in sizes]
            engine.run([batch.to(device) for batch in epoch], [RATE] * len(epoch))
            marks.append(compile_counts())
    torch._dynamo.reset()
    return {
        "graphs": marks[1].since(marks[0]).compilations,
        "later_graphs": marks[2].since(marks[1]).compilations,
        "graph_breaks": marks[2].since(marks[0]).graph_breaks,
    }


def count_epoch(*, drop_last: bool, device: str = "cpu") -> dict[str, int]:
    """Count images and steps of one epoch of V0, as its training does, and bytes of its record."""
    chosen = torch.device(device)
    recipe = replace(DEFAULT, drop_last=drop_last)
    spec = RunSpec(model="v0", recipe=recipe, budget=Budget(1, "epochs"), plan=PLAN)
    # deterministic: how many points the curve has is not for the clock to decide
    spec = replace(spec.resolved_for(chosen.type), is_deterministic=True)
    sizes = (EPOCH_IMAGES, OTHER_IMAGES, OTHER_IMAGES)
    train, validation, test = (noise_split(size, 28, chosen) for size in sizes)
    session = Session(spec, chosen, Splits(train, validation, test, NO_DATA_HASH), spec.plan)
    findings = Findings()
    with _undisturbed(chosen):
        run_seed(session, spec, findings, lambda _seed, _phase, _progress: None)
    record = make_record(
        spec,
        "ok",
        None,
        environment=describe_environment(chosen, NO_DATA_HASH),
        conditions=describe_conditions(chosen) | findings.conditions,
        findings=findings,
    )
    return {
        "images": round(findings.measurements["images_seen"].values[0]),
        "steps": round(findings.measurements["steps"].values[0]),
        "most_record_bytes": len(record.to_json_line()),
    }


def noise_split(num_images: int, input_size: int, device: torch.device) -> ResidentSplit:
    """Return images of noise and labels of chance, always the same ones."""
    generator = torch.Generator().manual_seed(0)
    shape = (num_images, 1, input_size, input_size)
    images = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, (num_images,), generator=generator)
    return ResidentSplit(images.to(device), labels.to(device))


def _engine(model: nn.Module, input_size: int, plan: Plan, device: torch.device) -> Engine:
    # the precision of the device; the rate changes no count
    recipe = replace(DEFAULT, learning_rate=RATE)
    spec = RunSpec(model="v0", recipe=recipe, budget=Budget(1, "steps"))
    recipe = spec.resolved_for(device.type).recipe
    memory_format = MEMORY_FORMATS[plan.memory_format]
    model.train().to(device).to(memory_format=memory_format)
    feed = Feed(
        split=noise_split(STEP_IMAGES, input_size, device),
        augmentations=tuple(map(parse_augmentation, recipe.augment)),
        normalization=recipe.normalize,
        generator=torch.Generator(device),
        memory_format=memory_format,
    )
    maker = EngineMaker(model, recipe, backend="aot_eager")
    return maker.make(plan, make_optimizer(recipe, model), feed)


@contextmanager
def _undisturbed(device: torch.device) -> Iterator[None]:
    """Leave random states and threads as they were.

    No count depends on threads, and a second one costs time where another process is busy. On a CPU
    no GPU is looked at that may be there.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(before)
