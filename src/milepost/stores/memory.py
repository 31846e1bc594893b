"""A store in this process's memory: for tests, for trying things out, and the shortest text that keeps the contract."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from milepost.errors import Fenced, VersionConflict
from milepost.stores.store import Found, Numbered

_AT_ONCE = 1000


class MemoryStore:
    """Documents and journals in dicts. See `Store` for what each verb promises; all is lost with the process."""

    def __init__(self, url: str = "memory:") -> None:
        """Hold nothing."""
        self._url = url
        self._mutex = threading.RLock()
        self._documents: dict[str, Found] = {}
        self._journals: dict[str, dict[int, bytes]] = {}
        self._writes = 0

    @property
    def url(self) -> str:
        """Where this is."""
        return self._url

    @property
    def window_seconds(self) -> float:
        """Nothing is worth waiting for."""
        return 0.0

    def now(self) -> float:
        """Return the time."""
        return time.time()

    def create(self, key: str, data: bytes) -> str:
        """Write a document under a free key."""
        with self._mutex:
            if key in self._documents:
                raise FileExistsError(key)
            return self._put(key, data)

    def read(self, key: str) -> Found:
        """Return a document."""
        with self._mutex:
            if key not in self._documents:
                raise FileNotFoundError(key)
            return self._documents[key]

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Write a document if its version is still *version*."""
        with self._mutex:
            found = self._documents.get(key)
            if found is None or found.version != version:
                raise VersionConflict(f"{self._url}: {key} was written by somebody else meanwhile.")
            return self._put(key, data)

    def keys(self, prefix: str) -> list[str]:
        """List the keys that begin with *prefix*."""
        with self._mutex:
            return sorted(key for key in self._documents if key.startswith(prefix))

    def branches(self, prefix: str) -> list[str]:
        """List what follows *prefix* up to the next slash."""
        below = (key[len(prefix) :] for key in self.keys(prefix))
        return sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def delete(self, keys: Sequence[str]) -> None:
        """Delete documents."""
        with self._mutex:
            for key in keys:
                self._documents.pop(key, None)

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        """Write lines under numbers that are free."""
        with self._mutex:
            held = self._journals.setdefault(journal, {})
            if not held.keys().isdisjoint(range(first, first + len(lines))):
                raise Fenced(f"{self._url}: record {first} of {journal} is taken: another writer took this run over.")
            held.update(enumerate(map(bytes, lines), first))

    def lines(self, journal: str, after: int = 0, most: int | None = None) -> Iterator[Numbered]:
        """Yield lines in runs without gaps."""
        with self._mutex:
            held = sorted((number, line) for number, line in self._journals.get(journal, {}).items() if number > after)
        run: Numbered | None = None
        for number, line in held[:most]:
            if run is not None and (number != run.first + len(run.lines) or len(run.lines) >= _AT_ONCE):
                yield run
                run = None
            if run is None:
                run = Numbered(number, [])
            run.lines.append(line)
        if run is not None:
            yield run

    def trim(self, journal: str, upto: int, keep: Sequence[int] = ()) -> None:
        """Forget lines but those in *keep*."""
        with self._mutex:
            held = self._journals.get(journal, {})
            for number in [number for number in held if number <= upto and number not in keep]:
                del held[number]

    def close(self) -> None:
        """Do nothing: another object of this process may go on with what is held."""

    def _put(self, key: str, data: bytes) -> str:
        self._writes += 1
        version = str(self._writes)
        self._documents[key] = Found(bytes(data), version, self.now())
        return version
