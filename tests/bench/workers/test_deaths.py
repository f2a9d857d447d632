"""What a death means, and the kernel's counts of those it killed for want of memory."""

import signal
from pathlib import Path

import pytest

from bench.machine.memory_limit import memory_in_use
from bench.workers.confinement import go_first
from bench.workers.deaths import count_oom_kills, explain_death

GB = 10**9
EVENTS = "low 0\nhigh 0\nmax 3\noom 2\noom_kill {}\noom_group_kill 0\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"
VMSTAT = "nr_free_pages 5\noom_kill {}\nzone_reclaim 0\n"


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a machine that has counted 4 as a whole."""
    write(tmp_path, "proc/vmstat", VMSTAT.format(4))
    return tmp_path


@pytest.mark.parametrize("folder", ["a/b", ""], ids=["own", "as a container sees it"])
@pytest.mark.parametrize(
    ("groups", "base", "counter"),
    [
        ("0::/a/b\n", "sys/fs/cgroup", ("memory.events", EVENTS)),
        (
            "5:cpu,cpuacct:/x\n4:memory:/a/b\n0::/\n",
            "sys/fs/cgroup/memory",
            ("memory.oom_control", CONTROL),
        ),
    ],
    ids=["v2", "v1"],
)
def test_a_control_group_counts(
    root: Path, folder: str, groups: str, base: str, counter: tuple[str, str]
) -> None:
    write(root, "proc/self/cgroup", groups)
    write(root, f"{base}/{folder}/{counter[0]}", counter[1].format(7))
    assert count_oom_kills(root) == 7


@pytest.mark.parametrize("groups", [None, "", "rubbish\n", "0::/a:b\n"])
def test_the_machine_counts_where_no_group_can_be_read(root: Path, groups: str | None) -> None:
    if groups is not None:
        write(root, "proc/self/cgroup", groups)
    assert count_oom_kills(root) == 4
    assert count_oom_kills(root / "nowhere") is None


@pytest.mark.parametrize(
    ("code", "was_taken", "limit", "status", "reason"),
    [
        (-signal.SIGKILL, True, None, "out_of_memory", "the kernel killed the process for want"),
        (255, True, None, "out_of_memory", "the kernel killed the process for want"),
        (-signal.SIGKILL, False, None, "crashed", "the process was killed by SIGKILL (out of mem"),
        (-signal.SIGSEGV, True, None, "crashed", "the process was killed by SIGSEGV"),
        (255, False, None, "crashed", "the fork server died"),
        (0, False, 2 * GB, "crashed", "the process ended without a result"),
        (3, False, 2 * GB, "crashed", "the process exited with code 3"),
        (-99, False, None, "crashed", "the process was killed by 99"),
    ],
)
def test_deaths(code: int, was_taken: bool, limit: int | None, status: str, reason: str) -> None:
    error = explain_death(code, was_taken=was_taken, max_memory_bytes=limit)
    assert error.status == status
    assert error.reason.startswith(reason)
    assert "--max-memory-gb" not in error.reason


@pytest.mark.parametrize("code", [-signal.SIGABRT, -signal.SIGSEGV, 1])
def test_a_death_that_a_limit_may_have_caused_names_it(code: int) -> None:
    reason = explain_death(code, max_memory_bytes=GB + GB // 2).reason
    assert reason.endswith("its memory was limited to 1.5 GB (--max-memory-gb), which may be why")


@pytest.mark.parametrize(("before", "after"), [("0", "500"), ("-200", "300"), ("900", "1000")])
def test_a_child_is_taken_before_its_parent(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "oom_score_adj"
    path.write_text(before + "\n", encoding="ascii")
    go_first(path)
    assert path.read_text(encoding="ascii") == after
    go_first(tmp_path / "none")  # no Linux


def test_memory_in_use_is_what_the_limit_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = memory_in_use()
    assert used is not None
    assert used > 10**6
    monkeypatch.setattr("bench.machine.memory_limit.STATUS", tmp_path / "none")
    assert memory_in_use() is None
