"""Files of samples as a mishap or a liar may leave them: drawn, or named as unreadable."""

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from results import RunRecord, RunStore
from results.report.compose import compose
from results.report.material import FORMS, gather
from results.report.page import render_page
from tests.fuzz.fuzzing import damaged, fuzzed, read_or_refused
from tests.fuzz.shown import assert_finite
from tests.results.report.html_by_hand import assert_own_elements
from tests.results.report.report_by_hand import finished
from tests.tiers import slow_but

RECORD, SAMPLES = finished("v0", 0, 0.84, 0.22, 7_850)
KINDS = ("f8", "f4", "f2", "i8", "u1", "c16", "U3", "M8[s]", "O", "?")
SHAPES = st.lists(st.integers(0, 12), max_size=4).map(tuple)
FILLS = (0, 1, -1, 9, 10, 255, 1e30, float("nan"), float("inf"))


def packed(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def small() -> dict[str, Any]:
    """The arrays of a run, the long ones cut: a file of some KB."""
    return {name: array[:50] for name, array in SAMPLES.items()}


def stored(folder: Path, content: bytes) -> RunRecord:
    """A run folder with one run whose samples are that file."""
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    file = folder / "samples" / f"{RECORD.record_id}.npz"
    file.write_bytes(content)
    place = {"file": f"samples/{file.name}", "sha256": hashlib.sha256(content).hexdigest()}
    record = replace(RECORD, samples=place)
    (folder / "records.jsonl").write_bytes(record.to_json_line())
    return record


@fuzzed(damaged(packed(small())))
def test_a_damaged_file_of_samples_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "samples"
    record = stored(folder, content)
    read_or_refused("samples", lambda: RunStore(folder).load_samples(record))


@st.composite
def odd_arrays(draw: st.DrawFn) -> dict[str, Any]:
    """The arrays of a run, of which some are of another kind, shape or content."""
    arrays: dict[str, Any] = dict(SAMPLES)
    for name in draw(st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=3)):
        shape = arrays[name].shape if draw(st.booleans()) else draw(SHAPES)
        kind, fill = draw(st.sampled_from(KINDS)), draw(st.sampled_from(FILLS))
        with np.errstate(all="ignore"):
            numbers = np.full(shape, fill).astype("f4" if kind in {"O", "M8[s]"} else kind)
        arrays[name] = numbers.astype(kind) if kind == "O" else numbers
    return arrays


@pytest.mark.slow
@fuzzed(odd_arrays(), share=0.02)
def test_a_report_goes_on_without_what_it_cannot_draw(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "odd"
    stored(folder, packed(arrays))
    page = read_or_refused(
        "report of samples", lambda: compose(gather([folder]), folder / "r.html")
    )
    assert page is not None
    for section in page.sections:
        for figure in section.figures:
            assert_finite(figure.specifications)
    assert_own_elements(render_page(page))


def with_header(shape: str) -> bytes:
    """A file whose one array claims a shape and holds nothing."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        zipped.writestr("loss.npy", content)
    return file.getvalue()


def a_bomb() -> bytes:
    """Some MB that would be tens of GB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("loss.npy", b"\0" * 1000)
    content = bytearray(file.getvalue())
    place = content.index(b"PK\x01\x02") + 24  # the size that the directory declares
    content[place : place + 4] = (2**32 - 2).to_bytes(4, "little")
    return bytes(content)


NO_PLAIN_ARRAYS = {
    "terabytes": with_header("(10000000000000,)"),
    "negative": with_header("(-1,)"),
    "text": with_header("'x'"),
    "cut": with_header("(1, 2"),
    "pickled": packed({"loss": np.array([{"a": 1}], dtype=object)}),
    "bomb": a_bomb(),
    "nothing": b"",
    "no members": b"PK\x05\x06" + bytes(18),
}


@pytest.mark.parametrize("kind", slow_but({"terabytes", "pickled"}, NO_PLAIN_ARRAYS))
def test_a_file_that_holds_no_plain_arrays_costs_the_pictures_not_the_page(
    kind: str, tmp_path: Path
) -> None:
    content = NO_PLAIN_ARRAYS[kind]
    record = stored(tmp_path, content)
    arrays = read_or_refused("odd samples", lambda: RunStore(tmp_path).load_samples(record))
    assert not arrays
    material = gather([tmp_path])
    assert "no pictures of the runs of v0" in material.remarks[0]
    assert render_page(compose(material, tmp_path / "report.html"))
