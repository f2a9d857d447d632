"""The stages of `make gpu-proof`: commands, what each shows, and how long it may take; no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

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
CHARTS = ("altair", "vl_convert")
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
    """One command and what it shows.

    Attributes:
        name: of its folder, its output (`NAME.txt`) and its log (`NAME.log`).
        claim: what is seen where it passes.
        seconds: that it may take, about as long as it needs on an H100; a longer limit gives more.
        arguments: of the interpreter; `{out}`, `{device}` and `{best_first}` (the models, the most
            accurate so far in front) are filled in.
        points: of ISSUE_POINTS that it is for.
        needs: packages; without them it is not begun.
    """

    name: str
    claim: str
    seconds: float
    arguments: tuple[str, ...]
    points: tuple[int, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Size:
    """What a proof and its rehearsal differ in: options of its commands, nothing else.

    Attributes:
        bench: of `bench`.
        classic: of both classic stages.
        compiled: plan of steps that are compiled, and as CUDA graphs where there are any.
        large: of the stages at batch 1024.
        graphed: plan of uncompiled steps, as CUDA graphs where there are any.
        loader: of the loader comparison.
        ladder: of every ladder.
        ladder_32, ladder_1024, every: models of the ladders.
        pareto: of the trainings of so many seconds.
        pareto_s: these seconds.
        large_batch: images of a large batch.
    """

    bench: tuple[str, ...]
    classic: tuple[str, ...]
    compiled: str
    large: tuple[str, ...]
    graphed: str
    loader: tuple[str, ...]
    ladder: tuple[str, ...]
    ladder_32: str
    ladder_1024: str
    every: str
    pareto: tuple[str, ...]
    pareto_s: tuple[float, ...]
    large_batch: int = 1024


PROOF = Size(
    bench=(),
    classic=("--models", "v0,v1,v2", "--budget", "3epochs"),
    compiled="channels_last,step,graph:8",
    large=("--models", "resnet18_3x3,resnet50", "--budget", "3epochs", "--seeds", "1"),
    graphed="channels_last,graph:8",
    loader=("--models", "v0,resnet18_3x3", "--turns", "5", "--turn", "0.3"),
    ladder=("--precision", "bf16"),
    ladder_32="v0",
    ladder_1024="resnet18_3x3,resnet50",
    every="all,resnet18_3x3",
    pareto=("--models", "{best_first}", "--seeds", "3"),
    pareto_s=PARETO_S,
)
# small enough for two cores of a CPU; Muon, as a ladder leaves out what would compile for long
_FEW_STEPS = ("--models", "v0", "--budget", "20steps", "--seeds", "1")
REHEARSAL_SIZE = Size(
    bench=("--models", "v0,v1", "--budget", "20steps", "--plan", "resident"),
    classic=_FEW_STEPS,
    compiled="step",
    large=_FEW_STEPS,
    graphed="resident",
    loader=("--turns", "2", "--turn", "0.02", "--models", "v0"),
    ladder=("--precision", "fp32", "--set", "optimizer=muon"),
    ladder_32="v0",
    ladder_1024="v0",
    every="v0",
    pareto=("--models", "v0,v1", "--seeds", "1", "--plan", "resident"),
    pareto_s=(0.05, 0.1, 0.15, 0.2),
    large_batch=64,
)


def run_stage(
    name: str,
    claim: str,
    seconds: float,
    points: tuple[int, ...],
    *options: str,
    folder: str | None = None,
) -> Stage:
    """A sweep or a ladder into a folder of its own, which a second call goes on with."""
    place = ("--device", "{device}", "--out", f"{{out}}/{folder or name}", "--resume")
    return Stage(name, claim, seconds, ("-m", "bench", "run", *options, *place), points)


def stage_of_tests(
    name: str, claim: str, seconds: float, points: tuple[int, ...], files: Sequence[str]
) -> Stage:
    """The tests marked gpu of some files: the others may need what a lent machine lacks."""
    pytest = ("-m", "pytest", "-m", "gpu", "-v", "--durations", "10", *files)
    return Stage(name, claim, seconds, pytest, points)


def make_stages(size: Size) -> tuple[Stage, ...]:
    """All stages, the most telling first; those that want minutes come last."""
    return (*_short_stages(size), *_long_stages(size))


def _short_stages(size: Size) -> tuple[Stage, ...]:
    doctor = ("-m", "bench", "doctor")
    loader = ("-m", "tests.benchmarks.loader_against_resident", "--device", "{device}")
    classic = ("--recipe", "classic", *size.classic)
    large = ("--set", f"batch_size={size.large_batch}", *size.large)
    compiled, graphed = ("--plan", size.compiled), ("--plan", size.graphed)
    return (
        Stage("doctor", "ceilings, sensors, clocks, power cap", 25, doctor, (1,)),
        stage_of_tests(
            "tests", "tests marked gpu: meters, sensors, children", 80, (1,), CORE_TESTS
        ),
        stage_of_tests("tests-plans", "the same under every plan", 95, (1, 5), PLAN_TESTS),
        stage_of_tests("tests-failures", "failures are rows", 95, (1, 6), FAILURE_TESTS),
        run_stage("bench", "the defaults of `make bench`", 130, (2,), *size.bench),
        run_stage("classic", "V0, V1, V2 under `--plan auto`", 30, (3,), *classic),
        run_stage("classic-compiled", "the same as compiled steps", 45, (3,), *classic, *compiled),
        run_stage("large", "at batch 1024: MFU, share of the floor", 30, (4,), *large, *graphed),
        Stage(
            "loader",
            "resident data against a tuned DataLoader",
            30,
            (*loader, *size.loader, "--out", "{out}/loader.json"),
            (7,),
        ),
        _ladder("ladder-32", 65, size, 32, size.ladder_32),
        _pareto(size, 0, 95),
    )


def _long_stages(size: Size) -> tuple[Stage, ...]:
    large = ("--set", f"batch_size={size.large_batch}", *size.large, "--plan", size.compiled)
    folders = [f"{{out}}/{_pareto_name(number)}" for number in range(len(PARETO_S))]
    page = ("-m", "bench", "report", "--mixed", "--out", "{out}/report.html", *folders)
    return (
        run_stage("large-compiled", "the same as compiled steps", 110, (4,), *large),
        _pareto(size, 1, 140),
        _ladder("ladder-1024", 420, size, size.large_batch, size.ladder_1024),
        _pareto(size, 2, 330),
        _pareto(size, 3, 870),
        Stage("report", "the page of all accuracies for time", 15, page, (8,), CHARTS),
        _ladder("ladder-32-all", 1200, size, 32, size.every, folder="ladder-32"),
        _ladder("ladder-1024-all", 1500, size, size.large_batch, size.every, folder="ladder-1024"),
    )


def _ladder(
    name: str, seconds: float, size: Size, batch_size: int, models: str, folder: str | None = None
) -> Stage:
    claim = "what each technique buys, in interleaved turns"
    options = ("--plan", "ladder", "--models", models, "--set", f"batch_size={batch_size}")
    return run_stage(name, claim, seconds, (4,), *options, *size.ladder, folder=folder)


def _pareto(size: Size, number: int, seconds: float) -> Stage:
    claim = f"accuracy after {PARETO_S[number]} s of training"
    budget = ("--budget", f"{size.pareto_s[number]:g}s")
    return run_stage(_pareto_name(number), claim, seconds, (8,), *size.pareto, *budget)


def _pareto_name(number: int) -> str:
    return f"pareto-{PARETO_S[number]}s"


STAGES = make_stages(PROOF)
REHEARSAL = make_stages(REHEARSAL_SIZE)


def chosen_stages(stages: Sequence[Stage], only: str | None) -> list[Stage]:
    """The stages of the given names, in their own order; all where no name is given.

    Raises:
        UsageError: there is no such stage.
    """
    names = [stage.name for stage in stages]
    wanted = names if only is None else [name.strip() for name in only.split(",")]
    if unknown := set(wanted) - set(names):
        choices = ", ".join(names)
        raise UsageError(f"no stage {', '.join(sorted(unknown))}; choose from {choices}")
    return [stage for stage in stages if stage.name in wanted]
