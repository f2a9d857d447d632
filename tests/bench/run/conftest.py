"""What the sessions of these tests run in."""

from pathlib import Path

import pytest

from bench.train import session


@pytest.fixture
def small_session(
    one_thread: None, quick_collections: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sessions have one thread, and a cache of their own."""
    monkeypatch.setattr(session, "default_threads", lambda: 1)
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path / "cache"))
