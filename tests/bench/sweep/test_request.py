"""What the command line asks for: names, hashes and defaults of a request."""

from pathlib import Path
from typing import Any

import pytest

from bench import RunSpec, UsageError
from bench.errors import RunError
from bench.spec.run_spec import check_files, file_hash
from bench.sweep.checked import check_options
from bench.sweep.request import Request
from fmnist_models import list_models


def specs_of(**options: Any) -> list[RunSpec]:  # noqa: ANN401
    """What is trained on a CPU, v0 unless another model or all systems are asked for."""
    return check_options(Request(**{"models": "v0"} | options)).specs("cpu")


def published(**options: Any) -> list[RunSpec]:  # noqa: ANN401
    return specs_of(**{"models": "all", "recipe": "published"} | options)


def test_defaults_depend_on_the_device() -> None:
    checked = check_options(Request(models="v0"))
    assert [str(spec.budget) for spec in checked.specs("cpu")] == ["30s"]
    assert [str(spec.budget) for spec in checked.specs("cuda")] == ["3epochs"]
    assert (checked.seed_list("cpu"), checked.seed_list("cuda")) == ([0], [0, 1, 2])


def test_auto_and_a_ladder_leave_the_plan_open() -> None:
    assert check_options(Request(models="v0", plan=" auto ")).plan is None
    assert check_options(Request(models="v0", plan=" ladder ")).is_ladder
    assert str(check_options(Request(models="v0", plan="compile")).plan).endswith(",compile")


def test_a_users_files_are_part_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    for options in ({"models": f"{file}:Net"}, {"settings": [f"weights={file}"]}):
        file.write_text("one")
        (before,) = specs_of(**options)
        file.write_text("two")
        (after,) = specs_of(**options)
        assert before.config_id != after.config_id
    assert "weights_hash" not in specs_of()[0].as_plain()
    assert (file_hash("v0"), file_hash("torchvision:resnet18")) == (None, None)


def test_a_users_file_is_read_once_for_all_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute of silence before a sweep of many settings from one large file."""
    reads: list[str] = []

    def hash_of(name: str, *_: object) -> str:
        reads.append(name)
        return "0" * 12

    for name in ("file_hash", "weights_hash"):
        monkeypatch.setattr(f"bench.sweep.checked.{name}", hash_of)
    file = tmp_path / "net.py"
    file.write_text("one")
    model, weights = f"{file}:Net", str(file)
    settings = [f"weights={weights}", "batch_size=32,64"]
    specs = specs_of(models=model, settings=settings)
    assert [(spec.model_hash, spec.weights_hash) for spec in specs] == [("0" * 12, "0" * 12)] * 2
    assert reads == [model, weights]


def test_full_train_keeps_no_validation_and_says_so() -> None:
    recipe = specs_of(full_train=True)[0].recipe
    assert (recipe.validation_fraction, recipe.name) == (0.0, "default+validation_fraction=0.0")
    assert specs_of(recipe="classic", full_train=True)[0].recipe.name == "classic"


@pytest.mark.parametrize(
    ("models", "settings", "sources"),
    [
        ("resnet8", [], ["sweep"]),
        ("resnet8", ["learning_rate=0.1"], ["recipe"]),
        ("resnet8", ["batch_size=64"], ["changed"]),
        ("resnet18,resnet18_3x3", [], ["sweep", "sibling"]),  # a variant takes that of its model
    ],
)
def test_a_swept_rate_is_called_so_only_for_the_recipe_that_was_swept(
    models: str, settings: list[str], sources: list[str]
) -> None:
    specs = specs_of(models=models, settings=settings)
    assert [spec.learning_rate_source for spec in specs] == sources
    assert len({spec.recipe.learning_rate for spec in specs}) == 1


def test_a_batch_larger_than_the_images_left_is_refused() -> None:
    with pytest.raises(UsageError, match="more than the 54000 images left"):
        specs_of(settings=["batch_size=54001"])


def test_published_trains_every_system_by_its_own_recipe_and_as_long() -> None:
    specs = published()
    assert len(specs) == 12
    assert {spec.model for spec in specs} == {*list_models(variants=False), "resnet4_dropout"}
    lengths = {spec.recipe.name: str(spec.budget) for spec in specs}
    assert lengths["classic@clean"] == "3epochs"
    assert lengths["r2_resnet8"] == "1000epochs"
    assert {spec.recipe.validation_fraction for spec in specs} == {0.1}
    assert all(spec.plan is None for spec in specs)


def test_as_published_begins_with_the_published_seed_in_fp32() -> None:
    request = Request(models="v1", recipe="published", protocol="as_published", seeds=2)
    checked = check_options(request)
    assert checked.seed_list("cpu") == [42, 43]
    (spec,) = checked.specs("cuda")
    assert (spec.plan, spec.recipe.precision) == (None, "fp32")


def test_a_variant_is_trained_as_the_system_that_it_changes() -> None:
    specs = published(models="v1_fixed,resnet18")
    assert [(spec.model, spec.recipe.name) for spec in specs] == [
        ("v1_fixed", "classic@clean"),
        ("resnet18", "r2_resnet18"),
        ("resnet18", "r3_resnet18"),
    ]


def test_a_budget_and_settings_go_to_every_system() -> None:
    specs = published(budget="60s", settings=["input_size=28"])
    assert {(str(spec.budget), spec.recipe.input_size) for spec in specs} == {("60s", 28)}


def test_a_grid_is_every_setting_of_one_model_after_the_other() -> None:
    """Another order, settings that share a configuration, or an announcement that miscounts."""
    options: dict[str, Any] = {
        "models": "v0,v2",
        "settings": ["batch_size=64,128", "optimizer=sgd,adamw"],
    }
    specs = specs_of(**options)
    found = [(spec.model, spec.recipe.batch_size, spec.recipe.optimizer) for spec in specs]
    of_one = [(64, "sgd"), (64, "adamw"), (128, "sgd"), (128, "adamw")]
    assert found == [(model, *setting) for model in ("v0", "v2") for setting in of_one]
    assert len({spec.config_id for spec in specs}) == 8
    assert specs[3] == specs_of()[0], "the recipe's own values are no change"
    assert check_options(Request(**options)).num_settings == 4
    systems = check_options(Request(models="resnet18", recipe="published"))
    assert (len(systems.trainings), systems.num_settings) == (2, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"settings": ["precision=fp32,bf16"], "precision": "fp32"}, "--precision settles prec"),
        ({"settings": ["validation_fraction=0,0.1"], "full_train": True}, "--full-train settles"),
        ({"settings": ["batch_size=32,64"], "plan": "ladder"}, "give each field one value"),
        ({"settings": ["batch_size=32,64"], "recipe": "published"}, "give batch_size one value"),
        ({"save_every": ""}, "steps"),  # catches a test for truth, not None
        ({"models": "torchvision:resnet34", "recipe": "published"}, "knows no torchvision"),
        ({"models": "all", "recipe": "published", "plan": "ladder"}, "one recipe; name it"),
        ({"protocol": "clean"}, "default is no published one"),
        ({"settings": ["weights=nowhere.pt"]}, "cannot read weights nowhere.pt"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        specs_of(**options)


def test_what_a_file_imports_from_beside_it_is_part_of_the_configuration(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "two"
    for folder in (one, other):
        folder.mkdir()
        (folder / "net.py").write_text("from width import WIDTH")
        (folder / "width.py").write_text("WIDTH = 8")
    names = [f"{folder}/net.py:Net" for folder in (one, other)]
    beside = dict.fromkeys(names, ("width.py",))
    checked = check_options(Request(models=",".join(names)))
    first = [spec.config_id for spec in checked.specs("cpu", beside)]
    (other / "width.py").write_text("WIDTH = 9")
    specs = checked.specs("cpu", beside)
    assert [a == b.config_id for a, b in zip(first, specs, strict=True)] == [True, False]
    for spec in specs:
        check_files(spec)
    (other / "width.py").write_text("WIDTH = 10")
    with pytest.raises(RunError, match=r"net\.py:Net has changed, or a file that it imports has"):
        check_files(specs[1])
    (other / "width.py").unlink()
    with pytest.raises(RunError, match=r"width\.py: No such file"):
        check_files(specs[1])
