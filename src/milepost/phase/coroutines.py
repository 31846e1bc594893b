"""The loop behind ``phase.amap``: one task for each item, in the event loop of asyncio.

A driver, a task of its own, begins items and records what finishes, also while the reader of the keys is
busy. Records are made in a thread, one at a time, so that a sync never holds up the event loop; what
finishes during one forms the next batch.

Only asyncio is served: not trio, and not anyio on top of trio.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from milepost.errors import BudgetReached, InvalidArgument
from milepost.phase.retrying import WaitAfter, waits
from milepost.phase.work import Finished, OnRetry, Pending, Record, check_on_error, name_item

log = logging.getLogger(__name__)

TICK_SECONDS = 0.2


async def arun_all(
    function: Callable[..., Awaitable[Any]],
    pending: Iterator[Pending],
    record: Record,
    *,
    limit: int = 32,
    retries: int = 0,
    retry_wait_seconds: float = 1.0,
    timeout_seconds: float | None = None,
    on_error: str = "stop",
    stopping: Callable[[], bool] = lambda: False,
    on_start: Callable[[Pending], None] | None = None,
    on_retry: OnRetry | None = None,
) -> AsyncGenerator[str, None]:
    """Await *function* for all that is *pending*, *record* what comes of it in batches, and yield the recorded keys.

    Keys come in the order of recording, failures too. The items run ahead of the reader by at most twice
    *limit*, so a reader that does not go on holds back new items, but never the record of what is finished.
    Leaving the loop early, or a cancellation, cancels and awaits the tasks and records what had finished.

    Args:
        function: A coroutine function, called with the item and with its options as keyword arguments.
        pending: What is to be done; read lazily, in the event loop, so it must not block for long.
        record: Called in a thread with what finished together, never twice at once.
        limit: How many items are worked on at once.
        retries: How many further tries an item gets when the function raises.
        retry_wait_seconds: The wait before the second try; see `milepost.phase.retrying.waits`.
        timeout_seconds: How long one try may take. Its task is cancelled, and the item may be tried again.
        on_error: ``"stop"`` raises the first failure after recording all that was begun, ``"skip"`` goes on.
        stopping: Asked at least five times a second; once true, nothing new is begun.
        on_start: Called with each item when it is begun.
        on_retry: Called with the key and the error of a try that is followed by another.

    Raises:
        InvalidArgument: An argument has no meaning.
        CancelledError: The surrounding task was cancelled; what had finished is recorded.
        BaseException: The first failure, as it was raised, with a note that names the item.
    """
    check_on_error(on_error)
    if limit < 1:
        raise InvalidArgument(f"limit={limit}: at least one item must be worked on")
    if timeout_seconds is not None and timeout_seconds <= 0:
        raise InvalidArgument(f"timeout_seconds={timeout_seconds}: a limit must be more than nothing")
    trier = _Trier(function, waits(retries, retry_wait_seconds), timeout_seconds, stopping)
    trier.on_retry = on_retry
    driver = _Driver(iter(pending), trier, record, limit, on_start)
    driver.skips = on_error == "skip"
    keys = _keys_as_recorded(driver)
    try:
        async for key in keys:
            yield key
    finally:
        await keys.aclose()


async def _keys_as_recorded(driver: _Driver) -> AsyncGenerator[str, None]:
    """Have *driver* run, and let nothing of it remain, however this ends."""
    task = asyncio.create_task(driver.run(), name="milepost-amap")
    task.add_done_callback(lambda _: driver.readable.set())
    left_early = True
    try:
        while not (task.done() and not driver.unread):
            await driver.readable.wait()
            driver.readable.clear()
            keys, driver.unread = driver.unread, []
            driver.changed.set()
            for key in keys:
                yield key
        left_early = False
    finally:
        driver.leave()
        cancelled = await _until_done(task)
        driver.recorder.shutdown(wait=False)
        if left_early and not task.cancelled() and task.exception() is driver.record_error is not None:
            log.error("what had finished could not be recorded", exc_info=driver.record_error)
    if cancelled is not None:
        raise cancelled
    task.result()


async def _until_done(*tasks: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Wait for *tasks* whatever happens. Return a cancellation that arrived meanwhile, for the caller to raise."""
    cancelled: asyncio.CancelledError | None = None
    while open_ones := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(open_ones)
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


class _GaveUp(Exception):
    """An item waits for another try, and none may be begun any more."""


class _Trier:
    """Makes the tries of one item, one after another."""

    on_retry: OnRetry | None = None

    def __init__(
        self,
        function: Callable[..., Awaitable[Any]],
        wait_after: WaitAfter,
        timeout_seconds: float | None,
        stopping: Callable[[], bool],
    ) -> None:
        self.stopping = stopping
        self.halted = asyncio.Event()
        self._function = function
        self._wait_after = wait_after
        self._timeout_seconds = timeout_seconds

    async def work(self, pending: Pending) -> Finished:
        """Return what came of an item after the last of its tries.

        Raises:
            _GaveUp: It would be tried again, but nothing more is begun.
            CancelledError: Its task was cancelled from outside.
        """
        tries = 0
        while True:
            tries += 1
            began = time.monotonic()
            try:
                value = await self._once(pending)
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and _cancelled_from_outside():
                    raise
                failure = _as_failure(error)
                wait_seconds = self._wait_after(failure, tries)
                if wait_seconds is None:
                    return Finished(pending.key, time.monotonic() - began, None, failure, tries)
                if self.on_retry is not None:
                    self.on_retry(pending.key, failure)
            else:
                return Finished(pending.key, time.monotonic() - began, value, None, tries)
            await self._wait(wait_seconds)

    async def _once(self, pending: Pending) -> Any:
        limit = asyncio.timeout(self._timeout_seconds)
        try:
            async with limit:
                awaitable = self._function(pending.item, **pending.options)
                if not inspect.isawaitable(awaitable):
                    raise InvalidArgument("amap needs a coroutine function (async def); map takes plain ones")
                return await awaitable
        except TimeoutError as error:
            if limit.expired():
                raise TimeoutError(f"no result within {self._timeout_seconds:g} seconds") from error
            raise

    async def _wait(self, seconds: float) -> None:
        """Wait for the next try, or not at all if there will be none."""
        try:
            async with asyncio.timeout(seconds):
                await self.halted.wait()
        except TimeoutError:
            return
        raise _GaveUp


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _as_failure(error: BaseException) -> BaseException:
    if not isinstance(error, asyncio.CancelledError):
        return error
    # Raised as it is, it would look like a cancellation of whoever reads the keys.
    failure = RuntimeError("the coroutine was cancelled from within")
    failure.__cause__ = error
    return failure


class _Driver:
    """Begins items and records what finishes, until nothing is left or nothing more may be begun."""

    skips = False

    def __init__(
        self,
        pending: Iterator[Pending],
        trier: _Trier,
        record: Record,
        limit: int,
        on_start: Callable[[Pending], None] | None,
    ) -> None:
        self.unread: list[str] = []
        self.readable = asyncio.Event()
        self.changed = asyncio.Event()
        self.record_error: BaseException | None = None
        # A thread of its own: the default executor may be full of what the coroutines gave it.
        self.recorder = ThreadPoolExecutor(1, thread_name_prefix="milepost-record")
        self._pending = pending
        self._trier = trier
        self._record = record
        self._limit = limit
        self._on_start = on_start
        self._tasks: set[asyncio.Task[None]] = set()
        self._finished: list[Finished] = []
        self._batch: list[Finished] = []
        self._saving: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._no_more = False  # nothing new is begun

    async def run(self) -> None:
        """Work. Raises the first failure, or why something could not be recorded."""
        try:
            while True:
                self._take_in_saved()
                self._begin_what_fits()
                self._save_what_finished()
                if self._no_more and not (self._tasks or self._saving):
                    break
                await self._next_change()
        except BaseException:
            self.leave()
            await self._end()
            raise
        if self._failure is not None:
            raise self._failure

    def leave(self) -> None:
        """Begin nothing more, and cancel what was begun."""
        self._halt()
        for task in self._tasks:
            task.cancel()
        self.changed.set()

    def _halt(self) -> None:
        self._no_more = True
        self._trier.halted.set()

    def _begin_what_fits(self) -> None:
        if self._trier.stopping():
            self._halt()
        ahead = len(self.unread) + len(self._finished) + len(self._batch)
        while not self._no_more and len(self._tasks) < self._limit and ahead + len(self._tasks) < 2 * self._limit:
            try:
                pending = next(self._pending)
            except StopIteration:
                self._no_more = True
                return
            except Exception as error:  # noqa: BLE001 -- raised again, once what was begun is recorded
                self._fail(error)
                return
            if self._on_start is not None:
                self._on_start(pending)
            task = asyncio.create_task(self._work(pending))
            self._tasks.add(task)
            task.add_done_callback(self._take_out)

    def _take_out(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.changed.set()

    async def _work(self, pending: Pending) -> None:
        try:
            finished = await self._trier.work(pending)
        except _GaveUp:
            return
        error = finished.error
        if not isinstance(error, BudgetReached):  # of which nothing failed: it has to wait for a later attempt
            self._finished.append(finished)
        if isinstance(error, BaseException) and not (self.skips and isinstance(error, Exception)):
            if self._failure is None:
                name_item(error, pending.key)
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._halt()

    async def _next_change(self) -> None:
        try:
            async with asyncio.timeout(TICK_SECONDS):
                await self.changed.wait()
        except TimeoutError:
            return
        self.changed.clear()

    def _save_what_finished(self) -> None:
        if self._saving is None and self._finished:
            self._batch, self._finished = self._finished, []
            self._saving = asyncio.get_running_loop().run_in_executor(self.recorder, self._record, self._batch)
            self._saving.add_done_callback(lambda _: self.changed.set())

    def _take_in_saved(self) -> None:
        if self._saving is None or not self._saving.done():
            return
        saving, self._saving = self._saving, None
        batch, self._batch = self._batch, []
        self.record_error = saving.exception()
        if self.record_error is not None:
            raise self.record_error
        self.unread += [finished.key for finished in batch]
        self.readable.set()

    async def _end(self) -> None:
        """Await what was cancelled and the record under way, and record what had finished by then."""
        await _until_done(*self._tasks)
        while self.record_error is None and (self._saving or self._finished):
            self._save_what_finished()
            assert self._saving is not None
            await _until_done(self._saving)
            self._take_in_saved()
