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
from bench.keep.provided import provided_models, provided_path
from bench.shell import print_rich, write_out
from bench.sweep.request import Data
from data_pipeline import INVERSIONS, read_photo

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from bench.keep.classifier import Classifier, Mistakes

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
        str, typer.Option(help="Negate the image: auto (where its corners are light), yes or no.")
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
    answer_question(question)


def answer_question(question: Question) -> None:
    """Answer on stdout.

    Raises:
        UsageError, DataError: bad input; one line, and nothing on stdout.
    """
    path = _check(question)
    classifier = _open(question, path)
    if question.mistakes is not None:
        _tell_mistakes(question, classifier, question.mistakes)
        return
    size = classifier.saved.input_size
    photos = [read_photo(image, size, invert=question.invert) for image in question.images or ()]
    answers = _answers(question, classifier, photos)
    if question.fmt == "json":
        _write_json(answers)
    else:
        print_rich(_answer_table(answers), [])


def _check(question: Question) -> Path:
    """The file of the model; whatever is seen without torch is seen here."""
    if question.fmt not in FORMATS:
        raise UsageError(f"unknown format {question.fmt!r}; choose from {', '.join(FORMATS)}")
    if question.invert not in INVERSIONS:
        choices = ", ".join(INVERSIONS)
        raise UsageError(f"--invert takes one of {choices}, not {question.invert!r}")
    if bool(question.images) == (question.mistakes is not None):
        raise UsageError(
            "name image files, or ask for --mistakes N on the test images: one of both"
        )
    path = Path(question.model)
    with suppress(OSError):  # a name that is too long
        if path.exists():
            return path
    if question.model in provided_models():
        return provided_path(question.model)
    choices = ", ".join(provided_models()) or "none"
    raise UsageError(f"there is no file {path}, and no such model is provided; there are {choices}")


def _open(question: Question, path: Path) -> "Classifier":
    from bench.keep.classifier import Claim, Classifier
    from bench.machine.device import pick_device

    claim = Claim(
        model=question.claimed_model,
        input_size=question.claimed_size,
        normalize=question.claimed_normalization,
    )
    return Classifier.open(path, claim, pick_device(question.device))


def _answers(
    question: Question, classifier: "Classifier", photos: "Sequence[Tensor]"
) -> list[dict[str, Any]]:
    import torch

    highest, labels = classifier.probabilities(torch.cat(list(photos))).topk(question.top, dim=1)
    names = classifier.saved.classes
    return [
        {
            "image": os.fsencode(image).decode("utf-8", "replace"),  # names may be any bytes
            "classes": [
                {"class": names[label], "label": label, "probability": probability}
                for label, probability in zip(row.tolist(), shares.tolist(), strict=True)
            ],
        }
        for image, row, shares in zip(question.images or (), labels, highest, strict=True)
    ]


def _answer_table(answers: Sequence[dict[str, Any]]) -> "Table":
    table = _table("image", "class", "probability")
    for answer in answers:
        for place, found in enumerate(answer["classes"]):
            name = "" if place else answer["image"]
            _add_row(table, name, found["class"], _percent(found["probability"]))
    return table


def _tell_mistakes(question: Question, classifier: "Classifier", limit: int) -> None:
    from bench.shell import say
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
        _write_json(counts | {"accuracy": found.accuracy, "mistakes": first})
    else:
        print_rich(_mistake_table(found), [_sentence(found)])


def _mistake_table(found: "Mistakes") -> "Table":
    table = _table("test image", "is", "taken for", "probability")
    for mistake in found.first:
        share = _percent(mistake.probability)
        _add_row(table, str(mistake.index), mistake.true_class, mistake.predicted_class, share)
    return table


def _sentence(found: "Mistakes") -> str:
    share = _percent(found.accuracy, digits=2)
    return f"{found.num_mistakes:,} of {found.num_images:,} test images wrong: accuracy {share}"


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="right" if column == "probability" else "left")
    return table


def _add_row(table: "Table", *cells: str) -> None:
    from rich.text import Text

    table.add_row(*(Text(cell, overflow="fold") for cell in cells))  # no markup: a name is a name


def _percent(fraction: float, digits: int = 1) -> str:
    return f"{fraction * 100:.{digits}f} %"


def _write_json(content: object) -> None:
    import orjson

    write_out(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n")
