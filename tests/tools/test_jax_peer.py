"""The comparison with JAX: our side trains as every plan does; the report tells both."""

from pathlib import Path

import pytest

from bench import UsageError
from tools.jax_peer import _ours, main, prepare_timed, report


def test_the_report_has_medians_and_ratio_of_turns() -> None:
    seconds = {"ours": [0.1, 0.2, 0.1, 0.1, 0.1], "jax": [0.2, 0.2, 0.3, 0.2, 0.1]}
    head, ours, jax, ratio = report(seconds, {"ours": 5.0, "jax": 0.25})
    assert "5 turns of 3 epochs" in head
    assert "0.1000 s an epoch (0.1000 to 0.2000), ready after 5.0 s" in ours
    assert "0.2000 s an epoch" in jax
    assert "ready after 0.2 s" in jax
    assert ratio == "JAX's epoch takes 2.00 times ours (turns: 1.00 to 3.00)"


@pytest.mark.slow
def test_our_side_learns_from_the_real_data(data_root: Path) -> None:
    train, compile_s = prepare_timed(_ours, data_root)
    assert compile_s > 0
    losses = [train(1) for _ in range(2)]
    assert all(loss < 1.5 for loss in losses)


def test_without_jax_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UsageError, match="make peers"):
        main()
