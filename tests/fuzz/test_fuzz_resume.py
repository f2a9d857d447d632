"""A checkpoint with another state in it: training goes on within its budget, or says why not."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import strategies as st

from bench.engine.failures import classify
from bench.errors import RunError
from bench.keep.checkpoints import path_of
from bench.measure.findings import Findings
from bench.spec.artifacts import Artifacts, parse_every
from bench.train import session
from fmnist_models.weight_files import load_plain
from tests.bench.keep.resume_by_hand import build, killed_at_step, run, spec_of
from tests.fuzz.fuzzing import JSON_VALUES, fuzzed, holder_of, no_hang, places, read_or_refused

SPEC = spec_of("closed_loop")
ODD = JSON_VALUES | st.sampled_from(
    [
        *(float("nan"), float("inf"), -1, -0.5, 2**70, True, (), [[]], {"a": 1}),
        *(torch.zeros(3), torch.tensor(float("nan")), torch.zeros(0, dtype=torch.uint8)),
    ]
)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Artifacts]:
    """Where a training was killed in its second epoch; all of it on one thread."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("killed")
        patch.setattr(session, "default_threads", lambda: 1)
        patch.setattr(session, "build_model", build)
        patch.setenv("FMNIST_CACHE", str(folder / "cache"))
        kept = Artifacts(checkpoints=folder / "saved", every=parse_every("3steps"))
        killed_at_step(10, SPEC, kept, patch)
        yield kept


def as_row(artifacts: Artifacts) -> tuple[dict[str, torch.Tensor], Findings]:
    """The training, whatever it dies of told as a row tells it."""
    try:
        return run(SPEC, artifacts)
    except Exception as error:
        raise RunError(*classify(error)) from error


@pytest.mark.usefixtures("one_thread", "quick_collections")
@fuzzed(data=st.data(), is_lost=st.booleans(), share=0.1)
def test_a_state_of_something_else(
    artifacts: Artifacts, data: st.DataObject, is_lost: bool
) -> None:
    path = path_of(artifacts, SPEC, "last")
    whole = path.read_bytes()
    content = load_plain(path, "")
    part = data.draw(st.sampled_from(["resume", "trained", "weights"]))
    place = data.draw(st.sampled_from(places(content[part])))
    inside = holder_of(place, content[part])
    if is_lost:
        del inside[place[-1]]
    else:
        inside[place[-1]] = data.draw(ODD)
    torch.save(content, path)
    try:
        with no_hang():
            ended = read_or_refused("checkpoint", lambda: as_row(artifacts))
    finally:
        path.write_bytes(whole)
    if ended is not None:
        assert ended[1].measurements["steps"].values[0] <= 28
