"""A shared store around another one: for those who want to know of each verb, or to come between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from milepost.stores.store import Found, Numbered, Store

_Result = TypeVar("_Result")


class WrappedStore:
    """Does what *inner* does. What changes it goes through `_change`, what reads it through `_look`."""

    def __init__(self, inner: Store) -> None:
        """Stand around *inner*."""
        self.inner = inner

    def _change(self, verb: str, name: str, call: Callable[[], _Result]) -> _Result:  # noqa: ARG002 -- for others
        """Let a change of *name* happen."""
        return call()

    def _look(self, call: Callable[[], _Result]) -> _Result:
        """Let a read happen."""
        return call()

    @property
    def url(self) -> str:
        """Where this is."""
        return self.inner.url

    @property
    def window_seconds(self) -> float:
        """How long it is worth waiting for more records."""
        return self.inner.window_seconds

    def now(self) -> float:
        """Return the store's own time."""
        return self.inner.now()

    def create(self, key: str, data: bytes) -> str:
        """Write a document under a free key."""
        return self._change("create", key, lambda: self.inner.create(key, data))

    def read(self, key: str) -> Found:
        """Return a document."""
        return self._look(lambda: self.inner.read(key))

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Write a document if its version is still *version*."""
        return self._change("replace", key, lambda: self.inner.replace(key, data, version))

    def keys(self, prefix: str) -> list[str]:
        """List keys."""
        return self._look(lambda: self.inner.keys(prefix))

    def branches(self, prefix: str) -> list[str]:
        """List what follows *prefix*."""
        return self._look(lambda: self.inner.branches(prefix))

    def delete(self, keys: Sequence[str]) -> None:
        """Delete documents; where there are none to name, nothing changes."""
        if keys:
            self._change("delete", keys[0], lambda: self.inner.delete(keys))

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        """Write lines."""
        self._change("append", journal, lambda: self.inner.append(journal, first, lines))

    def lines(self, journal: str, after: int = 0, most: int | None = None) -> Iterator[Numbered]:
        """Yield lines."""
        return self._look(lambda: self.inner.lines(journal, after, most))

    def trim(self, journal: str, upto: int, keep: Sequence[int] = ()) -> None:
        """Forget lines."""
        self._change("trim", journal, lambda: self.inner.trim(journal, upto, keep))

    def close(self) -> None:
        """Let go of connections."""
        self.inner.close()
