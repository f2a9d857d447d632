"""Photos: what is read is one picture of bytes as a model takes it; all else is one line."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import pytest
import torch
from hypothesis import strategies as st
from PIL import Image

from data_pipeline import DataError, read_photo
from tests.fuzz.fuzzing import NASTY_TEXTS, damaged, fuzzed, no_hang, read_or_refused

MODES = ("L", "RGB", "RGBA", "P", "1", "LA", "CMYK", "I;16", "I", "F", "YCbCr")
FORMATS = {
    "PNG": ("L", "RGB", "RGBA", "P", "1", "LA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "GIF": ("L", "P", "RGB"),
    "BMP": ("L", "RGB", "P", "1"),
    "TIFF": MODES,
    "WEBP": ("RGB", "RGBA"),
    "JPEG2000": ("L", "RGB", "RGBA"),
    "PPM": ("L", "RGB", "1"),
    "TGA": ("L", "RGB", "RGBA", "P"),
}
KINDS = [(kind, mode) for kind, modes in FORMATS.items() for mode in modes]


def picture(
    kind: str, mode: str, size: tuple[int, int] = (24, 17), exif: Image.Exif | None = None
) -> bytes:
    """A file of a dark square on light ground."""
    stream = io.BytesIO()
    image = Image.new("L", size, 230)
    image.paste(20, (size[0] // 3, size[1] // 3, size[0] // 2 + 1, size[1] // 2 + 1))
    options = {} if exif is None else {"exif": exif}
    image.convert("I" if mode == "I;16" else mode).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


WHOLE = {(kind, mode): picture(kind, mode) for kind, mode in KINDS}


def assert_is_photo(images: torch.Tensor, size: int) -> None:
    assert (images.dtype, tuple(images.shape)) == (torch.uint8, (1, 1, size, size))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos") / "photo"


@fuzzed(kind=st.sampled_from(KINDS), data=st.data(), size=st.sampled_from([28, 32]))
def test_damaged_photos(path: Path, kind: tuple[str, str], data: st.DataObject, size: int) -> None:
    path.write_bytes(data.draw(damaged(WHOLE[kind])))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = read_or_refused(f"photo {kind[0]}", lambda: read_photo(path, size))
    if images is not None:
        assert_is_photo(images, size)


@fuzzed(
    kind=st.sampled_from(KINDS),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40))
    | st.sampled_from([(1, 3000), (4000, 2)]),
    invert=st.sampled_from(["auto", "yes", "no"]),
    orientation=st.integers(0, 300),
)
def test_whole_photos_of_any_size(
    path: Path, kind: tuple[str, str], size: tuple[int, int], invert: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    has_exif = kind[0] in {"PNG", "JPEG", "WEBP"}
    path.write_bytes(picture(*kind, size, exif if has_exif else None))
    images = read_or_refused("photo of any size", lambda: read_photo(path, invert=invert))
    if images is not None:
        assert_is_photo(images, 28)
    if min(size) >= 20 and invert != "no" and kind[1] != "1":  # that is white, with black dots
        assert images is not None
        assert int(images[0, 0, 14, 14]) > 150
        assert int(images[0, 0, [0, -1], [0, -1]].min()) < 60 or max(size) / min(size) < 1.2


@fuzzed(invert=NASTY_TEXTS, share=0.2)
def test_odd_inversions(path: Path, invert: str) -> None:
    path.write_bytes(WHOLE["PNG", "L"])
    found = read_or_refused("inversion", lambda: read_photo(path, invert=invert))
    assert (found is not None) == (invert in {"auto", "yes", "no"})


def chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def png(width: int, height: int, *extra: bytes) -> bytes:
    """A PNG of any size that it claims, and no more than its first bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *extra,
            chunk(b"IDAT", rows),
            chunk(b"IEND", b""),
        ]
    )


@pytest.mark.parametrize(
    "content",
    [
        png(2**31 - 1, 2**31 - 1),
        png(30_000, 30_000),
        png(0, 5),
        png(64, 64, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**27)))),
        png(9_000, 9_000),
        b"II*\0" + struct.pack("<I", 8) + b"\xff\xff" * 100,
    ],
    ids=["enormous", "bomb", "no pixel", "text bomb", "cut short", "TIFF of 65,535 tags"],
)
def test_bombs_and_lies_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with no_hang():
        assert read_or_refused("photo bomb", lambda: read_photo(path)) is None


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="File name too long"):
        read_photo(tmp_path / ("x" * 5_000))
