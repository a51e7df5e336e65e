"""Signals that end a run which has to put something away first."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from stillpoint.cli import signals

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Gone:
    """The standard error of a process whose terminal is gone."""

    def write(self, _text: str) -> int:
        raise OSError(5, "Input/output error")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Those of a process in a terminal, also where the tests were started to ignore some."""
    before = {one: signal.signal(one, signal.SIG_DFL) for one in ENDING}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.parametrize("first", ENDING)
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_and_the_second_interrupts(
    first: signal.Signals, second: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    end = threading.Event()
    with signals.ending(end.set, "it is put away"):
        signal.raise_signal(first)
        assert end.wait(60)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)
    assert capsys.readouterr().err == "stillpoint: interrupted: it is put away\n"


@pytest.mark.parametrize("first", ENDING)
def test_a_terminal_that_goes_interrupts_nothing(first: signal.Signals) -> None:
    """A bash that ends with it sends SIGHUP, and the kernel sends it once more."""
    end = threading.Event()
    with signals.ending(end.set, "it is put away"):
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert end.wait(60)


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As of a process that nohup has started."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end = threading.Event()
    with signals.ending(end.set, "it is put away"):
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert not end.is_set()


def test_the_end_of_the_terminal_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: Any = Gone()
    monkeypatch.setattr("sys.stderr", gone)
    end = threading.Event()
    with signals.ending(end.set, "it is put away"):
        signal.raise_signal(signal.SIGHUP)
        assert end.wait(60)


def test_afterwards_signals_mean_what_they_meant() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signals.ending(lambda: None, "it is put away"):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
