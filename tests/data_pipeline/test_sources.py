"""Each source by itself: a folder, a server on this machine, and stand-ins for apt-get and dpkg."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data_pipeline.sources import places as sources
from data_pipeline.sources.files import DataFile
from data_pipeline.sources.places import (
    SourceError,
    read_debian_folder,
    read_debian_package,
    read_mirror,
)

FILES = (DataFile("one", 10, ""), DataFile("two", 10, ""))
PACKED = {"one": b"first", "two": b"second"}
silent = list[str]().append


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the two files in it."""
    made = tmp_path / "fashion-mnist"
    made.mkdir()
    for name, packed in PACKED.items():
        (made / f"{name}.gz").write_bytes(packed)
    return made


def test_the_debian_folder_gives_its_files_or_says_what_it_lacks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", folder)
    assert read_debian_folder(FILES, silent) == PACKED
    assert read_debian_folder(FILES[1:], silent) == {"two": b"second"}
    (folder / "two.gz").unlink()
    with pytest.raises(SourceError, match=r"two\.gz: No such file"):
        read_debian_folder(FILES, silent, folder)
    with pytest.raises(SourceError, match=r"no .*absent"):
        read_debian_folder(FILES, silent, tmp_path / "absent")


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """The URL of a server of the folder."""
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=partial(http.serve_forever, poll_interval=0.01))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()
        thread.join()


@pytest.fixture
def listener() -> Iterator[str]:
    """The URL of a port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


@pytest.fixture
def dead() -> str:
    """The URL of a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return f"http://127.0.0.1:{closed.getsockname()[1]}/"


SetMirrors = Callable[..., None]


@pytest.fixture
def set_mirrors(monkeypatch: pytest.MonkeyPatch) -> SetMirrors:
    """A function that puts other mirrors and our two files into torchvision's own table."""
    from torchvision.datasets import FashionMNIST  # takes 3 s

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(FashionMNIST, "resources", [("one.gz", "md5"), ("two.gz", "md5")])

    def put(*mirrors: str) -> None:
        monkeypatch.setattr(FashionMNIST, "mirrors", list(mirrors))

    return put


def test_a_dead_mirror_gives_way_to_the_next_which_reports(
    server: str, dead: str, set_mirrors: SetMirrors
) -> None:
    set_mirrors(dead, server)
    lines: list[str] = []
    assert read_mirror(FILES, lines.append) == PACKED
    starts = [f"downloading {mirror}one.gz" for mirror in (dead, server)]
    assert lines[:3] == [*starts, "one.gz: 5 of 5 bytes"]


def test_a_mirror_that_cannot_give_the_files_says_why(
    dead: str, server: str, listener: str, folder: Path, set_mirrors: SetMirrors
) -> None:
    set_mirrors(dead)
    with pytest.raises(SourceError, match="Connection refused"):
        read_mirror(FILES, silent)
    set_mirrors(listener)
    with pytest.raises(SourceError, match="timed out"):
        read_mirror(FILES, silent, timeout_s=0.1)
    (folder / "two.gz").unlink()
    set_mirrors(server)
    with pytest.raises(SourceError, match="not found"):
        read_mirror(FILES, silent)
    with pytest.raises(SourceError, match=r"names no three\.gz"):
        read_mirror([DataFile("three", 1, "")], silent)
    (folder / "one.gz").write_bytes(bytes(100_000))
    with pytest.raises(SourceError, match="more than 65,546 bytes"):
        read_mirror(FILES, silent)


def test_no_mirror_and_no_torchvision_are_reasons(
    set_mirrors: SetMirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_mirrors()
    with pytest.raises(SourceError, match="names no mirror"):
        read_mirror(FILES, silent)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(SourceError, match="torchvision does not import"):
        read_mirror(FILES, silent)


# What the stand-in for apt-get does on `download`, with lists and without.
HAS_LIST = 'touch fashion.deb; echo "W: Download is performed unsandboxed as root" >&2'
NO_LIST = 'echo "E: Unable to locate package dataset-fashion-mnist" >&2; exit 100'
NO_NETWORK = 'echo "W: some warning" >&2; echo "E: Temporary failure resolving" >&2; exit 100'


@pytest.fixture
def install(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A function that puts an apt-get and a dpkg on PATH and returns the log of apt's calls."""
    log = tmp_path / "log"
    commands = tmp_path / "bin"
    commands.mkdir()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    def put(download: str, update: str = "true", private: str = HAS_LIST) -> Path:
        apt = (
            f'echo "$@" >> "{log}"\ncase "$*" in\n*update) cp "$2" "{log}.conf"; {update} ;;\n'
            f"'-c '*download*) {private} ;;\n*) {download} ;;\nesac\n"
        )
        target = '"$3"/usr/share/datasets'
        dpkg = f"mkdir -p {target} && cp -r '{folder}' {target}/fashion-mnist\n"
        for name, script in (("apt-get", apt), ("dpkg", dpkg)):
            (commands / name).write_text(f"#!/bin/sh\n{script}")
            (commands / name).chmod(0o755)
        return log

    return put


def test_the_debian_package_is_downloaded_by_the_machines_lists(
    install: Callable[..., Path], tmp_path: Path
) -> None:
    log = install(HAS_LIST)
    assert read_debian_package(FILES, silent) == PACKED
    assert log.read_text() == "-o Acquire::Retries=0 download dataset-fashion-mnist\n"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_without_a_list_apt_updates_in_the_temporary_folder(
    install: Callable[..., Path], tmp_path: Path
) -> None:
    log = install(NO_LIST)
    lines: list[str] = []
    assert read_debian_package(FILES, lines.append) == PACKED
    calls = log.read_text().splitlines()
    package = "dataset-fashion-mnist"
    assert [call.split()[-1] for call in calls] == [package, "update", package]
    assert calls[1].split()[:2] == calls[2].split()[:2]  # the download sees the fresh lists
    assert "apt-get update, in a temporary folder" in lines
    config = Path(f"{log}.conf").read_text()
    assert 'Dir::State::status "/dev/null"' in config
    for key in ("Dir::State::lists", "Dir::Cache"):
        assert re.search(rf'^{key} "{tmp_path / "scratch"}/', config, re.MULTILINE)


@pytest.mark.parametrize(
    ("apt", "reason"),
    [
        ({"download": NO_LIST, "update": NO_NETWORK}, r"^E: Temporary failure resolving$"),
        ({"download": NO_LIST, "private": NO_LIST}, "Unable to locate package"),
        ({"download": "true"}, "left no package"),
    ],
)
def test_apt_that_gets_no_package_says_why(
    install: Callable[..., Path], tmp_path: Path, apt: dict[str, str], reason: str
) -> None:
    install(**apt)
    with pytest.raises(SourceError, match=reason):
        read_debian_package(FILES, silent)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_slow_apt_is_stopped_and_not_asked_again(
    install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(HAS_LIST)
    asked: list[str] = []

    def never_ends(command: list[str], *, timeout: float, **_options: object) -> None:
        asked.append(command[-2])
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", never_ends)
    with pytest.raises(SourceError, match=r"^apt-get took more than 300 s$"):
        read_debian_package(FILES, silent)
    assert asked == ["download"]


def test_a_machine_without_apt_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match=r"^no apt-get on this machine$"):
        read_debian_package(FILES, silent)
    (tmp_path / "apt-get").touch(mode=0o755)
    with pytest.raises(SourceError, match=r"^no dpkg on this machine$"):
        read_debian_package(FILES, silent)
    (tmp_path / "dpkg").touch(mode=0o755)  # neither a script nor a program
    with pytest.raises(SourceError, match="apt-get"):
        read_debian_package(FILES, silent)
