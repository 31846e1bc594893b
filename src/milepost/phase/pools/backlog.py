"""What may be begun next: items that lost their worker, items whose wait is over, suspects, and new ones."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from milepost.phase.work import Pending


@dataclass(slots=True, eq=False)
class Task:
    """An item that was begun, with what happened to it so far."""

    pending: Pending
    tries: int = 0
    deaths: int = 0
    begun_at: float = 0.0


class Backlog:
    """The items that are not in flight, oldest trouble first."""

    def __init__(self, pending: Iterator[Pending], on_start: Callable[[Pending], None]) -> None:
        """Take new items from *pending*, and tell *on_start* of each."""
        self._pending = pending
        self._on_start = on_start
        self._exhausted = False
        self._again: deque[Task] = deque()
        self._waiting: list[tuple[float, int, Task]] = []  # a heap by the moment of the next try
        self._order = itertools.count()  # equal moments must not compare tasks
        self._suspects: deque[Task] = deque()

    @property
    def begun(self) -> int:
        """How many items were begun and wait here for another try."""
        return len(self._again) + len(self._waiting) + len(self._suspects)

    @property
    def exhausted(self) -> bool:
        """Whether nothing will ever come from here again."""
        return self._exhausted and self.begun == 0

    @property
    def has_suspects(self) -> bool:
        """Whether items must be tried alone first."""
        return bool(self._suspects)

    @property
    def next_wait_ends_at(self) -> float | None:
        """When the next wait is over, by the monotonic clock."""
        return self._waiting[0][0] if self._waiting else None

    def again(self, task: Task) -> None:
        """Try *task* as soon as there is room."""
        self._again.append(task)

    def wait(self, task: Task, seconds: float) -> None:
        """Try *task* when *seconds* have passed."""
        heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._order), task))

    def suspect(self, task: Task) -> None:
        """Try *task* alone, before anything else."""
        self._suspects.append(task)

    def take_suspect(self) -> Task:
        """Return the next item to be tried alone."""
        return self._suspects.popleft()

    def take(self, *, room: int) -> Task | None:
        """Return what is to be begun now, or None; a new item only if it fits into *room* with all that wait here."""
        if self._again:
            return self._again.popleft()
        if self._waiting and self._waiting[0][0] <= time.monotonic():
            return heapq.heappop(self._waiting)[2]
        if self._exhausted or room <= self.begun:
            return None
        try:
            pending = next(self._pending)
        except StopIteration:
            self._exhausted = True
            return None
        self._on_start(pending)
        return Task(pending)
