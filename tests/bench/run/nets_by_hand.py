"""The nets of tests/nets: run as a user's model files, and in the loop that a user writes."""

from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from bench import Budget, Plan, RunSpec
from bench.measure.findings import Findings
from bench.run.seed import run_seed
from bench.train.seeding import seed_everything
from bench.train.session import ORDER_SEED, Session
from bench.train.splits import Splits
from data_pipeline import ResidentSplit
from tests.bench.run.session_by_hand import silent
from tests.bench.train.training_by_hand import RECIPE

FOLDER = Path(__file__).parents[2] / "nets"
STEPS, BATCH, IMAGES, RATE = 16, 16, 100, 3e-3  # an epoch ends with a ragged batch of 4
RECIPE_OF_ALL = replace(RECIPE, optimizer="adam", batch_size=BATCH, learning_rate=RATE)


@dataclass(frozen=True)
class Ran:
    """What a run of a net left behind."""

    losses: Tensor  # of each step
    findings: Findings

    @property
    def flops(self) -> float | None:
        """FLOPs of a training step for one image; None where they are unknown."""
        found = self.findings.measurements.get("flops_per_image")
        return found.values[0] if found else None


def model_name(net: str) -> str:
    """The name by which `--models` takes a net, of `file:Class`."""
    file, _, builder = net.partition(":")
    return f"{FOLDER / file}.py:{builder}"


@cache
def pictures(num_images: int, seed: int) -> ResidentSplit:
    """Noise over a picture of each class, so that there is something to learn."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (num_images,), generator=generator)
    noise = torch.randint(256, (num_images, 1, 28, 28), generator=generator)
    classes = torch.randint(256, (10, 1, 28, 28), generator=torch.Generator().manual_seed(99))
    return ResidentSplit(((noise + 3 * classes[labels]) // 4).to(torch.uint8), labels)


def open_net(net: str, plan: str = "eager") -> Session:
    """A session of a net on these pictures, under a plan; `auto` chooses one."""
    parsed = None if plan == "auto" else Plan.parse(f"{plan},threads:1")
    spec = RunSpec(
        model=model_name(net), recipe=RECIPE_OF_ALL, budget=Budget(STEPS, "steps"), plan=parsed
    )
    splits = Splits(pictures(IMAGES, 0), pictures(64, 1), pictures(80, 2), "hash")
    return Session(spec, torch.device("cpu"), splits, parsed)


def run_net(opened: Session, seed: int = 0) -> Ran:
    """Run one seed as the harness does: checked, counted, warmed up, trained, evaluated."""
    findings = Findings()
    run_seed(opened, replace(opened.spec, seed=seed), findings, silent)
    return Ran(torch.from_numpy(findings.samples["loss"]), findings)


def loop_by_hand(net: str, seed: int = 0) -> Tensor:
    """Losses (STEPS,) of the loop that a user writes, on the same batches."""
    file, _, builder = net.partition(":")
    seed_everything(seed)
    model: nn.Module = getattr(import_module(f"tests.nets.{file}"), builder)()
    _make_layers(model)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    is_fused = not any(p.is_complex() for p in parameters)
    optimizer = optim.Adam(parameters, lr=RATE, fused=is_fused)
    losses: list[float] = []
    split = pictures(IMAGES, 0)
    generator = torch.Generator().manual_seed(seed + ORDER_SEED)
    while len(losses) < STEPS:
        for index in torch.randperm(IMAGES, generator=generator).split(BATCH)[
            : STEPS - len(losses)
        ]:
            logits = _logits(model(split.images[index].float() / 255))
            loss = F.cross_entropy(logits, split.labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return torch.tensor(losses)


def _make_layers(model: nn.Module) -> None:
    """Let lazy layers see an image, as everybody does before the optimizer is made."""
    lazy = nn.modules.lazy.LazyModuleMixin
    if any(isinstance(m, lazy) for m in model.modules()):
        with torch.no_grad():
            model.eval()(torch.zeros(2, 1, 28, 28))


def _logits(output: object) -> Tensor:
    """The main logits, of a net with auxiliary ones too."""
    if isinstance(output, tuple):
        output = output[0]
    elif isinstance(output, dict):
        output = output["logits"]
    assert isinstance(output, Tensor)
    return output
