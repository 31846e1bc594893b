"""The laws of Ctrl-C and SIGTERM."""

from __future__ import annotations

import os
import signal

import pytest

from booksynth.interrupts import Interrupted, Interrupts


def test_signal_stops_at_once_outside_writes() -> None:
    """Where nothing is written a signal stops the work at once."""
    interrupts = Interrupts()
    with interrupts.installed(), pytest.raises(Interrupted) as caught:
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.exit_code == 143
    assert str(caught.value) == "SIGTERM"


def write_under(*signals: int, error: str = "") -> list[str]:
    """Write something while signals arrive, and return how far it came."""
    interrupts = Interrupts()
    steps: list[str] = []
    with interrupts.installed():
        try:
            with interrupts.held():
                steps.append("begun")
                for number in signals:
                    os.kill(os.getpid(), number)
                if error:
                    raise OSError(error)
                steps.append("whole")
        except Interrupted as stop:
            steps.append(str(stop.exit_code))
    return steps


def test_signal_waits_for_a_write() -> None:
    """While something is written the signal is held back until it is whole."""
    assert write_under(signal.SIGINT) == ["begun", "whole", "130"]


def test_second_signal_does_not_wait() -> None:
    """A second signal stops at once, even within a write."""
    assert write_under(signal.SIGINT, signal.SIGTERM) == ["begun", "143"]


def test_error_within_a_write_wins() -> None:
    """An error of the write itself is told, not the signal that came with it."""
    with pytest.raises(OSError, match="full"):
        write_under(signal.SIGINT, error="full")


def test_handlers_are_put_back() -> None:
    """After the block the handlers are those from before."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupts().installed():
        assert signal.getsignal(signal.SIGTERM) is not before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
