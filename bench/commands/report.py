"""The command `report`: one page of what finished runs have left, and its charts as files."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import RunDirs
from bench.machine.cache import read_cached, write_cached
from bench.shell import say, write_out
from bench.sweep.folders import named_or_newest

REPORT_FILE = "report.html"


def report(
    run_dirs: RunDirs = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File of the page.", show_default="report.html in the run folder, or here"
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(help="Folder for the charts as pictures as well.", show_default=False),
    ] = None,
    figure_format: Annotated[str, typer.Option(help="svg or png.")] = "svg",
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Show what is not comparable, labelled.")
    ] = False,
) -> None:
    """Write one self-contained HTML page of finished runs; needs no torch and no network."""
    from results.report.compose import check_format, compose, write_figures, write_report
    from results.report.material import gather

    check_format(figure_format)
    folders = named_or_newest(run_dirs)
    is_run = len(folders) == 1 and folders[0].is_dir()
    path = out or (folders[0] if is_run else Path()) / REPORT_FILE
    material = gather(folders, mixed=mixed)
    for remark in material.remarks:
        say(remark)
    page = compose(material, path)
    size = write_report(page, path, _chart_libraries())
    write_out(f"{path}  ({size / 1e6:.1f} MB; opens in any browser, without a network)\n")
    if figures is not None:
        pictures = write_figures(page, figures, figure_format)
        write_out(f"{figures}  ({len(pictures)} {figure_format} files)\n")


def _chart_libraries() -> str:
    """The script that draws the charts; a cached one saves 2 s."""
    from results.report.page import chart_libraries

    name = f"charts/{version('vl-convert-python')}.json"
    cached = (read_cached(name) or {}).get("script")
    if isinstance(cached, str):
        return cached
    made = chart_libraries()
    write_cached(name, {"script": made})
    return made
