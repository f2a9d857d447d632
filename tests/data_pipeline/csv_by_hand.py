"""Small data sets as IDX files and as Kaggle's CSV files, both written by hand."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_pipeline.sources.files import FASHION_MNIST_FILES, DataFile
from data_pipeline.sources.places import Packed, Say, Source

TRAIN, TEST = "fashion-mnist_train.csv", "fashion-mnist_test.csv"
Row = list[int]  # a label, then the pixels


def must_not_ask(files: Sequence[DataFile], say: Say) -> Packed:
    raise AssertionError("a source was asked")


UNASKED = Source("unasked", must_not_ask)


def header_line(num_pixels: int) -> str:
    return ",".join(["label", *(f"pixel{number}" for number in range(1, num_pixels + 1))])


def csv_text(rows: Sequence[Row], header: str | None = None) -> str:
    lines = [header_line(len(rows[0]) - 1) if header is None else header]
    return "\n".join([*lines, *(",".join(map(str, row)) for row in rows)]) + "\n"


@dataclass(frozen=True)
class SmallData:
    """Rows of square images, with every label and the values 0 and 255 among them."""

    train: list[Row]
    test: list[Row]

    @classmethod
    def drawn(cls, num_train: int = 30, num_test: int = 10, num_pixels: int = 16) -> "SmallData":
        """Always the same for the same sizes."""
        draw = random.Random(0)
        rows = [
            [number % 10, 0, 255, *draw.choices(range(256), k=num_pixels - 2)]
            for number in range(num_train + num_test)
        ]
        return cls(rows[:num_train], rows[num_train:])

    def idx_contents(self) -> dict[str, bytes]:
        """The four IDX files, by name."""
        contents = [content for rows in (self.train, self.test) for content in _idx_pair(rows)]
        return dict(zip([file.name for file in FASHION_MNIST_FILES], contents, strict=True))

    def idx_files(self) -> tuple[DataFile, ...]:
        """What `files=` takes: names, lengths and md5 of the IDX files."""
        return tuple(DataFile.holding(*named) for named in self.idx_contents().items())

    def write_idx(self, root: Path) -> Path:
        """Write torchvision's layout and return the folder of the files."""
        folder = root / "FashionMNIST" / "raw"
        folder.mkdir(parents=True)
        for name, content in self.idx_contents().items():
            (folder / name).write_bytes(content)
        return folder

    def write_csv(self, root: Path) -> None:
        """Write Kaggle's two files."""
        root.mkdir(exist_ok=True)
        (root / TRAIN).write_text(csv_text(self.train))
        (root / TEST).write_text(csv_text(self.test))


def _idx_pair(rows: list[Row]) -> tuple[bytes, bytes]:
    side = round((len(rows[0]) - 1) ** 0.5)
    images = b"".join(bytes(row[1:]) for row in rows)
    labels = bytes(row[0] for row in rows)
    return _header(0x803, len(rows), side, side) + images, _header(0x801, len(rows)) + labels


def _header(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)
