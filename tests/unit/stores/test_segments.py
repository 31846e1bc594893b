"""Segments together are one journal; a lost, swapped or foreign one is noticed and named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from milepost.errors import CorruptJournal, LostRecords
from milepost.stores.segments import segment_name, segment_numbers
from milepost.testing import SimulatedDisk
from tests.support.journals import FIRST, RUN, SECOND, THIRD, Clock, append, disk, numbers, read, store, writer, written

SMALL = 5000
"""Bytes after which a segment of these tests is full: five records fit."""


def _three() -> SimulatedDisk:
    """Return a disk with a journal of three segments and 14 records."""
    files = written(14, segment_bytes=SMALL)
    assert set(files.files()) == {FIRST, SECOND, THIRD, "/run/lock"}
    assert read(files).damage == []
    return files


def _without(files: SimulatedDisk, *paths: str) -> SimulatedDisk:
    """Return *files* without some files, durably."""
    with store(files).folder as folder:
        for path in paths:
            folder.remove(path.rpartition("/")[2])
        folder.sync()
    return files


def _swap(files: SimulatedDisk, one: str, other: str) -> SimulatedDisk:
    held = files.files()
    files.damage(one, held[other])
    files.damage(other, held[one])
    return files


def test_segments_read_as_one_journal() -> None:
    """A journal of several segments gives every record in order, and tells nothing."""
    reading = read(_three())
    assert numbers(reading) == list(range(1, 15))
    assert (reading.run, reading.segments, reading.damage, reading.torn) == (RUN, 3, [], [])


CASES: list[tuple[str, Callable[[SimulatedDisk], SimulatedDisk], type, str, int]] = [
    ("the first is missing", lambda d: _without(d, FIRST), LostRecords, "journal_000001.jsonl", 0),
    ("a middle one is missing", lambda d: _without(d, SECOND), LostRecords, "journal_000002.jsonl", 1),
    ("the last is missing after a seal", lambda d: _without(d, THIRD), LostRecords, "journal_000003.jsonl", 2),
    ("all but the first are missing", lambda d: _without(d, SECOND, THIRD), LostRecords, "journal_000002.jsonl", 1),
    ("the first two are swapped", lambda d: _swap(d, FIRST, SECOND), LostRecords, "journal_000001.jsonl", 0),
    ("the last two are swapped", lambda d: _swap(d, SECOND, THIRD), LostRecords, "journal_000002.jsonl", 1),
]


@pytest.mark.parametrize(("damage", "error", "name", "good"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_a_lost_or_swapped_segment_is_named(
    damage: Callable[[SimulatedDisk], SimulatedDisk], error: type, name: str, good: int
) -> None:
    """A missing or swapped segment is damage of that name, and what is proven before it is served."""
    whole = numbers(read(_three()))
    files = damage(_three())
    reading = read(files)
    (told,) = reading.damage
    assert type(told.error) is error
    assert told.name == name
    assert str(told.error).startswith(f"/run/{name}: ")
    assert reading.segments == good
    assert numbers(reading) == whole[: len(numbers(reading))]
    assert bool(numbers(reading)) == bool(good)


def test_a_segment_of_another_run_is_noticed() -> None:
    """A segment that came from another run does not follow, and none of its records is served."""
    other = disk()
    foreign = store(other, SMALL)
    foreign.lock(Clock())
    foreign.recover("run-two")
    append(foreign, *range(1, 15))
    foreign.close()
    for path, good in ((SECOND, 1), (THIRD, 2)):
        files = _three()
        whole = numbers(read(files))
        files.damage(path, other.files()[path])
        reading = read(files)
        assert reading.segments == good
        assert isinstance(reading.damage[0].error, LostRecords | CorruptJournal)
        assert reading.run == RUN
        assert numbers(reading) == whole[: len(numbers(reading))]


def test_a_whole_journal_of_another_run_tells_its_run() -> None:
    """A journal says of which run it is, so that its reader can tell a foreign one."""
    files = disk()
    foreign = store(files)
    foreign.lock(Clock())
    foreign.recover("run-two")
    assert read(files).run == "run-two"


def test_an_older_copy_of_a_segment_is_noticed() -> None:
    """A segment put back to an older copy of itself has lost records, which the next one tells."""
    files = disk()
    journal = writer(files, SMALL)
    append(journal, 1, 2)
    older = files.files()[FIRST]
    append(journal, *range(3, 15))
    journal.close()
    files.damage(FIRST, older)
    reading = read(files)
    assert isinstance(reading.damage[0].error, LostRecords)
    assert numbers(reading) == [1, 2]


STRAYS = [
    "journal_0000001.jsonl",
    "journal_000000.jsonl",
    "journal_00001.jsonl",
    "journal_000002.json",
    "journal_٠٠٠٠٠٢.jsonl",
]


@pytest.mark.parametrize("name", STRAYS)
def test_a_stray_file_is_no_segment(name: str) -> None:
    """A file whose name is not exactly that of a segment counts as none."""
    files = written(3)
    with store(files).folder as folder:
        folder.put(name, b"stray", replace=True)
        assert segment_numbers(folder) == [1]
    reading = read(files)
    assert reading.damage == []
    assert numbers(reading) == [1, 2, 3]


def test_segment_numbers_sort_as_numbers() -> None:
    """Segments are ordered by number, also beyond six digits."""
    files = disk()
    with store(files).folder as folder:
        for number in (1_000_000, 2, 999_999, 10):
            folder.put(segment_name(number), b"", replace=True)
        assert segment_numbers(folder) == [2, 10, 999_999, 1_000_000]


def test_every_flipped_byte_of_a_rotated_journal_is_found() -> None:
    """One changed byte in any file of a journal of several segments is told and gives no wrong data."""
    files = _three()
    whole = read(files).lines
    for path in (FIRST, SECOND, THIRD):
        data = files.files()[path]
        for index in range(0, len(data), 7):
            changed = bytearray(data)
            changed[index] ^= 1 << index % 8
            files.damage(path, bytes(changed))
            reading = read(files)
            told = " ".join([*reading.torn, *reading.warnings, *(str(damaged.error) for damaged in reading.damage)])
            assert path in told, f"byte {index} of {path} was changed, and it is not named: {told}"
            assert reading.lines == whole[: len(reading.lines)]
        files.damage(path, data)
