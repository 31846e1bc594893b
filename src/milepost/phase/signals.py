"""Signals while a phase runs: the first lets the item in hand finish, the second leaves at once."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

from milepost.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

_Function = TypeVar("_Function", bound=Callable[..., Any])
_whole: set[CodeType] = set()


def whole(function: _Function) -> _Function:
    """Have `Interrupted` never raised inside *function*, from its very first line; afterwards `Signals.pending` tells.

    A ``with`` or ``try`` inside could not promise that: the interpreter looks for signals before either is entered.
    """
    _whole.add(function.__code__)
    return function


class Signals:
    """Takes SIGINT, SIGTERM, SIGHUP and SIGUSR1 in the main thread, and gives them back when the phase is left.

    After the first, `check` raises `Interrupted`, so that no new item begins; the item in hand has *grace_seconds*
    to finish, then `Interrupted` is raised wherever the main thread stands. A second signal does so at once. A signal
    that is ignored (as under nohup) stays ignored. A signal asks the process, so it stops all phases of the main
    thread that are open, one inside another, in whatever order they are left.

    As a context manager it keeps `Interrupted` out of its block: a record is made whole, then it is raised.
    """

    def __init__(self, name: str, grace_seconds: float) -> None:
        """Stop the phase *name*; the item in hand has *grace_seconds*."""
        self.name = name
        self.grace_seconds = grace_seconds
        self.before: dict[int, Any] = {}
        self._main = threading.main_thread().ident
        self._installed = False
        self._alarm: _Alarm | None = None

    @property
    def received(self) -> int | None:
        """The first signal that asked to stop."""
        return _process.received if self._installed else None

    @property
    def stopping(self) -> bool:
        """Whether a signal has asked to stop."""
        return self.received is not None

    def install(self) -> None:
        """Take the signals over, if this is the main thread; elsewhere they are not ours to take."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._installed = True
        _process.enter(self)
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None, _process.on_signal):
                self.before[number] = before
                signal.signal(number, _process.on_signal)

    def expire_after(self, seconds: float, error: Callable[[], BaseException]) -> None:
        """Raise *error* wherever the main thread stands once *seconds* have passed; never within what is whole.

        In another thread nothing can be raised from outside; there, and where every signal is ignored, `Limits` says
        so at the next item.
        """
        ours = [number for number in SIGNALS if signal.getsignal(number) == _process.on_signal]
        if self._installed and ours:
            self._alarm = _Alarm(seconds, ours[-1], error)

    def restore(self) -> None:
        """Give the signals back to whom they belonged."""
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.call_off()
            if _process.expired is alarm:
                _process.expired = None
        if self in _process.open:
            _process.leave(self)

    def check(self) -> None:
        """Raise `Interrupted` if a signal has asked to stop."""
        if _process.expired is not None:
            self._raise_expired()
        if self.received is not None:
            # In another thread it ends that thread and no more, so the main thread is still to be told.
            raise self.interrupted(told=threading.get_ident() == self._main)

    def pending(self) -> bool:
        """Tell whether a signal has arrived that nobody was told of."""
        return self.stopping and (_process.at_once or not _process.told)

    def interrupted(self, *, told: bool = True) -> Interrupted:
        """Return what is raised; *told* means that it is now."""
        if told:
            _process.told, _process.at_once = True, False
        number = _process.received
        assert number is not None, "nothing interrupts but a signal"
        return Interrupted(f"{self.name}: stopped by {signal.Signals(number).name}.", signal_number=number)

    def __enter__(self) -> None:
        """Hold `Interrupted` back; other threads are never interrupted."""
        if threading.get_ident() == self._main:
            _process.holding += 1

    def __exit__(self, *_: object) -> None:
        """Raise what was held back."""
        if threading.get_ident() == self._main:
            _process.holding -= 1
            held_back = _process.at_once or _process.expired is not None
            if (
                held_back and not _process.holding and not _is_whole(sys._getframe())
            ):  # in this order: it walks the stack
                if _process.at_once:
                    raise self.interrupted()
                self._raise_expired()

    def _raise_expired(self) -> None:
        """Raise what an alarm could not raise when it rang, because something whole was under way."""
        expired = _process.expired
        if expired is not None and threading.get_ident() == self._main:
            _process.expired = None
            raise expired.error()


class _Process:
    """What the signals of all phases share."""

    def __init__(self) -> None:
        self.open: list[Signals] = []
        self.masks: dict[int, set[Any]] = {}
        self._forget()

    def _forget(self) -> None:
        self.received: int | None = None
        self.told = False
        self.at_once = False
        self.holding = 0
        self.grace: _Alarm | None = None
        self.expired: _Alarm | None = None

    def enter(self, one: Signals) -> None:
        """Count with one more phase."""
        if not self.open:
            self._forget()
        self.open.append(one)

    @whole
    def leave(self, one: Signals) -> None:
        """Give back what *one* took; what a later phase still needs is that one's to give back."""
        place = self.open.index(one)
        if one is not self.open[-1]:
            later = self.open[place + 1]
            later.before = one.before | later.before
        else:
            if not place and self.grace is not None:
                self.grace.call_off()
            for number, before in one.before.items():
                if signal.getsignal(number) == self.on_signal:
                    signal.signal(number, before)
        self.open.remove(one)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Ask to stop, or leave at once; or raise what an alarm asks for."""
        expired = self.expired
        if expired is not None and not expired.rung:
            expired.rung = True
            if not self.holding and not _is_whole(frame):
                self.expired = None
                raise expired.error()
            return
        first = self.received is None
        if first:
            self.received = number
        leaves, grace_seconds = _is_whole(frame), self.open[-1].grace_seconds if self.open else 0.0
        if first and (grace_seconds > 0 or leaves):
            if not leaves:
                self.grace = _Alarm(grace_seconds, number)
        elif self.holding or leaves:
            self.at_once = True
        else:
            raise self.open[-1].interrupted()

    def block(self) -> None:
        """Let signals wait during a fork: before the child has the handlers back, one would ask it to stop in vain."""
        if self.open:
            self.masks[threading.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def unblock(self) -> None:
        """Take the signals that waited."""
        mask = self.masks.pop(threading.get_ident(), None)
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    @whole
    def let_go_in_child(self) -> None:
        """Give a forked child the handlers back: it works for no phase, and SIGTERM is how its parent ends it."""
        self.grace = None  # its thread is the parent's
        while self.open:
            self.leave(self.open[-1])
        self._forget()
        self.unblock()


class _Alarm:
    """Sends a signal to the main thread when the time is over, unless it is called off.

    With *error* it asks for that to be raised, else the signal says what a second one says: leave at once. A bare
    thread, because this is made in a signal handler: `threading` takes locks that the code below it may hold.
    """

    def __init__(self, seconds: float, number: int, error: Callable[[], BaseException] | None = None) -> None:
        self.rung = False
        self._error = error
        self._number = number
        self._seconds = min(seconds, threading.TIMEOUT_MAX)
        self._main = threading.main_thread().ident or 0
        self._end = threading.Lock()
        self._end.acquire()
        self._sending = threading.Lock()
        _thread.start_new_thread(self._wait, ())

    def error(self) -> BaseException:
        """Return what is to be raised."""
        assert self._error is not None, "only an alarm with an error asks for one"
        return self._error()

    def call_off(self) -> None:
        """Send nothing from now on."""
        with self._sending:
            self._end.release()

    def _wait(self) -> None:
        if not self._end.acquire(timeout=self._seconds):
            with self._sending:
                # The lock is taken again: called off in this very moment, the handler may be the program's own.
                if not self._end.acquire(blocking=False) and signal.getsignal(self._number) == _process.on_signal:
                    if self._error is not None:
                        _process.expired = self
                    signal.pthread_kill(self._main, self._number)


def _is_whole(frame: FrameType | None) -> bool:
    """Tell whether a call of a `whole` function is under way."""
    while frame is not None:
        if frame.f_code in _whole:
            return True
        frame = frame.f_back
    return False


_process = _Process()
os.register_at_fork(before=_process.block, after_in_parent=_process.unblock, after_in_child=_process.let_go_in_child)
