"""A shared store whose client dies at one of its writes, as a killed process does: before it happened, or after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from milepost.stores.store import Store
from milepost.stores.wrapped import WrappedStore

_Result = TypeVar("_Result")


class Killed(BaseException):
    """The client died; nothing it does from here on reaches the store."""


class DyingStore(WrappedStore):
    """Does what *inner* does, until write number *at* (0: never) kills the client; *writes* counts them."""

    def __init__(self, inner: Store, at: int = 0, when: str = "before") -> None:
        """Die *when* the write has not happened yet ("before"), or has ("after")."""
        super().__init__(inner)
        self.writes = 0
        self.appended = 0
        self._at = at
        self._when = when
        self._dead = False

    def _change(self, verb: str, name: str, call: Callable[[], _Result]) -> _Result:
        self._alive()
        self.writes += 1
        if self.writes == self._at and self._when == "before":
            self._dead = True
            raise Killed
        result = call()
        if self.writes == self._at:
            self._dead = True
            raise Killed
        return result

    def _look(self, call: Callable[[], _Result]) -> _Result:
        self._alive()
        return call()

    def _alive(self) -> None:
        if self._dead:
            raise Killed

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        """Write lines, and count them."""
        super().append(journal, first, lines)
        self.appended += len(lines)
