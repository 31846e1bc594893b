"""Somebody else's executor: of the standard library, loky, Dask or any other that follows `concurrent.futures`."""

from __future__ import annotations

import inspect
import os
import platform
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import TYPE_CHECKING, Any

from milepost.errors import InvalidArgument, WorkersLost
from milepost.phase.pools.base import Outcome, attempt
from milepost.phase.pools.travel import fit_to_travel

if TYPE_CHECKING:
    from milepost.phase.work import Pending


class Try:
    """One call of the function, as an object that an executor can carry to another process or machine.

    Opaque on purpose: Dask looks into tuples and lists of arguments for futures of its own.
    """

    __slots__ = ("function", "home", "item", "options")

    def __init__(self, function: Callable[..., Any], item: Any, options: dict[str, Any]) -> None:
        """Keep what is called, and the process it comes from."""
        self.function = function
        self.item = item
        self.options = options
        self.home = _here()

    def __call__(self) -> Outcome:
        """Make the try. What must travel back to another process is made fit for it."""
        outcome = attempt(self.function, self.item, self.options)
        return outcome if self.home == _here() else fit_to_travel(outcome)


def _here() -> tuple[str, int]:
    return platform.node(), os.getpid()


class Foreign:
    """A pool over an executor, or over a factory of executors."""

    ends_work = False

    def __init__(
        self,
        function: Callable[..., Any],
        executor: Executor | Callable[[], Executor],
        workers: int | None,
        *,
        timed: bool,
    ) -> None:
        """Work with *executor*.

        Args:
            function: What is called.
            executor: An executor, which is never shut down, or what makes one, which is.
            workers: How many tries it makes at once, if it does not tell.
            timed: Each try has a time limit. The clock starts when it is handed over, so none may queue.

        Raises:
            InvalidArgument: The factory makes no executor, or a limit is asked of an executor of unknown size.
        """
        self._function = function
        self._make = None if isinstance(executor, Executor) else executor
        self._executor = executor if isinstance(executor, Executor) else self._made()
        known = workers or size_of(self._executor)
        if timed and known is None:
            raise InvalidArgument("timeout_seconds= needs workers=: this executor does not tell how many it has")
        self._size = known or 2 * (os.cpu_count() or 1)
        self._surplus = 0 if timed else max(2, self._size)
        self._held: set[Future[Outcome]] = set()

    @property
    def window(self) -> int:
        """See `Pool.window`."""
        self._held = {future for future in self._held if not future.done()}
        return max(0, self._size - len(self._held)) + (self._surplus if not self._held else 0)

    def submit(self, pending: Pending) -> Future[Outcome]:
        """See `Pool.submit`.

        Raises:
            RuntimeError: The executor takes no more work.
        """
        work = Try(self._function, pending.item, pending.options)
        if not _is_dask(self._executor):
            return self._executor.submit(work)
        try:
            # To Dask equal calls are one call, so a second try would get the error of the first again.
            return self._executor.submit(work, pure=False)  # type: ignore[call-arg]
        except Exception as error:
            if type(error).__name__ == "ClosedClientError":
                raise BrokenExecutor(str(error)) from error
            raise

    def withdraw(self, future: Future[Outcome]) -> bool:
        """See `Pool.withdraw`: Dask does not tell what has begun, and would cancel that too."""
        return not _is_dask(self._executor) and future.cancel()

    def abandon(self, future: Future[Outcome]) -> None:
        """See `Pool.abandon`: until the try ends by itself, its worker is taken."""
        if not future.cancel():
            self._held.add(future)

    def renew(self) -> bool:
        """See `Pool.renew`: only a factory can.

        Raises:
            WorkersLost: The new executor breaks without any item, so no item is to blame.
        """
        if self._make is None:
            return False
        _end(self._executor)
        self._held.clear()
        self._executor = self._made()
        try:
            self._executor.submit(os.getpid).result()
        except RuntimeError as error:  # also BrokenExecutor
            raise WorkersLost(f"A new executor breaks before it is given any item: {error}") from error
        return True

    def close(self, *, now: bool) -> None:
        """See `Pool.close`."""
        if self._make is None:
            return
        if now or self._held:
            _end(self._executor)
        else:
            self._executor.shutdown(wait=True)

    def _made(self) -> Executor:
        assert self._make is not None
        made = self._make()
        if not isinstance(made, Executor):
            raise InvalidArgument(f"executor= makes a {type(made).__name__}, which is no concurrent.futures.Executor")
        return made


def size_of(executor: Executor) -> int | None:
    """Return how many calls *executor* makes at once, or None if it does not tell."""
    if _is_dask(executor):
        threads = executor._client.nthreads()  # type: ignore[attr-defined]
        return sum(threads.values()) or None
    size = getattr(executor, "_max_workers", None)
    return size if isinstance(size, int) and size > 0 else None


def _is_dask(executor: Executor) -> bool:
    return type(executor).__module__.startswith("distributed.")


def _end(executor: Executor) -> None:
    """End an executor of ours without waiting for what it computes."""
    if "kill_workers" in inspect.signature(executor.shutdown).parameters:
        executor.shutdown(wait=False, kill_workers=True)  # type: ignore[call-arg]  # loky's
        return
    # Before Python 3.14 the standard library has no public way to end the processes of a pool.
    processes = list((getattr(executor, "_processes", None) or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
