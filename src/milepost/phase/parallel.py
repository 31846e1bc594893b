"""The parallel part of a phase: `map` over threads, processes and executors, `amap` over coroutines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from milepost.phase.work import Key

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from milepost.phase.attempt import Attempt
    from milepost.phase.loop import Loop
    from milepost.phase.results import Results


class Parallel:
    """What a `Phase` does with workers. They compute; the one process that holds the run records."""

    @property
    def _attempt(self) -> Attempt:
        """The attempt that is open."""
        raise NotImplementedError

    def map(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        key: Key | None = None,
        *,
        name: str | None = None,
        workers: int | None = None,
        executor: str | Executor | Callable[[], Executor] | None = None,
        retries: int = 0,
        retry_wait_seconds: float = 1.0,
        timeout_seconds: float | None = None,
        on_error: str = "stop",
        version: Callable[[Any], Any] | None = None,
        max_worker_deaths: int = 3,
        pass_random: bool = False,
    ) -> Results:
        """Work on the items that are not done; return the results so far, in the order of the items.

        Args:
            function: Called with the item, in a worker; what it returns is the result.
            items: Any iterable; a bounded number of items is taken ahead.
            key, name, version: As in `each`.
            workers: How many items are worked on at once.
            executor: "threads", "processes", any `concurrent.futures.Executor`, or a function that makes one.
            retries: Further tries of an item that raised, with pauses that double from *retry_wait_seconds*, up to 60.
            timeout_seconds: The most a try may take. A process is ended; a thread runs on, and a warning says so.
            on_error: "stop" after what is in flight, or "skip"; either way the failure is recorded.
            max_worker_deaths: How often an item may end its worker process before it counts as failed.
            pass_random: Call the function with ``random=``, the item's own generator; see `random`.

        Raises:
            Changed: Results were made by another function and *on_change* is "stop".
            WorkersLost: The executor broke and is not ours to make anew.
            Interrupted, BudgetReached: A signal or a limit asked to stop.
            Exception: Whatever the function raised, with *on_error* "stop".
        """
        from milepost.phase.mapping import run_all

        attempt = self._attempt
        loop = attempt.begin_map(function, items, name, key, version)
        run_all(
            function,
            attempt.pending(loop, items, pass_random=pass_random),
            attempt.recorder(loop),
            executor=executor,
            workers=workers,
            retries=retries,
            retry_wait_seconds=retry_wait_seconds,
            timeout_seconds=timeout_seconds,
            on_error=on_error,
            max_worker_deaths=max_worker_deaths,
            window_seconds=attempt.window_seconds,
            stopping=lambda: attempt.stopping,
            on_start=attempt.on_start(loop),
            on_retry=attempt.on_retry(loop),
        )
        attempt.check()
        return self.results(name)

    async def amap(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        key: Key | None = None,
        *,
        name: str | None = None,
        limit: int = 32,
        retries: int = 0,
        retry_wait_seconds: float = 1.0,
        timeout_seconds: float | None = None,
        on_error: str = "stop",
        version: Callable[[Any], Any] | None = None,
        pass_random: bool = False,
    ) -> AsyncIterator[tuple[str, Any]]:
        """Work on the items that are not done as tasks of the running event loop; yield every item's key and value.

        Pairs come in the order of the items, those of earlier attempts too, so that what is made of them is the same
        after a resume. Arguments are those of `map`; *limit* is how many tasks run at once.

        Raises:
            CancelledError: The task was cancelled; what had finished is recorded.
            Exception: As `map`.
        """
        from milepost.phase.coroutines import arun_all

        attempt = self._attempt
        loop = attempt.begin_map(function, items, name, key, version)
        results = self.results(name)
        recorded = arun_all(
            function,
            attempt.pending(loop, items, pass_random=pass_random),
            attempt.recorder(loop),
            limit=limit,
            retries=retries,
            retry_wait_seconds=retry_wait_seconds,
            timeout_seconds=timeout_seconds,
            on_error=on_error,
            stopping=lambda: attempt.stopping,
            on_start=attempt.on_start(loop),
            on_retry=attempt.on_retry(loop),
        )
        in_order = _InOrder(loop)
        try:
            async for _ in recorded:
                for done in in_order.ready():
                    yield done, results[done]
        finally:
            await recorded.aclose()
        attempt.check()
        for done in in_order.ready():
            yield done, results[done]

    def results(self, name: str | None = None) -> Results:
        """Return the results so far: a mapping in the order of this attempt's items; values are read when asked for.

        Args:
            name: The loop's name.
        """
        return self._attempt.loops.results(name)

    def failures(self, name: str | None = None) -> Results:
        """Return what failed: a mapping from key to a dict of ``type``, ``message`` and ``attempts``.

        Args:
            name: The loop's name.
        """
        return self._attempt.loops.failures(name)


class _InOrder:
    """The items of a loop as they are settled, in their order."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._place = 0

    def ready(self) -> Iterator[str]:
        """Yield the keys that are done, up to the first item that still waits."""
        while settled := self._loop.ready(self._place):
            self._place += 1
            if isinstance(settled, str):
                yield settled
