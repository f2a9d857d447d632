"""V0 against JAX: a compiled step of ours and `jit(lax.scan)` over the epoch, in turns in one run.

`make peers` installs the extra `peers` and runs it. Both sides train V0 (784-10-10, SGD 0.1, batch
32) on the same resident bytes, an epoch a turn, in a process of their own that does nothing while
the other one works; each epoch is one permutation drawn by the side itself, on its clock. JAX:
https://docs.jax.dev/en/latest/_autosummary/jax.lax.scan.html.
"""

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import UsageError
from bench.machine.cache import use_compile_cache
from bench.shell import run_main

BATCH_SIZE, RATE, HIDDEN = 32, 0.1, 10
PLAN = "step:5,threads:1"
EPOCHS_A_TURN = 3
Epochs = Callable[[int], float]
"""Train so many epochs; return the last loss."""


def main(
    turns: Annotated[int, typer.Option(help="Turns of three epochs a side.", min=5)] = 9,
    data: Annotated[Path | None, typer.Option(help="Root of the data.")] = None,
) -> None:
    """Train V0 here and in JAX in interleaved turns; print seconds an epoch and their ratio."""
    from data_pipeline import ensure_data

    if importlib.util.find_spec("jax") is None:
        raise UsageError("JAX is not installed; run `make peers`")
    ensure_data(data)
    with _side(_ours, data) as ours, _side(_jax, data) as theirs:
        compile_s = {name: pipe.recv() for name, pipe in (("ours", ours), ("jax", theirs))}
        sides = [("ours", ours), ("jax", theirs)]
        seconds: dict[str, list[float]] = {"ours": [], "jax": []}
        for turn in range(turns + 1):  # the first is not counted
            for name, pipe in sides if turn % 2 else reversed(sides):
                pipe.send("turn")
                taken = pipe.recv()
                if turn:
                    seconds[name].append(taken / EPOCHS_A_TURN)
    sys.stdout.write("\n".join(report(seconds, compile_s)) + "\n")


def report(seconds: dict[str, list[float]], compile_s: dict[str, float]) -> list[str]:
    """Report the median epoch of each side (`ours`, `jax`) and the median ratio of turns.

    `seconds` are those of an epoch in each turn, `compile_s` those before the first epoch.
    """
    ratios = [jax / ours for ours, jax in zip(seconds["ours"], seconds["jax"], strict=True)]
    lines = [
        f"{label}: {statistics.median(seconds[name]):.4f} s an epoch "
        f"({min(seconds[name]):.4f} to {max(seconds[name]):.4f}), "
        f"ready after {compile_s[name]:.1f} s of compiling"
        for name, label in (("ours", f"fmnist-bench, plan {PLAN}"), ("jax", "JAX, jit(lax.scan)"))
    ]
    return [
        f"V0, batch {BATCH_SIZE}, SGD, fp32, {len(ratios)} turns of {EPOCHS_A_TURN} epochs a side:",
        *lines,
        f"JAX's epoch takes {statistics.median(ratios):.2f} times ours "
        f"(turns: {min(ratios):.2f} to {max(ratios):.2f})",
    ]


@contextmanager
def _side(prepare: Callable[[Path | None], Epochs], data: Path | None) -> Iterator[Connection]:
    """Start a process that prepares, tells how long that took, then trains a turn when asked."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, prepare, data), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    except EOFError:
        raise UsageError("one side died; its message stands above") from None
    finally:
        ours.close()
        process.kill()
        process.join()


def _serve(pipe: Connection, prepare: Callable[[Path | None], Epochs], data: Path | None) -> None:
    use_compile_cache()
    train, compile_s = prepare_timed(prepare, data)
    pipe.send(compile_s)
    while pipe.recv():
        started = time.perf_counter()
        train(EPOCHS_A_TURN)
        pipe.send(time.perf_counter() - started)


def prepare_timed(
    prepare: Callable[[Path | None], Epochs], data: Path | None
) -> tuple[Epochs, float]:
    """Prepare a side; return it, and the seconds that its first epoch took beyond a second."""
    train = prepare(data)
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        train(1)
        seconds.append(time.perf_counter() - started)
    return train, seconds[0] - seconds[1]


def _ours(data: Path | None) -> Epochs:
    import torch

    from bench.engine.optimizer import make_optimizer
    from bench.engine.warmup import Learner
    from bench.spec.budget import Budget
    from bench.spec.named_recipes import RECIPES
    from bench.spec.plan import Plan
    from bench.spec.run_spec import RunSpec
    from bench.train.session import Session
    from data_pipeline import BatchStream

    spec = RunSpec(model="v0", recipe=RECIPES["classic"], budget=Budget(1, "epochs"))
    device = torch.device("cpu")
    spec = spec.resolved_for(device.type)
    session = Session.open(spec, device, data)
    model, generator = session.model_for(0), torch.Generator()
    learner = Learner(model, make_optimizer(spec.recipe, model), generator)
    engine = session.engine_for(Plan.parse(PLAN), learner)
    stream = BatchStream(
        len(session.splits.train), BATCH_SIZE, drop_last=False, generator=generator, device=device
    )

    def train(epochs: int) -> float:
        for _ in range(epochs):
            batches = stream.take(stream.steps_per_epoch)
            loss = engine.run(batches, [RATE] * len(batches))[-1]
        return float(loss)

    return train


def _jax(data: Path | None) -> Epochs:
    import jax
    import jax.numpy as jnp

    from data_pipeline import load_fashion_mnist

    loaded = load_fashion_mnist(data)
    images = jnp.asarray(loaded.train_images.flatten(1).numpy())  # (N, 784) uint8
    labels = jnp.asarray(loaded.train_labels.numpy())

    def loss_of(weights: Any, pixels: Any, classes: Any) -> Any:  # noqa: ANN401 - jax is untyped
        for weight, bias in weights:
            pixels = pixels @ weight + bias
        log_odds = jax.nn.log_softmax(pixels)
        return -jnp.mean(jnp.take_along_axis(log_odds, classes[:, None], axis=1))

    def epoch(weights: Any, key: Any) -> Any:  # noqa: ANN401
        order = jax.random.permutation(key, len(labels)).reshape(-1, BATCH_SIZE)

        def step(weights: Any, index: Any) -> Any:  # noqa: ANN401
            batch = images[index].astype(jnp.float32) / 255, labels[index]
            loss, slopes = jax.value_and_grad(loss_of)(weights, *batch)
            return jax.tree.map(lambda w, slope: w - RATE * slope, weights, slopes), loss

        return jax.lax.scan(step, weights, order)

    compiled, key = jax.jit(epoch), jax.random.key(0)
    shapes = ((loaded.train_images[0].numel(), HIDDEN), (HIDDEN, HIDDEN))
    state: dict[str, Any] = {
        "weights": [_uniform(jax, key, *shape) for shape in shapes],
        "key": key,
    }

    def train(epochs: int) -> float:
        for _ in range(epochs):
            state["key"], drawn = jax.random.split(state["key"])
            state["weights"], losses = compiled(state["weights"], drawn)
        return float(losses[-1])

    return train


def _uniform(jax: Any, key: Any, inputs: int, outputs: int) -> Any:  # noqa: ANN401
    """Draw weight and bias as `torch.nn.Linear` does."""
    bound = inputs**-0.5
    first, second = jax.random.split(key)
    weight = jax.random.uniform(first, (inputs, outputs), minval=-bound, maxval=bound)
    return weight, jax.random.uniform(second, (outputs,), minval=-bound, maxval=bound)


if __name__ == "__main__":
    sys.exit(run_main(main, "tools.jax_peer", sys.argv[1:]))
