"""Try the nets that are not ours before a sweep, each in a process of its own.

Torch-free itself: the parent imports this module too.
"""

from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bench.errors import UsageError
from bench.spec.recipe import Recipe
from bench.sweep.child import REFUSALS, as_child, import_torch
from bench.workers import messages
from bench.workers.isolation import ask
from fmnist_models import ModelError
from fmnist_models.external import files_beside

REMEDY = "; mend it, or leave it out of --models"


@dataclass(frozen=True)
class Tryout:
    """A net, and how it will be trained."""

    model: str
    recipes: tuple[Recipe, ...]
    memory_format: str  # of the plan; contiguous where that is open
    data: Path | None


def try_out(job: Tryout, max_memory_bytes: int | None = None) -> tuple[str, ...]:
    """Try a net in a child; return what its file imports from beside it: see `files_beside`.

    Raises:
        UsageError: it cannot be built or trained, or ends the process; one line that names it.
    """
    files = ask(
        answer_tryout,
        job,
        max_memory_bytes=max_memory_bytes,
        what=f"{job.model}: the check before the sweep",
        remedy=REMEDY,
    )
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise UsageError(f"{job.model} answers the check before the sweep itself{REMEDY}")
    return tuple(files)


def answer_tryout(pipe: Connection, job: Tryout) -> None:
    """Entry point of a child: answers with the files, or refuses with one line."""
    with as_child(pipe):
        try:
            messages.send(pipe, messages.ANSWER, try_here(job))
        except REFUSALS as error:
            messages.refuse(pipe, error)
        except KeyboardInterrupt:  # no Ctrl-C, which a child ignores
            what = f"{job.model} raises KeyboardInterrupt{REMEDY}"
            messages.send(pipe, messages.REFUSAL, what)


def try_here(job: Tryout) -> tuple[str, ...]:
    """Try a net in this process; see `try_out`.

    Raises:
        ModelError: it cannot be built or trained; one line.
    """
    import_torch()
    for recipe in job.recipes:
        _try_recipe(job, recipe)
    return files_beside(job.model)


def _try_recipe(job: Tryout, recipe: Recipe) -> None:
    from bench.train.first_step import check_first_step, check_single_images
    from fmnist_models import build_model, model_info
    from fmnist_models.freezing import freeze
    from fmnist_models.pretrained import start_from

    name, model = job.model, build_model(job.model, recipe.input_size)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ModelError(f"{name} has no parameter to train; give it one that requires grad")
    start_from(model, name, recipe.weights, recipe.stem)
    freeze(model, name, recipe.trainable)
    size = model_info(name).input_size
    if recipe.input_size in {None, size}:  # else the session looks, and a row says so
        check_first_step(model, name, recipe, size, job.memory_format)
        check_single_images(model, name, recipe, size, job.data)
