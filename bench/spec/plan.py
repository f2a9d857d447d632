"""The plan: how the same mathematics is executed. It changes speed, never the result.

Some plans cannot execute every recipe; `why_not` knows. A step at a time, eager or with forward and
backward compiled, can always be had.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from bench.errors import UsageError
from bench.spec.recipe import Recipe

LADDER = "ladder"  # what `--plan` takes, and `requested_plan` in the records of a ladder

# token -> (field, value, meaning); those that carry a number stand below
TOKENS = {
    "resident": ("data", "resident", "uint8 data set on the device, batches made there"),
    "dataloader": ("data", "dataloader", "the usual loop over a DataLoader, as a yardstick"),
    "contiguous": ("memory_format", "contiguous", "NCHW tensors"),
    "channels_last": ("memory_format", "channels_last", "NHWC strides"),
    "eager": ("mode", "eager", "PyTorch as it is written"),
    "compile": ("mode", "compile", "torch.compile of forward and backward"),
    "step": ("mode", "step", "forward, backward and optimizer as one compiled function"),
    "single": ("parallel", "single", "one device"),
    "dp": ("parallel", "dp", "DataParallel over all visible GPUs, eager"),
}
# name -> (fields it sets, meaning)
NUMBERED_TOKENS = {
    "step": (("mode", "steps_per_call"), "that function holding N steps, unrolled"),
    "graph": (("graph_steps",), "N whole steps captured as one CUDA graph, of any mode"),
    "threads": (("threads",), "CPU threads; all usable cores where nothing is said"),
}
MAX_STEPS_PER_CALL = 256
MAX_THREADS = 1024  # more than machines have; OpenMP ends a process that asks for too many
AUTO = "auto"
WITHOUT_RULE = frozenset({"muon"})  # optimizers without a rule in `engine/optimizer.py`
ASKS_THE_HOST = frozenset({"rmsprop"})  # in fp16, whether to take the step; fused kernels do not


@dataclass(frozen=True, slots=True)
class Plan:
    """Data path, memory format, compilation, steps a call, parallelism and CPU threads.

    Raises:
        UsageError: a combination that cannot be, with the reason.
    """

    data: str = "resident"
    memory_format: str = "contiguous"
    mode: str = "eager"
    steps_per_call: int = 1  # of a compiled `step`
    graph_steps: int | None = None  # in one CUDA graph; None for no graph
    parallel: str = "single"
    threads: int | None = None  # of a CPU; None for all usable cores

    def __post_init__(self) -> None:
        for line in self._contradictions():
            raise UsageError(line)

    def _contradictions(self) -> Iterator[str]:
        has_graph = self.graph_steps is not None
        if self.parallel == "dp" and (self.mode != "eager" or has_graph):
            yield "plan dp runs eager only: DataParallel's threads undo torch.compile and graphs"
        if self.data == "dataloader" and (self.mode == "step" or has_graph):
            yield (
                "plan dataloader runs eager or compile: a compiled step or a graph takes its "
                "batches from resident data"
            )
        if has_graph and self.steps_per_call > 1:
            yield (
                f"plan step:{self.steps_per_call} and graph:{self.graph_steps} both say how many "
                f"steps a call holds; write step,graph:{self.graph_steps}"
            )
        for name, number, most in (
            ("step", self.steps_per_call, MAX_STEPS_PER_CALL),
            ("graph", self.graph_steps, MAX_STEPS_PER_CALL),
            ("threads", self.threads, MAX_THREADS),
        ):
            if number is not None and not 1 <= number <= most:
                yield f"plan {name}:{number} is out of range; choose {name}:1 to {name}:{most}"

    @property
    def group_steps(self) -> int:
        """Steps that one call of Python executes."""
        return self.graph_steps or self.steps_per_call

    @property
    def is_compiled(self) -> bool:
        """Whether a compiler has to run before the first step."""
        return self.mode != "eager"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read comma-separated tokens such as `channels_last,step:5,threads:2`.

        What is not named keeps its default (`resident,contiguous,eager,single`).

        Raises:
            UsageError: an unknown token, or two for the same thing.
        """
        chosen: dict[str, str | int] = {}
        for token in (part.strip() for part in text.split(",")):
            values = _read_token(token)
            for field in values:
                if field in chosen:
                    raise UsageError(f"plan {text!r} names the {field} twice")
            chosen |= values
        return replace(cls(), **chosen)  # type: ignore[arg-type]

    def __str__(self) -> str:
        several = f":{self.steps_per_call}" if self.steps_per_call > 1 else ""
        parts = [self.data, self.memory_format, self.mode + several]
        if self.graph_steps is not None:
            parts.append(f"graph:{self.graph_steps}")
        if self.parallel != "single":
            parts.append(self.parallel)
        if self.threads is not None:
            parts.append(f"threads:{self.threads}")
        return ",".join(parts)


def _read_token(token: str) -> dict[str, str | int]:
    if token in TOKENS:
        field, value, _ = TOKENS[token]
        return {field: value}
    name, _, number = token.partition(":")
    if name in NUMBERED_TOKENS and number.isascii() and number.isdigit() and len(number) < 10:
        fields, _ = NUMBERED_TOKENS[name]
        return {field: name if field == "mode" else int(number) for field in fields}
    choices = ", ".join([AUTO, LADDER, *TOKENS, *(f"{name}:N" for name in NUMBERED_TOKENS)])
    raise UsageError(f"unknown plan {token!r}; choose from {choices}, joined by commas")


def why_not(plan: Plan, recipe: Recipe) -> str | None:
    """Say why a plan cannot train by a recipe, in one line with the remedy; None where it can."""
    is_step, is_fp16 = plan.mode == "step", recipe.precision == "fp16"
    if not is_step and plan.graph_steps is None:
        return None
    name, remedy = ("step", "use plan compile") if is_step else ("graph:N", "leave graph:N out")
    if is_step and is_fp16:
        return (
            "plan step has no place for the gradient scaler that fp16 needs; "
            "use --precision bf16, or plan compile"
        )
    if recipe.optimizer in WITHOUT_RULE:
        fails = "cannot compile" if is_step else "would freeze the rate of"
        return f"plan {name} {fails} optimizer {recipe.optimizer}; {remedy}"
    if recipe.base_momentum is not None:
        return f"plan {name} would freeze the momentum that base_momentum cycles; {remedy}"
    if is_fp16 and recipe.optimizer in ASKS_THE_HOST:
        return (
            f"plan graph:N cannot skip a step of optimizer {recipe.optimizer}, as fp16 may need; "
            "use --precision bf16, or leave graph:N out"
        )
    return None
