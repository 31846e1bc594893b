"""The parts of a fingerprint: names with what stands behind them, and what differs between two of them.

Parts are plain JSON (``str`` to ``str``), small enough for a journal and readable: a value stands there in full
while it is short, and as its beginning with a digest when it is long. No secret ever stands there.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from milepost.records import digest

Parts = dict[str, str]
"""Name to readable value or digest."""

NOT_GIVEN = "(not given)"
"""What a change shows on the side where the name is absent."""

_KEPT_CHARACTERS = 500
_BEGINNING_CHARACTERS = 200
_SHOWN_CHARACTERS = 100


class Change(NamedTuple):
    """One thing that differs.

    *kind* is ``parameter``, ``input`` or ``code``; *name* a dotted parameter, a path as given, or the qualified name of
    a function, class or constant; *old* and *new* are what it was and is, readable and short.
    """

    kind: str
    name: str
    old: str
    new: str


def digest_of(parts: Parts) -> str:
    """Return one digest of all *parts*.

    Args:
        parts: names with their values or digests; their order does not count.

    Returns:
        32 hex digits.
    """
    return digest(orjson.dumps(sorted(parts.items())))


def differences(kind: str, old: Parts, new: Parts) -> list[Change]:
    """Return what differs between two fingerprints of one *kind*.

    Args:
        kind: ``parameter``, ``input`` or ``code``.
        old: the parts as they were stored.
        new: the parts as they are now.

    Returns:
        One change for each name that is new, gone or different, sorted by name.
    """
    return [
        Change(kind, name, _shown(old.get(name)), _shown(new.get(name)))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def kept(text: str) -> str:
    """Return *text* as parts hold it: whole while it is short, else its beginning, its length and its digest."""
    if len(text) <= _KEPT_CHARACTERS:
        return text
    return f"{text[:_BEGINNING_CHARACTERS]}... ({len(text)} characters, {text_digest(text)})"


def text_digest(*texts: str) -> str:
    """Return the digest of *texts* as 32 hex digits; where one ends and the next begins counts."""
    return digest(orjson.dumps([text.encode("utf-8", "surrogatepass").hex() for text in texts]))


def _shown(value: str | None) -> str:
    if value is None:
        return NOT_GIVEN
    if len(value) <= _SHOWN_CHARACTERS:
        return value
    # Two long values may begin alike; the digest tells them apart in print as well.
    return f"{value[: _SHOWN_CHARACTERS - 24]}... ({text_digest(value)[:12]})"
