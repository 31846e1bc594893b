"""Worker processes, each on a line of its own: what happens to one cannot touch another.

The pools of the libraries let their workers share pipes and locks. A worker that is killed at the wrong
moment, as the system does when memory runs out, leaves a lock taken or half a message, and the whole pool
hangs or breaks. Here each process has a thread and a socket to itself: its end is the end of that line.

Processes are spawned, never forked: a fork would inherit locks that nobody releases.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any

from milepost.errors import InvalidArgument, WorkerDied, WorkersLost
from milepost.phase.pools.base import Outcome
from milepost.phase.pools.threads import Crew
from milepost.phase.pools.travel import pack, unpack
from milepost.phase.pools.worker import SIGNALS, serve

if TYPE_CHECKING:
    from milepost.phase.work import Pending

GUARD = "if __name__ == '__main__':"
TICK_SECONDS = 0.5
PATIENCE_SECONDS = 5.0


class Processes:
    """The pool for work that computes, that must be ended in time, or that may crash."""

    ends_work = True

    def __init__(self, function: Callable[..., Any], workers: int, timeout_seconds: float | None) -> None:
        """Let *workers* processes call *function*, each try for at most *timeout_seconds*.

        Raises:
            InvalidArgument: The function cannot be sent to a process.
        """
        try:
            packed = bytes(pack(function))
        except Exception as error:
            name = getattr(function, "__qualname__", repr(function))
            raise InvalidArgument(
                f"{name} cannot be sent to a process: {error}. Define it at the top of a module, or use "
                'executor="threads" or loky'
            ) from error
        self.window = workers + max(2, workers)
        self._companions: list[_Companion] = []
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._timeout_seconds = timeout_seconds
        self._crew = Crew(workers, lambda: self._companion(packed))

    def submit(self, pending: Pending) -> Future[Outcome]:
        """See `Pool.submit`.

        Raises:
            InvalidArgument: The item cannot be sent to a process.
        """
        try:
            packed = pack((pending.item, pending.options))
        except Exception as error:
            raise InvalidArgument(f"item {pending.key!r} cannot be sent to a process: {error}") from error
        return self._crew.submit(packed)

    def withdraw(self, future: Future[Outcome]) -> bool:
        """See `Pool.withdraw`."""
        return future.cancel()

    def abandon(self, future: Future[Outcome]) -> None:
        """See `Pool.abandon`: never needed here."""

    def renew(self) -> bool:
        """See `Pool.renew`: each process is replaced by its own thread."""
        return True

    def close(self, *, now: bool) -> None:
        """See `Pool.close`."""
        self._crew.dismiss()
        if not now:
            self._crew.join(timeout_seconds=5)
        with self._lock:
            self._closed.set()
            companions = list(self._companions)
        for companion in companions:
            companion.kill()

    def _companion(self, packed: bytes) -> _Companion:
        companion = _Companion(packed, self._timeout_seconds, self._lock, self._closed)
        with self._lock:
            self._companions.append(companion)
        return companion


class _Companion:
    """A thread's process: started when it is needed, replaced when it is gone."""

    def __init__(
        self, function: bytes, timeout_seconds: float | None, lock: threading.Lock, closed: threading.Event
    ) -> None:
        self._function = function
        self._timeout_seconds = timeout_seconds
        self._lock = lock
        self._closed = closed
        self._process: SpawnProcess | None = None
        self._line: Connection | None = None

    def attempt(self, job: memoryview) -> Outcome:
        """Have the process make one try; end it when the time is over.

        Raises:
            WorkerDied: The process ended in the middle.
            WorkersLost: No process can be started.
        """
        process, line = self._started()
        began = time.monotonic()
        try:
            line.send_bytes(job)
            if not _answers(process, line, self._timeout_seconds):
                self.kill()
                limit = TimeoutError(f"no result within {self._timeout_seconds:g} seconds; its process was ended")
                return Outcome(time.monotonic() - began, error=limit)
            outcome = unpack(line.recv_bytes())
        except (EOFError, ConnectionError) as error:
            self._let_go()
            raise WorkerDied(f"The worker process {_how_it_ended(process)} while it worked on this item.") from error
        except BaseException:
            self.kill()  # half a message may be left on the line
            raise
        assert isinstance(outcome, Outcome)
        return outcome

    def close(self) -> None:
        """Let the process end by itself, or end it."""
        process, line = self._let_go()
        if process is not None and line is not None:
            line.close()
            process.join(PATIENCE_SECONDS)
            _end(process)

    def kill(self) -> None:
        """End the process at once, with whatever it started."""
        process, _ = self._let_go()
        if process is not None:
            _end(process)

    def _let_go(self) -> tuple[SpawnProcess | None, Connection | None]:
        process, line, self._process, self._line = self._process, self._line, None, None
        return process, line

    def _started(self) -> tuple[SpawnProcess, Connection]:
        process, line = self._process, self._line
        if process is not None and line is not None:
            return process, line
        with self._lock:
            if self._closed.is_set():
                raise WorkersLost("The pool of processes was closed.")
            self._process, self._line = process, line = _start(self._function)
        try:
            _answers(process, line, None)
            trouble = unpack(line.recv_bytes())
        except (EOFError, ConnectionError) as error:
            self._let_go()
            raise WorkersLost(
                f"A worker process {_how_it_ended(process)} before it could begin. It imports the program anew: is the "
                f"call of the program under {GUARD!r}? What it printed before it ended says more."
            ) from error
        if trouble is not None:
            self.close()
            raise InvalidArgument(
                f"A worker process cannot load the function: {trouble}. Define it at the top of a module that can be "
                "imported, not in a notebook or a terminal; loky can send those."
            )
        return process, line


def _start(function: bytes) -> tuple[SpawnProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    line, their_line = context.Pipe()
    process = context.Process(target=serve, args=(their_line, function), name="milepost-worker")
    # Until the worker has handlers of its own, signals meant for the program must not end it. Its mask is
    # inherited from this thread, which no signal needs. The tracker comes first: starting it resets the mask.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        process.start()
    except (OSError, RuntimeError, AssertionError) as error:
        line.close()
        raise WorkersLost(f"No worker process can be started: {error}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        their_line.close()
    return process, line


def _answers(process: SpawnProcess, line: Connection, timeout_seconds: float | None) -> bool:
    """Wait for an answer. False when the time is over.

    Raises:
        EOFError: The process ended without one.
    """
    end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        # Woken now and then, because a child that the function forked can hold the line open.
        wait_seconds = TICK_SECONDS if end is None else min(TICK_SECONDS, max(0.0, end - time.monotonic()))
        if line.poll(wait_seconds):
            return True
        if process.exitcode is not None:
            raise EOFError
        if end is not None and time.monotonic() >= end:
            return False


def _end(process: SpawnProcess) -> None:
    if process.pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join(PATIENCE_SECONDS)


def _how_it_ended(process: SpawnProcess) -> str:
    _end(process)  # its own end came before; this is for what it left behind
    code = process.exitcode
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"
