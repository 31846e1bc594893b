"""Writers that take turns in one shared store: each goes on for a number of verbs, then another one does.

A verb of a store happens at once, so whatever two processes do, the store sees their verbs in some order. Here that
order is chosen, and all of them with few changes can be tried (Musuvathi and Qadeer, "Iterative Context Bounding",
2007: most faults of concurrency need two or three).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from milepost.stores.store import Store
from milepost.stores.wrapped import WrappedStore

_Result = TypeVar("_Result")

TO_THE_END = 1_000_000


class Turns:
    """Lets writers work in the order of a *schedule*: pairs of a writer's number and how many verbs it may do."""

    def __init__(self, schedule: Sequence[tuple[int, int]]) -> None:
        """Keep the schedule; whoever is left when it ends is let go on to its end, one after the other."""
        self._schedule = schedule
        self._left = 0
        self._going: list[threading.Semaphore] = []
        self._back = threading.Semaphore(0)

    def run(self, writers: Sequence[Callable[[], None]]) -> None:
        """Run *writers*; none of them may raise."""
        self._going = [threading.Semaphore(0) for _ in writers]
        threads = [threading.Thread(target=self._work, args=one, daemon=True) for one in enumerate(writers)]
        for thread in threads:
            thread.start()
        for who, verbs in (*self._schedule, *((who, TO_THE_END) for who in range(len(writers)))):
            if threads[who].is_alive():
                self._left = verbs
                self._going[who].release()
                self._back.acquire()
                if verbs == TO_THE_END:
                    threads[who].join()

    def step(self, who: int) -> None:
        """Begin a verb: at once, or when it is this writer's turn again."""
        while self._left == 0:
            self._back.release()
            self._going[who].acquire()
        self._left -= 1

    def _work(self, who: int, writer: Callable[[], None]) -> None:
        self._going[who].acquire()
        try:
            writer()
        finally:
            self._back.release()


class TurnedStore(WrappedStore):
    """A store whose every verb waits for its writer's turn; *verbs* counts them."""

    def __init__(self, inner: Store, turns: Turns, who: int) -> None:
        """Do what *inner* does, when it is the turn of writer *who*."""
        super().__init__(inner)
        self.verbs = 0
        self._turns = turns
        self._who = who

    def _change(self, verb: str, name: str, call: Callable[[], _Result]) -> _Result:
        return self._look(call)

    def _look(self, call: Callable[[], _Result]) -> _Result:
        self._turns.step(self._who)
        self.verbs += 1
        return call()
