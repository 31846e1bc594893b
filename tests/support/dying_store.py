"""A shared store whose client dies at one of its writes, as a killed process does: before it happened, or after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from milepost.stores.store import Found, Numbered, Store

_Result = TypeVar("_Result")


class Killed(BaseException):
    """The client died; nothing it does from here on reaches the store."""


class DyingStore:
    """Does what *inner* does, until write number *at* (0: never) kills the client; *writes* counts them."""

    def __init__(self, inner: Store, at: int = 0, when: str = "before") -> None:
        """Die *when* the write has not happened yet ("before"), or has ("after")."""
        self.inner = inner
        self.writes = 0
        self.appended = 0
        self._at = at
        self._when = when
        self._dead = False

    def _write(self, call: Callable[[], _Result]) -> _Result:
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

    def _alive(self) -> None:
        if self._dead:
            raise Killed

    @property
    def url(self) -> str:
        """Where this is."""
        return self.inner.url

    @property
    def window_seconds(self) -> float:
        """How long to wait for more records."""
        return self.inner.window_seconds

    def now(self) -> float:
        """Return the time."""
        return self.inner.now()

    def create(self, key: str, data: bytes) -> str:
        """Write a document under a free key."""
        return self._write(lambda: self.inner.create(key, data))

    def read(self, key: str) -> Found:
        """Return a document."""
        self._alive()
        return self.inner.read(key)

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Write a document if its version is still *version*."""
        return self._write(lambda: self.inner.replace(key, data, version))

    def keys(self, prefix: str) -> list[str]:
        """List keys."""
        self._alive()
        return self.inner.keys(prefix)

    def branches(self, prefix: str) -> list[str]:
        """List what follows *prefix*."""
        self._alive()
        return self.inner.branches(prefix)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete documents."""
        self._write(lambda: self.inner.delete(keys))

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        """Write lines."""
        self._write(lambda: self.inner.append(journal, first, lines))
        self.appended += len(lines)

    def lines(self, journal: str, after: int = 0, most: int | None = None) -> Iterator[Numbered]:
        """Yield lines."""
        self._alive()
        return self.inner.lines(journal, after, most)

    def trim(self, journal: str, upto: int, keep: Sequence[int] = ()) -> None:
        """Forget lines."""
        self._write(lambda: self.inner.trim(journal, upto, keep))

    def close(self) -> None:
        """Let go of connections."""
