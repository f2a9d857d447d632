"""A session on small synthetic data, and what it finds."""

from dataclasses import replace

import torch

from bench import Budget, Plan, RunSpec
from bench.measure.findings import Findings
from bench.run.seed import run_seed
from bench.train.session import Session
from bench.train.splits import Splits
from bench.train.training import Progress
from tests.bench.train.training_by_hand import RECIPE, random_split

SPEC = RunSpec(
    model="v0",
    recipe=replace(RECIPE, batch_size=16, augment=("flip",)),
    budget=Budget(20, "steps"),
    plan=Plan(threads=1),
)


def silent(_seed: int, _phase: str, _progress: Progress | None) -> None:
    """Watches nothing."""


def open_session(run: RunSpec = SPEC, *, num_validation: int = 64) -> Session:
    train, validation, test = (
        random_split(count, size=28, seed=seed)
        for seed, count in enumerate((100, max(num_validation, 1), 80))
    )
    splits = Splits(train, validation if num_validation else None, test, "hash")
    return Session(run, torch.device("cpu"), splits, run.plan)


def measured(run: RunSpec = SPEC, opened: Session | None = None) -> Findings:
    findings = Findings()
    run_seed(opened or open_session(run), run, findings, silent)
    return findings


def value(findings: Findings, quantity: str) -> float:
    return findings.measurements[quantity].values[0]
