"""The bytes of one journal file: a first page that vouches for the rest, then records, then padding; no I/O.

::

    0     header: run, segment number, position before the first record (sealed, padded with spaces)
    1024  watermark slot A     } the newest record known to be acknowledged before the last append;
    1536  watermark slot B     } each in a sector of its own, written in turn
    2048  newlines to the end of the page
    4096  records, one line each; behind them padding of newlines

Each append writes the watermark of what was acknowledged before it, in the same sync. So a file that
was cut back on a record boundary is noticed, except for the very last append (`durability="strict"`
closes that gap with a second sync). A full segment ends with a trailer that names the next one, so that
the loss of a whole last segment is noticed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from milepost.errors import CorruptJournal, DamageError, LostRecords, NotDecodable
from milepost.records import Kind, Position, follow, seal, unseal

FORMAT = 1
HEAD_BYTES = 4096
SLOT_BYTES = 512
SLOT_OFFSETS = (1024, 1536)
_HEADER_BYTES = 1024
_TRAILER_START = b'{"kind":"sealed"'
_PADDING = b"\n\0"  # zeros: space that the system had added when the power went, before the newlines arrived


class Head(NamedTuple):
    """What a segment states of itself; *start* is the position before its first record."""

    run: str
    segment: int
    start: Position


class Mark(NamedTuple):
    """A watermark: what was acknowledged before the last append, and the number of the newest checkpoint."""

    position: Position
    checkpoint: int = 0


class SegmentReading:
    """What a segment proves. *marked_offset* is where the records end that a watermark vouches for."""

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
        self.lines: list[bytes] = []
        self.tail = b""
        self.sealed = False
        self.warnings: list[str] = []


def head_page(head: Head, checkpoint: int = 0) -> bytes:
    """Return the first page of a new segment."""
    slot = slot_bytes(Mark(head.start, checkpoint))
    page = _header(head) + slot + slot
    return page + b"\n" * (HEAD_BYTES - len(page))


def slot_bytes(mark: Mark) -> bytes:
    """Return a watermark slot: one sector, one JSON line."""
    position = mark.position
    line = seal(
        {"kind": "watermark", "sequence": position.sequence, "chain": position.chain, "checkpoint": mark.checkpoint}
    )
    return line + b" " * (SLOT_BYTES - 1 - len(line)) + b"\n"


def trailer(position: Position, continues: int) -> bytes:
    """Return the last line of a full segment: its last *position*, and the number of the next segment."""
    fields = {"kind": Kind.SEALED, "continues": continues, "sequence": position.sequence, "chain": position.chain}
    return seal(fields) + b"\n"


def scan(name: str, data: bytes, until: Position | None = None) -> SegmentReading:
    """Read a segment's bytes as far as they can be proven.

    Args:
        name: The file's name, for messages.
        data: All of the file's bytes.
        until: Where the next segment goes on; records behind it were never acknowledged and do not count.

    Raises:
        NotDecodable: It is of a newer format.
    """
    head = _parse_head(name, data)
    if head is None:
        error = CorruptJournal(f"{name}: its first page is not what was written.")
        return SegmentReading(name, None, len(data), error)
    reading = SegmentReading(name, head, len(data))
    marks = _marks(data, reading)
    passed = _walk(data, reading, until, marks)
    _judge(reading, until, marks, passed)
    return reading


def _walk(data: bytes, reading: SegmentReading, until: Position | None, marks: list[Position]) -> set[Position]:
    """Follow the chain from record to record; return the positions met on the way that marks ask for."""
    position, offset = reading.end, HEAD_BYTES
    wanted = {mark.sequence for mark in marks}
    met = {position}
    for line in data[HEAD_BYTES:].rstrip(_PADDING).split(b"\n"):
        if line.startswith(_TRAILER_START):
            reading.sealed = reading.head is not None and line + b"\n" == trailer(position, reading.head.segment + 1)
            offset += (len(line) + 1) * reading.sealed
            break
        if until is not None and position.sequence >= until.sequence:
            break
        after = follow(line, position)
        behind = offset + len(line)
        if after is None or data[behind : behind + 1] != b"\n":
            break
        position, offset = after, behind + 1
        reading.lines.append(line)
        if position.sequence in wanted:
            met.add(position)
            reading.marked_offset = offset
    reading.end, reading.end_offset = position, offset
    reading.tail = data[offset:].rstrip(_PADDING)
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


def _parse_head(name: str, data: bytes) -> Head | None:
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
        slot = data[offset : offset + SLOT_BYTES]
        fields = unseal(slot.rstrip(b" \n"))
        mark = fields and Mark(Position(fields["sequence"], fields["chain"]), fields["checkpoint"])
        if not mark or slot != slot_bytes(mark):
            reading.warnings.append(f"{reading.name}: the watermark at byte {offset} is damaged; the other one stands.")
        else:
            marks.append(mark.position)
            reading.checkpoint = max(reading.checkpoint, mark.checkpoint)
    return marks
