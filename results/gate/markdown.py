"""Markdown in which nothing from outside is more than text: names, subjects, reasons."""

import re
from collections.abc import Sequence

from results.render.columns import Column
from results.render.formats import escape_markdown

BREAK = "\u200b"  # of no width: GitHub sees no mention and no link in what it parts


def escaped(text: str) -> str:
    """The text on one line, all that GitHub would read as markup, mention or link escaped."""
    text = escape_markdown(text.replace("&", "&amp;"))
    text = re.sub(r"([~$])", r"\\\1", text)  # strikes out; mathematics
    return re.sub(r"(@|:(?=//)|www(?=\.))", rf"\1{BREAK}", text, flags=re.IGNORECASE)


def item(text: str) -> str:
    """The text as an item of a list; what starts a block at the start of a line starts none."""
    text = re.sub(r"^([#>+=-])", r"\\\1", escaped(text))
    return "- " + re.sub(r"^(\d+)([.)])", r"\1\\\2", text)


def fenced(text: str) -> str:
    """The text as a block of code, its fence longer than any in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{text}\n{fence}"


def folded(title: str, body: str) -> str:
    """A body that is shown on a click; the title is ours."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def table(columns: Sequence[Column], room: int) -> tuple[str, int]:
    """As many rows as fit into `room` characters, at least one, and how many that are."""
    num_rows = len(columns[0].cells)
    text = _table(columns, num_rows)
    while len(text) > room and num_rows > 1:
        num_rows = max(1, min(num_rows - 1, num_rows * room // len(text)))
        text = _table(columns, num_rows)
    return text, num_rows


def items(texts: Sequence[str], room: int) -> tuple[str, int]:
    """As many items as fit into `room` characters, at least one, and how many that are."""
    lines: list[str] = []
    used = 0
    for line in map(item, texts):
        used += len(line) + 1
        if used > room and lines:
            break
        lines.append(line)
    return "\n".join(lines), len(lines)


def _table(columns: Sequence[Column], num_rows: int) -> str:
    from tabulate import tabulate

    cells = [[escaped(cell) for cell in column.cells[:num_rows]] for column in columns]
    return tabulate(
        [list(row) for row in zip(*cells, strict=True)],
        headers=[column.header for column in columns],
        tablefmt="github",
        colalign=[column.align for column in columns],
        disable_numparse=True,
    )
