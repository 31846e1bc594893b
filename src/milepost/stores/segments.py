"""All segments of a run's journal together: read as one, and brought into order after a crash."""

from __future__ import annotations

import logging
import re
from mmap import PAGESIZE

from milepost.errors import LostRecords
from milepost.fs import read_all
from milepost.records import Position, digest
from milepost.stores.base import Damaged, JournalReading, Lines, Visit
from milepost.stores.folder import Folder
from milepost.stores.segment import HEAD_BYTES, Head, SegmentReading, parse_head, scan, show
from milepost.stores.translate import translated, unknown

log = logging.getLogger(__name__)

QUARANTINE_SUFFIX = ".quarantine"
_NAME = re.compile(r"journal_([0-9]{6,})\.jsonl")


def segment_name(number: int) -> str:
    """Return the file name of segment *number*, counted from 1."""
    return f"journal_{number:06d}.jsonl"


def segment_numbers(folder: Folder) -> list[int]:
    """Return the numbers of the segments that are there, ascending."""
    named = [(int(match[1]), match[0]) for match in map(_NAME.fullmatch, folder.names()) if match]
    return sorted(number for number, name in named if number and name == segment_name(number))


def read_segments(
    folder: Folder, visit: Visit | None = None, *, run: str | None = None
) -> tuple[JournalReading | None, SegmentReading | None]:
    """Read the segments one after the other as one journal, which ends at the first damage.

    The heads are read first: a segment's start tells how far the records of the one before it count.

    Args:
        folder: The run's folder.
        visit: Is shown every proven line.
        run: The only run whose lines are shown; None for any.

    Returns:
        What the journal proves, None if there is none; and the last segment that was looked at.
    """
    numbers = segment_numbers(folder)
    heads = {number: _head(folder, number) for number in numbers}
    reading: JournalReading | None = None
    segment: SegmentReading | None = None
    for expected, number in enumerate(numbers, start=1):
        if number != expected:
            head = heads[number]
            reading = reading or JournalReading(head.start if head else Position(0, ""))
            _lost(folder, reading, segment_name(expected), "this journal is missing")
            break
        head = heads[number]
        follows = head is not None and (reading is None or head.start == reading.end) and run in {None, head.run}
        shown_to = visit if follows else None
        if number == numbers[-1]:
            segment = _settled_scan(folder, segment_name(number), shown_to)
        else:
            behind = heads.get(number + 1)
            name = segment_name(number)  # one segment at a time is in memory
            segment = scan(name, folder.read(name), behind.start if behind else None, shown_to)
        reading = reading or JournalReading(segment.end if segment.head is None else segment.head.start)
        _join(folder, reading, segment, number)
        if reading.damage:
            break
    if reading is not None and segment is not None and segment.sealed and not reading.damage:
        _lost(folder, reading, segment_name(len(numbers) + 1), "this journal was begun, and is missing")
    return reading, segment


def run_of(folder: Folder) -> str | None:
    """Return the id of the run that the first intact head names; None if there is none."""
    heads = (_head(folder, number) for number in segment_numbers(folder))
    return next((head.run for head in heads if head is not None), None)


def cut_tail(folder: Folder, segment: SegmentReading) -> None:
    """Set aside what stands behind the last proven record, then cut it: durable in this order."""
    if segment.tail:
        name = f"{segment.name}.{segment.end_offset}.{digest(segment.tail)[:8]}{QUARANTINE_SUFFIX}"
        folder.put(name, segment.tail, replace=True)
        where = folder.path / segment.name
        log.warning("%s: %d bytes that were never acknowledged are set aside as %s.", where, len(segment.tail), name)
    if segment.size > segment.end_offset:
        path = folder.path / segment.name
        with folder.opened(segment.name, "update") as handle, translated(path, "cut the journal"):
            folder.files.truncate(handle, segment.end_offset)
            folder.files.sync(handle)


def keep_copy(folder: Folder, name: str) -> None:
    """Keep a damaged file whole under a second name, before anything is written behind it."""
    data = folder.read(name)
    folder.put(f"{name}.{digest(data)[:8]}{QUARANTINE_SUFFIX}", data, replace=True)


def _head(folder: Folder, number: int) -> Head | None:
    """Return what the first page of segment *number* states, or None if it is not what was written."""
    name = segment_name(number)
    head = parse_head(name, folder.read(name, HEAD_BYTES))
    return head if head and head.segment == number else None


def _settled_scan(folder: Folder, name: str, visit: Visit | None) -> SegmentReading:
    """Scan a segment that a killed process may have left in the page cache only; its lines are shown once settled.

    Its bytes are synced before they are served. After a failed sync the cache may show, as clean, what the
    disk does not hold; so the part that no watermark vouches for is dropped and read again from the device.
    """
    path = folder.path / name
    with folder.opened(name) as handle, translated(path, "read the journal"):
        data = read_all(folder.files, handle)
        reading = scan(name, data)
        try:
            folder.files.sync_data(handle)
        except OSError as error:
            raise unknown(path, "sync the journal before using it", error) from error
        start, behind = reading.marked_offset, reading.end_offset + len(reading.tail)
        if start < behind:
            start -= start % PAGESIZE  # the system keeps pages that are named only in part
            behind += -behind % PAGESIZE
            folder.files.drop_cache(handle, start, behind - start)
            again = read_all(folder.files, handle, start, behind - start)
            if again != data[start:behind]:
                data = data[:start] + again + data[behind:]
                reading = scan(name, data)
    if reading.marked_offset == HEAD_BYTES:
        reading.unvouched = data[HEAD_BYTES : reading.end_offset]
    if visit is not None and reading.head is not None:
        show(data, reading, visit)
    return reading


def _join(folder: Folder, reading: JournalReading, segment: SegmentReading, number: int) -> None:
    """Add what a segment proves, if it goes on with this journal."""
    where = f"{folder.path / segment.name}"
    reading.warnings += [f"{folder.path}/{warning}" for warning in segment.warnings]
    if segment.tail:
        reading.torn.append(f"{where}: {len(segment.tail)} bytes behind record {segment.end.sequence}")
    head, error = segment.head, segment.error
    follows = head is not None and head.segment == number and head.start == reading.end
    if head is not None and follows:
        reading.run = head.run
        reading.segments = number
        reading.checkpoint = max(reading.checkpoint, segment.checkpoint)
        reading.count += len(segment.offsets) - 1
        reading.last = segment.last or reading.last
        reading.lines.append(Lines(segment.name, head.start, segment.offsets))
        reading.end = segment.end
    elif head is not None:
        error = LostRecords(
            f"{segment.name}: it does not follow record {reading.end.sequence} of the journal before it."
        )
    if error is not None:
        reading.damage.append(Damaged(segment.name, type(error)(f"{folder.path}/{error}")))


def _lost(folder: Folder, reading: JournalReading, name: str, reason: str) -> None:
    reading.damage.append(Damaged(name, LostRecords(f"{folder.path / name}: {reason}.")))
