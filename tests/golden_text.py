"""Golden text: what a user reads, held to the letter by committed files.

`UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/results tests/freeze` writes the files anew; read
the difference before you commit it.
"""

import io
import os
from difflib import unified_diff
from pathlib import Path
from typing import Literal

from rich.console import Console, RenderableType

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (60, 80, 120, 200)
MOST_LINES = 40  # of a difference; a renewed file and `git diff` show all


def assert_golden(name: str, text: str, folder: Path = GOLDEN) -> None:
    """Fails unless the text is that of the golden file."""
    wanted = golden(folder / name, text)
    assert text == wanted, _difference(name, wanted, text)


def shown(
    *parts: RenderableType, width: int, colours: Literal["standard", "truecolor"] | None = None
) -> str:
    """What a terminal of this width shows, but for blanks at the ends of lines."""
    console = Console(
        file=io.StringIO(),
        width=width,
        no_color=colours is None,
        force_terminal=colours is not None,
        color_system=colours,
    )
    for part in parts:
        console.print(part, markup=False)
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def golden(path: Path, text: str) -> str:
    """The text of a golden file; where an update is asked for, the file gets this one first."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return path.read_bytes().decode()  # line ends as they are: a CSV has \r\n


def _difference(name: str, wanted: str, text: str) -> str:
    lines = unified_diff(wanted.splitlines(), text.splitlines(), name, "now", n=1, lineterm="")
    return "\n".join(["", *list(lines)[:MOST_LINES]])
