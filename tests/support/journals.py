"""A run's journal on a simulated disk, as the tests of the file store use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from milepost.fs import FileSystem
from milepost.records import Kind, Position, Record, decode_line
from milepost.stores import JournalReading, RunFiles
from milepost.stores.files import SEGMENT_BYTES
from milepost.stores.folder import Folder
from milepost.stores.segment import SegmentReading, scan, show
from milepost.testing import SimulatedDisk

RUN = "run-one"
PLACE = Path("/run")
FIRST = "/run/journal_000001.jsonl"
SECOND = "/run/journal_000002.jsonl"
THIRD = "/run/journal_000003.jsonl"


class Seen:
    """A reading together with the lines that it showed; whatever else is asked of it is asked of the reading."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.first = 0
        self.reading: JournalReading | SegmentReading | None = None

    def visit(self, first: int, lines: list[bytes]) -> None:
        assert lines
        assert not self.lines or first == self.first + len(self.lines), "lines were shown out of order"
        self.first = self.first or first
        self.lines += lines

    def of(self, reading: JournalReading | SegmentReading) -> Seen:
        """Take the *reading* that showed the lines, and check that the two agree."""
        self.reading = reading
        assert reading.last == (self.lines[-1] if self.lines else None)
        if isinstance(reading, JournalReading):
            assert reading.count == len(self.lines)
            assert not self.lines or self.first == reading.start.sequence + 1
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reading, name)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float = 1_795_000_000.0) -> None:
        self.at = now

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


def disk() -> SimulatedDisk:
    """Return a disk with the run's empty folder."""
    return SimulatedDisk(("/run",))


def store(files: FileSystem, segment_bytes: int = SEGMENT_BYTES) -> RunFiles:
    """Open the run's folder, to read."""
    return RunFiles(Folder.open(files, PLACE), segment_bytes=segment_bytes)


def writer(files: FileSystem, segment_bytes: int = SEGMENT_BYTES) -> RunFiles:
    """Open the run's folder, lock it and recover the journal."""
    opened = store(files, segment_bytes)
    opened.lock(Clock())
    recovered(opened)
    return opened


def record(number: int, size: int = 40) -> Record:
    """Return a record whose value tells its *number* and has *size* bytes or a few more."""
    return Record(Kind.STATE, 1_795_000_000.0, 1, value=b'"%d:%s"' % (number, b"v" * size))


def append(to: RunFiles, *numbers: int, size: int = 40) -> None:
    """Append the records of these numbers, each by itself; number n is the n-th record of the journal."""
    for number in numbers:
        to.append([record(number, size)], expected=number - 1)


def look(at: RunFiles) -> Seen | None:
    """Read the journal of a store, with all of its lines; None if there is none."""
    seen = Seen()
    reading = at.read_journal(seen.visit)
    assert reading is not None or not seen.lines
    return seen.of(reading) if reading else None


def recovered(at: RunFiles, run: str = RUN, *, known: bool = False) -> Seen:
    """Recover the journal of a locked store, and return what was read with all of its lines."""
    seen = Seen()
    return seen.of(at.recover(run, known=known, visit=seen.visit))


def scanned(name: str, data: bytes, until: Position | None = None) -> Seen:
    """Scan a segment's bytes, and return what they prove with all of the lines."""
    seen = Seen()
    reading = scan(name, data, until)
    if reading.head is not None:
        show(data, reading, seen.visit)
    return seen.of(reading)


def numbers(seen: Seen | None) -> list[int]:
    """Return the numbers that the values of the records tell."""
    return [number_of(line) for line in seen.lines] if seen else []


def number_of(line: bytes) -> int:
    """Return the number that a record's value tells."""
    value = decode_line(line).value
    assert value is not None
    return int(value[1:].partition(b":")[0])


def read(files: FileSystem) -> Seen:
    """Read the journal, which must be there."""
    with store(files).folder as folder:
        seen = look(RunFiles(folder))
    assert seen is not None
    return seen


def written(count: int, *, size: int = 40, segment_bytes: int = SEGMENT_BYTES, clean: bool = True) -> SimulatedDisk:
    """Return a disk with a journal of *count* records, closed cleanly or left by a killed writer."""
    made = disk()
    journal = writer(made, segment_bytes)
    append(journal, *range(1, count + 1), size=size)
    if clean:
        journal.close()
    return made.crash() if not clean else made
