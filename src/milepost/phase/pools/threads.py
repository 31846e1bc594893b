"""Worker threads that never hold up the end of the program.

The threads of `concurrent.futures` are joined at exit, so one that hangs keeps the process for ever.
These are daemons. A thread serves many items, so what it keeps in a `threading.local` (a session, a
connection) serves many as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from milepost.phase.pools.base import Outcome, attempt

if TYPE_CHECKING:
    from milepost.phase.work import Pending


class Hands(Protocol):
    """What one thread works with."""

    def attempt(self, job: Any) -> Outcome:
        """Make one try."""

    def close(self) -> None:
        """Let go of everything: the thread ends."""


class _OwnHands:
    """The thread does the work itself."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def attempt(self, job: Pending) -> Outcome:
        return attempt(self._function, job.item, job.options)

    def close(self) -> None:
        """Nothing to let go of."""


class Crew:
    """A few daemon threads that take jobs from one queue."""

    def __init__(self, workers: int, hands: Callable[[], Hands]) -> None:
        """Take on *workers* threads, each with *hands* of its own; they start when there is work."""
        self._workers = workers
        self._hands = hands
        self._jobs: SimpleQueue[tuple[Future[Outcome], Any] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._given_up: set[Future[Outcome]] = set()

    def submit(self, job: Any) -> Future[Outcome]:
        """Have *job* done by the next free thread."""
        future: Future[Outcome] = Future()
        self._jobs.put((future, job))
        if len(self._threads) < self._workers:
            self._start()
        return future

    def replace(self, future: Future[Outcome]) -> None:
        """Put a new thread in the place of the one that hangs in *future*."""
        self._given_up.add(future)
        self._start()

    def dismiss(self) -> None:
        """Let every thread end as soon as it is free; wait for none."""
        for _ in self._threads:
            self._jobs.put(None)

    def join(self, timeout_seconds: float) -> None:
        """Wait for the threads that were dismissed, each for at most *timeout_seconds*."""
        if not self._given_up:
            for thread in self._threads:
                thread.join(timeout_seconds)

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"milepost-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        hands = self._hands()
        try:
            while (job := self._jobs.get()) is not None:
                self._do(hands, *job)
                if job[0] in self._given_up:
                    return
                del job  # a value must not live on until the next item comes
        finally:
            hands.close()

    @staticmethod
    def _do(hands: Hands, future: Future[Outcome], job: Any) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            outcome = hands.attempt(job)
        except BaseException as error:  # noqa: BLE001 -- it belongs to the loop, which holds the future
            future.set_exception(error)
        else:
            future.set_result(outcome)


class Threads:
    """The pool for work that waits: on the network, on disks, on libraries that release the interpreter."""

    ends_work = False

    def __init__(self, function: Callable[..., Any], workers: int, *, surplus: int) -> None:
        """Let *workers* threads call *function*, with at most *surplus* more items begun."""
        self.window = workers + surplus
        self._crew = Crew(workers, lambda: _OwnHands(function))

    def submit(self, pending: Pending) -> Future[Outcome]:
        """See `Pool.submit`."""
        return self._crew.submit(pending)

    def withdraw(self, future: Future[Outcome]) -> bool:
        """See `Pool.withdraw`."""
        return future.cancel()

    def abandon(self, future: Future[Outcome]) -> None:
        """See `Pool.abandon`: the thread runs on, and another takes its place."""
        self._crew.replace(future)

    def renew(self) -> bool:
        """See `Pool.renew`: threads are never lost."""
        return True

    def close(self, *, now: bool) -> None:
        """See `Pool.close`: a thread that still works is left to itself."""
        self._crew.dismiss()
        if not now:
            self._crew.join(timeout_seconds=5)
