"""The file of counts that commits are held to: read, compared line by line, written anew.

A row is a model, a compiled plan or an epoch; its counts are whole numbers. Those that depend on
nothing but our code stand under `[any]`, the others under the stack that they were taken on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self, TypeAlias

import msgspec

from bench.errors import UsageError

FILE = Path("tests/counts.toml")
EPOCHS = {"epoch, ragged batch dropped": True, "epoch, ragged batch kept": False}

Rows: TypeAlias = dict[str, dict[str, int]]
"""Counts by row and quantity."""
WORDS = {  # as messages name a quantity
    "parameters": "parameters",
    "trainable_parameters": "trainable parameters",
    "flops": "FLOPs a step",
    "kept_bytes": "bytes kept from step to step",
    "operators": "operators a step",
    "kernels": "kernels a step",
    "peak_bytes": "peak bytes of a step",
    "graphs": "graphs compiled in the first epoch",
    "later_graphs": "graphs compiled in the second epoch",
    "graph_breaks": "graph breaks",
    "images": "images in an epoch",
    "steps": "steps in an epoch",
    "most_record_bytes": "bytes of a record",
}
PORTABLE = (
    *("parameters", "trainable_parameters", "flops", "kept_bytes"),
    *("images", "steps", "most_record_bytes"),
)
BOUND = "most_record_bytes"  # times and names of devices are longer or shorter
BOUND_STEP = 128
_CheckedRows: TypeAlias = dict[str, dict[str, Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]]]
HEAD = """\
# What no commit changes by accident: `python -m bench.counts` compares, `make counts` renews.
# A step trains 8 images under the default recipe and plan eager; bytes are those of its tensors,
# kept_bytes what stays alive from step to step. Two epochs are compiled for, one is trained.
"""


@dataclass(frozen=True)
class Baseline:
    """What the file holds."""

    portable: Rows = field(default_factory=dict)  # the same everywhere
    stacks: dict[str, Rows] = field(default_factory=dict)  # by torch's version and device

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the file's content.

        Raises:
            UsageError: there is none, or it is no such file.
        """
        try:
            sections = msgspec.toml.decode(path.read_bytes(), type=dict[str, _CheckedRows])
            counts = [of_row for rows in sections.values() for of_row in rows.values()]
            if unknown := set().union(*counts) - WORDS.keys():
                raise ValueError(f"no count is named {min(unknown)}")
            return cls(sections.pop("any"), sections)
        except OSError as error:
            raise UsageError(
                f"cannot read {path}: {error.strerror}; run it in the repository, or `make counts`"
            ) from None
        except (ValueError, msgspec.DecodeError, KeyError, RecursionError) as error:
            raise UsageError(
                f"{path} is no file of counts: {error!r}; restore or remove it, then `make counts`"
            ) from None

    def rows_for(self, stack: str) -> Rows:
        """Return all counts that hold on a stack; the portable ones where it is unknown."""
        own = self.stacks.get(stack, {})
        names = dict.fromkeys([*self.portable, *own])
        return {name: self.portable.get(name, {}) | own.get(name, {}) for name in names}

    def renewed(self, found: Rows, stack: str) -> "Baseline":
        """Put the counts found on a stack in the place of its own; other stacks stay."""
        portable = without_stack(found)
        for name, counts in portable.items():
            if BOUND in counts:
                counts[BOUND] = _bound(counts[BOUND], self.portable.get(name, {}).get(BOUND, 0))
        return Baseline(portable, self.stacks | {stack: _part(found, is_portable=False)})

    def as_toml(self) -> str:
        """Return the file's text, a line a row."""
        stacks = sorted(self.stacks.items())
        sections = [("any", self.portable), *((f'"{name}"', rows) for name, rows in stacks)]
        parts = [f"[{name}]\n{''.join(_lines(rows))}" for name, rows in sections]
        return "\n".join([HEAD, *parts])


def _bound(value: int, former: int) -> int:
    """Return a bound somewhat above the value; the former one where it still fits."""
    fresh = (value // BOUND_STEP + 2) * BOUND_STEP
    return former if abs(former - fresh) <= BOUND_STEP and value <= former else fresh


def _lines(rows: Rows) -> Iterator[str]:
    keys = [
        name if name.replace("_", "").isalnum() and name.isascii() else f'"{name}"' for name in rows
    ]
    width = max(map(len, keys), default=0)
    for key, counts in zip(keys, rows.values(), strict=True):
        pairs = ", ".join(f"{quantity} = {value:_}" for quantity, value in counts.items())
        yield f"{key:{width}} = {{ {pairs} }}\n"


def compiled_row(model: str, plan: str) -> str:
    """Return the row of a model under a compiled plan: `v2, plan compile`."""
    return f"{model}, plan {plan}"


def without_stack(found: Rows) -> Rows:
    """Return what can be compared where the stack has no counts in the file."""
    return _part(found, is_portable=True)


def _part(rows: Rows, *, is_portable: bool) -> Rows:
    parts = {
        name: {q: value for q, value in counts.items() if (q in PORTABLE) == is_portable}
        for name, counts in rows.items()
    }
    return {name: counts for name, counts in parts.items() if counts}


def differences(expected: Rows, found: Rows) -> Iterator[str]:
    """Yield a line for each count that differs and each row that is new, gone or renamed."""
    gone = [name for name in expected if name not in found]
    former, present = without_stack(expected), without_stack(found)
    for name, counts in found.items():
        if name in expected:
            yield from _differences_of(name, expected[name], counts)
            continue
        alike = (old for old in gone if name in present and former.get(old) == present[name])
        renamed = next(alike, None)
        if renamed is None:
            yield f"{name}: new"
            continue
        gone.remove(renamed)
        yield f"{name}: new, and counts as {renamed} did, which is gone: renamed"
        yield from _differences_of(name, expected[renamed], counts)
    yield from (f"{name}: gone" for name in gone)


def _differences_of(
    name: str, expected: Mapping[str, int], found: Mapping[str, int]
) -> Iterator[str]:
    for quantity, words in WORDS.items():
        before, after = expected.get(quantity), found.get(quantity)
        is_bound = quantity == BOUND
        if before == after or (is_bound and before and after is not None and after <= before):
            continue
        numbers = ["not counted" if n is None else f"{n:,}" for n in (after, before)]
        yield f"{name}: {words} {numbers[0]}, {'at most' if is_bound else 'was'} {numbers[1]}"


def stack_of(device: str) -> str:
    """Return what operators and bytes hold for: torch's minor version, and the device."""
    import torch

    version = ".".join(str(torch.__version__).split(".")[:2])
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return f"torch {version} on {name}"
