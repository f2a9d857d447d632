"""Evaluation against a slow reference."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from bench.train.evaluation import BATCH_SIZES, evaluate
from data_pipeline import ResidentSplit
from tests.bench.train.training_by_hand import flat_state, random_split, small_net

pytestmark = pytest.mark.usefixtures("one_thread")


def slow_reference(model: nn.Module, num_images: int) -> tuple[list[list[int]], float]:
    """One image at a time."""
    split, confusion, loss = random_split(num_images), [[0] * 10 for _ in range(10)], 0.0
    model.eval()
    with torch.no_grad():
        for image, label in zip(split.images, split.labels, strict=True):
            logits = model(image[None].float() / 255)[0].double()
            confusion[int(label)][int(logits.argmax())] += 1
            loss -= float(F.log_softmax(logits, dim=0)[label])
    return confusion, loss / num_images


@pytest.mark.parametrize("num_images", [1, 250, 537])
def test_it_equals_the_slow_reference(num_images: int) -> None:
    assert num_images == 1 or num_images % BATCH_SIZES["cpu"] in {0, 37}
    confusion, loss = slow_reference(small_net(dropout=0.5), num_images)
    quality = evaluate(
        small_net(dropout=0.5), random_split(num_images), normalization="unit", precision="fp32"
    )
    assert [list(row) for row in quality.confusion] == confusion
    assert quality.loss == pytest.approx(loss, abs=1e-5)
    assert quality.accuracy == sum(confusion[k][k] for k in range(10)) / num_images


def test_whoever_wants_to_sees_the_logits_in_order() -> None:
    split, model, seen = random_split(537), small_net(), list[torch.Tensor]()
    quality = evaluate(model, split, normalization="unit", precision="fp32", see=seen.append)
    predicted = torch.cat(seen).argmax(dim=1)
    assert predicted.shape == (537,)
    assert int((predicted == split.labels).sum()) / 537 == quality.accuracy


def test_normalization_is_that_of_the_recipe() -> None:
    split, model = random_split(), small_net()
    losses = {
        kind: evaluate(model, split, normalization=kind, precision="fp32").loss
        for kind in ("unit", "dataset", "half")
    }
    assert len(set(losses.values())) == 3


@pytest.mark.parametrize("is_training", [True, False])
def test_the_model_stays_as_it_was(is_training: bool) -> None:
    model = small_net(dropout=0.5).train(is_training)
    before, rng = flat_state(model), torch.get_rng_state()
    evaluate(model, random_split(), normalization="unit", precision="fp32")
    assert model.training == is_training
    assert model[1].training == is_training
    assert torch.equal(flat_state(model), before)
    assert torch.equal(torch.get_rng_state(), rng)


def test_bf16_is_autocast() -> None:
    model, seen = small_net(), list[torch.dtype]()
    model[3].register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    quality = evaluate(model, random_split(), normalization="unit", precision="bf16")
    full = evaluate(model, random_split(), normalization="unit", precision="fp32")
    assert seen == [torch.bfloat16, torch.float32]
    assert quality.loss == pytest.approx(full.loss, abs=0.05)


def test_a_gpu_is_waited_for_at_the_end_only() -> None:
    seen: list[torch.Tensor] = []
    with FakeTensorMode(), torch.device("cuda"):  # tensors that are nowhere, which nobody can read
        model, images = small_net(), torch.zeros(4100, 1, 8, 8, dtype=torch.uint8)
        split = ResidentSplit(images, torch.zeros(4100, dtype=torch.int64))
        with pytest.raises(DataDependentOutputException):
            evaluate(model, split, normalization="unit", precision="fp32", see=seen.append)
    assert [len(logits) for logits in seen] == [2000, 2000, 100]
