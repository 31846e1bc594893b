"""The one place where a store is chosen from its URL."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from milepost.errors import InvalidArgument
from milepost.fs.installed import drill_agent
from milepost.stores.store import Store

if TYPE_CHECKING:
    from milepost.fs.drilled import Drilled

GROUP = "milepost.stores"
"""The entry point group in which an installed package offers a store: a scheme, and a function from URL to store."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9.-]*)(\+[A-Za-z0-9]+)?:")


def scheme_of(store: str | os.PathLike[str]) -> str | None:
    """Return the scheme of a store's URL in lower case; None for a path, which has none."""
    match = _SCHEME.match(store) if isinstance(store, str) else None
    return match[1].lower() if match and len(match[1]) > 1 else None


class _Opened:
    """The stores that this process has open, by URL; a forked child opens its own."""

    def __init__(self) -> None:
        self.mutex = threading.RLock()
        self.stores: dict[str, Store] = {}
        self.left_by_parent: list[dict[str, Store]] = []


_opened = _Opened()


def open_store(url: str) -> Store:
    """Return the store of *url*: the same object each time that a process asks for the same text.

    Args:
        url: Its scheme says the kind: ``memory``, ``sqlite``, ``postgresql``, ``s3``, ``gs``, ``az``, or one that an
            installed package offers.

    Raises:
        InvalidArgument: Nobody offers such a kind, or the URL cannot be one.
        MissingExtra: The libraries for it are not installed.
        UnsafeStore: The store cannot keep what `Store` promises.
        StoreUnavailable: It cannot be reached.
    """
    scheme, agent = scheme_of(url), drill_agent()
    key = url if scheme != "sqlite" else f"{os.getcwd()}\0{url}"  # its path may be relative
    with _opened.mutex:
        if key not in _opened.stores:
            _opened.stores[key] = _factory(scheme)(url) if agent is None else _drilled(url, scheme, agent)
        return _opened.stores[key]


def close_stores() -> None:
    """Let go of every store that this process has open; what is asked for later is opened anew."""
    with _opened.mutex:
        while _opened.stores:
            _opened.stores.popitem()[1].close()


def _drilled(url: str, scheme: str | None, agent: Drilled) -> Store:
    from milepost.stores.drilled import DrilledStore, isolated

    own = isolated(url, scheme)
    store = _factory(scheme)(own)
    is_in_folder = scheme == "sqlite" and not url.startswith("sqlite:////")
    if not is_in_folder:  # what lies in the run's own folder goes with it
        agent.note_store(own)
    return DrilledStore(store, agent)


def _factory(scheme: str | None) -> Callable[[str], Store]:
    if scheme == "memory":
        from milepost.stores.memory import MemoryStore

        return MemoryStore
    if scheme in ("sqlite", "postgresql", "postgres"):
        from milepost.stores.sql import open_sql

        return open_sql
    if scheme in ("s3", "gs", "az"):
        from milepost.stores.objects import open_objects

        return open_objects
    from importlib.metadata import entry_points

    for offered in entry_points(group=GROUP):
        if offered.name == scheme:
            factory: Callable[[str], Store] = offered.load()
            return factory
    raise InvalidArgument(
        f"store {scheme}:…: there is no store of this kind. Known are a path, file:, memory:, sqlite:, postgresql:, "
        "s3:, gs: and az:."
    )


def seconds_in(query: Mapping[str, str], name: str, usual: float, *, least: float = sys.float_info.min) -> float:
    """Return the seconds that *name* in a URL's query says; *usual* where it says nothing.

    Raises:
        InvalidArgument: It is no number, or less than *least*, by default any above 0.
    """
    word = query.get(name)
    try:
        seconds = usual if word is None else float(word)
    except ValueError:
        seconds = -1.0
    if not least <= seconds < float("inf"):
        raise InvalidArgument(
            f"{name}={word}: a number of seconds {'of at least 0' if least == 0 else 'above 0'} is needed."
        )
    return seconds


def redacted(url: str) -> str:
    """Return *url* without its password, user name and query, which may hold secrets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return (
        f"{parts.scheme}://{host}{parts.path}"
        if host or url.startswith(f"{parts.scheme}://")
        else url.partition("?")[0]
    )


_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9.+-]*://[^\s'\"]+")
_OURS = frozenset({"sqlite", "postgresql", "postgres", "s3", "gs", "az"})
_HARMLESS = frozenset(
    {
        *("namespace", "schema", "timeout_seconds", "window_seconds", "journal_mode", "allow_http"),
        *("endpoint", "region", "account_name", "sslmode", "virtual_hosted_style_request", "skip_signature"),
    }
)


def without_secrets(text: str) -> str:
    """Return *text*, such as a command line, with the passwords of URLs in it left out: to be printed and typed again.

    Of the query of a store's URL only what is no secret stays.
    """
    return _URL.sub(lambda found: _typed(found[0]), text)


def _typed(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url.partition('://')[0]}://…"
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{host}" if user else host
    query = parts.query
    if parts.scheme.partition("+")[0] in _OURS:
        named = [word for word in query.split("&") if word.partition("=")[0] in _HARMLESS]
        query = "&".join(named)
    after = f"?{query}" if query else ""
    return f"{parts.scheme}://{netloc}{parts.path}{after}" + (f"#{parts.fragment}" if parts.fragment else "")


def _after_fork_in_child() -> None:
    """Keep what the parent has open from being closed or used here: its connections are the parent's."""
    _opened.mutex = threading.RLock()
    _opened.left_by_parent.append(_opened.stores)
    _opened.stores = {}


os.register_at_fork(
    before=lambda: _opened.mutex.acquire(),
    after_in_parent=lambda: _opened.mutex.release(),
    after_in_child=_after_fork_in_child,
)
