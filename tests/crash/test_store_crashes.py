"""Every crash within the stated bound, of every step of a journal's life: nothing acknowledged is lost, no damage told."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Any

import pytest

from milepost.errors import StorageError
from milepost.fs import FileSystem
from milepost.stores import Durability, RunFiles
from milepost.testing import ErrorAt, SimulatedDisk, for_each_crash
from tests.support.journals import (
    FIRST,
    RUN,
    SECOND,
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


def test_appends_survive_every_crash() -> None:
    """Every acknowledged record is there after every crash, and only the batch in flight is undecided."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        promise(writer(files), acknowledged, 1, 2, 3, 4)

    counts = for_each_crash(scenario, keeps(), disk)
    assert counts.points > 40
    assert counts.states > 150


@pytest.mark.parametrize("size", [600, 5000])
def test_large_records_survive_tears_at_every_border(size: int) -> None:
    """A record over many sectors and pages is there whole or not at all."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        promise(writer(files), acknowledged, 1, 2, 3, size=size)

    assert for_each_crash(scenario, keeps(), disk).states > 150


def test_rotation_survives_every_crash() -> None:
    """While one segment is sealed and the next begun, every crash leaves a journal that is whole."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = writer(files, SMALL)
        promise(journal, acknowledged, *range(1, 9))
        journal.close()

    counts = for_each_crash(scenario, keeps(), disk)
    assert counts.states > 250


def test_unsynced_records_look_like_no_damage_in_any_crash() -> None:
    """Records without a sync may be lost to a power cut and never look like damage, and synced ones are not lost."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = writer(files, SMALL)
        for number in range(1, 6):
            journal.append(
                [record(number)],
                expected=number - 1,
                durability=Durability.POWER if number == 2 else Durability.PROCESS,
            )
            if number == 2:
                acknowledged.append(number)
        journal.restart_journal()
        acknowledged.append(5)
        journal.append([record(6)], expected=5, durability=Durability.PROCESS)
        journal.close()
        acknowledged.append(6)

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with store(left).folder as folder:
            reading = look(RunFiles(folder))
        found = numbers(reading)
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= max(acknowledged, default=0)
        assert reading is None or reading.damage == []
        keeps(found)(left, [])

    assert for_each_crash(scenario, check, disk, limit=24).states > 150


def test_a_restart_after_poison_survives_every_crash() -> None:
    """After a failed sync the run goes on in a new file, and every crash keeps what was acknowledged in both."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = writer(files)
        promise(journal, acknowledged, 1, 2)
        broken = ErrorAt(files, 1, errno.EIO, among={"sync_data"})
        journal._appender.files = broken  # type: ignore[union-attr]
        with suppress(StorageError):
            append(journal, 3)
        assert broken.fired
        journal.restart_journal()
        promise(journal, acknowledged, 3, 4)
        journal.close()

    assert for_each_crash(scenario, keeps(), disk).states > 150


def test_a_failed_sync_survives_every_crash_without_a_restart() -> None:
    """After a failed sync and the death of the process, what was acknowledged is there in every crash, and no more is shown."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = writer(files)
        promise(journal, acknowledged, 1, 2)
        journal._appender.files = ErrorAt(files, 1, errno.EIO, among={"sync_data"})  # type: ignore[union-attr]
        with suppress(StorageError):
            append(journal, 3, size=5000)
        journal.close(clean=False)
        again = store(files)
        again.lock(Clock())
        found = numbers(recovered(again))
        assert found[:2] == [1, 2]
        acknowledged[:] = found
        promise(again, acknowledged, len(found) + 1)
        again.close()

    assert for_each_crash(scenario, keeps(), disk).states > 150


def _torn() -> SimulatedDisk:
    """Return a disk with two whole records and half of a third."""
    files = written(3, clean=False, size=1500)
    files.damage(FIRST, files.files()[FIRST].rstrip(b"\n")[:-700])
    return files


def test_quarantine_and_cut_survive_every_crash() -> None:
    """While a torn tail is set aside and cut, every crash keeps the records, and the tail in one place or the other."""
    torn = _torn().files()[FIRST]
    kept = read(_torn()).end
    tail = torn[torn.rindex(b'\n{"sequence":3') + 1 :]

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = store(files)
        journal.lock(Clock())
        assert journal.recover(RUN).end == kept
        promise(journal, acknowledged, 3)

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        held = left.files()
        aside = [data for path, data in held.items() if path.endswith(".quarantine")]
        assert aside == [tail] or (not acknowledged and held[FIRST].endswith(tail))
        keeps([1, 2])(left, acknowledged)

    assert for_each_crash(scenario, check, _torn).states > 60


def test_recovery_survives_every_crash_of_its_own() -> None:
    """A crash inside the recovery from a crash, rotation and restart included, is only another crash."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = writer(files, SMALL)
        promise(journal, acknowledged, 1, 2, size=400)
        journal.restart_journal()
        promise(journal, acknowledged, 3)

    def recover(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = store(files, SMALL)
        journal.lock(Clock())
        served = numbers(recovered(journal))
        assert served[: len(acknowledged)] == acknowledged
        acknowledged[:] = served
        promise(journal, acknowledged, len(served) + 1)
        journal.close()

    counts = for_each_crash(scenario, keeps(), disk, recover=recover, limit=4)
    assert counts.nested_states > 500


def _damaged(offset: int, path: str = FIRST) -> SimulatedDisk:
    files = written(8, segment_bytes=SMALL)
    held = bytearray(files.files()[path])
    held[offset] ^= 1
    files.damage(path, bytes(held))
    return files


@pytest.mark.parametrize(
    ("path", "offset", "good"),
    [(FIRST, 4096 + 300, [1]), (SECOND, 4096 + 300, [1, 2, 3, 4]), (SECOND, 20, [1, 2, 3]), (FIRST, 20, [])],
    ids=["first segment", "second segment", "second head", "first head"],
)
def test_salvage_survives_every_crash(path: str, offset: int, good: list[int]) -> None:
    """While a damaged journal is set aside, every crash keeps its proven records and every byte of what was there."""
    before = {name: data for name, data in _damaged(offset, path).files().items() if "journal" in name}

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = store(files, SMALL)
        journal.lock(Clock())
        reading = recovered(journal)
        assert numbers(reading) == good
        assert reading.damage
        acknowledged.append("recovered")
        promise(journal, acknowledged, len(good) + 1)
        journal.close()

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        held = left.files().values()
        assert all(data in held for data in before.values())
        records = [number for number in acknowledged if number != "recovered"]
        keeps(good, damage="recovered" not in acknowledged)(left, records)

    assert for_each_crash(scenario, check, lambda: _damaged(offset, path)).states > 40


def test_documents_survive_every_crash() -> None:
    """A document that was put is there after every crash, and before that the old one or the new one is."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        opened = writer(files)
        for content in (b"1" * 5000, b"2" * 700, b"3" * 9000):
            opened.replace("doc", content)
            acknowledged.append(content)
        opened.create("other", b"x")
        opened.delete(["doc"], durable=True)
        acknowledged.append(None)

    order = [None, b"1" * 5000, b"2" * 700, b"3" * 9000, None]

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        assert left.files().get("/run/doc") in order[len(acknowledged) :][:2]

    assert for_each_crash(scenario, check, disk).states > 60
