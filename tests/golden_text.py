"""Golden text: what a user reads, held to the letter by the files in `tests/golden`.

`UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/results` writes the files anew; read the
difference before you commit it.
"""

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (60, 80, 120, 200)


def assert_golden(name: str, text: str) -> None:
    """Fails unless the text is that of the golden file."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
