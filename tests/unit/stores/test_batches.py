"""A batch is one write and one sync however large it is, and what a process-level journal cannot keep it tells."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from milepost.errors import DurabilityUnknown
from milepost.fs.intercepted import MUTATING, Intercepted, Operation
from milepost.stores import Durability
from milepost.testing import ErrorAt, Recorded, SimulatedDisk
from tests.support.journals import FIRST, SECOND, append, disk, numbers, read, record, writer

SMALL = 20_000
BATCHES = {
    "16 records": (16, 2000, 1 << 26),
    "beyond the padding": (40, 50_000, 1 << 26),
    "beyond a segment": (20, 2000, SMALL),
}


@pytest.mark.parametrize(("count", "size", "segment_bytes"), BATCHES.values(), ids=BATCHES)
def test_a_batch_of_any_size_is_one_write_and_one_sync(count: int, size: int, segment_bytes: int) -> None:
    """A batch lands with one data sync in one write of all its lines, and each of its lines can be fetched."""
    inner = disk()
    files = Recorded(inner)
    run = writer(files, segment_bytes)
    files.operations.clear()
    run.append([record(number, size) for number in range(1, count + 1)], expected=0)
    assert files.story().count("sync_data journal_000001.jsonl") == 1
    assert files.story()[-2:] == ["write journal_000001.jsonl", "sync_data journal_000001.jsonl"]
    assert SECOND not in inner.files()
    assert numbers(read(inner.crash())) == list(range(1, count + 1))
    append(run, count + 1, size=size)
    assert (SECOND in inner.files()) == (segment_bytes == SMALL)
    lines = [run.read_line(number) for number in range(1, count + 2)]
    assert lines == read(inner.crash()).lines


def test_a_batch_goes_whole_into_the_next_segment() -> None:
    """A batch that does not fit behind what a segment holds stands whole in the next one, which may outgrow it."""
    inner = disk()
    run = writer(inner, SMALL)
    append(run, 1)
    run.append([record(number, 2000) for number in range(2, 22)], expected=1)
    assert inner.files()[FIRST].count(b'"kind":"state"') == 1
    assert inner.files()[SECOND].count(b'"kind":"state"') == 20
    assert numbers(read(inner.crash())) == list(range(1, 22))


def test_no_kill_loses_what_the_process_level_acknowledged() -> None:
    """Killed before or after any operation, rotation included, a process-level journal holds all it acknowledged."""
    inner = disk()
    acknowledged: list[int] = []
    killed: list[tuple[SimulatedDisk, int]] = []

    def kill(operation: Operation) -> None:
        if operation.name in MUTATING:
            killed.append((inner.killed(), len(acknowledged)))

    run = writer(Intercepted(inner, before=kill, after=kill), SMALL // 4)
    for number in range(1, 9):
        run.append([record(number)], expected=number - 1, durability=Durability.PROCESS)
        acknowledged.append(number)
    assert SECOND in inner.files()
    for left, count in killed:
        found = numbers(read(left)) if FIRST in left.files() else []
        assert found == list(range(1, len(found) + 1))
        assert count <= len(found) <= count + 1
    assert len(killed) > 60


def test_too_much_without_a_sync_cannot_be_moved_and_is_not_lost_to_the_next_process() -> None:
    """Beyond what is kept in memory a restart after a failed write is refused and says to start again, which finds all."""
    inner = disk()
    run = writer(inner)
    for number in range(1, 31):
        run.append([record(number, 60_000)], expected=number - 1, durability=Durability.PROCESS)
    appender: Any = run._appender
    appender.files = ErrorAt(inner, 1, errno.EIO, among={"write"})
    with pytest.raises(DurabilityUnknown):
        run.append([record(31)], expected=30, durability=Durability.PROCESS)
    appender.files = inner
    for _ in range(2):
        with pytest.raises(DurabilityUnknown, match=r"records 1 to 30 .* run the same command again"):
            run.restart_journal()
        assert run.poisoned
    run.close(clean=False)
    again = writer(inner.killed())
    append(again, 31)
    assert [again.read_line(number)[:15] for number in (1, 30, 31)] == [
        b'{"sequence":1,"',
        b'{"sequence":30,',
        b'{"sequence":31,',
    ]
