"""A shared store in a job under a drill: each verb that changes it is a commit, and each run has a part of its own."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from milepost.errors import DiskFull, InvalidArgument
from milepost.fs.drilled import Drilled
from milepost.fs.installed import NAMESPACE_VARIABLE
from milepost.stores.lease import RENEWING
from milepost.stores.store import Found, Numbered, Store

_TOKEN = re.compile(r"[/.][0-9a-f]{16}\b")
_Result = TypeVar("_Result")


def isolated(url: str, scheme: str | None) -> str:
    """Return the URL of the part of a store in which this run of a drill works.

    Raises:
        InvalidArgument: A store of this kind cannot be drilled.
    """
    own = os.environ.get(NAMESPACE_VARIABLE, "")
    parts = urlsplit(url)
    if scheme == "memory":
        raise InvalidArgument(
            "memory: a drill kills the job, and what is in memory dies with it; drill the job with a folder or a "
            "store that stays."
        )
    if scheme in ("sqlite", "postgresql", "postgres"):
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        query["namespace"] = ".".join(filter(None, [query.get("namespace"), own]))
        return f"{url.partition('?')[0]}?{urlencode(query)}"
    if scheme in ("s3", "gs", "az"):
        path, found, query_text = url.partition("?")
        return f"{path.rstrip('/')}/{own}{found}{query_text}"
    raise InvalidArgument(f"store {scheme}:…: the runs of a drill cannot be kept apart in a store of this kind.")


class DrilledStore:
    """Does what *inner* does; the drill's *agent* counts each change, and strikes at one."""

    def __init__(self, inner: Store, agent: Drilled) -> None:
        """Wrap *inner*."""
        self.inner = inner
        self._agent = agent

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
        """Write a document under a free key: a commit."""
        return self._commit("create", key, lambda: self.inner.create(key, data))

    def read(self, key: str) -> Found:
        """Return a document."""
        return self.inner.read(key)

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Write a document if its version is still *version*: a commit, unless it only renews a lease."""
        if threading.current_thread().name == RENEWING:
            return self.inner.replace(key, data, version)
        return self._commit("replace", key, lambda: self.inner.replace(key, data, version))

    def keys(self, prefix: str) -> list[str]:
        """List keys."""
        return self.inner.keys(prefix)

    def branches(self, prefix: str) -> list[str]:
        """List what follows *prefix*."""
        return self.inner.branches(prefix)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete documents: a commit, where there are any."""
        if keys:
            self._commit("delete", keys[0], lambda: self.inner.delete(keys))

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        """Write lines: a commit."""
        self._commit("append", journal, lambda: self.inner.append(journal, first, lines))

    def lines(self, journal: str, after: int = 0, most: int | None = None) -> Iterator[Numbered]:
        """Yield lines."""
        return self.inner.lines(journal, after, most)

    def trim(self, journal: str, upto: int, keep: Sequence[int] = ()) -> None:
        """Forget lines: a commit."""
        self._commit("trim", journal, lambda: self.inner.trim(journal, upto, keep))

    def close(self) -> None:
        """Let go of connections."""
        self.inner.close()

    def _commit(self, verb: str, name: str, call: Callable[[], _Result]) -> _Result:
        def unless_full() -> _Result:
            if self._agent.is_full:
                raise DiskFull(f"{self.url}: the drill lets it be full.")
            return call()

        return self._agent.commit(verb, _TOKEN.sub("", name), unless_full)
