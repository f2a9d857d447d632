"""Ctrl-C, SIGTERM and SIGHUP, with real signals to this process."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from bench.workers.interruption import NOTICE, Interruption, exit_on_signals, watch_signals

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _handlers_are_put_back() -> Iterator[None]:
    numbers = (INT, TERM, HUP)
    before: list[Callable[..., object] | int | None] = [signal.getsignal(n) for n in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize(
    ("signals", "after_run", "now", "exit_code"),
    [
        ([], False, False, None),
        ([INT], True, False, 130),
        ([INT, INT], True, True, 130),
        ([TERM], True, True, 143),
        ([INT, TERM], True, True, 143),
        ([INT, INT, INT], True, True, 130),
        ([HUP], True, True, 129),
    ],
    ids=str,
)
def test_signals_are_counted(
    signals: list[signal.Signals], after_run: bool, now: bool, exit_code: int | None
) -> None:
    with watch_signals() as interruption:
        for number in signals:
            send(number)
    found = (interruption.after_run, interruption.now, interruption.exit_code)
    assert found == (after_run, now, exit_code)


def test_only_the_first_ctrl_c_says_what_the_next_will_do(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with watch_signals():
        send(INT)
        send(INT)
    assert capfd.readouterr() == ("", NOTICE.format("run"))


def test_a_notice_that_nobody_reads_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_number: int, _text: bytes) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(os, "write", gone)
    with watch_signals() as interruption:
        send(INT)
    assert interruption.after_run


@pytest.mark.parametrize("handled", [watch_signals, exit_on_signals])
def test_under_nohup_a_closed_terminal_is_no_signal(
    handled: Callable[[], AbstractContextManager[Interruption | None]],
) -> None:
    before = signal.signal(HUP, signal.SIG_IGN)
    try:
        with handled() as interruption:
            send(HUP)
    finally:
        signal.signal(HUP, before)
    assert interruption is None or not interruption.after_run


@pytest.mark.parametrize("number", [TERM, HUP])
def test_a_command_that_cleans_up_exits(number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as ended, exit_on_signals():
        send(number)
    assert ended.value.code == 128 + number


def test_in_this_process_the_signal_that_means_now_raises() -> None:
    with watch_signals(raises=True) as interruption:
        send(INT)
        assert interruption.after_run
        with pytest.raises(KeyboardInterrupt):
            send(INT)
        with pytest.raises(KeyboardInterrupt):
            send(TERM)
