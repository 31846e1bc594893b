"""A shared store in a job under a drill: each verb that changes it is a commit, and each run has a part of its own."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from milepost.errors import DiskFull, InvalidArgument
from milepost.fs.drilled import Drilled
from milepost.fs.installed import NAMESPACE_VARIABLE
from milepost.stores.lease import RENEWING
from milepost.stores.store import Store
from milepost.stores.wrapped import WrappedStore

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


class DrilledStore(WrappedStore):
    """Does what *inner* does; the drill's *agent* counts each change as a commit, and strikes at one."""

    def __init__(self, inner: Store, agent: Drilled) -> None:
        """Wrap *inner*."""
        super().__init__(inner)
        self._agent = agent

    def _change(self, verb: str, name: str, call: Callable[[], _Result]) -> _Result:
        """Let a change happen, as the agent says; what only renews a lease is no commit."""
        if verb == "replace" and threading.current_thread().name == RENEWING:
            return call()

        def unless_full() -> _Result:
            if self._agent.is_full:
                raise DiskFull(f"{self.url}: the drill lets it be full.")
            return call()

        return self._agent.commit(verb, _TOKEN.sub("", name), unless_full)
