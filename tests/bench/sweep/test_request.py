"""What the command line asks for: names, hashes and defaults of a request."""

from pathlib import Path

import pytest

from bench import Recipe, UsageError
from bench.spec.run_spec import file_hash
from bench.sweep.checked import check_options
from bench.sweep.request import Request
from fmnist_models import list_models


def only_recipe(request: Request) -> Recipe:
    (entry,) = check_options(request).trainings
    return entry.recipe


def test_defaults_depend_on_the_device() -> None:
    checked = check_options(Request(models="v0"))
    assert [str(spec.budget) for spec in checked.specs("cpu")] == ["30s"]
    assert [str(spec.budget) for spec in checked.specs("cuda")] == ["3epochs"]
    assert (checked.seed_list("cpu"), checked.seed_list("cuda")) == ([0], [0, 1, 2])


def test_auto_and_a_ladder_leave_the_plan_open() -> None:
    assert check_options(Request(models="v0", plan=" auto ")).plan is None
    assert check_options(Request(models="v0", plan=" ladder ")).is_ladder
    assert str(check_options(Request(models="v0", plan="compile")).plan).endswith(",compile")


def test_a_users_model_file_is_part_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("one")
    name = f"{file}:Net"
    before = check_options(Request(models=name)).specs("cpu")[0]
    file.write_text("two")
    after = check_options(Request(models=name)).specs("cpu")[0]
    assert before.config_id != after.config_id
    assert (file_hash("v0"), file_hash("torchvision:resnet18")) == (None, None)


def test_full_train_keeps_no_validation_and_says_so() -> None:
    recipe = only_recipe(Request(models="v0", full_train=True))
    assert (recipe.validation_fraction, recipe.name) == (0.0, "default+validation_fraction=0.0")
    assert only_recipe(Request(models="v0", recipe="classic", full_train=True)).name == "classic"


@pytest.mark.parametrize(
    ("settings", "source"),
    [([], "sweep"), (["learning_rate=0.1"], "recipe"), (["batch_size=64"], "changed")],
)
def test_a_swept_rate_is_called_so_only_for_the_recipe_that_was_swept(
    settings: list[str], source: str
) -> None:
    (spec,) = check_options(Request(models="resnet8", settings=settings)).specs("cpu")
    assert spec.learning_rate_source == source


def test_a_variant_outside_the_sweep_takes_the_rate_of_its_model() -> None:
    specs = check_options(Request(models="resnet18,resnet18_3x3")).specs("cpu")
    assert [spec.learning_rate_source for spec in specs] == ["sweep", "sibling"]
    assert specs[0].recipe.learning_rate == specs[1].recipe.learning_rate


def test_a_batch_larger_than_the_images_left_is_refused() -> None:
    with pytest.raises(UsageError, match="more than the 54000 images left"):
        check_options(Request(models="v0", settings=["batch_size=54001"]))


def test_published_trains_every_system_by_its_own_recipe_and_as_long() -> None:
    specs = check_options(Request(recipe="published")).specs("cpu")
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
    specs = check_options(Request(models="v1_fixed,resnet18", recipe="published")).specs("cpu")
    assert [(spec.model, spec.recipe.name) for spec in specs] == [
        ("v1_fixed", "classic@clean"),
        ("resnet18", "r2_resnet18"),
        ("resnet18", "r3_resnet18"),
    ]


def test_a_budget_and_settings_go_to_every_system() -> None:
    request = Request(recipe="published", budget="60s", settings=["input_size=28"])
    specs = check_options(request).specs("cpu")
    assert {str(spec.budget) for spec in specs} == {"60s"}
    assert {spec.recipe.input_size for spec in specs} == {28}


def test_saving_needs_an_interval_that_is_one() -> None:  # catches a test for truth, not None
    with pytest.raises(UsageError):
        check_options(Request(models="v0", save_every=""))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(models="torchvision:resnet34", recipe="published"), "knows no torchvision"),
        (Request(recipe="published", plan="ladder"), "one recipe; name it"),
        (Request(models="v0", protocol="clean"), "default is no published one"),
        (Request(models="v0", settings=["weights=nowhere.pt"]), "cannot read weights nowhere.pt"),
    ],
)
def test_what_published_cannot_do_is_refused(request_: Request, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_options(request_).specs("cpu")


def test_the_file_to_start_from_is_part_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "start.pt"
    file.write_text("one")
    request = Request(models="v0", settings=[f"weights={file}"])
    before = check_options(request).specs("cpu")[0]
    file.write_text("two")
    after = check_options(request).specs("cpu")[0]
    assert before.config_id != after.config_id
    assert "weights_hash" not in check_options(Request(models="v0")).specs("cpu")[0].as_plain()
