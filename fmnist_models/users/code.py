"""Run a model's own code, and put back what it does to the process.

What a model file does at import or in its constructor must not change how our data is made, how
other models train, or what the clock sees. `user_code` puts every switch back when its block ends
and remembers what the model has touched; training itself uses a `SwitchRecord`.
"""

import multiprocessing
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch

from fmnist_models.users.switches import (
    LIBRARY_SWITCHES,
    SWITCHES,
    Switch,
    change_directory,
    environment,
    set_environment,
    working_directory,
)


@dataclass
class SwitchRecord:
    """What the switches say when it is made; `touched` are those found turned since."""

    touched: set[str] = field(default_factory=set)
    switches: Sequence[Switch] = SWITCHES
    values: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        """Read all of them."""
        self.values = [switch.read() for switch in self.switches]

    def put_back(self) -> None:
        """Set what was turned since to what it was; some tens of microseconds where nothing was."""
        turned = [
            (switch, value)
            for switch, value in zip(self.switches, self.values, strict=True)
            if switch.read() != value
        ]
        for switch, value in turned:
            self.touched.add(switch.name)
            switch.write(value)


@dataclass
class Surroundings:
    """What a model's code has touched so far, and where it has gone to.

    A constructor opens files relative to the folder that its file has gone to at import, and reads
    the variables that were set there: both are its own for as long as its code runs.
    """

    touched: set[str] = field(default_factory=set)
    directory: str | None = None
    variables: dict[str, str | None] = field(default_factory=dict)  # None: taken away

    def enter(self) -> None:
        """Make them those of the process."""
        change_directory(self.directory)
        set_environment({k: v for k, v in (os.environ | self.variables).items() if v is not None})

    def leave(self, directory: str | None, variables: dict[str, str]) -> None:
        """Note in what they differ from what was before, and must be again."""
        found = working_directory()
        self.directory = None if found == directory else found
        now = environment()
        names = now.keys() | variables.keys()
        self.variables = {k: now.get(k) for k in names if now.get(k) != variables.get(k)}


@cache
def surroundings_of(name: str) -> Surroundings:
    """Return the surroundings of a model by its name, the same ones each time."""
    return Surroundings()


@contextmanager
def user_code(name: str) -> Iterator[None]:
    """Run code of this model, its import or its construction; all switches are put back after it.

    What it has touched is `surroundings_of(name).touched`. Its own working directory and variables
    of the environment are given to the next block of the same model.
    """
    its = surroundings_of(name)
    record = SwitchRecord(its.touched, SWITCHES + LIBRARY_SWITCHES)
    directory, variables = working_directory(), environment()
    its.enter()
    try:
        with _as_program(name):
            yield
    finally:
        its.leave(directory, variables)
        record.put_back()


@contextmanager
def _as_program(name: str) -> Iterator[None]:
    """Have a script find what it finds in `python file.py`.

    A command line without options, and no way yet in which processes are started: a script says
    that once, and multiprocessing has said it for our children.
    """
    argv, sys.argv = sys.argv, [name.rpartition(":")[0]]
    method = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(None, force=True)
    try:
        yield
    finally:
        sys.argv = argv
        multiprocessing.set_start_method(method, force=True)


@contextmanager
def kept_randomness() -> Iterator[None]:
    """Put back the random states of torch, numpy and Python when the block ends."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    python, of_numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(of_numpy)
