"""The zoo, without training a model: what it draws, what it runs again, and its table."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.command_line import REPOSITORY
from tools import zoo
from tools.zoo import BEGIN, END, Row, drawn, main

FAMILIES = {family: [f"{family}_{size}" for size in (50, 90, 200)] for family in "abcdefgh"}
NAMES = ["torchvision:resnet18", "timm:vit"]


def size_of(name: str) -> int:
    """The number in its name, in millions."""
    return int(name.rpartition("_")[2]) * 10**6


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a document and a zoo of two models, which takes no libraries."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(zoo, "num_parameters", size_of)
    monkeypatch.setattr(zoo, "know_first_images", lambda: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # put back afterwards
    monkeypatch.setattr(zoo, "version", lambda _name: "1.0")
    zoo.DOCUMENT.parent.mkdir()
    zoo.DOCUMENT.write_text(f"before\n{BEGIN}an old table\n{END}after\n")
    Path("out").mkdir()
    Path("out", zoo.MODELS).write_text(json.dumps(NAMES))


def test_one_model_of_each_family_is_drawn_by_seed_and_none_too_large() -> None:
    names = drawn(FAMILIES, 5)
    assert names == drawn(dict(reversed(FAMILIES.items())), 5)
    assert len({name[0] for name in names}) == 5
    assert all(size_of(name) <= zoo.MAX_PARAMETERS for name in names)
    assert {size_of(name) for name in drawn(FAMILIES, 8)} == {50 * 10**6, 90 * 10**6}


def test_a_family_of_large_models_is_passed_over() -> None:
    assert drawn({"a": ["a_200"], "b": ["b_50"], "c": ["c_50"]}, 2) == ["b_50", "c_50"]


def test_what_was_run_is_not_run_again_and_what_was_stopped_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran = []

    def run(name: str, folder: Path) -> int:
        assert list(folder.iterdir()) == []  # nothing of a run that was stopped
        ran.append(name)
        (folder / zoo.LOG).write_text("some words\ntimm:vit cannot be built | try another\n")
        return 2

    monkeypatch.setattr(zoo, "run", run)
    done, stopped = (Path("out", name.replace(":", "-")) for name in NAMES)
    done.mkdir()
    stopped.mkdir()
    (done / zoo.ROW).write_text(json.dumps(asdict(Row(NAMES[0], "ok", None, 12.3, 28, 11_175_370))))
    (stopped / zoo.LOG).write_text("half")
    main(Path("out"))
    main(Path("out"))
    assert ran == [NAMES[1]]
    text = zoo.DOCUMENT.read_text()
    assert text.startswith(f"before\n{BEGIN}\n1 of 2 train")
    assert text.endswith(f"\n{END}after\n")
    assert "| `torchvision:resnet18` | 28 | 11,175,370 | ok | 12 |\n" in text
    assert "| `timm:vit` |  |  | refused: timm:vit cannot be built \\| try another | " in text


def test_the_committed_table_is_of_almost_only_models_that_train() -> None:
    text = (REPOSITORY / zoo.DOCUMENT).read_text(encoding="utf-8")
    table = text.partition(BEGIN)[2].partition(END)[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    assert sum(cells[3] == "ok" for cells in rows) >= 0.95 * len(rows) > 90
