"""The plan: how the same mathematics is executed. It changes speed, never the result."""

from dataclasses import dataclass, replace
from typing import Self

from bench.errors import UsageError

# token -> (field, value, meaning); `threads:N` stands apart because it carries a number
TOKENS = {
    "resident": ("data", "resident", "uint8 data set on the device, batches made there"),
    "contiguous": ("memory_format", "contiguous", "NCHW tensors"),
    "channels_last": ("memory_format", "channels_last", "NHWC strides"),
    "eager": ("mode", "eager", "PyTorch as it is written"),
    "compile": ("mode", "compile", "torch.compile of forward and backward"),
    "single": ("parallel", "single", "one device"),
    "dp": ("parallel", "dp", "DataParallel over all visible GPUs, eager"),
}
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Plan:
    """Data path, memory format, compilation, parallelism and CPU threads (None: all usable cores).

    Raises:
        UsageError: a combination that cannot be, with the reason.
    """

    data: str = "resident"
    memory_format: str = "contiguous"
    mode: str = "eager"
    parallel: str = "single"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.parallel == "dp" and self.mode != "eager":
            raise UsageError("plan dp runs eager only: DataParallel's threads undo torch.compile")
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"plan threads:{self.threads} needs at least one thread")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads comma-separated tokens such as `channels_last,compile,threads:2`.

        What is not named keeps its default (`resident,contiguous,eager,single`).

        Raises:
            UsageError: an unknown token, or two for the same thing.
        """
        chosen: dict[str, str | int] = {}
        for token in (part.strip() for part in text.split(",")):
            field, value = _read_token(token)
            if field in chosen:
                raise UsageError(f"plan {text!r} names the {field} twice")
            chosen[field] = value
        return replace(cls(), **chosen)  # type: ignore[arg-type]

    def __str__(self) -> str:
        parts = [self.data, self.memory_format, self.mode]
        if self.parallel != "single":
            parts.append(self.parallel)
        if self.threads is not None:
            parts.append(f"threads:{self.threads}")
        return ",".join(parts)


def check_plan(text: str) -> str:
    """Gives the request back in its canonical form: `auto`, or a plan with every part named.

    Raises:
        UsageError: it is neither.
    """
    return AUTO if text.strip() == AUTO else str(Plan.parse(text))


def _read_token(token: str) -> tuple[str, str | int]:
    if token in TOKENS:
        field, value, _ = TOKENS[token]
        return field, value
    name, _, number = token.partition(":")
    if name == "threads" and number.isascii() and number.isdigit():
        return "threads", int(number)
    choices = ", ".join([AUTO, *TOKENS, "threads:N"])
    raise UsageError(f"unknown plan {token!r}; choose from {choices}, joined by commas")
