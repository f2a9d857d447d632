"""Files of samples that claim what they do not hold, and paths that leave the run folder."""

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from msgspec import json

from results import RecordError, RunRecord, RunStore, read_records
from results.report.compose import compose
from results.report.material import gather
from results.report.page import render_page
from tests.fuzz.fuzzing import read_or_refused
from tests.fuzz.test_fuzz_samples import packed, stored, with_header
from tests.results.records_by_hand import make_record
from tests.tiers import slow_but

OUTSIDE = ("../../x.npz", "/etc/passwd", "samples/../../x.npz", "samples/x.npz", "", "samples")


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


@pytest.mark.parametrize("file", OUTSIDE)
def test_samples_lie_where_the_id_says_or_the_line_is_refused(file: str, tmp_path: Path) -> None:
    secret = tmp_path / "x.npz"
    np.savez(secret, loss=np.ones(3))
    loaded = json.decode(make_record().to_json_line())
    place = {"file": file, "sha256": hashlib.sha256(secret.read_bytes()).hexdigest()}
    (tmp_path / "a" / "run").mkdir(parents=True)
    path = tmp_path / "a" / "run" / "records.jsonl"
    path.write_bytes(json.encode(loaded | {"samples": place}) + b"\n")
    with pytest.raises(RecordError, match=r"records\.jsonl, line 1: .*samples\.file"):
        read_records(path)


@pytest.mark.parametrize("name", ["../../../etc/passw", "/etc/passwd00000", "0123456789abcde/"])
def test_an_id_that_is_a_path_is_refused(name: str) -> None:
    loaded = json.decode(make_record().to_json_line())
    with pytest.raises(RecordError, match="not 16 lower-case hex digits"):
        RunRecord.from_json_line(json.encode(loaded | {"record_id": name}))
