"""Two processes that fetch into the same folder at the same time."""

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from tests.command_line import LIMIT_S, REPOSITORY

RACE = """
import json, sys
from pathlib import Path
from data_pipeline import ensure_data
from data_pipeline.sources.files import DataFile
from data_pipeline.sources.places import Source, read_debian_folder
folder, root, table = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
files = [DataFile(*row) for row in table]
source = Source("copy", lambda files, say: read_debian_folder(files, say, folder))
sys.stdin.readline()
for turn in range(40):
    ensure_data(root / str(turn), files=files, sources=[source])
"""


def test_two_processes_may_fetch_at_once(tmp_path: Path) -> None:
    contents = {name: name.encode() * 20_000 for name in ("one", "two", "three", "four")}
    table = [[n, len(c), hashlib.md5(c).hexdigest()] for n, c in contents.items()]
    for name, content in contents.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    command = [sys.executable, "-c", RACE, str(tmp_path), str(tmp_path / "root"), json.dumps(table)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, text=True, cwd=REPOSITORY)
        for _ in range(2)
    ]
    for racer in racers:  # each waits for its line, so that both run at the same time
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        racer.communicate(timeout=LIMIT_S)
        assert racer.returncode == 0
    for turn in range(40):
        folder = tmp_path / "root" / str(turn) / "FashionMNIST" / "raw"
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents
