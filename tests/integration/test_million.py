"""Many items: opening a run costs memory by the item, and a record costs the same however many stand before it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.fs import SystemFiles, use
from milepost.testing import Intercepted, Operation

SMALL = 50_000
MILLION = 1_000_000
BATCH = 1000
MOST_BYTES_PER_ITEM = 200
MOST_WITH_FREE_BYTES_PER_ITEM = 300
"""With what the C library keeps of memory that was freed: arrays that grow leave holes behind, which others may use."""
CONSTANT_BYTES = 4 * 1024 * 1024
"""What reading a journal takes whatever it holds: modules that are loaded late, and buffers."""

MEASURE = """
import ctypes, json, os, sys
import milepost
from milepost.phase.attempt import Attempt
import milepost.run.session, milepost.phase.loops  # what is loaded late must not count as memory of the items

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

count, root = int(sys.argv[1]), sys.argv[2]
with milepost.Phase("warm", store=root) as phase:
    for item in phase.each(["a"]):
        phase.record(1)
before = resident()
with milepost.Phase("phase_3", store=root) as phase:
    opened = resident() - before
    again = list(phase.each(f"item-{n:07d}" for n in range(count)))
    walked = resident() - before
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    held = resident() - before
    print(json.dumps({"opened": opened, "walked": walked, "held": held, "again": len(again), "results": len(phase.results()),
                      "last": phase.results()[f"item-{count - 1:07d}"]}))
"""


class Counted(Intercepted):
    """Counts the operations on the seam, and the bytes that they read and write."""

    def __init__(self) -> None:
        super().__init__(SystemFiles(), before=self._note)
        self.operations: list[str] = []
        self.bytes = 0

    def _note(self, operation: Operation) -> None:
        self.operations.append(operation.name)

    def read(self, file: int, size: int, offset: int) -> bytes:
        """Count what is read."""
        data = super().read(file, size, offset)
        self.bytes += len(data)
        return data

    def write(self, file: int, data: bytes | memoryview, offset: int) -> int:
        """Count what is written."""
        written = super().write(file, data, offset)
        self.bytes += written
        return written


def make(root: Path, count: int) -> None:
    """Record *count* small items, quickly."""
    with milepost.Phase("phase_3", store=root, durability="process") as phase:
        number = 0
        for batch in phase.each((f"item-{n:07d}" for n in range(count)), batch=BATCH):
            phase.record(list(range(number, number + len(batch))))
            number += len(batch)


def measured(root: Path, count: int) -> dict[str, Any]:
    """Open the run in a process of its own, and return what that took."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(count), str(root)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def cost_of_a_record(root: Path, count: int) -> tuple[list[str], int, int]:
    """Return the operations and bytes of recording one more item, and how many operations it takes to read a result."""
    counted = Counted()
    operations, size = [], 0
    with use(counted), milepost.Phase("phase_3", store=root) as phase:
        for _ in phase.each([*(f"item-{n:07d}" for n in range(count)), "first", "second"]):
            counted.operations, counted.bytes = [], 0
            phase.record(-1)
            operations, size = counted.operations, counted.bytes  # the first may make room ahead; the second counts
        counted.operations = []
        assert phase.results()[f"item-{count // 2:07d}"] == count // 2
        reading = len(counted.operations)
        assert len(phase.results()) == count + 2
    return operations, size, reading


def assert_scales(tmp_path: Path, count: int) -> dict[str, Any]:
    """Hold the law for *count* items, and return the figures."""
    root, few = tmp_path / "many", tmp_path / "few"
    make(root, count)
    make(few, 10)
    found = measured(root, count)
    assert found["again"] == 0
    assert found["results"] == count
    assert found["last"] == count - 1
    assert found["held"] <= MOST_BYTES_PER_ITEM * count + CONSTANT_BYTES
    assert max(found["opened"], found["walked"]) <= MOST_WITH_FREE_BYTES_PER_ITEM * count + CONSTANT_BYTES
    operations, size, reading = cost_of_a_record(root, count)
    expected, size_of_few, _ = cost_of_a_record(few, 10)
    assert operations == expected
    assert abs(size - size_of_few) <= 64  # the digits of numbers
    assert reading <= 4
    return found | {"operations": len(operations), "bytes": size}


def test_many_items_cost_memory_by_the_item_and_a_record_costs_the_same(tmp_path: Path) -> None:
    """Of fifty thousand items each costs at most 200 bytes to resume, and one more record costs what it always did."""
    assert assert_scales(tmp_path, SMALL)["operations"] < 10


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_million_items_cost_memory_by_the_item_and_a_record_costs_the_same(tmp_path: Path) -> None:
    """Of a million items each costs at most 200 bytes to resume, and one more record costs what it always did."""
    figures = assert_scales(tmp_path, MILLION)
    print({name: value / MILLION if name in ("opened", "walked", "held") else value for name, value in figures.items()})
    assert figures["operations"] < 10
