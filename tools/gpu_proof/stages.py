"""The stages of `make gpu-proof`: commands, what each shows, and how long it may take; no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.errors import UsageError

ISSUE_POINTS = {  # what a GPU must show, as docs/gpu.md and `proof.md` number it
    1: "tests marked gpu; the machine",
    2: "nine architectures, 3 epochs, 3 seeds, no failed row; where the time goes",
    3: "the classic table: accuracy as on the CPU, seconds against the published and the targets",
    4: "ladders; floor, binding term and MFU",
    5: "the same mathematics under every plan",
    6: "failures are rows, and leave the memory free",
    7: "resident data against a DataLoader",
    8: "accuracy for time",
}
PARETO_S = (1, 3, 10, 30)
CORE_TESTS = (
    "tests/gpu/test_runs.py",
    "tests/bench/machine/test_ceilings.py",
    "tests/data_pipeline/test_resident.py",
    "tests/bench/gate/test_worker.py",
    "tests/bench/keep/test_resume.py",
    "tests/bench/measure/test_tally.py",
    "tests/bench/measure/test_workload.py",
    "tests/benchmarks/test_timer.py",
)
PLAN_TESTS = (
    "tests/gpu/test_graphs.py",
    "tests/gpu/test_plans.py",
    "tests/bench/run/test_deterministic_models.py",
)
FAILURE_TESTS = ("tests/gpu/test_failures.py",)


@dataclass(frozen=True)
class Stage:
    """One command and what it shows."""

    name: str  # of its folder, its output (`NAME.txt`) and its log (`NAME.log`)
    points: tuple[int, ...]  # of ISSUE_POINTS that it is for
    seconds: float  # that it may take, about as long as on an H100; a longer limit gives more
    claim: str  # what is seen where it passes
    # what follows `python`; {out}, {device} and {best_first} (the models, the most accurate so far
    # in front) are filled in
    command: str
    small: str = ""  # options that a rehearsal adds: of two equal ones the last counts
    needs: tuple[str, ...] = ()  # packages; without them it is not begun


def _tests(
    name: str, points: tuple[int, ...], seconds: float, claim: str, files: Sequence[str]
) -> Stage:
    """Run the tests marked gpu of some files: others may need what a lent machine lacks."""
    command = f"-m pytest -m gpu -v --durations 10 {' '.join(files)}"
    return Stage(name, points, seconds, claim, command)


def _sweep(
    name: str, point: int, seconds: float, claim: str, options: str, small: str, folder: str = ""
) -> Stage:
    """Run a sweep or a ladder into a folder of its own, which a second call goes on with."""
    place = f"--device {{device}} --out {{out}}/{folder or name} --resume"
    command = " ".join(["-m bench run", *options.split(), place])
    return Stage(name, (point,), seconds, claim, command, small)


def _ladder(name: str, seconds: float, models: str, batch_size: int, folder: str = "") -> Stage:
    claim = "what each technique buys, in interleaved turns"
    options = f"--plan ladder --models {models} --set batch_size={batch_size} --precision bf16"
    # Muon: a ladder leaves out what would compile for long
    small = f"--models v0 --set batch_size={min(batch_size, 64)} --precision fp32"
    return _sweep(name, 4, seconds, claim, options, f"{small} --set optimizer=muon", folder)


def _pareto(training_s: int, seconds: float, small_s: float) -> Stage:
    claim = f"accuracy after {training_s} s of training"
    options = f"--models {{best_first}} --seeds 3 --budget {training_s}s"
    small = f"--models v0,v1 --seeds 1 --plan resident --budget {small_s}s"
    return _sweep(f"pareto-{training_s}s", 8, seconds, claim, options, small)


_CLASSIC = "--recipe classic --models v0,v1,v2 --budget 3epochs"
_LARGE = "--set batch_size=1024 --models resnet18_3x3,resnet50 --budget 3epochs --seeds 1"
_COMPILED = "--plan channels_last,step,graph:8"
_LOADER = "-m tests.benchmarks.loader_against_resident --device {device} --models v0,resnet18_3x3"
_REPORT = "-m bench report --mixed --out {out}/report.html " + " ".join(
    f"{{out}}/pareto-{seconds}s" for seconds in PARETO_S
)
_FEW_STEPS = "--models v0 --budget 20steps --seeds 1"  # small enough for two cores of a CPU
_SMALL_BATCH = f"--set batch_size=64 {_FEW_STEPS}"

STAGES = (  # the most telling first; those that want minutes come last
    Stage("doctor", (1,), 25, "ceilings, sensors, clocks, power cap", "-m bench doctor"),
    _tests("tests", (1,), 80, "tests marked gpu: meters, sensors, children", CORE_TESTS),
    _tests("tests-plans", (1, 5), 95, "the same under every plan", PLAN_TESTS),
    _tests("tests-failures", (1, 6), 95, "failures are rows", FAILURE_TESTS),
    _sweep(
        "bench",
        2,
        130,
        "the defaults of `make bench`",
        "",
        "--models v0,v1 --budget 20steps --plan resident",
    ),
    _sweep("classic", 3, 30, "V0, V1, V2 under `--plan auto`", _CLASSIC, _FEW_STEPS),
    _sweep(
        "classic-compiled",
        3,
        45,
        "the same as compiled steps",
        f"{_CLASSIC} {_COMPILED}",
        f"{_FEW_STEPS} --plan step",
    ),
    _sweep(
        "large",
        4,
        30,
        "at batch 1024: MFU, share of the floor",
        f"{_LARGE} --plan channels_last,graph:8",
        f"{_SMALL_BATCH} --plan resident",
    ),
    Stage(
        "loader",
        (7,),
        30,
        "resident data against a tuned DataLoader",
        f"{_LOADER} --turns 5 --turn 0.3 --out {{out}}/loader.json",
        "--models v0 --turns 2 --turn 0.02",
    ),
    _ladder("ladder-32", 65, "v0", 32),
    _pareto(1, 95, 0.05),
    _sweep(
        "large-compiled",
        4,
        110,
        "the same as compiled steps",
        f"{_LARGE} {_COMPILED}",
        f"{_SMALL_BATCH} --plan step",
    ),
    _pareto(3, 140, 0.1),
    _ladder("ladder-1024", 420, "resnet18_3x3,resnet50", 1024),
    _pareto(10, 330, 0.15),
    _pareto(30, 870, 0.2),
    Stage(
        "report",
        (8,),
        15,
        "the page of all accuracies for time",
        _REPORT,
        needs=("vl_convert",),
    ),
    _ladder("ladder-32-all", 1200, "all,resnet18_3x3", 32, folder="ladder-32"),
    _ladder("ladder-1024-all", 1500, "all,resnet18_3x3", 1024, folder="ladder-1024"),
)
REHEARSAL = tuple(replace(stage, command=f"{stage.command} {stage.small}") for stage in STAGES)


def chosen_stages(stages: Sequence[Stage], only: str | None) -> list[Stage]:
    """Return the stages of the given names, in their own order; all where none is given.

    Raises:
        UsageError: there is no such stage.
    """
    names = [stage.name for stage in stages]
    wanted = names if only is None else [name.strip() for name in only.split(",")]
    if unknown := set(wanted) - set(names):
        choices = ", ".join(names)
        raise UsageError(f"no stage {', '.join(sorted(unknown))}; choose from {choices}")
    return [stage for stage in stages if stage.name in wanted]
