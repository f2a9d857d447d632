"""The command `report`: one page of what finished runs have left, and its charts as files."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.show import write_out

REPORT_FILE = "report.html"


def report(
    folders: Sequence[Path],
    *,
    out: Path | None = None,
    figures: Path | None = None,
    figure_format: str = "svg",
    mixed: bool = False,
) -> None:
    """Writes the report of run folders and tells on stdout where it lies.

    Args:
        folders: run folders or files of records; at least one.
        out: the file; None puts report.html into the folder, or here where there are several.
        figures: a folder for the charts as pictures; None writes none.
        figure_format: svg or png.
        mixed: whether what is not comparable may stand side by side, labelled.

    Raises:
        NotComparable: the records must not stand side by side, and `mixed` does not allow it.
        ResultsError: no records, no such format, or a file that cannot be written.
    """
    from results.report.compose import check_format, write_figures, write_report
    from results.report.material import gather

    check_format(figure_format)
    path = out or _beside(folders)
    material = gather(folders, mixed=mixed)
    for remark in material.remarks:
        sys.stderr.write(f"{remark}\n")
    size = write_report(material, path)
    write_out(f"{path}  ({size / 1e6:.1f} MB, opens in any browser, no network needed)\n")
    if figures is not None:
        pictures = write_figures(material, figures, figure_format)
        write_out(f"{figures}  ({len(pictures)} {figure_format} files)\n")


def _beside(folders: Sequence[Path]) -> Path:
    is_run = len(folders) == 1 and folders[0].is_dir()
    return folders[0] / REPORT_FILE if is_run else Path(REPORT_FILE)
