"""What `run` is asked: the one list of its options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from bench.machine.memory_limit import GB
from bench.spec.amounts import FRACTIONS, GIGABYTES, SECONDS, reader
from bench.spec.plan import AUTO

Data = Annotated[
    Path | None,
    Option(
        help="Folder of the data: its four files, gzipped or not, or Kaggle's two CSV files.",
        show_default="$FMNIST_DATA",
    ),
]
"""The option --data of every command that has it."""
Notes = Annotated[bool, Option("--notes", help="Print all notes below the table.")]
"""The option --notes of every command that prints a table."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `run` as the user gave them; None where nothing was given.

    This is the one list of them: the command line makes its options of these fields.
    """

    models: Annotated[
        str,
        Option(
            help="'all', names, globs, torchvision:NAME, timm:NAME or path/to/file.py:CALLABLE, "
            "separated by commas. A .py file named here is executed."
        ),
    ] = "all"
    budget: Annotated[
        str | None,
        Option(
            help="What is held equal: 3epochs, 5000steps, 180000images, 60s, 5min, 2e15flops or "
            "500J.",
            show_default="30s on a CPU, 3epochs on a GPU",
        ),
    ] = None
    recipe: Annotated[
        str,
        Option(
            help="How to train; see `list`. 'published': each reference system by its own recipe."
        ),
    ] = "default"
    protocol: Annotated[
        str | None,
        Option(
            help="Split and selection of a reference recipe, 'clean' or 'as_published', and its "
            "own length unless --budget is given.",
            show_default="clean with --recipe published, else the recipe as it stands",
        ),
    ] = None
    seeds: Annotated[
        int | None,
        Option(
            help="Runs a model, seeds 0, 1, ... (as_published: 42, 43, ...).",
            show_default="1 on a CPU, 3 on a GPU",
        ),
    ] = None
    plan: Annotated[
        str,
        Option(
            help="How to execute: 'auto', parts such as channels_last,compile, or 'ladder', which "
            "measures the plans against each other."
        ),
    ] = AUTO
    precision: Annotated[
        str, Option(help="fp32, tf32, bf16, fp16 or auto (bf16 on a GPU, fp32 on a CPU).")
    ] = AUTO
    device: Annotated[str, Option(help="auto, cpu or cuda:N.")] = "auto"
    data: Data = None
    out: Annotated[
        Path | None, Option(help="Folder for the records.", show_default="results/runs/DATE-TIME")
    ] = None
    resume: Annotated[
        bool, Option("--resume", help="Go on with --out, or else with the newest run.")
    ] = False
    settings: Annotated[
        list[str] | None,
        Option(
            "--set",
            help="Change a recipe field: key=value; may be repeated. Of several values, key=a,b,c, "
            "every combination is run.",
        ),
    ] = None
    config: Annotated[
        Path | None, Option(help="TOML file of recipe fields; --set wins over it.")
    ] = None
    full_train: Annotated[
        bool, Option("--full-train", help="Train on all 60,000 images, without a curve.")
    ] = False
    deterministic: Annotated[
        bool,
        Option("--deterministic", help="Same records twice; needs a counted budget and a plan."),
    ] = False
    target: Annotated[
        float | None,
        Option(
            help="Validation accuracy, such as 0.90, at which a training ends; the budget caps it.",
            parser=reader("--target", FRACTIONS, "0.9 or 90%"),
            metavar="FRACTION",
        ),
    ] = None
    save: Annotated[
        bool, Option("--save", help="Save models into the run folder; --resume goes on from them.")
    ] = False
    save_every: Annotated[
        str | None,
        Option(
            help="How often to save while training: 1epochs, 500steps or 60s; implies --save.",
            show_default="1epochs",
        ),
    ] = None
    tensorboard: Annotated[
        bool, Option("--tensorboard", help="Log for TensorBoard into the run folder.")
    ] = False
    in_process: Annotated[
        bool, Option("--in-process", help="No child processes, for debugging.")
    ] = False
    timeout_s: Annotated[
        float | None,
        Option(
            "--timeout",
            help="Seconds, or 10min, after which a run is given up.",
            parser=reader("--timeout", SECONDS, "600, 600s or 10min"),
            metavar="TIME",
        ),
    ] = None
    max_memory_gb: Annotated[
        float | None,
        Option(
            help="Most memory of a run's process, in GB of 10^9 bytes; more is out_of_memory. A "
            "GPU's own memory is not counted, and each process that a model starts counts alone.",
            parser=reader("--max-memory-gb", GIGABYTES, "4, 4GB or 500MB"),
            metavar="GB",
        ),
    ] = None

    notes: Notes = False

    @property
    def max_memory_bytes(self) -> int | None:
        """Limit of each child's memory; None for none."""
        return None if self.max_memory_gb is None else int(self.max_memory_gb * GB)
