"""A look at a journal that does not read it: its newest watermark, and the few lines behind that."""

from __future__ import annotations

from typing import NamedTuple

from milepost.fs import read_all
from milepost.records import Position, Totals, follow_all
from milepost.stores.base import Glance
from milepost.stores.folder import Folder
from milepost.stores.segment import HEAD_BYTES, SLOT_OFFSETS, parse_head, read_mark
from milepost.stores.segments import segment_name, segment_numbers
from milepost.stores.translate import translated

_MOST_BYTES = 64 * 1024 * 1024


class _Told(NamedTuple):
    """A watermark that tells totals: those at *position*, behind which the records go on at byte *offset*."""

    position: Position
    offset: int
    totals: Totals


def glance(folder: Folder) -> Glance | None:
    """Return what the newest watermark of the journal says; None if there is none that tells totals.

    Nothing is synced and nothing is vouched for: this is for looking at progress, never for going on from it.

    Raises:
        StoreUnavailable: The medium refused.
        NotDecodable: The journal is of a newer format.
    """
    numbers = segment_numbers(folder)
    if not numbers:
        return None
    name = segment_name(numbers[-1])
    with folder.opened(name) as handle, translated(folder.path / name, "read the journal"):
        page = read_all(folder.files, handle, 0, HEAD_BYTES)
        mark = _newest(name, page)
        if mark is None:
            return None
        size = folder.files.stat(handle).size - mark.offset
        data = read_all(folder.files, handle, mark.offset, min(max(0, size), _MOST_BYTES))
    lines = data.rstrip(b"\n\0").split(b"\n")
    count, _ = follow_all(lines, mark.position) if lines != [b""] else (0, mark.position)
    return Glance(mark.position, mark.totals, lines[:count])


def _newest(name: str, page: bytes) -> _Told | None:
    """Return the newest watermark that tells totals."""
    if parse_head(name, page) is None:
        return None
    marks = [mark for offset in SLOT_OFFSETS if (mark := read_mark(page, offset)) is not None]
    told = [_Told(mark.position, mark.offset, mark.totals) for mark in marks if mark.totals is not None]
    return max(told, key=lambda one: one.position.sequence, default=None)
