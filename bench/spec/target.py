"""The target of `run --target`: a validation accuracy at which a training ends."""

from bench.errors import UsageError
from bench.spec.recipe import Recipe

READS_TEST_IMAGES = ("test", "half_test")  # splits whose validation images are test images


def check_target(target: float | None, recipe: Recipe) -> None:
    """Refuses a target that no training by this recipe may end at.

    Raises:
        UsageError: it is no fraction, or there are no validation images of the training's own.
    """
    if target is None:
        return
    if not 0 < target < 1:
        raise UsageError(f"--target {target:g} is out of range; give a fraction such as 0.90")
    if recipe.split in READS_TEST_IMAGES:
        raise UsageError(
            f"--target would stop recipe {recipe.name} by test images, which are its validation "
            "images; take --protocol clean"
        )
    if not recipe.has_validation:
        raise UsageError(
            f"--target looks at validation images, and recipe {recipe.name} keeps none; "
            "set validation_fraction, such as 0.1, and leave --full-train out"
        )


def target_text(target: float) -> str:
    """The fraction as a person writes it: 0.90, 0.925."""
    return f"{target:.2f}" if round(target, 2) == target else f"{target:g}"
