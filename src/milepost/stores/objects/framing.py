"""What an object holds: a sealed line with a nonce, the length and the digest of what follows, then that; no I/O.

The nonce tells a write from every other, also from one of the same bytes: a put whose reply was lost and that was made
again meets its own object and knows it. An ETag is never taken for a hash.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from milepost.records import digest, seal, unseal

_FORMAT = 1
_LONGEST_HEAD = 512


class Framed(NamedTuple):
    """An object's *nonce* and its *data*, every byte of which was verified."""

    nonce: str
    data: bytes


def nonce() -> str:
    """Return what no other write has."""
    return os.urandom(12).hex()


def framed(mark: str, data: bytes) -> bytes:
    """Return the bytes of an object that holds *data* and bears the nonce *mark*."""
    head = {"kind": "object", "format": _FORMAT, "nonce": mark, "size": len(data), "digest": digest(data)}
    return seal(head) + b"\n" + data


def unframed(whole: bytes) -> Framed | None:
    """Return what an object holds, or None if any byte is not what was written."""
    head, newline, _ = whole[:_LONGEST_HEAD].partition(b"\n")
    fields = unseal(head) if newline else None
    if fields is None or fields.get("kind") != "object" or fields.get("format") != _FORMAT:
        return None
    data = whole[len(head) + 1 :]
    return Framed(fields["nonce"], data) if fields["size"] == len(data) and fields["digest"] == digest(data) else None
