"""What a crash may leave of a journal, as one check that crash tests and planted bugs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from milepost.stores import RunFiles
from milepost.testing import SimulatedDisk
from tests.support.journals import Clock, append, look, numbers, read, record, recovered, store

SMALL = 4700
"""Bytes after which a segment is full: three records fit."""
IN_FLIGHT = 1
"""How many records may be there that were not acknowledged."""

Check = Callable[[SimulatedDisk, list[Any]], None]


def keeps(first: list[int] | None = None, *, damage: bool = False) -> Check:
    """Return the check that what was acknowledged is there, in order, and at most the batch in flight behind it.

    After the look, a writer must be able to go on, twice, and find what it wrote.
    """

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        expected = [*(first or []), *acknowledged]
        with store(left).folder as folder:
            reading = look(RunFiles(folder))
        found = numbers(reading)
        assert found[: len(expected)] == expected, f"acknowledged {expected}, found {found}"
        assert len(found) <= len(expected) + IN_FLIGHT
        assert damage or reading is None or reading.damage == [], reading
        for size in (10, 2000):
            opened = store(left, SMALL)
            opened.lock(Clock())
            again = recovered(opened)
            assert numbers(again) == found
            assert damage or again.damage == []
            append(opened, again.end.sequence + 1, size=size)
            found.append(again.end.sequence + 1)
            opened.close()
        left = left.crash()
        assert numbers(read(left)) == found
        assert read(left).damage == []

    return check


def promise(journal: RunFiles, acknowledged: list[Any], *numbers_: int, size: int = 40) -> None:
    """Append the records of these numbers, and note each as acknowledged once it is."""
    for number in numbers_:
        journal.append([record(number, size)], expected=number - 1)
        acknowledged.append(number)
