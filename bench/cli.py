"""The command line: one command a line, each in a file of its own."""

import typer

from bench.commands.choose import choose
from bench.commands.compare import compare
from bench.commands.doctor import doctor
from bench.commands.gate import gate
from bench.commands.listing import list_
from bench.commands.predict import predict
from bench.commands.report import report
from bench.commands.run import run
from bench.commands.table import table
from bench.shell import paths_from_home

app = typer.Typer(
    name="fmnist-bench",
    help="Train and profile architectures on Fashion-MNIST under one matched budget.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (run, table, choose, compare, gate, report, list_, doctor, predict):
    app.command(name=command.__name__.rstrip("_"))(paths_from_home(command))
