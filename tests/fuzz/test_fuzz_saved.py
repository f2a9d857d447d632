"""Saved models and weights: what is read can be used; nothing in a file is ever executed."""

import io
import pickle
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st

from bench.keep.classifier import Claim, Classifier
from bench.keep.saved_model import MAX_SIDE, read_whole
from data_pipeline import CLASS_NAMES, NORMALIZATIONS
from fmnist_models import build_model
from fmnist_models.pretrained import start_from
from tests.fuzz.fuzzing import (
    JSON_VALUES,
    damaged,
    fuzzed,
    holder_of,
    places,
    read_or_refused,
)

CPU = torch.device("cpu")
IMAGES = torch.arange(2 * 28 * 28, dtype=torch.int64).remainder(256).to(torch.uint8)
Content = dict[str, Any]


@cache
def whole() -> bytes:
    """A saved v0, as `run --save` leaves it but for the optimizer."""
    torch.manual_seed(0)
    stream = io.BytesIO()
    torch.save(content(), stream)
    return stream.getvalue()


def content() -> Content:
    torch.manual_seed(0)
    model = build_model("v0")
    return {
        "format": 1,
        "model": {"name": "v0", "hash": None, "input_size": 28, "normalize": "unit"}
        | {"classes": list(CLASS_NAMES)},
        "weights": dict(model.state_dict()),
        "trained": {"recipe": {"name": "classic"}, "seed": 0},
        "resume": {"optimizer": []},
    }


def odd_tensors() -> list[torch.Tensor]:
    """Tensors that are no weights of v0, or that nobody would expect in a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that quantised, nested and CSR tensors are experiments
        return [
            *(torch.tensor(1.0), torch.zeros(0), torch.zeros(3, 3), torch.ones(10, 784).bool()),
            *(torch.full((10, 784), float("nan")), torch.full((10,), float("inf"))),
            *(torch.zeros(10, 784, dtype=torch.complex64), torch.zeros(10, dtype=torch.int64)),
            *(torch.zeros(10, 784).to_sparse(), torch.zeros(10, 784, dtype=torch.float64)),
            *(torch.zeros(1).expand(10, 784), torch.zeros(10, 784, dtype=torch.float16)),
            *(torch.zeros(10, 784, device="meta"), torch.zeros(10, 784).to_sparse_csr()),
            torch.quantize_per_tensor(torch.zeros(10), 1.0, 0, torch.qint8),
            torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        ]


ODD_TENSORS = st.sampled_from(odd_tensors())
ODD = st.one_of(
    JSON_VALUES,
    ODD_TENSORS,
    st.dictionaries(st.text(max_size=4), ODD_TENSORS, max_size=2),
    st.sampled_from([float("nan"), float("inf"), 2**70, -1, 0, True, (), b"bytes", [[[[]]]]]),
)


def changed(place: tuple[str, ...], change: Callable[[Content, str], None]) -> Content:
    whole_content = content()
    change(holder_of(place, whole_content), place[-1])
    return whole_content


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saved") / "model.pt"


def classified(path: Path, claim: Claim | None = None) -> torch.Tensor:
    """What the command `predict` makes of it."""
    classifier = Classifier.open(path, claim or Claim(), CPU)
    size = classifier.saved.input_size
    return classifier.probabilities(IMAGES[: 2 * size * size].reshape(2, 1, size, size))


def assert_usable(answers: torch.Tensor | None) -> None:
    if answers is not None:
        assert answers.shape == (2, 10)
        assert torch.allclose(answers.sum(dim=1), torch.ones(2))


def reads(path: Path) -> bool:
    """Reads the file alone, and looks at every field."""
    found = read_or_refused("saved model", lambda: read_whole(path))
    if found is None:
        return False
    saved, resume = found
    assert isinstance(saved.name, str)
    assert type(saved.input_size) is int
    assert 0 < saved.input_size <= MAX_SIDE
    assert saved.normalize in NORMALIZATIONS
    assert len(saved.classes) == 10
    assert all(isinstance(tensor, torch.Tensor) for tensor in saved.weights.values())
    assert isinstance(saved.trained, dict)
    assert resume is None or isinstance(resume, dict)
    return saved.input_size == 28


@fuzzed(data=st.data())
def test_damaged_saved_models_in_use_and_to_start_from(path: Path, data: st.DataObject) -> None:
    path.write_bytes(data.draw(damaged(whole())))
    if reads(path):
        assert_usable(read_or_refused("saved model", lambda: classified(path)))
    model = build_model("v0")
    start = read_or_refused("weights", lambda: start_from(model, "v0", str(path), "rgb_sum"))
    if start is not None:
        assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


@fuzzed(data=st.data(), place=st.sampled_from(places(content())), is_lost=st.booleans())
def test_saved_models_with_other_contents(
    path: Path, data: st.DataObject, place: tuple[str, ...], is_lost: bool
) -> None:
    def change(inside: Content, key: str) -> None:
        if is_lost:
            del inside[key]
        else:
            inside[key] = data.draw(ODD)

    torch.save(changed(place, change), path)
    if reads(path):
        claim = Claim(model="v0", input_size=28) if data.draw(st.booleans()) else None
        assert_usable(read_or_refused("saved model in use", lambda: classified(path, claim)))


@fuzzed(value=ODD | st.dictionaries(st.text(max_size=4) | st.integers(), ODD, max_size=3))
def test_files_of_torch_that_are_no_saved_models(path: Path, value: object) -> None:
    torch.save(value, path)
    claim = Claim(model="v0", input_size=28)
    assert read_or_refused("other torch file", lambda: classified(path, claim)) is None


@fuzzed(data=st.data(), name=st.sampled_from(list(content()["weights"])), nest=st.booleans())
def test_weights_to_start_from(path: Path, data: st.DataObject, name: str, nest: bool) -> None:
    weights = content()["weights"]
    weights[name] = data.draw(ODD)
    torch.save({"state_dict": weights} if nest else weights, path)
    model = build_model("v0")
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    start = read_or_refused("weights", lambda: start_from(model, "v0", str(path), "rgb_sum"))
    after = model.state_dict()
    if start is None:
        assert all(torch.equal(before[key], after[key]) for key in before), "changed, and refused"
    else:
        assert all(tensor.isfinite().all() for tensor in after.values())


class Touches:
    """What runs code where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("place", [("trained", "seed"), ("weights", "x"), ("model",), ("x",)])
@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_that_runs_code_is_refused_unrun(
    tmp_path: Path, place: tuple[str, ...], is_zip: bool
) -> None:
    path, proof = tmp_path / "evil.pt", tmp_path / "ran"
    evil = changed(place, lambda inside, key: inside.__setitem__(key, Touches(proof)))
    torch.save(evil, path, _use_new_zipfile_serialization=is_zip)
    for read in (
        lambda: classified(path, Claim(model="v0", input_size=28)),
        lambda: start_from(build_model("v0"), "v0", str(path), "rgb_sum"),
    ):
        assert read_or_refused("malicious pickle", read) is None
    torch.save({"net": content()["weights"], "args": Touches(proof)}, path)
    start_from(build_model("v0"), "v0", str(path), "rgb_sum")  # beside the weights: read, and unrun
    path.write_bytes(pickle.dumps(Touches(proof)))
    assert read_or_refused("malicious pickle", lambda: read_whole(path)) is None
    assert not proof.exists()
