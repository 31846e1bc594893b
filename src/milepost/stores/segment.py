"""The bytes of one journal file: a first page that vouches for the rest, then records, then padding; no I/O.

::

    0     header: run, segment number, position before the first record (sealed, padded with spaces)
    1024  watermark slot A     } the newest record known to be acknowledged before the last append, and what
    1536  watermark slot B     } the records up to it come to; each in a sector of its own, written in turn
    2048  newlines to the end of the page
    4096  records, one line each; behind them padding of newlines

Each append writes the watermark of what was acknowledged before it, in the same sync. So a file that
was cut back on a record boundary is noticed, except for the very last append (`durability="strict"`
closes that gap with a second sync). A full segment ends with a trailer that names the next one, so that
the loss of a whole last segment is noticed.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import Any, NamedTuple

import orjson

from milepost.errors import CorruptJournal, DamageError, LostRecords, NotDecodable
from milepost.records import Kind, Position, Totals, chain_of, follow_all, seal, seal_body, unseal
from milepost.stores.base import OFFSETS, Visit

FORMAT = 1
HEAD_BYTES = 4096
SLOT_BYTES = 512
SLOT_OFFSETS = (1024, 1536)
_HEADER_BYTES = 1024
_CHUNK_BYTES = 512 * 1024
_SHOWN_LINES = 2048
_PADDING = b"\n\0"  # zeros: space that the system had added when the power went, before the newlines arrived


class Head(NamedTuple):
    """What a segment states of itself; *start* is the position before its first record."""

    run: str
    segment: int
    start: Position


class Mark(NamedTuple):
    """A watermark: what was acknowledged before the last append, and the number of the newest checkpoint.

    Where they are known, *offset* is the byte behind that record and *totals* what the records up to it come to; they
    vouch for nothing.
    """

    position: Position
    checkpoint: int = 0
    offset: int = 0
    totals: Totals | None = None


class SegmentReading:
    """What a segment proves; not the bytes themselves, which may be many.

    *offsets* says where each record begins and, in one more entry, where the last one ends; *last* is the newest
    line; *marked_offset* is where the records end that a watermark vouches for; *tail* is what stands behind the
    last record, *unvouched* a copy of all records where no watermark vouches for any.
    """

    def __init__(self, name: str, head: Head | None, size: int, error: DamageError | None = None) -> None:
        """Hold what the first page says; nothing behind it is proven yet."""
        self.name = name
        self.head = head
        self.size = size
        self.error = error
        self.end = head.start if head else Position(0, "")
        self.end_offset = HEAD_BYTES
        self.marked_offset = HEAD_BYTES
        self.checkpoint = 0
        self.offsets = array(OFFSETS, [HEAD_BYTES])
        self.last: bytes | None = None
        self.tail = b""
        self.unvouched = b""
        self.sealed = False
        self.warnings: list[str] = []


def head_page(head: Head, checkpoint: int = 0, totals: Totals | None = None) -> bytes:
    """Return the first page of a new segment; *totals* are those at its start."""
    slot = slot_bytes(Mark(head.start, checkpoint, HEAD_BYTES if totals else 0, totals))
    page = _header(head) + slot + slot
    return page + b"\n" * (HEAD_BYTES - len(page))


def slot_bytes(mark: Mark) -> bytes:
    """Return a watermark slot: one sector, one JSON line."""
    (sequence, chain), checkpoint, offset, totals = mark
    body = b'{"kind":"watermark","sequence":%d,"chain":"%s","checkpoint":%d' % (sequence, chain.encode(), checkpoint)
    if totals is not None:
        body += b',"offset":%d,"totals":%s' % (offset, orjson.dumps(list(totals)))
    return seal_body(body).ljust(SLOT_BYTES - 1) + b"\n"


def trailer(position: Position, continues: int) -> bytes:
    """Return the last line of a full segment: its last *position*, and the number of the next segment."""
    fields = {"kind": Kind.SEALED, "continues": continues, "sequence": position.sequence, "chain": position.chain}
    return seal(fields) + b"\n"


def scan(name: str, data: bytes, until: Position | None = None, visit: Visit | None = None) -> SegmentReading:
    """Read a segment's bytes as far as they can be proven.

    Args:
        name: The file's name, for messages.
        data: All of the file's bytes.
        until: Where the next segment goes on; records behind it were never acknowledged and do not count.
        visit: Is shown every proven line on the way.

    Raises:
        NotDecodable: It is of a newer format.
    """
    head = parse_head(name, data)
    if head is None:
        error = CorruptJournal(f"{name}: its first page is not what was written.")
        return SegmentReading(name, None, len(data), error)
    reading = SegmentReading(name, head, len(data))
    marks = _marks(data, reading)
    _walk(data, reading, until, visit)
    _judge(reading, until, marks, _met(data, reading, marks))
    return reading


def show(data: bytes, reading: SegmentReading, visit: Visit) -> None:
    """Show the proven lines of a segment that was scanned already to *visit*, in chunks."""
    assert reading.head is not None, "only a segment with a head proves lines"
    offsets, first = reading.offsets, reading.head.start.sequence + 1
    for index in range(0, len(offsets) - 1, _SHOWN_LINES):
        behind = offsets[min(index + _SHOWN_LINES, len(offsets) - 1)]
        visit(first + index, data[offsets[index] : behind - 1].split(b"\n"))


def _walk(data: bytes, reading: SegmentReading, until: Position | None, visit: Visit | None) -> None:
    """Follow the chain from record to record, a chunk at a time, and note where each begins."""
    position, offset, offsets = reading.end, HEAD_BYTES, reading.offsets
    stop = _content_end(data)
    whole = data.rfind(b"\n", HEAD_BYTES, stop + 1) + 1  # what has no newline behind it did not arrive
    while offset < whole:
        border = data.rfind(b"\n", offset, min(offset + _CHUNK_BYTES, whole))
        lines = data[offset : border if border >= 0 else data.index(b"\n", offset)].split(b"\n")
        if until is not None:
            del lines[max(0, until.sequence - position.sequence) :]
        first = position.sequence + 1
        count, position = follow_all(lines, position)
        if count:
            if visit is not None:
                visit(first, lines if count == len(lines) else lines[:count])
            reading.last = lines[count - 1]
            offsets.extend(accumulate([len(line) + 1 for line in lines[:count]], initial=offsets.pop()))
        offset = offsets[-1]
        if not count or count < len(lines):
            break
    border = data.find(b"\n", offset, stop)
    line = data[offset : border if border >= 0 else stop]
    if reading.head is not None and line + b"\n" == trailer(position, reading.head.segment + 1):
        reading.sealed = True
        offset += len(line) + 1
    reading.end, reading.end_offset = position, offset
    reading.tail = data[offset:stop]


def _content_end(data: bytes) -> int:
    """Return where the padding begins, without a copy of the whole."""
    end = len(data)
    while end > HEAD_BYTES:
        start = max(HEAD_BYTES, end - _CHUNK_BYTES)
        kept = data[start:end].rstrip(_PADDING)
        if kept:
            return start + len(kept)
        end = start
    return HEAD_BYTES


def _met(data: bytes, reading: SegmentReading, marks: list[Position]) -> set[Position]:
    """Return the positions on the way that *marks* ask for, and note how far they vouch."""
    assert reading.head is not None, "only a segment with a head has marks"
    start, offsets = reading.head.start, reading.offsets
    met = {start}
    for mark in marks:
        index = mark.sequence - start.sequence
        if 0 < index < len(offsets):
            met.add(Position(mark.sequence, chain_of(data[offsets[index - 1] : offsets[index] - 1])))
            reading.marked_offset = max(reading.marked_offset, offsets[index])
    return met


def _judge(reading: SegmentReading, until: Position | None, marks: list[Position], met: set[Position]) -> None:
    """State what is missing or altered, against the watermarks and the start of the next segment."""
    end = reading.end
    missing = [mark for mark in marks if mark not in met]
    if until is not None and end != until:
        missing.append(until)
    elif until is not None:
        missing = [mark for mark in missing if mark.sequence <= until.sequence]
    if not marks and until is None:  # else the next segment vouches for this one
        reading.error = CorruptJournal(f"{reading.name}: both watermarks in its first page are damaged.")
    elif missing:
        newest = max(mark.sequence for mark in missing)
        acknowledged = f"records up to {newest} were acknowledged, and only those up to {end.sequence} are intact"
        if reading.tail:
            reading.error = CorruptJournal(
                f"{reading.name}: record {end.sequence + 1}, at byte {reading.end_offset}, is not what was written; "
                f"{acknowledged}."
            )
        else:
            reading.error = LostRecords(f"{reading.name}: {acknowledged}; the rest is missing.")


def _header(head: Head) -> bytes:
    fields: dict[str, Any] = {
        "kind": "segment",
        "format": FORMAT,
        "run": head.run,
        "segment": head.segment,
        "sequence": head.start.sequence,
        "chain": head.start.chain,
    }
    line = seal(fields)
    return line + b" " * (_HEADER_BYTES - 1 - len(line)) + b"\n"


def parse_head(name: str, data: bytes) -> Head | None:
    """Return what the first page in *data* states, or None if it is not what was written.

    Raises:
        NotDecodable: It is of a newer format.
    """
    fields = unseal(data[:_HEADER_BYTES].rstrip(b" \n"))
    if fields is None or fields.get("kind") != "segment":
        return None
    if fields.get("format") != FORMAT:
        raise NotDecodable(
            f"{name}: format {fields.get('format')} is not known here; it was written by a newer Milepost. "
            "Nothing was touched."
        )
    head = Head(fields["run"], fields["segment"], Position(fields["sequence"], fields["chain"]))
    used = SLOT_OFFSETS[-1] + SLOT_BYTES
    intact = data[:_HEADER_BYTES] == _header(head) and data[used:HEAD_BYTES] == b"\n" * (HEAD_BYTES - used)
    return head if intact else None


def _marks(data: bytes, reading: SegmentReading) -> list[Position]:
    marks = []
    for offset in SLOT_OFFSETS:
        mark = read_mark(data, offset)
        if mark is None:
            reading.warnings.append(f"{reading.name}: the watermark at byte {offset} is damaged; the other one stands.")
        else:
            marks.append(mark.position)
            reading.checkpoint = max(reading.checkpoint, mark.checkpoint)
    return marks


def read_mark(data: bytes, offset: int) -> Mark | None:
    """Return the watermark in the slot at *offset* of a first page, or None if it is not what was written."""
    slot = data[offset : offset + SLOT_BYTES]
    fields = unseal(slot.rstrip(b" \n"))
    if fields is None:
        return None
    position = Position(fields["sequence"], fields["chain"])
    totals = fields.get("totals")
    mark = Mark(position, fields["checkpoint"], fields.get("offset", 0), Totals(*totals) if totals else None)
    return mark if slot == slot_bytes(mark) else None
