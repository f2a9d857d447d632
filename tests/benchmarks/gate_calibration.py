"""How often a gate would be red by chance, and how often it sees a true slow-down.

    python -m tests.benchmarks.gate_calibration record PAIRS.jsonl
    python -m tests.benchmarks.gate_calibration judge PAIRS.jsonl
    python -m tests.benchmarks.gate_calibration live GATES.jsonl

`record` takes pairs as the gate takes them, half of them of identical code, a quarter each with a
head whose steps do 15 and 30 % more work. Keep the machine as busy meanwhile as CI's is: it is
that noise which we want. `judge` draws gates from the pairs by chance and puts them through the
rule that is shipped, and through the same without Holm's correction. `live` runs whole gates.
"""

import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from scipy.stats import beta

from bench.gate import process
from bench.gate.process import started
from bench.gate.speed import SIDES, Workload, take_pairs
from results.gate.pairs import AGAIN, BASE, HEAD, Pair, SpeedRule, judge, unsettled
from tests.benchmarks.slowed_worker import SLOW_DOWN

ROOT = Path(__file__).resolve().parents[2]
MODULE = "tests.benchmarks.slowed_worker"
SLOW_DOWNS = (0.0, 0.15, 0.0, 0.3)
MODELS = "v0,v2,resnet8"
CONFIDENCE = 0.95
Sets = list[dict[str, Pair]]
"""Pairs by model, of one set of workers each."""
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def record(
    file: Path,
    pairs: Annotated[int, typer.Option(help="Sets of workers.")] = 120,
    models: Annotated[str, typer.Option(help="Measured in each of them.")] = MODELS,
) -> None:
    """Add real pairs to a file, a line a set of workers."""
    with TemporaryDirectory() as folder, _slowed_trees(Path(folder)) as heads:
        logs = Path(folder)
        with started({BASE: ROOT}, logs) as (base,):
            answer = base.ask("resolve", models=models, device="auto", settings=None, plan=None)
        workload = Workload(answer["plans"], answer["device"], answer["settings"])
        process.MODULE = MODULE
        for number in range(pairs):
            slow_down, begun = SLOW_DOWNS[number % len(SLOW_DOWNS)], time.monotonic()
            trees = dict.fromkeys(SIDES, ROOT) | {HEAD: heads[slow_down]}
            order = number // len(SLOW_DOWNS) + number  # every order for every slow-down
            found, failures = take_pairs(trees, workload, [*workload.plans], order, logs)
            if failures:
                raise SystemExit(str(failures))
            line = {
                "slow_down": slow_down,
                "load": round(os.getloadavg()[0], 1),
                "seconds": round(time.monotonic() - begun, 1),
                "pairs": {model: _plain(pair) for model, pair in found.items()},
            }
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")


@app.command("judge")
def judge_(
    file: Path,
    gates: Annotated[int, typer.Option(help="Drawn by chance for each question.")] = 200,
) -> None:
    """Print how gates drawn from a file's pairs come out."""
    sets = read_sets(file)
    _say(described(sets))
    columns = ["models", "slow-down of one", "rule", "red (95 % bounds)", "over it", "over others"]
    _say(f"\n| {' | '.join([*columns, 'inconclusive'])} |\n|---:|---:|---|---:|---:|---:|---:|")
    for num_models in (1, 3, 9):
        for slow_down in sorted(sets):
            for name, is_together in (("Holm", True), ("no correction", False)):
                results = list(draw(sets, slow_down, num_models, gates, is_together=is_together))
                _say(f"| {num_models} | {slow_down:.0%} | {name} | {_row(results, num_models)} |")


@app.command()
def live(
    file: Path,
    gates: Annotated[int, typer.Option(help="How many.")] = 20,
    models: Annotated[str, typer.Option(help="One after the other, a gate each.")] = MODELS,
) -> None:
    """Run whole gates between commits of the same code, and add how they ended to a file."""
    names = models.split(",")
    for number in range(gates):
        with TemporaryDirectory() as folder:
            line = _live(Path(folder), names[number % len(names)])
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        _say(json.dumps(line))


def draw(
    sets: Mapping[float, Sets],
    slow_down: float,
    num_models: int,
    gates: int,
    *,
    is_together: bool = True,
) -> Iterator[list[str]]:
    """Outcomes of the models of each gate; the first one is slowed down, the others are not.

    Pairs are drawn with replacement, whole sets at a time: models that shared a moment still do.
    Where a gate has more models than were recorded, they are drawn from several sets. Judged each
    alone, none is corrected for the others.
    """
    chance, rule = random.Random(0), SpeedRule()
    for _ in range(gates):
        recorded = [*sets[0.0][0]]
        chance.shuffle(recorded)
        slots = [(recorded[n % len(recorded)], n) for n in range(num_models)]
        count = rule.num_pairs(num_models)
        first = _round(sets, slow_down, slots, count, chance)
        doubted = set(unsettled(first, rule))
        again = [slot for slot in slots if _label(slot) in doubted]
        second = _round(sets, slow_down, again, count, chance)
        groups = [first] if is_together else [{name: pairs} for name, pairs in first.items()]
        yield [one.outcome for group in groups for one in judge(group, second, rule)]


def upper_bound(count: int, total: int) -> float:
    """Clopper and Pearson's one-sided upper bound of a share, at 95 % (Biometrika 1934)."""
    return 1.0 if count == total else float(beta.ppf(CONFIDENCE, count + 1, total - count))


def lower_bound(count: int, total: int) -> float:
    """The one-sided lower bound."""
    return 0.0 if not count else float(beta.ppf(1 - CONFIDENCE, count, total - count + 1))


def _round(
    sets: Mapping[float, Sets],
    slow_down: float,
    slots: Sequence[tuple[str, int]],
    count: int,
    chance: random.Random,
) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {_label(slot): [] for slot in slots}
    for _ in range(count):
        drawn: dict[int, dict[str, Pair]] = {}
        for name, n in slots:
            pool, key = (sets[slow_down], -1) if n == 0 else (sets[0.0], n // len(sets[0.0][0]))
            drawn.setdefault(key, chance.choice(pool))
            found[_label((name, n))].append(drawn[key][name])
    return found


def _label(slot: tuple[str, int]) -> str:
    return f"{slot[0]} {slot[1]}"


def _row(results: Sequence[Sequence[str]], num_models: int) -> str:
    """How many gates were red over the slowed model, over another, and without an answer."""
    red = sum("worse" in outcomes for outcomes in results)
    over_first = sum(outcomes[0] == "worse" for outcomes in results)
    over_others = sum("worse" in outcomes[1:] for outcomes in results)
    unsure = sum("unclear" in outcomes and "worse" not in outcomes for outcomes in results)
    total = len(results)
    bounds = f"{lower_bound(red, total):.1%} to {upper_bound(red, total):.1%}"
    others = f"{over_others} of {total}" if num_models > 1 else "-"
    return (
        f"{red / total:.1%} ({bounds}) | {over_first} of {total} | {others} | {unsure / total:.1%}"
    )


@contextmanager
def _slowed_trees(folder: Path) -> Iterator[dict[float, Path]]:
    """This repository for each slow-down: its files, and one that says by how much."""
    trees = {0.0: ROOT}
    for slow_down in set(SLOW_DOWNS) - {0.0}:
        trees[slow_down] = folder / str(slow_down)
        trees[slow_down].mkdir()
        for path in ROOT.iterdir():
            (trees[slow_down] / path.name).symlink_to(path)
        (trees[slow_down] / SLOW_DOWN).write_text(str(slow_down), encoding="ascii")
    yield trees


def _live(folder: Path, model: str) -> dict[str, Any]:
    """One gate of this commit against an empty one behind it."""
    clone, out, begun = folder / "clone", folder / "out", time.monotonic()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    who = ["-c", "user.name=calibration", "-c", "user.email=calibration@localhost"]
    empty = [*who, "commit", "-q", "--allow-empty", "-m", "nothing"]
    subprocess.run(["git", "-C", str(clone), *empty], check=True)
    data = os.environ.get("FMNIST_DATA", str(ROOT / "data"))
    command = [sys.executable, "-m", "bench", "gate", "--base", "HEAD~1", "--models", model]
    done = subprocess.run(
        [*command, "--data", data, "--out", str(out)],
        cwd=clone,
        env=os.environ | {"PYTHONPATH": str(clone)},
        capture_output=True,
        text=True,
        check=False,
    )
    verdict = json.loads((out / "verdict.json").read_bytes())
    return {
        "model": model,
        "exit_code": done.returncode,
        "seconds": round(time.monotonic() - begun, 1),
        "load": round(os.getloadavg()[0], 1),
        "speed": [f"{f['change']:+.3f}" for f in verdict["findings"] if f["check"] == "speed"],
        "headline": done.stdout.partition("\n")[0],
        "pairs": verdict["measured"]["pairs"],
    }


def read_sets(file: Path) -> dict[float, Sets]:
    """Recorded pairs by the slow-down of their head."""
    sets: dict[float, Sets] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        content = json.loads(line)
        pairs = {
            model: Pair(*(tuple(pair[side]) for side in SIDES))
            for model, pair in content["pairs"].items()
        }
        sets.setdefault(content["slow_down"], []).append(pairs)
    return sets


def described(sets: Mapping[float, Sets]) -> str:
    """What the pairs themselves show: their spread, and what became of the injected work."""
    lines = ["| model | true slow-down | pairs | median change | SD | SD, base against itself |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    for model in sets[0.0][0]:
        for slow_down, drawn in sorted(sets.items()):
            pairs = [pairs[model] for pairs in drawn]
            changes, controls = [p.change for p in pairs], [p.control for p in pairs]
            middle = math.expm1(statistics.median(changes))
            spreads = f"{statistics.stdev(changes):.1%} | {statistics.stdev(controls):.1%}"
            lines.append(
                f"| {model} | {slow_down:.0%} | {len(pairs)} | {middle:+.1%} | {spreads} |"
            )
    return "\n".join(lines)


def _plain(pair: Pair) -> dict[str, list[float]]:
    """Seconds a step to four digits."""
    return {
        side: [float(f"{seconds:.4g}") for seconds in turns]
        for side, turns in zip((BASE, HEAD, AGAIN), asdict(pair).values(), strict=True)
    }


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    app()
