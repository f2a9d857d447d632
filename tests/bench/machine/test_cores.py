"""Cores and threads: the least of affinity and all quotas, and what a variable says."""

import os
from pathlib import Path

import pytest

from bench.machine import cores
from bench.machine.cores import default_threads, threads_text, usable_cores

NESTED = "12:cpu,cpuacct:/user.slice/job\n3:memory:/\n1:name=systemd:/user.slice\n0::/"
V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/cpu,cpuacct"


@pytest.fixture(autouse=True)
def _has_64_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))


@pytest.mark.parametrize(
    ("groups", "files", "wanted"),
    [
        ("0::/", {f"{V2}/cpu.max": "400000 100000"}, 4),
        ("0::/", {f"{V2}/cpu.max": "50000 100000"}, 1),
        ("0::/", {f"{V2}/cpu.max": "max 100000"}, 64),
        ("0::/", {f"{V2}/cpu.max": "9900000 100000"}, 64),
        ("0::/a/b", {f"{V2}/a/b/cpu.max": "max 1", f"{V2}/a/cpu.max": "3 1"}, 3),
        ("0::/a/b", {f"{V2}/a/b/cpu.max": "5 1", f"{V2}/a/cpu.max": "7 1"}, 5),
        ("0::/docker/1", {f"{V2}/cpu.max": "6 1"}, 6),
        ("0::/../../x", {f"{V2}/cpu.max": "6 1"}, 6),
        (NESTED, {f"{V1}/user.slice/cpu.cfs_quota_us": "2", f"{V1}/user.slice/job/x": ""}, 64),
        (NESTED, {f"{V1}/cpu.cfs_quota_us": "20", f"{V1}/cpu.cfs_period_us": "10"}, 2),
        (NESTED, {f"{V1}/cpu.cfs_quota_us": "-1", f"{V1}/cpu.cfs_period_us": "10"}, 64),
        (NESTED, {"sys/fs/cgroup/unified/cpu.max": "7 1"}, 7),
        ("rubbish\n0::", {f"{V2}/cpu.max": "0 0"}, 64),
        (None, {}, 64),
    ],
)
def test_no_more_cores_than_any_group_allows(
    tmp_path: Path, groups: str | None, files: dict[str, str], wanted: int
) -> None:
    """Would catch 64 threads in a job that may use four: a quota of version 1, or further out."""
    for name, text in (files | ({"proc/self/cgroup": groups} if groups else {})).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    assert usable_cores(tmp_path) == wanted


@pytest.mark.parametrize(
    ("said", "threads"),
    [
        *(("4", 4), (" 8,2", 8), ("64", 64), ("100000", 64)),
        *((said, 64) for said in (None, "", "0", "-3", "abc", "4.5", "\u00b2", "9" * 5000)),
    ],
)
def test_openmps_variable_may_say_fewer_threads(
    said: str | None, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch all cores taken where the user shares them, and nonsense that is believed."""
    monkeypatch.setattr(cores, "usable_cores", lambda: 64)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert default_threads() == threads
    wanted = f"{threads} of 64 usable cores, as OMP_NUM_THREADS says" if threads < 64 else ""
    assert threads_text() == wanted
