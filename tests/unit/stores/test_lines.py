"""Single lines are fetched from where they stand, by readers and writers, and checked again each time."""

from __future__ import annotations

import errno

import pytest

from milepost.errors import CorruptJournal, DurabilityUnknown, InvalidArgument, StoreUnavailable
from milepost.stores import Durability, RunFiles
from milepost.testing import ErrorAt, SimulatedDisk
from tests.support.journals import (
    FIRST,
    RUN,
    Clock,
    append,
    disk,
    look,
    number_of,
    read,
    record,
    store,
    writer,
    written,
)

SMALL = 5000


def _told(run: RunFiles, count: int) -> list[int]:
    return [number_of(run.read_line(number)) for number in range(1, count + 1)]


def _loaded(files: SimulatedDisk) -> RunFiles:
    """Return a reader that has read the journal."""
    reader = store(files)
    assert reader.read_journal() is not None
    return reader


@pytest.mark.parametrize("segment_bytes", [SMALL, 1 << 26])
def test_a_reader_fetches_each_line(segment_bytes: int) -> None:
    """Every line that was read is fetched as it was shown, in any order and from any segment, without a lock."""
    files = written(14, segment_bytes=segment_bytes)
    reader = store(files)
    seen = look(reader)
    assert seen is not None
    for number in [*range(14, 0, -1), 1, 14, 7]:
        assert reader.read_line(number) == seen.lines[number - 1]


@pytest.mark.parametrize("segment_bytes", [SMALL, 1 << 26])
def test_a_writer_fetches_what_it_appended(segment_bytes: int) -> None:
    """A line is fetched as soon as its append returned, alone or in a batch, before and after each rotation."""
    files = written(3, segment_bytes=segment_bytes)
    run = writer(files, segment_bytes)
    for first in range(4, 20, 2):
        run.append([record(first), record(first + 1)], expected=first - 1)
        assert _told(run, first + 1) == list(range(1, first + 2))
    assert run.read_journal() is not None
    append(run, 20)
    assert _told(run, 20) == list(range(1, 21))


def test_lines_are_fetched_across_a_restart() -> None:
    """After a failed write, lines that moved to the next file are fetched from there, and the failed one is none."""
    files = disk()
    run = writer(files)
    append(run, 1)
    for number in (2, 3):
        run.append([record(number)], expected=number - 1, durability=Durability.PROCESS)
    files.fail_next_sync()
    with pytest.raises(DurabilityUnknown):
        append(run, 4, size=3000)
    with pytest.raises(InvalidArgument):
        run.read_line(4)
    run.restart_journal()
    assert _told(run, 3) == [1, 2, 3]
    append(run, 4, 5)
    assert _told(run, 5) == [1, 2, 3, 4, 5]
    assert [number_of(line) for line in read(files).lines] == [1, 2, 3, 4, 5]


def test_lines_are_fetched_from_a_file_that_appeared_anew() -> None:
    """A recovered journal that no watermark vouched for gives its old and its new lines."""
    files = disk()
    first = writer(files)
    for number in (1, 2):
        first.append([record(number)], expected=number - 1, durability=Durability.PROCESS)
    run = store(files.killed())
    run.lock(Clock())
    assert look(run) is not None
    assert _told(run, 2) == [1, 2]
    run.recover(RUN)
    append(run, 3)
    assert _told(run, 3) == [1, 2, 3]


@pytest.mark.parametrize("number", [-1, 0, 4, 1000])
def test_a_record_that_is_not_there_is_a_wrong_call(number: int) -> None:
    """A number that was neither read nor appended is refused as a wrong argument, also before anything was read."""
    files = written(3)
    for reader in (_loaded(files), store(files)):
        with pytest.raises(InvalidArgument, match=f"record {number} was neither read nor appended"):
            reader.read_line(number)


def test_every_changed_byte_of_a_line_is_found() -> None:
    """A line of which any byte changed since it was read is refused, with file, record and byte, and never given."""
    files = written(3)
    reader = _loaded(files)
    data = files.files()[FIRST]
    for number in (1, 2, 3):
        start = data.index(b'{"sequence":%d,' % number)
        for index in range(start, data.index(b"\n", start) + 1):
            changed = bytearray(data)
            changed[index] ^= 1 << index % 8
            files.damage(FIRST, bytes(changed))
            with pytest.raises(CorruptJournal, match=f"{FIRST}: record {number}, at byte {start}, is not what"):
                reader.read_line(number)
    files.damage(FIRST, data[:start])
    with pytest.raises(CorruptJournal, match="record 3"):
        reader.read_line(3)
    files.damage(FIRST, data)
    assert _told(reader, 3) == [1, 2, 3]


def test_a_line_of_a_deleted_journal_is_unavailable() -> None:
    """Where the file was deleted since it was read, the error says so and names it."""
    files = written(3)
    reader = _loaded(files)
    with store(files).folder as folder:
        folder.remove("journal_000001.jsonl")
    with pytest.raises(StoreUnavailable, match=f"{FIRST}: this journal was deleted since it was read"):
        reader.read_line(1)


@pytest.mark.parametrize("verb", ["open_file", "read"])
def test_a_medium_that_refuses_a_line_is_unavailable(verb: str) -> None:
    """An error of the system while a line is fetched is a typed one, and the next try works."""
    files = written(3)
    reader = _loaded(files)
    reader.folder.files = ErrorAt(files, 1, errno.EIO, among={verb})
    with pytest.raises(StoreUnavailable, match=FIRST):
        reader.read_line(2)
    reader.folder.files = files
    assert _told(reader, 3) == [1, 2, 3]


def test_one_file_is_open_at_most_and_none_after_closing() -> None:
    """Fetching from many segments keeps one file open, and closing the store lets go of it."""
    files = written(30, segment_bytes=SMALL)
    reader = _loaded(files)
    before = len(files._open)
    assert _told(reader, 30) == list(range(1, 31))
    assert len(files._open) == before + 1
    reader.close()
    assert files._open == {}
