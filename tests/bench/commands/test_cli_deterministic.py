"""`--deterministic` gives the same records twice, in a child as in the process itself."""

from pathlib import Path

import numpy as np
import pytest

from results import RunStore
from tests.command_line import CPU, Running, read_lines, timeless

pytestmark = pytest.mark.slow
MODEL = "./examples/tiny_net.py:TinyNet"


@pytest.fixture(scope="module")
def twice(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Run folders of the same sweep, in a child and in the process itself."""
    folder = tmp_path_factory.mktemp("twice")
    plan = ("--deterministic", "--plan", "contiguous,eager,threads:1")
    size = ("--models", MODEL, "--budget", "50steps", "--seeds", "2")
    few = ("--set", "validation_fraction=0.01")  # a curve that costs little
    arguments = ("run", *size, *few, *plan, *CPU)
    in_children = Running.start(data_root, folder, *arguments, "--out", folder / "children")
    here = Running.start(data_root, folder, *arguments, "--in-process", "--out", folder / "here")
    for running in (in_children, here):
        finished = running.end()
        assert finished.returncode == 0, finished.stderr
    return folder / "children", folder / "here"


def test_records_are_the_same_but_for_times(twice: tuple[Path, Path]) -> None:
    in_children, here = map(read_lines, twice)
    assert [record["spec"]["seed"] for record in here] == [0, 1]
    assert [timeless(record) for record in in_children] == [timeless(record) for record in here]


def test_what_is_compared_holds_the_quality(twice: tuple[Path, Path]) -> None:
    for record in read_lines(twice[0]):
        kept = timeless(record)
        assert {"test_accuracy", "test_loss", "train_loss"} <= kept["measurements"].keys()
        assert kept["confusion"]
        assert len(kept["curve"]) > 1


def test_the_loss_is_the_same_to_the_bit_at_every_step(twice: tuple[Path, Path]) -> None:
    in_children, here = map(RunStore, twice)
    for one, other in zip(in_children.read(), here.read(), strict=True):
        losses = in_children.load_samples(one)["loss"]
        assert losses.shape == (50,)
        assert np.array_equal(losses, here.load_samples(other)["loss"])


def test_seeds_differ(twice: tuple[Path, Path]) -> None:
    first, second = read_lines(twice[0])
    assert first["confusion"] != second["confusion"]
