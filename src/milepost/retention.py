"""Which checkpoints go: a pure decision. Somebody else deletes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

ALWAYS_KEPT = 2
"""Checkpoints that no age removes: the newest, and the one behind it should the newest turn out damaged."""


class Kept(NamedTuple):
    """A checkpoint as retention sees it: its *name*, and when it was saved, in seconds since 1970-01-01 UTC."""

    name: str
    saved_at: float


def surplus(newest_first: Sequence[Kept], *, most: int, ttl_seconds: float | None, now: float) -> list[str]:
    """Return the names that go: those beyond the newest *most*, and those older than *ttl_seconds*.

    The newest two always stay (the newest one where *most* is 1), whatever the clock says: it can be wrong,
    and the newest progress of an unfinished run is the user's to give up.

    Args:
        newest_first: The checkpoints in order of their numbers, newest first; never in order of a clock.
        most: How many to keep at the most, at least 1.
        ttl_seconds: The age in seconds beyond which one goes; None for no limit.
        now: Seconds since 1970-01-01 UTC.
    """
    spared = min(most, ALWAYS_KEPT)
    return [
        kept.name
        for index, kept in enumerate(newest_first)
        if index >= spared and (index >= most or is_expired(kept.saved_at, ttl_seconds=ttl_seconds, now=now))
    ]


def is_expired(saved_at: float, *, ttl_seconds: float | None, now: float) -> bool:
    """Tell whether something saved at *saved_at* is older than *ttl_seconds*; the future is not old."""
    return ttl_seconds is not None and now - saved_at > ttl_seconds
