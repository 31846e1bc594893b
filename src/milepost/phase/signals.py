"""Signals while a phase runs: the first lets the item in hand finish, the second leaves at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from milepost.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class Signals:
    """Takes SIGINT, SIGTERM, SIGHUP and SIGUSR1 in the main thread, and gives them back when the phase is left.

    After the first, `check` raises `Interrupted`, so that no new item begins; the item in hand has *grace_seconds*
    to finish, then `Interrupted` is raised wherever the main thread stands. A second signal does so at once. A signal
    that is ignored (as under nohup) stays ignored.

    As a context manager it keeps `Interrupted` out of its block: a record is made whole, then it is raised.
    """

    def __init__(self, grace_seconds: float, message: Callable[[str], str]) -> None:
        """Grant *grace_seconds*; *message* turns the signal's name into what a person is told."""
        self.received: int | None = None
        self._grace_seconds = grace_seconds
        self._message = message
        self._before: dict[int, Any] = {}
        self._holding = 0
        self._at_once = False
        self._raised = False
        self._left = threading.Event()
        self._main = threading.main_thread()

    @property
    def stopping(self) -> bool:
        """Whether a signal has asked to stop."""
        return self.received is not None

    def install(self) -> None:
        """Take the signals over, if this is the main thread; elsewhere they are not ours to take."""
        if threading.current_thread() is not self._main:
            return
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):
                self._before[number] = before
                signal.signal(number, self._on_signal)

    def restore(self) -> None:
        """Give the signals back to whom they belonged."""
        for number, before in self._before.items():
            if number == signal.SIGALRM:
                signal.setitimer(signal.ITIMER_REAL, 0)
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, before)
        self._before.clear()
        self._left.set()

    def check(self) -> None:
        """Raise `Interrupted` if a signal has asked to stop."""
        if self.received is not None:
            raise self._interrupted()

    def pending(self) -> bool:
        """Tell whether a signal has arrived that nobody was told of."""
        return self.received is not None and not self._raised

    def __enter__(self) -> None:
        """Hold `Interrupted` back; other threads are never interrupted."""
        if threading.get_ident() == self._main.ident:
            self._holding += 1

    def __exit__(self, *_: object) -> None:
        """Raise what was held back."""
        if threading.get_ident() == self._main.ident:
            self._holding -= 1
            if self._at_once and not self._holding:
                raise self._interrupted()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number
            self._grant()
        elif self._holding:
            self._at_once = True
        else:
            raise self._interrupted()

    def _grant(self) -> None:
        """Have the signal come again when the grace is over: by the alarm clock, or a thread if that is in use.

        The alarm is the first choice because a handler that starts a thread could meet a lock of its own thread.
        """
        if self._grace_seconds <= 0:
            self._at_once = bool(self._holding)
            if not self._holding:
                raise self._interrupted()
        elif signal.getsignal(signal.SIGALRM) == signal.SIG_DFL and not signal.getitimer(signal.ITIMER_REAL)[0]:
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._on_signal)
            signal.setitimer(signal.ITIMER_REAL, self._grace_seconds)
        else:
            threading.Thread(target=self._send_again, name="milepost-grace", daemon=True).start()

    def _send_again(self) -> None:
        if not self._left.wait(self._grace_seconds) and self._main.ident and self.received is not None:
            signal.pthread_kill(self._main.ident, self.received)

    def _interrupted(self) -> Interrupted:
        assert self.received is not None, "nothing interrupts but a signal"
        self._raised = True
        self._at_once = False
        name = signal.Signals(self.received).name
        return Interrupted(self._message(name), signal_number=self.received)
