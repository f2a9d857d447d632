"""Documents that must keep up with the code: the tree in the README, the options, the links."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from fmnist_models import list_models

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    path: path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
}


def test_the_stair_in_the_design_has_every_floor_in_its_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (c["layers"] for c in contracts["contracts"] if c.get("containers") == ["bench"])
    floors = [name for layer in layers for name in layer.split(" | ")]
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    stair = design[design.index("what stands on a floor") : design.index("results  ")]
    drawn = re.findall(r"^ +(?:└ )?(\w+)/?(?: {2}(\w+) )?", stair, re.MULTILINE)
    assert [name for pair in drawn for name in pair if name] == floors


def test_the_tree_in_the_readme_has_every_folder() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = re.findall(r"^(\w+)/ ", readme[readme.index("## Where things are") :], re.MULTILINE)
    listed = subprocess.run(
        ["git", "ls-tree", "-d", "--name-only", "HEAD"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert set(tree) == {name for name in listed.stdout.split() if not name.startswith(".")}


def test_the_options_document_is_what_the_command_line_says(tmp_path: Path) -> None:
    fresh = tmp_path / "cli.md"
    command = ["-m", "typer", "bench.cli", "utils", "docs", "--name", "fmnist-bench"]
    subprocess.run(
        [sys.executable, *command, "--output", str(fresh)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    assert (ROOT / "docs" / "cli.md").read_text() == fresh.read_text(), "run `make docs`"


def test_links_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {link}"
        for page, text in DOCUMENTS.items()
        for link in re.findall(r"\]\(([^)#]+)\)", text)
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert broken == []


def test_a_file_that_is_named_is_there() -> None:
    """From the root of the checkout, or from `bench/` as docs/design.md has it; not in history."""
    path = re.compile(r"(?<![\w/.])((?:[a-z]\w*/)+\w+\.(?:py|toml))\b")
    missing = [
        f"{page.name}: {name}"
        for page, text in DOCUMENTS.items()
        if page.name not in {"log.md", "CHANGELOG.md"}
        for name in path.findall(text)
        if not name.startswith("path/")
        and not any((top / name).exists() for top in (ROOT, ROOT / "bench"))
    ]
    assert missing == []


def test_a_page_stays_short() -> None:
    """The README 150 lines, others 200; those that are generated or only grow are exempt."""
    limits = {"README.md": 150, "cli.md": 400, "CHANGELOG.md": 1000}
    lengths = {page.name: len(text.splitlines()) for page, text in DOCUMENTS.items()}
    assert {name: n for name, n in lengths.items() if n > limits.get(name, 200)} == {}


def test_every_model_has_a_line_in_the_models_document() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert [name for name in list_models() if f"| `{name}` |" not in text] == []


def test_the_glossary_is_in_order() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    words = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][1:]
    assert words == sorted(words, key=lambda word: word.lower().replace("-", " "))


def test_no_blank_is_left_to_fill() -> None:
    blanks = {page.name: re.findall(r"@[A-Z]+@", text) for page, text in DOCUMENTS.items()}
    assert {name: found for name, found in blanks.items() if found} == {}
