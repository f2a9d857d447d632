"""Every mistake in a CSV file is one line that names the file, the place and the remedy."""

import gzip
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from data_pipeline import DataError, ensure_data
from data_pipeline.sources import csv_files
from tests.data_pipeline.csv_by_hand import TEST, TRAIN, SmallData, csv_text, header_line

DATA = SmallData.drawn()
FILES = DATA.idx_files()
HEADER = header_line(16)
AS_WRITTEN = csv_text(DATA.train)
REMEDY = (
    "; put Kaggle's file there, or remove both CSV files and run"
    " `fmnist-bench doctor --fetch --data ROOT`"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    DATA.write_csv(tmp_path)
    return tmp_path


def error_line(root: Path) -> str:
    """Return the message of the expected DataError, one line whose remedy names the root."""
    with pytest.raises(DataError) as caught:
        ensure_data(root, fetch=False, files=FILES)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"--data {root}", "--data ROOT")


def with_field(text: str, line: int, column: int, field: str) -> str:
    """Return the text with another field, line and column counted from 1."""
    lines = [line.split(",") for line in text.splitlines()]
    lines[line - 1][column - 1] = field
    return "\n".join(map(",".join, lines)) + "\n"


PIXEL, LABEL = "expected a whole number in 0..255, found", "expected a whole number in 0..9, found"
BAD_FIELDS = [  # line and column, counted from 1, the field, what is said of it
    *((2, 1, "10", "'10'"), (31, 1, "-1", "'-1'"), (9, 1, "2.5", "'2.5'"), (9, 1, "Bag", "'Bag'")),
    *((9, 1, "", "''"), (3, 2, "256", "'256'"), (31, 17, "-1", "'-1'"), (31, 17, "", "''")),
    *((5, 6, field, repr(field)) for field in ("0.5", "nan", "inf", "True", "1_0", "é", "3\0")),
    *((5, 6, "9" * 30, f"'{'9' * 20}'"), (5, 6, "\x1b[31m", "'\\x1b[31m'")),
]


@pytest.mark.parametrize(("line", "column", "field", "found"), BAD_FIELDS)
def test_a_bad_field_is_named_by_line_and_column(
    root: Path, line: int, column: int, field: str, found: str
) -> None:
    (root / TRAIN).write_text(with_field(AS_WRITTEN, line, column, field), encoding="utf-8")
    name, wanted = ("label", LABEL) if column == 1 else (f"pixel{column - 1}", PIXEL)
    place = f"{root / TRAIN}: line {line}, column {column} ({name})"
    assert error_line(root) == f"{place}: {wanted} {found}{REMEDY}"


@pytest.mark.parametrize("has_header", [True, False])
def test_lines_are_counted_as_an_editor_counts_them(root: Path, has_header: bool) -> None:
    text = AS_WRITTEN if has_header else AS_WRITTEN.removeprefix(f"{HEADER}\n")
    lines = with_field(text, 7, 4, "x").splitlines(keepends=True)
    (root / TRAIN).write_text("".join([*lines[:3], "\n", *lines[3:]]))  # an empty one counts
    assert "line 8, column 4 (pixel3)" in error_line(root)


WRONG: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty"),
    "blank": ("\n \n", "is empty"),
    "two columns less": (
        csv_text([row[:-2] for row in DATA.train]),
        "line 1: expected 17 columns (label,pixel1,...,pixel16), found 15",
    ),
    "one column less below the header": (
        csv_text([row[:-1] for row in DATA.train], HEADER),
        "line 2: expected 17 columns, found 16",
    ),
    "one column more below the header": (
        csv_text([[*row, 0] for row in DATA.train], HEADER),
        "line 2: expected 17 columns, found 18",
    ),
    "a short row": (
        csv_text([*DATA.train[:5], DATA.train[5][:-1], *DATA.train[6:]]),
        "line 7: expected 17 columns, found 16",
    ),
    "a comma too many": (
        with_field(AS_WRITTEN, 4, 17, "7,7"),
        "line 4: expected 17 columns, found 18",
    ),
    "cut short": (AS_WRITTEN[:-9], "line 31: expected 17 columns, found "),
    "the label last": (
        csv_text(DATA.train, HEADER.removeprefix("label,") + ",label"),
        "line 1, column 1: expected label, found 'pixel1'",
    ),
    "pixels in another order": (
        csv_text(DATA.train, HEADER.replace("pixel3,pixel4", "pixel4,pixel3")),
        "line 1, column 4: expected pixel3, found 'pixel4'",
    ),
    "semicolons": (
        AS_WRITTEN.replace(",", ";"),
        "line 1: expected 17 columns (label,pixel1,...,pixel16), found 1",
    ),
    "a header alone": (f"{HEADER}\n", "expected 30 rows, found 0"),
    "a row less": (csv_text(DATA.train[:-1]), "expected 30 rows, found 29"),
    "a row more": (csv_text([*DATA.train, DATA.train[0]]), "expected 30 rows, found 31"),
    "the header twice": (
        csv_text(DATA.train, f"{HEADER}\n{HEADER}"),
        f"line 2, column 1 (label): {LABEL} 'label'",
    ),
    "a quote without an end": (
        with_field(AS_WRITTEN, 5, 3, '"3'),
        "line 31: unexpected end of data",
    ),
    "UTF-16": (AS_WRITTEN.encode("utf-16"), "line 1: expected text in UTF-8"),
    "UTF-16 without a mark": (AS_WRITTEN.encode("utf-16-le"), "line 1, column 1: expected label"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0", "line 1: expected text in UTF-8"),
    "Latin-1": (
        AS_WRITTEN.replace("\n9,", "\nä,", 1).encode("latin-1"),
        "line 11: expected text in UTF-8, found other bytes",
    ),
    "zero": (AS_WRITTEN.encode() + b"\0\n", "line 32: expected 17 columns, found 1"),
    "cut gzip": (gzip.compress(AS_WRITTEN.encode())[:-9], "cannot read "),
    "no zip": (b"PK\3\4" + bytes(99), "cannot read "),
    "long": (b"0" * 20_000, "expected at most 8,432 bytes, found more"),
    "long gzip": (gzip.compress(b"0" * 20_000), "expected at most 8,432 bytes"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_file_that_is_wrong_as_a_whole_is_refused(root: Path, mistake: str) -> None:
    content, wanted = WRONG[mistake]
    (root / TRAIN).write_bytes(content if isinstance(content, bytes) else content.encode())
    message, path = error_line(root), str(root / TRAIN)
    is_unread = wanted.startswith("cannot")
    assert message.startswith(f"{wanted}{path}" if is_unread else f"{path}: {wanted}")
    assert message.endswith(REMEDY)


@pytest.mark.parametrize("num_train", [11, 30, 600])
def test_swapped_files_are_recognised_by_their_rows(root: Path, num_train: int) -> None:
    data = SmallData.drawn(num_train)
    (root / TRAIN).write_text(csv_text(data.test))
    (root / TEST).write_text(csv_text(data.train))  # however much longer than a test file
    with pytest.raises(DataError) as caught:
        ensure_data(root, fetch=False, files=data.idx_files())
    assert str(caught.value) == (
        f"{root / TRAIN} has 10 rows and {TEST} {num_train}: "
        "they are swapped; exchange the names of the two files"
    )


def test_an_archive_of_something_else_is_refused(root: Path) -> None:
    with zipfile.ZipFile(root / f"{TRAIN}.zip", "w") as archive:
        archive.writestr(TEST, AS_WRITTEN)
    (root / TRAIN).unlink()
    what = f"cannot read {root / TRAIN}.zip (the archive holds no {TRAIN})"
    assert error_line(root) == f"{what}{REMEDY}"


def test_the_test_file_is_checked_too_and_twice_of_it_is_not_swapped(root: Path) -> None:
    (root / TEST).write_text(with_field(csv_text(DATA.test), 11, 17, "300"))
    assert f"{root / TEST}: line 11, column 17 (pixel16): {PIXEL} '300'" in error_line(root)
    for name in (TRAIN, TEST):
        (root / name).write_text(csv_text(DATA.test))
    assert f"{root / TRAIN}: expected 30 rows, found 10" in error_line(root)


@pytest.mark.parametrize(("lone", "missing"), [(TRAIN, TEST), (TEST, TRAIN)])
def test_one_of_the_two_files_alone_is_refused(root: Path, lone: str, missing: str) -> None:
    (root / missing).unlink()
    assert error_line(root) == (
        f"{root}: no {missing} beside {lone}; "
        "put it there, or remove the other and run `fmnist-bench doctor --fetch --data ROOT`"
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_reading_takes_the_memory_of_what_the_file_holds(
    root: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    (root / TRAIN).write_bytes(pack(AS_WRITTEN.encode()))
    monkeypatch.setattr(csv_files, "_MAX_FIELD_BYTES", 1 << 20)  # half a gigabyte in all
    tracemalloc.start()
    try:
        ensure_data(root, fetch=False, files=FILES)
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


def test_memory_that_cannot_be_had_is_no_damage(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise MemoryError

    (root / TRAIN).write_bytes(gzip.compress(AS_WRITTEN.encode()))
    monkeypatch.setattr(gzip.GzipFile, "read", refuse)
    with pytest.raises(MemoryError):
        ensure_data(root, fetch=False, files=FILES)


def test_a_folder_in_the_place_of_a_file_is_refused(root: Path) -> None:
    (root / TRAIN).unlink()
    (root / TRAIN).mkdir()
    message = error_line(root)
    what = f"cannot read {root / TRAIN} (Is a directory)"
    assert message == f"{what}; mend its rights or {REMEDY.removeprefix('; ')}"
