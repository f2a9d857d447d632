"""The command line. Options are read here; the work is done elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.choose import choose
from bench.commands.compare import compare
from bench.commands.gate import gate
from bench.commands.predict import Data, predict
from bench.commands.report import report
from bench.commands.run import Options
from bench.shell import say
from bench.spec.plan import AUTO
from bench.sweep.request import Request

app = typer.Typer(
    name="fmnist-bench",
    help="Train and profile architectures on Fashion-MNIST under one matched budget.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def run(
    models: Annotated[
        str,
        typer.Option(
            help="'all', names, globs, torchvision:NAME, timm:NAME or path/to/file.py:CALLABLE, "
            "separated by commas. A .py file named here is executed."
        ),
    ] = "all",
    budget: Annotated[
        str | None,
        typer.Option(
            help="What is held equal: 3epochs, 5000steps, 180000images, 60s, 2e15flops or 500J.",
            show_default="30s on a CPU, 3epochs on a GPU",
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="How to train; see `list`. 'published': each reference system by its own recipe."
        ),
    ] = "default",
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Split and selection of a reference recipe, 'clean' or 'as_published', and its "
            "own length unless --budget is given.",
            show_default="clean with --recipe published, else the recipe as it stands",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Runs a model, seeds 0, 1, ... (as_published: 42, 43, ...).",
            show_default="1 on a CPU, 3 on a GPU",
        ),
    ] = None,
    plan: Annotated[
        str,
        typer.Option(
            help="How to execute: 'auto', parts such as channels_last,compile, or 'ladder', which "
            "measures the plans against each other."
        ),
    ] = AUTO,
    precision: Annotated[
        str,
        typer.Option(help="fp32, tf32, bf16, fp16 or auto (bf16 on a GPU, fp32 on a CPU)."),
    ] = AUTO,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the records.", show_default="results/runs/DATE-TIME"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with --out, or else with the newest run.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a recipe field: key=value; may be repeated."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file of recipe fields; --set wins over it.")
    ] = None,
    full_train: Annotated[
        bool,
        typer.Option("--full-train", help="Train on all 60,000 images, without a curve."),
    ] = False,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic", help="Same records twice; needs a counted budget and a plan."
        ),
    ] = False,
    target: Annotated[
        float | None,
        typer.Option(
            help="Validation accuracy, such as 0.90, at which a training ends; the budget caps it.",
        ),
    ] = None,
    save: Annotated[
        bool,
        typer.Option("--save", help="Save models into the run folder; --resume goes on from them."),
    ] = False,
    save_every: Annotated[
        str | None,
        typer.Option(
            help="How often to save while training: 1epochs, 500steps or 60s; implies --save.",
            show_default="1epochs",
        ),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Log for TensorBoard into the run folder.")
    ] = False,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="No child processes, for debugging.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a run is given up.", min=1.0)
    ] = None,
    max_memory_gb: Annotated[
        float | None,
        typer.Option(
            help="Most memory of a run's process, in GB of 10^9 bytes; more is out_of_memory. A "
            "GPU's own memory is not counted, and each process that a model starts counts alone.",
        ),
    ] = None,
) -> None:
    """Train models under one budget, then print the comparison table."""
    from bench.commands.run import run as run_sweep

    request = Request(
        models=models,
        budget=budget,
        recipe=recipe,
        protocol=protocol,
        seeds=seeds,
        plan=plan,
        precision=precision,
        device=device,
        settings=settings or (),
        config=config,
        full_train=full_train,
        deterministic=deterministic,
        target=target,
    )
    options = Options(
        data=data,
        out=out,
        resume=resume,
        in_process=in_process,
        timeout_s=timeout,
        max_memory_gb=max_memory_gb,
        save=save,
        save_every=save_every,
        tensorboard=tensorboard,
    )
    raise typer.Exit(run_sweep(request, options))


@app.command()
def table(
    run_dirs: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders.", show_default="the newest in results/runs"),
    ] = None,
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            help="rich, markdown, csv, json, latex or parquet (bytes, for a file). csv, json and "
            "parquet have the record_ids behind each row: `grep ID records.jsonl` finds a record.",
        ),
    ] = "rich",
    sort: Annotated[
        str,
        typer.Option(help="Any key of --format json; by commit, time unless another is named."),
    ] = "test_accuracy",
    by: Annotated[
        str,
        typer.Option(
            help="A row for each model, commit (a history: each model over the commits, with what "
            "changed) or plan; or published: the reference systems, each beside its published "
            "number."
        ),
    ] = "model",
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Show what is not comparable, labelled.")
    ] = False,
) -> None:
    """Print the table of finished runs; needs no torch."""
    from bench.commands.show import show
    from bench.shell import end_at_once
    from bench.sweep.folders import read_runs
    from results import collector_paused

    with collector_paused():
        records = read_runs(run_dirs, say)
        show(records, fmt=fmt, by=by, sort=sort, mixed=mixed)
        end_at_once(len(records))


app.command()(choose)
app.command()(compare)
app.command()(gate)
app.command()(report)


@app.command(name="list")
def list_() -> None:
    """List models, recipes, budgets and plans."""
    from bench.commands.listing import listing
    from bench.shell import write_out

    write_out(listing())


@app.command()
def doctor(
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch the data if it is missing, and verify it.")
    ] = False,
    data: Data = None,
) -> None:
    """Tell what this machine can do, and the remedy for what it cannot."""
    from bench.commands.doctor import examine
    from bench.shell import write_out

    is_well = True
    for finding in examine(data, fetch=fetch, say=say):
        mark = "ok " if finding.is_fine else "NO "
        write_out(f"{mark} {finding.subject:<9} {finding.text}\n")
        is_well = is_well and finding.is_fine
    raise typer.Exit(0 if is_well else 2)


app.command()(predict)
