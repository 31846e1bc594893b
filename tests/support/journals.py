"""A run's journal on a simulated disk, as the tests of the file store use it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milepost.fs import FileSystem
from milepost.records import Kind, Record, decode_line
from milepost.stores import JournalReading, RunFiles
from milepost.stores.files import SEGMENT_BYTES
from milepost.stores.folder import Folder
from milepost.testing import SimulatedDisk

RUN = "run-one"
PLACE = Path("/run")
FIRST = "/run/journal_000001.jsonl"
SECOND = "/run/journal_000002.jsonl"
THIRD = "/run/journal_000003.jsonl"


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
    opened.recover(RUN)
    return opened


def record(number: int, size: int = 40) -> Record:
    """Return a record whose value tells its *number* and has *size* bytes or a few more."""
    return Record(Kind.STATE, 1_795_000_000.0, 1, value=b'"%d:%s"' % (number, b"v" * size))


def append(to: RunFiles, *numbers: int, size: int = 40) -> None:
    """Append the records of these numbers, each by itself; number n is the n-th record of the journal."""
    for number in numbers:
        to.append([record(number, size)], expected=number - 1)


def numbers(reading: JournalReading | None) -> list[int]:
    """Return the numbers that the values of the records tell."""
    lines: Sequence[bytes] = reading.lines if reading else []
    return [number_of(line) for line in lines]


def number_of(line: bytes) -> int:
    """Return the number that a record's value tells."""
    value = decode_line(line).value
    assert value is not None
    return int(value[1:].partition(b":")[0])


def read(files: FileSystem) -> JournalReading:
    """Read the journal, which must be there."""
    with store(files).folder as folder:
        reading = RunFiles(folder).read_journal()
    assert reading is not None
    return reading


def written(count: int, *, size: int = 40, segment_bytes: int = SEGMENT_BYTES, clean: bool = True) -> SimulatedDisk:
    """Return a disk with a journal of *count* records, closed cleanly or left by a killed writer."""
    made = disk()
    journal = writer(made, segment_bytes)
    append(journal, *range(1, count + 1), size=size)
    if clean:
        journal.close()
    return made.crash() if not clean else made
