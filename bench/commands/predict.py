"""The command `predict`: classes of image files by a trained model, or what it gets wrong."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.options import from_fields
from bench.errors import UsageError
from bench.keep.provided import provided_models
from bench.shell import from_home, print_rich, say, write_out
from bench.sweep.request import Data
from data_pipeline import INVERSIONS, read_photo
from results.text import json_text, visible

if TYPE_CHECKING:
    from rich.table import Table

    from bench.keep.classifier import Classifier

FORMATS = ("rich", "json")


@dataclass(frozen=True, kw_only=True)
class Question:
    """The options of `predict` as the user gave them."""

    model: Annotated[str, typer.Argument(help="A saved model, or the name of a provided one.")]
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Image files of any kind and size.", show_default=False),
    ] = None
    top: Annotated[int, typer.Option(help="Classes to tell of each image.", min=1, max=10)] = 3
    invert: Annotated[
        str, typer.Option(help="Negate the image: auto (where the article is dark), yes or no.")
    ] = "auto"
    claimed_model: Annotated[
        str | None,
        typer.Option("--model", help="Whose weights the file holds, if it is a bare state dict."),
    ] = None
    claimed_size: Annotated[
        int | None,
        typer.Option(
            "--input-size",
            help="Pixels a side that a bare state dict was trained on.",
            min=1,
            max=2048,
        ),
    ] = None
    claimed_normalization: Annotated[
        str | None,
        typer.Option(
            "--normalize",
            help="How the input of a bare state dict was normalised: unit, dataset or half.",
            show_default="unit",
        ),
    ] = None
    fmt: Annotated[str, typer.Option("--format", help="rich or json.")] = "rich"
    mistakes: Annotated[
        int | None,
        typer.Option(
            help="Instead of images: the first N test images that the model gets wrong.", min=1
        ),
    ] = None
    data: Data = None
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto"


@from_fields(Question)
def predict(question: Question) -> None:
    """Classify image files with a trained model, or list what it gets wrong."""
    path = _check(question)  # before torch is loaded
    from bench.keep.classifier import Claim, Classifier  # loads torch
    from bench.machine.device import pick_device

    claim = Claim(
        model=question.claimed_model,
        input_size=question.claimed_size,
        normalize=question.claimed_normalization,
    )
    classifier = Classifier.open(path, claim, pick_device(question.device))
    if classifier.note:
        say(f"{path}: {classifier.note}")
    if question.mistakes is None:
        _tell_classes(question, classifier)
    else:
        _tell_mistakes(question, classifier, question.mistakes)


def _check(question: Question) -> Path:
    """Return the file of the model; whatever is seen without torch is seen here."""
    if question.fmt not in FORMATS:
        raise UsageError(f"unknown format {question.fmt!r}; choose from {', '.join(FORMATS)}")
    if question.invert not in INVERSIONS:
        choices = ", ".join(INVERSIONS)
        raise UsageError(f"--invert takes one of {choices}, not {question.invert!r}")
    if bool(question.images) == (question.mistakes is not None):
        raise UsageError(
            "name image files, or ask for --mistakes N on the test images: one of both"
        )
    path = Path(from_home(question.model))
    with suppress(OSError):  # a name that is too long
        if path.exists():
            return path
    provided = provided_models()
    if question.model in provided:
        return provided[question.model]
    choices = ", ".join(provided) or "none"
    raise UsageError(f"there is no file {path}, and no such model is provided; there are {choices}")


def _tell_classes(question: Question, classifier: "Classifier") -> None:
    import torch

    size, names = classifier.saved.input_size, classifier.saved.classes
    images = question.images or []
    photos = torch.cat([read_photo(image, size, invert=question.invert) for image in images])
    highest, labels = classifier.probabilities(photos).topk(question.top, dim=1)
    answers: list[dict[str, Any]] = [
        {
            "image": os.fsencode(image).decode("utf-8", "replace"),  # names may be any bytes
            "classes": [
                {"class": names[label], "label": label, "probability": probability}
                for label, probability in zip(row.tolist(), shares.tolist(), strict=True)
            ],
        }
        for image, row, shares in zip(images, labels, highest, strict=True)
    ]
    if question.fmt == "json":
        write_out(json_text(answers))
        return
    rows = [
        ("" if place else answer["image"], found["class"], _percent(found["probability"]))
        for answer in answers
        for place, found in enumerate(answer["classes"])
    ]
    print_rich(_table(("image", "class", "probability"), rows), [])


def _tell_mistakes(question: Question, classifier: "Classifier", limit: int) -> None:
    from data_pipeline import ensure_data, load_fashion_mnist, place

    ensure_data(question.data, say=say)
    data = load_fashion_mnist(question.data, fetch=False)
    if classifier.saved.trained.get("recipe", {}).get("split") == "swapped":
        say("this model was trained on the test images: its mistakes there are no test of it")
    size = classifier.saved.input_size
    split = place(data.test_images, data.test_labels, classifier.device, size)
    found = classifier.mistakes(split, limit)
    if question.fmt == "json":
        first = [asdict(mistake) for mistake in found.first]
        counts = {"num_images": found.num_images, "num_mistakes": found.num_mistakes}
        write_out(json_text(counts | {"accuracy": found.accuracy, "mistakes": first}))
        return
    rows = [
        (str(one.index), one.true_class, one.predicted_class, _percent(one.probability))
        for one in found.first
    ]
    share = _percent(found.accuracy, digits=2)
    print_rich(
        _table(("test image", "is", "taken for", "probability"), rows),
        [f"{found.num_mistakes:,} of {found.num_images:,} test images wrong: accuracy {share}"],
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="right" if column == "probability" else "left")
    for cells in rows:
        table.add_row(*(Text(visible(cell), overflow="fold") for cell in cells))
    return table


def _percent(fraction: float, digits: int = 1) -> str:
    return f"{fraction * 100:.{digits}f} %"
