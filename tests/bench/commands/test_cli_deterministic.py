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


def test_records_and_losses_are_the_same_to_the_bit(twice: tuple[Path, Path]) -> None:
    in_children, here = ([timeless(record) for record in read_lines(one)] for one in twice)
    assert in_children == here
    assert [record["spec"]["seed"] for record in here] == [0, 1]
    assert here[0]["confusion"] != here[1]["confusion"]
    for record in here:
        assert {"test_accuracy", "test_loss", "train_loss"} <= record["measurements"].keys()
        assert len(record["curve"]) > 1
    stores = [RunStore(folder) for folder in twice]
    for pair in zip(*(store.read() for store in stores), strict=True):
        one, other = (
            store.load_samples(record)["loss"] for store, record in zip(stores, pair, strict=True)
        )
        assert one.shape == (50,)
        assert np.array_equal(one, other)
