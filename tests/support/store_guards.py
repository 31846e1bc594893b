"""Small checks of the file store, each quick to run, that planted bugs must not pass."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Any

from milepost.errors import DamageError, StorageError
from milepost.fs import FileSystem
from milepost.stores import Durability, RunFiles
from milepost.testing import ErrorAt, SimulatedDisk, for_each_crash
from tests.support.journals import (
    FIRST,
    SECOND,
    THIRD,
    Clock,
    append,
    disk,
    look,
    numbers,
    read,
    record,
    recovered,
    store,
    writer,
    written,
)
from tests.support.store_law import SMALL, keeps, promise

HEAD_BYTES = 4096


def crashes_of_appends() -> None:
    """Append, and die everywhere."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        promise(writer(files), acknowledged, 1, 2, 3)

    for_each_crash(scenario, keeps(), disk)


def crashes_of_rotation() -> None:
    """Append over the end of a segment, and die everywhere."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = writer(files, SMALL)
        promise(journal, acknowledged, 1, 2, 3, 4, 5)
        journal.close()

    for_each_crash(scenario, keeps(), disk, limit=20)


def crashes_of_unsynced_records() -> None:
    """Append without a sync and then with one, die everywhere; what is lost must not look like damage."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = writer(files)
        for number in (1, 2, 3):
            journal.append(
                [record(number)],
                expected=number - 1,
                durability=Durability.POWER if number == 3 else Durability.PROCESS,
            )

    def check(left: SimulatedDisk, _: list[Any]) -> None:
        with store(left).folder as folder:
            reading = look(RunFiles(folder))
        assert reading is None or reading.damage == []

    for_each_crash(scenario, check, disk)


def crashes_of_a_restart() -> None:
    """Go on in a new file after a failed sync that took effect all the same, and die everywhere."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = writer(files)
        promise(journal, acknowledged, 1, 2)
        journal._appender.files = ErrorAt(_NoLoss(files), 1, errno.EIO, "after", among={"sync_data"})  # type: ignore[union-attr]
        with suppress(StorageError):
            append(journal, 3)
        journal._appender.files = files  # type: ignore[union-attr]
        journal.restart_journal()
        promise(journal, acknowledged, 3, 4)
        journal.close()

    for_each_crash(scenario, keeps(), disk, limit=20)


class _NoLoss:
    """Hides the disk below from `ErrorAt`, so that a failed sync loses nothing."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)


def torn() -> SimulatedDisk:
    """Return a disk with two whole records and half of a third."""
    files = written(3, clean=False, size=1500)
    files.damage(FIRST, files.files()[FIRST].rstrip(b"\n")[:-700])
    return files


def crashes_of_quarantine() -> None:
    """Set a torn tail aside, and die everywhere: it is in one place or the other, and in the end in quarantine only."""
    held = torn().files()[FIRST]
    tail = held[held.rindex(b'\n{"sequence":3') + 1 :]

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = store(files)
        journal.lock(Clock())
        assert numbers(recovered(journal)) == [1, 2]
        acknowledged.append("recovered")

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        aside = [data for path, data in left.files().items() if path.endswith(".quarantine")]
        kept = left.files()[FIRST]
        if acknowledged:
            assert aside == [tail]
            assert not kept.endswith(tail)
        else:
            assert aside == [tail] or kept.endswith(tail)
        keeps([1, 2])(left, [])

    for_each_crash(scenario, check, torn)


def crashes_of_serving() -> None:
    """Read what a killed writer left in the page cache, serve it, and die everywhere: it is still there."""

    def left_by_a_killed_writer() -> SimulatedDisk:
        files = disk()
        journal = writer(files)
        append(journal, 1)
        journal.append([record(2)], expected=1, durability=Durability.PROCESS)
        return files.killed()

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        acknowledged += numbers(look(store(files)))[1:]

    for_each_crash(scenario, keeps([1]), left_by_a_killed_writer)


def crashes_of_salvage() -> None:
    """Set a damaged journal aside, and die everywhere: every byte that was there is still somewhere."""

    def damaged() -> SimulatedDisk:
        files = written(8, segment_bytes=SMALL)
        held = bytearray(files.files()[SECOND])
        held[HEAD_BYTES + 20] ^= 1
        files.damage(SECOND, bytes(held))
        return files

    before = [data for path, data in damaged().files().items() if "journal" in path]

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = store(files, SMALL)
        journal.lock(Clock())
        assert numbers(recovered(journal)) == [1, 2, 3]

    def check(left: SimulatedDisk, _: list[Any]) -> None:
        assert all(data in left.files().values() for data in before)
        keeps([1, 2, 3], damage=True)(left, [])

    for_each_crash(scenario, check, damaged)


def crashes_of_documents() -> None:
    """Replace a document, and die everywhere."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        opened = store(files)
        for content in (b"1" * 5000, b"2" * 700):
            opened.replace("doc", content)
            acknowledged.append(content)

    order = [None, b"1" * 5000, b"2" * 700]

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        assert left.files().get("/run/doc") in order[len(acknowledged) :][:2]

    for_each_crash(scenario, check, disk)


def failed_syncs() -> None:
    """Let a sync fail: nothing that is acknowledged or read afterwards is missing after a power cut."""
    for later in (False, True):
        files = disk()
        journal = writer(files)
        acknowledged: list[int] = []
        promise(journal, acknowledged, 1, 2)
        files.fail_next_sync()
        with suppress(StorageError):
            promise(journal, acknowledged, 3, size=3000)
        if later:
            with suppress(StorageError):
                promise(journal, acknowledged, len(acknowledged) + 1)
        assert numbers(read(files.crash())) == acknowledged
        served = numbers(read(files.killed()))
        assert numbers(read(files.crash())) == served == acknowledged


def failed_rotations() -> None:
    """Let every operation of a rotation fail: what is acknowledged afterwards is there."""
    fired, n = True, 0
    while fired:
        n += 1
        files = disk()
        journal = writer(files, SMALL)
        acknowledged: list[int] = []
        promise(journal, acknowledged, 1, 2)
        broken = ErrorAt(files, n, errno.EIO)
        journal.folder.files = journal._appender.files = broken  # type: ignore[union-attr]
        with suppress(StorageError):
            promise(journal, acknowledged, 3, size=SMALL)
        fired = broken.fired
        journal.folder.files = journal._appender.files = files  # type: ignore[union-attr]
        with suppress(StorageError):
            promise(journal, acknowledged, len(acknowledged) + 1, size=1)
        found = numbers(read(files.killed()))
        assert found[: len(acknowledged)] == acknowledged


def flips() -> None:
    """Change bytes of a journal of three segments: told, and no wrong data."""
    files = written(8, segment_bytes=SMALL)
    whole = read(files).lines
    for path in (FIRST, SECOND, THIRD):
        data = files.files()[path]
        for index in range(0, len(data), 11):
            changed = bytearray(data)
            changed[index] ^= 1 << index % 8
            files.damage(path, bytes(changed))
            reading = read(files)
            assert reading.damage or reading.torn or reading.warnings, (
                f"byte {index} of {path} was changed, and nothing is told"
            )
            assert reading.lines == whole[: len(reading.lines)], f"byte {index} of {path} gave wrong data"
        files.damage(path, data)


def cuts() -> None:
    """Cut a journal back on its record borders: told as loss, but for the last append of a killed writer."""
    for clean in (True, False):
        files = written(5, clean=clean)
        data = files.files()[FIRST]
        lines = data[HEAD_BYTES:].rstrip(b"\n").split(b"\n")
        for kept in range(5 if clean else 4):
            files.damage(FIRST, data[:HEAD_BYTES] + b"".join(line + b"\n" for line in lines[:kept]))
            reading = read(files)
            assert numbers(reading) == list(range(1, kept + 1))
            assert [type(damaged.error) for damaged in reading.damage], (
                f"cut back to {kept} records, and nothing is told"
            )
            assert all(isinstance(damaged.error, DamageError) for damaged in reading.damage)


def lost_segments() -> None:
    """Take segments away one at a time: told."""
    for path in (FIRST, SECOND, THIRD):
        files = written(8, segment_bytes=SMALL)
        with store(files).folder as folder:
            folder.remove(path.rpartition("/")[2])
        assert read(files).damage, f"{path} was taken away, and nothing is told"


def clean_closes() -> None:
    """Close cleanly: the file ends with its last record."""
    data = written(3).crash().files()[FIRST]
    assert data.endswith(b'"}\n')
    assert not data.endswith(b"\n\n")


def repeated_damage() -> None:
    """Lose both watermarks, go on, and start again and again: nothing recorded since is lost."""
    files = written(2)
    held = bytearray(files.files()[FIRST])
    held[1030] ^= 1
    held[1550] ^= 1
    files.damage(FIRST, bytes(held))
    for count in (2, 3, 4):
        journal = store(files)
        journal.lock(Clock())
        assert numbers(recovered(journal)) == list(range(1, count + 1))
        append(journal, count + 1)
        journal.close()


GUARDS = [
    crashes_of_appends,
    crashes_of_rotation,
    crashes_of_unsynced_records,
    crashes_of_a_restart,
    crashes_of_quarantine,
    crashes_of_serving,
    crashes_of_salvage,
    crashes_of_documents,
    failed_syncs,
    failed_rotations,
    flips,
    cuts,
    lost_segments,
    clean_closes,
    repeated_damage,
]
