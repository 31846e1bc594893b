"""The levels of durability: what each survives, what it costs in syncs, and what is noticed."""

from __future__ import annotations

from typing import Any

import pytest

from milepost.errors import LostRecords
from milepost.fs import FileSystem
from milepost.stores import Durability, RunFiles
from milepost.testing import Recorded, SimulatedDisk, for_each_crash
from tests.support.journals import disk, look, numbers, read, record, store, writer
from tests.support.store_law import keeps

LEVELS = list(Durability)


def _promise(level: Durability) -> Any:
    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        journal = writer(files)
        for number in range(1, 6):
            journal.append([record(number, 40 if number % 2 else 3000)], expected=number - 1, durability=level)
            acknowledged.append(number)

    return scenario


@pytest.mark.parametrize("level", [Durability.POWER, Durability.STRICT])
def test_each_level_survives_what_it_says(level: Durability) -> None:
    """At the levels of power every acknowledged record is there after every crash."""
    assert for_each_crash(_promise(level), keeps(), disk).states > 100


def test_the_process_level_keeps_a_beginning() -> None:
    """At the process level all is there while the machine runs, and a power cut leaves an intact beginning."""

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with store(left).folder as folder:
            reading = look(RunFiles(folder))
        found = numbers(reading)
        assert found == list(range(1, len(found) + 1))
        assert reading is None or reading.damage == []

    assert for_each_crash(_promise(Durability.PROCESS), check, disk).states > 20
    alive = disk()
    _promise(Durability.PROCESS)(alive, [])
    assert numbers(read(alive)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("level", LEVELS)
def test_the_loss_of_the_last_record_is_noticed_at_the_strict_level(level: Durability) -> None:
    """A journal cut back by its very last record looks whole at the other levels, and damaged at the strict one."""
    files = disk()
    _promise(level)(files, [])
    with store(files).folder as folder:
        data = folder.read("journal_000001.jsonl")
        handle = folder.open_file("journal_000001.jsonl", "update")
        files.truncate(handle, data.index(b'{"sequence":5,'))
        files.close(handle)
    damage = [type(one.error) for one in read(files).damage]
    assert damage == ([LostRecords] if level is Durability.STRICT else [])


def test_the_process_level_never_syncs() -> None:
    """However much is recorded at the process level, no sync is made for it."""
    recorded = Recorded(disk())
    journal = writer(recorded)
    recorded.operations.clear()
    for number in range(1, 1500):
        journal.append([record(number, 2000)], expected=number - 1, durability=Durability.PROCESS)
    assert [one for one in recorded.operations if one.name.startswith("sync")] == []
