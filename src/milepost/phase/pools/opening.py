"""From what the user wrote as ``executor=`` to a pool."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from milepost.errors import InvalidArgument
from milepost.phase.pools.base import Pool

Workers = str | Executor | Callable[[], Executor] | None
"""``"threads"`` (also None), ``"processes"``, an executor, or what makes one when called without arguments."""


def open_pool(
    function: Callable[..., Any], executor: Workers, *, workers: int | None, timeout_seconds: float | None
) -> Pool:
    """Return a pool whose workers call *function*.

    Args:
        function: The user's function.
        executor: See `Workers`.
        workers: How many at once; by default what the executor tells, 4 more than there are cores for
            threads (at most 32), and one for each core for processes.
        timeout_seconds: How long one try may take, or None for any time.

    Raises:
        InvalidArgument: A value that makes no pool, or a function that cannot be sent to a process.
    """
    if workers is not None and workers < 1:
        raise InvalidArgument(f"workers={workers}: at least one is needed")
    if timeout_seconds is not None and timeout_seconds <= 0:
        raise InvalidArgument(f"timeout_seconds={timeout_seconds}: a limit must be more than nothing")
    if executor is None or executor == "threads":
        from milepost.phase.pools.threads import Threads

        count = workers or min(32, cores() + 4)
        # With a limit none may queue, because the clock of a try starts when it is handed over.
        return Threads(function, count, surplus=0 if timeout_seconds else max(2, count))
    if executor == "processes":
        from milepost.phase.pools.processes import Processes

        return Processes(function, workers or cores(), timeout_seconds)
    if isinstance(executor, Executor) or callable(executor):
        from milepost.phase.pools.foreign import Foreign

        return Foreign(function, executor, workers, timed=timeout_seconds is not None)
    raise InvalidArgument(
        f'executor={executor!r}: use "threads", "processes", a concurrent.futures.Executor, or what makes one'
    )


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
