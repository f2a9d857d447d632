"""Every registered architecture against its specification: counts, FLOPs, shapes, inits, quirks."""

from functools import cache
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fmnist_models import build_model, list_models, model_info


class Spec(NamedTuple):
    """Parameters, and FLOPs of one image: forward, and forward with backward."""

    parameters: int
    forward_flops: int
    train_flops: int


SPECS = {
    "v0": Spec(7_960, 15_880, 31_960),
    "v1": Spec(7_960, 15_880, 31_960),
    "v2": Spec(7_740, 2_267_720, 6_662_040),
    "fashion_cnn": Spec(1_475_338, 8_671_200, 25_562_016),
    "alexnet": Spec(1_460_074, 110_595_584, 329_905_152),
    "resnet4": Spec(651_898, 13_778_944, 40_885_248),
    "resnet8": Spec(77_754, 18_691_840, 55_849_728),
    "resnet18": Spec(11_175_370, 66_021_888, 196_836_352),
    "resnet50": Spec(24_555_978, 157_968_896, 472_677_376),
    "alexnet224": Spec(46_764_746, 1_876_292_352, 5_561_132_544),
    # Stem of 3x3 in place of 7x7: 64 x 40 weights fewer. By hand, forward: stem 903,168, stages
    # 231,211,008 + 2 x 205,520,896 + 268,435,456, head 10,240; the stem has no input gradient.
    "resnet18_3x3": Spec(11_172_810, 911_601_664, 3 * 911_601_664 - 903_168),
}
# ReLU and dropout have no parameters and, as FLOPs are counted, cost nothing.
SAME_COST = ("v1_fixed", "fashion_cnn_relu", "resnet4_dropout", "resnet8_postrelu")

# Channels and height of what comes out of a submodule, at an input size.
FEATURES: dict[tuple[str, int], dict[str, tuple[int, int]]] = {
    ("v2", 28): {"4": (10, 14), "9": (10, 7)},
    ("fashion_cnn", 28): {"3": (32, 14), "4": (64, 12), "7": (64, 6)},
    ("alexnet", 28): {"0": (48, 28), "2": (48, 13), "5": (128, 6), "12": (128, 2)},
    ("alexnet224", 224): {"0": (96, 54), "2": (96, 26), "5": (256, 12), "12": (256, 5)},
    ("resnet4", 28): {
        "stem.0": (32, 28),
        "stem": (32, 14),
        "stages.0": (32, 14),
        "stages.1": (80, 7),
        "stages.2": (192, 4),
        "stages.3": (320, 2),
    },
    ("resnet4", 96): {"stem": (32, 48), "stages.1": (80, 24), "stages.3": (320, 6)},
    ("resnet8", 28): {"stem": (16, 28), "blocks.0": (16, 28), "blocks.2": (64, 7)},
    ("resnet18", 28): {"conv1": (64, 14), "maxpool": (64, 7), "layer2": (128, 4)},
    ("resnet18_3x3", 28): {"maxpool": (64, 28), "layer1": (64, 28), "layer4": (512, 4)},
    ("resnet50", 28): {"conv1": (64, 14), "layer1": (256, 7), "layer4": (2048, 1)},
    ("resnet50", 16): {"conv1": (64, 8), "maxpool": (64, 4), "layer2": (512, 2)},
}


@cache
def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name)


def images_for(name: str, batch_size: int = 2) -> Tensor:
    size = model_info(name).input_size
    return torch.rand(batch_size, 1, size, size, generator=torch.Generator().manual_seed(1))


def logits_of(name: str, images: Tensor | None = None, *, train: bool = False) -> Tensor:
    model = built(name).train(train)
    with torch.no_grad():
        logits: Tensor = model(images_for(name) if images is None else images)
    return logits


def spec_of(name: str) -> Spec:
    return SPECS[model_info(name).variant_of or name] if name in SAME_COST else SPECS[name]


@pytest.mark.parametrize("name", list_models())
def test_logits_are_ten_finite_numbers_an_image_and_no_probabilities(name: str) -> None:
    logits = logits_of(name)
    assert (logits.shape, logits.dtype) == ((2, 10), torch.float32)
    assert logits.isfinite().all()
    for sums in (logits.sum(dim=1), logits.exp().sum(dim=1)):  # softmax, log-softmax
        assert not torch.allclose(sums, torch.ones(2), atol=1e-3)


@pytest.mark.parametrize("name", list_models())
def test_parameters_with_a_gradient_each_and_flops_of_one_image(name: str) -> None:
    model, images = built(name).train(), images_for(name)
    with FlopCounterMode(display=False) as forward:
        logits = model(images)
    with FlopCounterMode(display=False) as backward:
        logits.sum().backward()
    found = list(model.parameters())
    assert all(p.dtype == torch.float32 and p.requires_grad for p in found)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in found)
    model.zero_grad(set_to_none=True)
    parameters, once = sum(p.numel() for p in found), forward.get_total_flops() // 2
    assert Spec(parameters, once, once + backward.get_total_flops() // 2) == spec_of(name)


@pytest.mark.parametrize(("name", "size"), FEATURES, ids=str)
def test_feature_map_sizes(name: str, size: int) -> None:
    wanted = FEATURES[name, size]
    found: dict[str, tuple[int, int]] = {}

    def note(path: str, output: Tensor) -> None:
        found[path] = (output.shape[1], output.shape[2])
        assert output.shape[2] == output.shape[3]

    hooks = [
        built(name)
        .get_submodule(path)
        .register_forward_hook(lambda _module, _input, output, path=path: note(path, output))
        for path in wanted
    ]
    logits_of(name, torch.rand(2, 1, size, size))
    for hook in hooks:
        hook.remove()
    assert found == wanted


@pytest.mark.parametrize("name", list_models())
def test_default_initialisation(name: str) -> None:
    torchvision_keeps = ("bn", "layer")  # its ResNets; conv1 and fc were put in by us
    for path, module in built(name).named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d) or path.startswith(torchvision_keeps):
            continue
        bound = module.weight[0].numel() ** -0.5  # 1 / sqrt(fan_in)
        for values in (module.weight, module.bias):
            if values is None:
                continue
            assert values.abs().max() <= bound * 1.0001, path
            if values.numel() >= 100:
                assert values.abs().max() > 0.8 * bound, path


@pytest.mark.parametrize("name", ["resnet18", "resnet18_3x3", "resnet50"])
def test_torchvision_initialisation_is_kept_inside(name: str) -> None:
    weight = built(name).get_submodule("layer3.0.conv2").weight  # Kaiming normal, fan out
    assert isinstance(weight, Tensor)
    fan_out = weight.shape[0] * weight[0, 0].numel()
    assert weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)


def test_resnet4_unit_is_relu_of_norm_plus_shortcut() -> None:
    unit = built("resnet4").eval().get_submodule("stages.1.0")
    x = torch.randn(2, 32, 14, 14)
    with torch.no_grad():
        branches = [unit.get_submodule(b)(x) for b in ("pointwise", "three", "five", "pooled")]
        total = unit.get_submodule("norm")(torch.cat(branches, dim=1))
        total += unit.get_submodule("shortcut")(x)
        assert [branch.shape[1] for branch in branches] == [16, 32, 16, 16]
        assert all((branch >= 0).all() for branch in branches)
        torch.testing.assert_close(unit(x), total.relu())


def features_before_pooling(name: str) -> Tensor:
    model = built(name).eval()
    with torch.no_grad():
        features: Tensor = nn.Sequential(*list(model.children())[:-1])(images_for(name))
    return features


def test_resnet8_features_are_rectified_only_in_the_variant() -> None:
    assert (features_before_pooling("resnet8") < 0).any()
    assert (features_before_pooling("resnet8_postrelu") >= 0).all()


@pytest.mark.parametrize("name", ["resnet4", "resnet8"])
def test_head_sees_the_average_of_each_channel(name: str) -> None:
    averages = features_before_pooling(name).mean(dim=(2, 3))
    torch.testing.assert_close(built(name).get_submodule("head")(averages), logits_of(name))


def test_v1_cannot_give_a_negative_logit_and_v1_fixed_can() -> None:
    images = images_for("v1", batch_size=64)
    assert (logits_of("v1", images) >= 0).all()
    assert (logits_of("v1", images) == 0).any()
    assert (logits_of("v1_fixed", images) < 0).any()


def nonlinearity(name: str, module_range: slice) -> float:
    """How far a part of a Sequential network is from an affine map: 0 for one."""
    model = built(name).eval()
    assert isinstance(model, nn.Sequential)
    part = model[module_range]
    width = next(m.in_features for m in part if isinstance(m, nn.Linear))
    a, b = torch.randn(2, 8, width, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        middle = part((a + b) / 2) - (part(a) + part(b)) / 2
    return float(middle.abs().max())


def test_plain_stacks_of_linear_layers_are_one_affine_map() -> None:
    assert nonlinearity("v0", slice(1, None)) < 1e-5
    assert nonlinearity("v1_fixed", slice(1, None)) > 1e-3
    assert nonlinearity("fashion_cnn", slice(9, None)) < 1e-5
    assert nonlinearity("fashion_cnn_relu", slice(9, None)) > 1e-3


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("v0", 0),
        ("v1", 2),
        ("v1_fixed", 1),
        ("v2", 4),
        ("fashion_cnn", 2),
        ("fashion_cnn_relu", 4),
        ("alexnet", 7),
        ("alexnet224", 7),
        ("resnet4", 1 + 8 * 6),  # and one after each unit's addition
        ("resnet8", 1 + 3),
        ("resnet18", 1 + 8),  # torchvision uses a block's one ReLU twice or thrice
        ("resnet50", 1 + 16 + 1),
    ],
)
def test_activations(name: str, count: int) -> None:
    assert sum(isinstance(module, nn.ReLU) for module in built(name).modules()) == count


def dropouts(name: str) -> list[tuple[str, float]]:
    kinds = (nn.Dropout, nn.Dropout2d)
    return [(type(m).__name__, m.p) for m in built(name).modules() if isinstance(m, kinds)]


def test_dropout_is_where_the_specification_has_it() -> None:
    wanted = {
        "fashion_cnn": [("Dropout", 0.25)],
        "fashion_cnn_relu": [("Dropout", 0.25)],
        "alexnet": [("Dropout", 0.5)] * 2,
        "alexnet224": [("Dropout", 0.5)] * 2,
        "resnet4_dropout": [("Dropout2d", 0.5)] * 16,
    }
    assert {name: dropouts(name) for name in list_models()} == {
        name: wanted.get(name, []) for name in list_models()
    }


@pytest.mark.parametrize(("name", "varies"), [("resnet4", False), ("resnet4_dropout", True)])
def test_dropout_acts_in_training_only(name: str, varies: bool) -> None:
    assert torch.equal(logits_of(name), logits_of(name))
    assert torch.equal(logits_of(name, train=True), logits_of(name, train=True)) is not varies


def inert_and_all(name: str, size: int) -> tuple[int, int]:
    """Convolution weights that no image can move (their gradient is exactly zero), and all."""
    torch.manual_seed(0)
    model = build_model(name)
    for path in [path for path, m in model.named_modules() if isinstance(m, nn.ReLU)]:
        model.set_submodule(path, nn.LeakyReLU())  # never shut: only padding stops a gradient
    model(torch.rand(8, 1, size, size)).square().sum().backward()
    gradients = [m.weight.grad for m in model.modules() if isinstance(m, nn.Conv2d)]
    found = [gradient for gradient in gradients if gradient is not None]
    return sum(int((g == 0).sum()) for g in found), sum(g.numel() for g in found)


# By hand. A 3x3 kernel with padding 1 and stride 1 on 1x1 maps sees data under its centre alone:
# 8 of 9 taps are inert; with stride 2 from 2x2 maps it sees four: 5 of 9.
PLANE = 512 * 512  # kernels of a convolution of 512 channels
RESNET18_AT_28 = 3 * 8 * PLANE + 5 * 512 * 256  # layer4 ends in 1x1 maps
RESNET50_AT_28 = 2 * 8 * PLANE + 5 * PLANE
# at 16 layer3 ends in 1x1 maps (six blocks of 256), and layer4 has them from the start
RESNET50_AT_16 = 5 * 8 * 256 * 256 + 5 * 256 * 256 + 3 * 8 * PLANE


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("name", "size", "inert", "percent"),
    [
        ("resnet18", 28, RESNET18_AT_28, 62.2),
        ("resnet50", 28, RESNET50_AT_28, 23.5),
        ("resnet50", 16, RESNET50_AT_16, 39.4),
        ("resnet8", 28, 0, 0.0),
    ],
)
def test_share_of_inert_weights(name: str, size: int, inert: int, percent: float) -> None:
    found, everything = inert_and_all(name, size)
    assert found == inert
    assert round(100 * found / everything, 1) == percent
