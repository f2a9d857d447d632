"""What a run leaves for pictures: answers, mistakes, features in the plane, examples."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.measure import portrait
from bench.measure.findings import Findings
from bench.measure.portrait import (
    MAX_MISTAKES,
    NO_LINEAR,
    OTHER_ROWS,
    Sitting,
    answers,
    examples,
    features_of,
    principal_plane,
    report_portrait,
    sitting,
    small_images,
)
from bench.run.seed import run_seed
from bench.train import session
from bench.train.evaluation import evaluate
from data_pipeline import ResidentSplit
from tests.bench.run.session_by_hand import SPEC, open_session, silent
from tests.bench.train.training_by_hand import random_split, small_net

pytestmark = pytest.mark.usefixtures("one_thread")


def looked_at(model: nn.Module, split: ResidentSplit, precision: str = "fp32") -> Sitting:
    with sitting(model) as seen:
        evaluate(model, split, normalization="unit", precision=precision, see=seen.see)
    return seen


def hooks_in(model: nn.Module) -> int:
    return sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in model.modules())


def test_answers_are_those_of_every_image_and_mistakes_the_surest_of_all() -> None:
    model, split = small_net(), random_split(537)
    found = answers(looked_at(model, split), split)
    with torch.no_grad():
        sure, predicted = model.eval()(split.images.float() / 255).softmax(dim=1).max(dim=1)
    order = sure.argsort(descending=True, stable=True)
    mistakes = order[predicted[order] != split.labels[order]][:MAX_MISTAKES]
    wanted = {
        "predictions": predicted.byte(),
        "mistakes": mistakes.int(),
        "mistake_images": split.images[mistakes, 0],
        "mistake_labels": split.labels[mistakes].byte(),
    }
    confidence = found.pop("confidence")
    assert confidence.dtype == np.float16
    assert np.allclose(confidence, sure.numpy(), atol=1e-3)
    assert {name: (a.dtype, a.tolist()) for name, a in found.items()} == {
        name: (tensor.numpy().dtype, tensor.tolist()) for name, tensor in wanted.items()
    }


def test_no_mistakes_and_odd_confidence_are_no_trouble() -> None:
    split = random_split(3)
    logits = 9.0 * nn.functional.one_hot(split.labels, 10).float()
    seen = Sitting()
    seen.see(logits)
    found = answers(seen, split)
    assert (found["mistakes"].shape, found["mistake_images"].shape) == ((0,), (0, 8, 8))
    seen = Sitting()
    seen.see(torch.full((3, 10), float("nan")))
    assert len(answers(seen, split)["mistakes"]) <= 3


def test_the_plane_is_that_of_numpys_svd_up_to_sign() -> None:
    for num_rows, num_columns in ((60, 7), (7, 60), (20, 20), (2, 5)):
        generator = torch.Generator().manual_seed(num_rows)
        features = torch.randn(num_rows, num_columns, generator=generator).double()
        features *= torch.linspace(3, 1, num_columns)  # no two axes are equally wide
        points, share = principal_plane(features)
        centred = features.numpy() - features.numpy().mean(axis=0)
        u, s, _ = np.linalg.svd(centred, full_matrices=False)
        wanted = (u * s)[:, :2]
        assert np.allclose(points.abs().numpy(), np.abs(wanted), atol=1e-7)
        assert np.allclose(share.numpy(), (s**2 / (s**2).sum())[:2], atol=1e-9)
        loadings = torch.from_numpy(centred).T @ points
        assert (loadings.gather(0, loadings.abs().argmax(dim=0)[None]) >= 0).all()


@given(st.integers(1, 5), st.integers(1, 5), st.booleans())
@settings(deadline=None, max_examples=30)
def test_a_plane_of_little_or_nothing_is_finite(rows: int, columns: int, is_flat: bool) -> None:
    features = torch.arange(rows * columns).view(rows, columns).double() * (not is_flat)
    points, share = principal_plane(features)
    assert (points.shape, share.shape) == ((rows, 2), (2,))
    assert points.isfinite().all()
    assert 0 <= float(share.sum()) <= 1 + 1e-9


def test_features_are_what_the_last_linear_layer_takes_of_the_first_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portrait, "MAX_FEATURES", 300)  # 250 make a batch
    model, split = small_net(), random_split(537)
    found, reason = features_of(looked_at(model, split), split.labels)
    with torch.no_grad():
        entering = model.eval()[:-1](split.images[:300].float() / 255).double()
    points, share = principal_plane(entering)
    assert reason == ""
    assert np.allclose(found["features_2d"], points.numpy(), atol=1e-4)
    assert np.allclose(found["features_share"], share.numpy(), atol=1e-5)
    assert found["features_labels"].tolist() == split.labels[:300].tolist()
    assert found["features_2d"].dtype == found["features_share"].dtype == np.float32


class Odd(nn.Module):
    """A linear layer that is called in some way, or not at all."""

    def __init__(self, call: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.head = nn.Linear(64, 10)
        self.call = call

    def forward(self, images: Tensor) -> Tensor:
        """Something (B, 10)."""
        return self.call(self.head, images)


def of_two_tokens(head: nn.Module, images: Tensor) -> Tensor:
    out: Tensor = head(torch.cat([images, images]).flatten(1))
    return out[: len(images)]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 10, 1), nn.Flatten()), NO_LINEAR),
        (Odd(lambda _head, images: images.flatten(1)[:, :10]), OTHER_ROWS),
        (Odd(of_two_tokens), OTHER_ROWS),
    ],
    ids=["no linear layer", "never called", "a row a token"],
)
def test_without_such_a_layer_there_are_no_features_and_a_reason(
    model: nn.Module, reason: str
) -> None:
    split, findings = random_split(), Findings()
    report_portrait(looked_at(model, split), split, split, findings)
    assert findings.missing["features"] == reason
    assert "features_2d" not in findings.samples
    assert findings.samples["predictions"].shape == (64,)


def test_a_layer_called_by_name_is_seen_and_what_is_no_row_ends_no_pass() -> None:
    split, by_name = random_split(), Odd(lambda head, images: head(input=images.flatten(1)))
    assert features_of(looked_at(by_name, split), split.labels)[0]["features_2d"].shape == (64, 2)
    seen = Sitting(has_head=True)
    for entering in (torch.zeros(3), torch.zeros(()).expand(3, portrait.MAX_WIDTH + 1)):
        seen.enter(nn.Identity(), (entering,), {})
        seen.see(torch.zeros(3, 10))
    assert features_of(seen, torch.zeros(6))[1] == OTHER_ROWS


def test_features_that_are_not_finite_have_a_reason() -> None:
    model, split = small_net(), random_split()
    with torch.no_grad():
        model.get_parameter("3.weight").fill_(float("inf"))
    found, reason = features_of(looked_at(model, split), split.labels)
    assert (found, reason) == ({}, "features are not finite")


def test_a_decomposition_that_fails_costs_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_features: Tensor) -> None:
        torch.linalg.cholesky(torch.zeros(2, 2))  # raises torch's LinAlgError

    monkeypatch.setattr(portrait, "principal_plane", fail)
    split, findings = random_split(), Findings()
    report_portrait(looked_at(small_net(), split), split, split, findings)
    reason = findings.missing["portrait"]
    assert "LinAlgError: linalg.cholesky" in reason
    assert len(reason) <= 80
    assert "predictions" in findings.samples


def test_no_hook_is_left_even_where_the_pass_fails() -> None:
    model = small_net()
    seen = looked_at(model, random_split(), "bf16")
    assert {f.dtype for f in seen.features} == {torch.float32}
    assert hooks_in(model) == 0
    with pytest.raises(RuntimeError):
        looked_at(model, random_split(size=9))
    assert hooks_in(model) == 0


def test_a_compiled_or_parallel_model_stays_as_it_is() -> None:
    model, split = small_net(), random_split()
    compiled_graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _inputs: list[Tensor]) -> Callable[..., Any]:
        compiled_graphs.append(graph)
        return graph.forward

    model.eval()
    compiled = torch.compile(model, backend=backend, dynamic=False)
    images = split.images[:4].float() / 255
    before = compiled(images)
    seen = looked_at(model, split)
    assert torch.equal(compiled(images), before)
    assert len(compiled_graphs) == 1  # no hook made it compile anew
    wrapped = looked_at(nn.DataParallel(model), split)
    for one, other in zip(seen.features, wrapped.features, strict=True):
        assert torch.equal(one, other)


def test_examples_are_the_first_of_each_class() -> None:
    train = random_split(64)
    found = examples(train)
    labels = train.labels.tolist()
    for label in range(10):
        wanted = train.images[labels.index(label), 0] if label in labels else torch.zeros(8, 8)
        assert np.array_equal(found["example_images"][label], wanted.numpy())
    assert found["class_counts"].tolist() == [labels.count(label) for label in range(10)]
    few = ResidentSplit(train.images[:1], train.labels[:1])
    assert examples(few)["class_counts"].sum() == 1
    assert examples(few)["example_images"].shape == (10, 8, 8)


def test_large_images_are_shrunk_by_area() -> None:
    images = random_split(4, size=56).images
    shrunk = small_images(images)
    means = images.view(4, 28, 2, 28, 2).float().mean(dim=(2, 4)).round()
    assert shrunk.dtype == torch.uint8
    assert torch.equal(shrunk.float(), means)
    assert torch.equal(
        small_images(random_split(4, size=32).images), random_split(4, 32).images[:, 0]
    )
    assert small_images(images[:0]).shape == (0, 28, 28)


@pytest.mark.usefixtures("quick_collections")
def test_a_run_leaves_all_of_it_and_how_well_it_fits_its_training_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "default_threads", lambda: 1)
    findings, opened = Findings(), open_session()
    run_seed(opened, SPEC, findings, silent)
    arrays = findings.samples
    names = "predictions confidence mistakes mistake_images mistake_labels features_2d "
    names += "features_share features_labels example_images class_counts"
    assert set(names.split()) <= arrays.keys()
    labels = opened.splits.test.labels.numpy()
    accuracy = float((arrays["predictions"] == labels).mean())
    assert accuracy == findings.measurements["test_accuracy"].values[0]
    model = opened.model_for(SPEC.seed)  # as it was before the training: only to have its shape
    assert hooks_in(model) == 0
    fit = findings.measurements["train_accuracy"]
    assert (fit.unit, round(fit.values[0] * 100, 9) % 1) == ("fraction", 0)  # of 100 images
