"""Fixtures that tests of several files share."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
# compiled code of one test serves the next run of the tests; the user's own cache stays as it is
os.environ["FMNIST_CACHE"] = str(REPOSITORY / ".cache")
if "PYTEST_XDIST_WORKER" in os.environ:  # every worker has a core; more threads wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# what a terminal, a CI or a git hook sets would change what the commands print, or where they look
SET_BY_OTHERS = (
    *("COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"),
    *("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "FMNIST_COMMIT"),
    *("PYTHONWARNINGS", "PYTHONUNBUFFERED"),
    *(name for name in os.environ if name.startswith("GIT_")),
)
for _name in SET_BY_OTHERS:
    os.environ.pop(_name, None)
# over the user's own settings of git: neither hooks nor signatures for commits that tests make
GIT_SETTINGS = {"core.hooksPath": os.devnull, "commit.gpgSign": "false"}
os.environ["GIT_CONFIG_COUNT"] = str(len(GIT_SETTINGS))
for _number, (_key, _value) in enumerate(GIT_SETTINGS.items()):
    os.environ |= {f"GIT_CONFIG_KEY_{_number}": _key, f"GIT_CONFIG_VALUE_{_number}": _value}


@pytest.fixture(scope="session", autouse=True)
def _signals_reach_what_tests_start() -> None:
    """Keep from children that `nohup`, or a shell in the background, ignores signals here.

    Children inherit that a signal is ignored, but no handler: one that does nothing ignores it in
    this process alone. In a fixture, so that workers of pytest-xdist still inherit it.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Root of the real data set; skips where it is absent."""
    root = Path(os.environ.get("FMNIST_DATA") or REPOSITORY / "data")
    if not (root / "FashionMNIST" / "raw").is_dir():
        pytest.skip(f"no data in {root}: run `fmnist-bench doctor --fetch`")
    return root.resolve()  # tests go to other folders


@pytest.fixture
def one_thread() -> Iterator[None]:
    """A second thread only costs time on models as small as those of the tests."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def quick_collections() -> Iterator[None]:
    """Every window of a CPU's clock begins with a collection: 0.2 s over all that is imported."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `gpu` skip themselves where there is none; the others never ask."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.fixture
def nets_to_resume(
    one_thread: None, quick_collections: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sessions build the nets of `resume_by_hand.py`, on one thread, with a cache of their own."""
    from bench.train import session
    from tests.bench.keep.resume_by_hand import build

    monkeypatch.setattr(session, "default_threads", lambda: 1)
    monkeypatch.setattr(session, "build_model", build)
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path / "cache"))
