"""The loop behind ``phase.map``: hands items to workers, and gives what they finish to the record.

It knows nothing of journals. It takes what is pending one by one and never more than a window of it,
and it keeps no value once that is recorded, so a generator of millions costs what a window costs.

Workers make single tries. Retries, deaths and limits of time are decided here, in the one thread that
called: an item that waits for its next try keeps its place in the window and leaves its worker to others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from milepost.errors import BudgetReached, InvalidArgument, WorkerDied, WorkersLost
from milepost.phase.pools.backlog import Backlog, Task
from milepost.phase.pools.base import Outcome, Pool, translated
from milepost.phase.pools.opening import Workers, open_pool
from milepost.phase.retrying import WaitAfter, waits
from milepost.phase.signals import whole
from milepost.phase.work import Finished, OnRetry, Pending, Record, check_on_error, name_item

log = logging.getLogger(__name__)

TICK_SECONDS = 0.2
SLOW_SOURCE_SECONDS = 0.02


def run_all(
    function: Callable[..., Any],
    pending: Iterator[Pending],
    record: Record,
    *,
    executor: Workers = None,
    workers: int | None = None,
    retries: int = 0,
    retry_wait_seconds: float = 1.0,
    timeout_seconds: float | None = None,
    on_error: str = "stop",
    max_worker_deaths: int = 3,
    window_seconds: float = 0.0,
    stopping: Callable[[], bool] = lambda: False,
    on_start: Callable[[Pending], None] | None = None,
    on_retry: OnRetry | None = None,
) -> None:
    """Call *function* for all that is *pending*, and *record* what comes of it, in batches.

    Returns when all is recorded, or once *stopping* said so and what workers are at is recorded. Items
    that queue for a worker or wait for another try at that time are left without a record.

    Args:
        function: Called with the item, and with its options as keyword arguments.
        pending: What is to be done; read lazily, in this thread.
        record: Called in this thread with what finished together.
        executor: See `Workers`. An executor is never shut down; what a factory makes is.
        workers: How many at once; see `open_pool`.
        retries: How many further tries an item gets when the function raises.
        retry_wait_seconds: The wait before the second try; see `milepost.phase.retrying.waits`.
        timeout_seconds: How long one try may take. Processes are ended, and the item may be tried again.
            A thread or another executor cannot be: the item fails, and the late result is dropped.
        on_error: ``"stop"`` raises the first failure after recording all that was begun, ``"skip"`` goes on.
        window_seconds: How long to wait for more that finishes before what did is recorded in one batch.
        max_worker_deaths: How many workers an item may lose before it fails with `WorkerDied`.
        stopping: Asked at least five times a second; once true, nothing new is begun.
        on_start: Called in this thread with each item when it is first handed to a worker.
        on_retry: Called in this thread with the key and the error of a try that is followed by another.

    Raises:
        InvalidArgument: An argument has no meaning.
        WorkersLost: The executor broke and cannot be made anew.
        BaseException: The first failure, as it was raised, with a note that names the item. An exit or an
            interrupt raised by the function is raised whatever *on_error* says.
    """
    check_on_error(on_error)
    if max_worker_deaths < 1:
        raise InvalidArgument(f"max_worker_deaths={max_worker_deaths}: a worker must be allowed to die once")
    wait_after = waits(retries, retry_wait_seconds)
    pool = open_pool(function, executor, workers=workers, timeout_seconds=timeout_seconds)
    loop = _Loop(pool, Backlog(iter(pending), on_start or _nothing), record, wait_after, stopping)
    loop.skips = on_error == "skip"
    loop.on_retry = on_retry
    loop.timeout_seconds = timeout_seconds
    loop.window_seconds = window_seconds
    loop.max_worker_deaths = max_worker_deaths
    loop.run()


def _nothing(_: Pending) -> None:
    """Stand in for a callback that was not given."""


class _Loop:
    """One call of `run_all`."""

    skips = False
    on_retry: OnRetry | None = None
    timeout_seconds: float | None = None
    window_seconds = 0.0
    max_worker_deaths = 3

    def __init__(
        self, pool: Pool, backlog: Backlog, record: Record, wait_after: WaitAfter, stopping: Callable[[], bool]
    ) -> None:
        self._pool = pool
        self._backlog = backlog
        self._record = record
        self._wait_after = wait_after
        self._stopping = stopping
        self._failure: BaseException | None = None
        self._in_flight: dict[Future[Outcome], Task] = {}
        self._done: SimpleQueue[Future[Outcome]] = SimpleQueue()
        self._lost: list[Task] = []  # were in flight when a whole executor broke
        self._batch: list[Finished] = []
        self._recording = False
        self._withdrawn = False
        self._on_trial: Task | None = None

    def run(self) -> None:
        """Work until nothing is left, or nothing more may be begun."""
        try:
            while self._go_on():
                self._begin_what_fits()
                self._withdraw_if_halting()
                self._gather()
                self._save()
                self._replace_broken_pool()
            self._pool.close(now=False)
        except BaseException:
            self._leave()
            raise
        if self._failure is not None:
            raise self._failure

    # --- what is begun ---

    def _go_on(self) -> bool:
        if self._in_flight or self._batch:
            return True
        return not self._halting() and not self._backlog.exhausted

    def _halting(self) -> bool:
        return self._failure is not None or self._stopping()

    def _begin_what_fits(self) -> None:
        entered = time.monotonic()
        while not self._halting() and not self._lost and not self._batch:
            if self._backlog.has_suspects or self._on_trial in self._in_flight.values():
                if not self._in_flight:
                    self._on_trial = self._backlog.take_suspect()
                    self._begin(self._on_trial)
                return
            room = self._pool.window - len(self._in_flight)
            task = self._next_task(room) if room > 0 else None
            if task is None:
                return
            self._begin(task)
            if not self._done.empty() and time.monotonic() - entered > SLOW_SOURCE_SECONDS:
                return  # items are long in coming: record what is finished before asking for the next

    def _next_task(self, room: int) -> Task | None:
        try:
            return self._backlog.take(room=room)
        except Exception as error:  # noqa: BLE001 -- raised again, once what was begun is recorded
            self._failure = error
            return None

    def _begin(self, task: Task) -> None:
        task.tries += 1
        task.begun_at = time.monotonic()
        try:
            future = self._pool.submit(task.pending)
        except RuntimeError as error:  # also BrokenExecutor, and what every executor raises after its shutdown
            self._lost.append(task)
            log.warning("the executor takes no more work: %s: %s", type(error).__name__, error)
        except Exception as error:  # noqa: BLE001 -- this item cannot be sent; others can
            self._finish(task, _failed(error))
        else:
            self._in_flight[future] = task
            future.add_done_callback(self._done.put)

    def _withdraw_if_halting(self) -> None:
        """Take back what only queues for a worker: nobody has paid for that yet."""
        if self._withdrawn or not self._halting():
            return
        self._withdrawn = True
        for future in list(self._in_flight):
            if self._pool.withdraw(future):
                del self._in_flight[future]

    # --- what has finished ---

    def _gather(self) -> None:
        """Wait until something finished, and take all that did."""
        if self._batch or not (self._in_flight or self._backlog.begun):
            return  # nothing to wait for
        try:
            self._settle(self._done.get(timeout=self._patience_seconds()))
            self._gather_more(time.monotonic() + self.window_seconds)
        except Empty:
            pass
        self._give_up_on_late_ones()

    def _gather_more(self, until: float) -> None:
        """Take all that has finished by *until*, as long as something is under way and nobody asks to stop."""
        while True:
            left = until - time.monotonic()
            if left <= 0 or not self._in_flight or self._halting():
                self._settle(self._done.get_nowait())
            else:
                with suppress(Empty):
                    self._settle(self._done.get(timeout=min(left, TICK_SECONDS)))

    def _patience_seconds(self) -> float:
        now = time.monotonic()
        moments = [now + TICK_SECONDS]
        if (wait_ends_at := self._backlog.next_wait_ends_at) is not None:
            moments.append(wait_ends_at)
        if (limit := self._limit()) is not None:
            moments += [task.begun_at + limit for task in self._in_flight.values()]
        return max(0.0, min(moments) - now)

    def _limit(self) -> float | None:
        return None if self._pool.ends_work else self.timeout_seconds

    def _settle(self, future: Future[Outcome]) -> None:
        task = self._in_flight.pop(future, None)
        if task is None:
            return  # it came too late, and its item has failed
        if future.cancelled():
            self._finish(
                task, _failed(WorkerDied("The executor cancelled this item: its workers or its client are gone."))
            )
        elif (trouble := future.exception()) is None:
            self._finish(task, future.result())
        elif isinstance(trouble, BrokenExecutor):
            self._lost.append(task)
        elif isinstance(trouble, (WorkersLost, InvalidArgument)):
            # No item can be worked on. While the run is being stopped, somebody else may have ended the workers.
            if not self._stopping():
                self._failure = self._failure or trouble
        elif isinstance(trouble, WorkerDied):
            self._bury(task, trouble, self._backlog.again)
        else:
            self._finish(task, _failed(translated(trouble)))

    def _finish(self, task: Task, outcome: Outcome) -> None:
        """Put what came of a try into the batch, unless its item gets another."""
        error = outcome.error
        if error is not None:
            wait_seconds = None if outcome.final else self._wait_after(error, task.tries - task.deaths)
            if wait_seconds is not None:
                self._backlog.wait(task, wait_seconds)
                if self.on_retry is not None:
                    self.on_retry(task.pending.key, error)
                return
            if self._failure is None and not (self.skips and isinstance(error, Exception)):
                name_item(error, task.pending.key)
                self._failure = error
            if isinstance(error, BudgetReached):
                return  # nothing of it failed: it has to wait for a later attempt
        self._batch.append(Finished(task.pending.key, outcome.seconds, outcome.value, error, task.tries))

    def _bury(self, task: Task, death: WorkerDied, where: Callable[[Task], None]) -> None:
        """Count a worker that died of this item; give the item another one, or no more."""
        task.deaths += 1
        if task.deaths < self.max_worker_deaths or self._stopping():
            where(task)  # while the run is being stopped, somebody else may have killed the worker
        else:
            self._finish(task, _failed(death))

    def _give_up_on_late_ones(self) -> None:
        limit = self._limit()
        if limit is None:
            return
        now = time.monotonic()
        late = [(future, task) for future, task in self._in_flight.items() if now - task.begun_at >= limit]
        for future, task in late:
            if future.done():
                continue
            del self._in_flight[future]
            self._pool.abandon(future)
            log.warning(
                "item %r took longer than %g s and has failed; its thread or worker cannot be ended and runs on",
                task.pending.key, limit,
            )  # fmt: skip
            self._finish(task, _failed(TimeoutError(f"no result within {limit:g} seconds"), now - task.begun_at))

    def _save(self) -> None:
        if self._batch:
            self._recording = True
            self._record(self._batch)
            self._batch = []
            self._recording = False

    # --- when workers are lost, and on the way out ---

    def _replace_broken_pool(self) -> None:
        """Make a broken pool anew, and put those that were in it under suspicion."""
        if self._in_flight or not (self._lost or self._pool.window == 0) or self._halting():
            return
        lost, self._lost = self._lost, []
        if not self._pool.renew():
            raise WorkersLost(_lost_message([task.pending.key for task in lost]))
        if len(lost) == 1:
            self._bury(lost[0], WorkerDied(), self._backlog.suspect)
        else:
            for task in lost:
                self._backlog.suspect(task)

    @whole
    def _leave(self) -> None:
        """Leave in the middle: record what had finished, wait for nothing.

        Whole, because a third signal in here would leave processes that the interpreter's end waits for.
        """
        try:
            if not self._recording:  # a record that was broken off is not begun again
                for future in [future for future in self._in_flight if future.done()]:
                    self._settle(future)
                self._save()
        finally:
            for future in self._in_flight:
                future.cancel()
            self._pool.close(now=True)


def _failed(error: BaseException, seconds: float = 0.0) -> Outcome:
    return Outcome(seconds, error=error, final=True)


def _lost_message(keys: list[str]) -> str:
    named = ", ".join(repr(key) for key in keys[:10]) + (f" and {len(keys) - 10} more" if len(keys) > 10 else "")
    what = (
        f"The executor broke or was shut down with these items in flight: {named}."
        if keys
        else ("Every worker of the executor is held by an item whose time was over.")
    )
    return (
        f"{what} What had finished is recorded. Run the same command again, or give executor= a function that "
        "makes an executor, so that a new one can be made."
    )
