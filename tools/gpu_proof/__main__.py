"""`python -m tools.gpu_proof`; see `proof.py`."""

import sys

import typer

from bench.shell import run_app
from tools.gpu_proof.proof import main

if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None)
    app.command()(main)
    sys.exit(run_app(app, sys.argv[1:], "gpu-proof"))
