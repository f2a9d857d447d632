"""What the command line asks for: names, hashes and defaults of a request."""

from pathlib import Path

import pytest

from bench import UsageError
from bench.request import Request, check_options, file_hash


def test_defaults_depend_on_the_device() -> None:
    checked = check_options(Request(models="v0"))
    assert [str(spec.budget) for spec in checked.specs("cpu")] == ["30s"]
    assert [str(spec.budget) for spec in checked.specs("cuda")] == ["3epochs"]
    assert (checked.seed_list("cpu"), checked.seed_list("cuda")) == ([0], [0, 1, 2])


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
    recipe = check_options(Request(models="v0", full_train=True)).recipe
    assert (recipe.validation_fraction, recipe.name) == (0.0, "default+validation_fraction=0.0")
    assert check_options(Request(models="v0", recipe="classic", full_train=True)).recipe.name == (
        "classic"
    )


@pytest.mark.parametrize(
    ("settings", "source"),
    [((), "sweep"), (("learning_rate=0.1",), "recipe"), (("batch_size=64",), "changed")],
)
def test_a_swept_rate_is_called_so_only_for_the_recipe_that_was_swept(
    settings: tuple[str, ...], source: str
) -> None:
    (spec,) = check_options(Request(models="resnet8", settings=settings)).specs("cpu")
    assert spec.learning_rate_source == source


def test_a_variant_outside_the_sweep_takes_the_rate_of_its_model() -> None:
    specs = check_options(Request(models="resnet18,resnet18_3x3")).specs("cpu")
    assert [spec.learning_rate_source for spec in specs] == ["sweep", "sibling"]
    assert specs[0].recipe.learning_rate == specs[1].recipe.learning_rate


def test_a_batch_larger_than_the_images_left_is_refused() -> None:
    with pytest.raises(UsageError, match="more than the 54000 images left"):
        check_options(Request(models="v0", settings=("batch_size=54001",)))
