"""All segments of a run's journal together: read as one, and brought into order after a crash."""

from __future__ import annotations

import logging
import re
from mmap import PAGESIZE

from milepost.errors import LostRecords
from milepost.fs import read_all
from milepost.records import Position, digest
from milepost.stores.base import Damaged, JournalReading
from milepost.stores.folder import Folder
from milepost.stores.segment import SegmentReading, scan
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


def read_segments(folder: Folder) -> list[SegmentReading]:
    """Scan every segment; the next one's start tells how far the records of each count."""
    readings: list[SegmentReading] = []
    starts: dict[int, Position] = {}
    for number in reversed(segment_numbers(folder)):
        name = segment_name(number)
        until = starts.get(number + 1)
        reading = scan(name, folder.read(name), until) if readings else _settled_scan(folder, name)
        if reading.head and reading.head.segment == number:  # else it tells nothing of the one before it
            starts[number] = reading.head.start
        readings.append(reading)
    return readings[::-1]


def combine(folder: Folder, segments: list[SegmentReading]) -> JournalReading | None:
    """Join the segments into one journal, which ends at the first damage; None if there are none."""
    if not segments:
        return None
    first = segments[0]
    start = first.head.start if first.head else first.end
    reading = JournalReading(start)
    for number, segment in enumerate(segments, start=1):
        if segment.name != segment_name(number):
            _lost(folder, reading, segment_name(number), "this journal is missing")
        elif not reading.damage:
            _join(folder, reading, segment, number)
        if reading.damage:
            break
    if segments[-1].sealed and not reading.damage:
        _lost(folder, reading, segment_name(len(segments) + 1), "this journal was begun, and is missing")
    return reading


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


def _settled_scan(folder: Folder, name: str) -> SegmentReading:
    """Scan a segment that a killed process may have left in the page cache only.

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
            fresh = data[:start] + read_all(folder.files, handle, start, behind - start) + data[behind:]
            reading = reading if fresh == data else scan(name, fresh)
    return reading


def _join(folder: Folder, reading: JournalReading, segment: SegmentReading, number: int) -> None:
    where = f"{folder.path / segment.name}"
    reading.warnings += [f"{folder.path}/{warning}" for warning in segment.warnings]
    if segment.tail:
        reading.torn.append(f"{where}: {len(segment.tail)} bytes behind record {segment.end.sequence}")
    error = segment.error
    if segment.head is not None and segment.head.segment == number and segment.head.start == reading.end:
        reading.run = segment.head.run
        reading.segments = number
        reading.checkpoint = max(reading.checkpoint, segment.checkpoint)
        reading.lines += segment.lines
        reading.end = segment.end
    elif segment.head is not None:
        error = LostRecords(
            f"{segment.name}: it does not follow record {reading.end.sequence} of the journal before it."
        )
    if error is not None:
        reading.damage.append(Damaged(segment.name, type(error)(f"{folder.path}/{error}")))


def _lost(folder: Folder, reading: JournalReading, name: str, reason: str) -> None:
    reading.damage.append(Damaged(name, LostRecords(f"{folder.path / name}: {reason}.")))
