"""What loops, their runners and paid calls are given and give back; plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from milepost.errors import InvalidArgument

ON_ERROR = ("stop", "skip")


class Pending(NamedTuple):
    """An *item* to be worked on, known by its *key*; *options* are keyword arguments the function gets besides it."""

    key: str
    item: Any
    options: dict[str, Any] = {}  # noqa: RUF012 -- never changed; a fresh dict per item would cost memory


class Finished(NamedTuple):
    """An item whose work ended: with a *value*, or with an *error* after the last of its *attempts*.

    *seconds* is how long its last attempt took, None where that is the time since it was handed out.
    """

    key: str
    seconds: float | None = None
    value: Any = None
    error: BaseException | str | None = None
    attempts: int = 1


Key = Callable[[Any], str]
"""From an item to the text by which it is known."""

Version = Callable[[Any], Any]
"""From an item to a value that tells whether it changed."""


class DeclaredItems(list[Any]):
    """The items that a phase of a workflow declares, with their *key* and *version*, which a loop over them takes."""

    key: Key | None = None
    version: Version | None = None


def declared_by(items: object, key: Key | None, version: Version | None) -> tuple[Key | None, Version | None]:
    """Return key and version of a loop over *items*: those given, else those that the items were declared with."""
    if isinstance(items, DeclaredItems):
        return key or items.key, version or items.version
    return key, version


Record = Callable[[Sequence[Finished]], None]
"""Makes what finished together durable, as one batch with one sync. An error leaves none of it acknowledged."""


OnRetry = Callable[[str, BaseException], None]
"""Hears that a try of the item of that key failed, and that it gets another."""


class Happened(NamedTuple):
    """What a `reconcile` callback returns when the ambiguous call did happen: its *result*."""

    result: Any


class Ambiguous(NamedTuple):
    """A call that was sent and not answered: its *key*, its *call_id*, its price, and when it was sent.

    *cost_usd* is in US dollars, None where no price was given; *time* is in seconds since 1970-01-01 UTC.
    """

    key: str
    call_id: str
    cost_usd: float | None
    time: float


def check_on_error(word: str) -> None:
    """Refuse an ``on_error=`` that is no known word.

    Raises:
        InvalidArgument: It is not.
    """
    if word not in ON_ERROR:
        raise InvalidArgument(f'on_error={word!r}: use "stop" or "skip"')


def name_item(error: BaseException, key: str) -> None:
    """Add a note to *error* that says at which item it was raised."""
    error.add_note(f"This was raised at item {key!r}.")
