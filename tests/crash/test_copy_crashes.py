"""A copy dies at every write: the target has nothing or a whole run, and the same command goes on where it stood."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

import milepost
from milepost import upkeep
from milepost.fs import FileSystem, use
from milepost.records import Kind, is_kind
from milepost.report import verify
from milepost.run.place import SharedLocation, Where
from milepost.run.subject import looked_at
from milepost.stores.memory import MemoryStore
from milepost.stores.store import Store
from milepost.stores.terms import Terms
from milepost.testing import SimulatedDisk, for_each_crash
from milepost.upkeep import carrying
from tests.support.commands import ITEMS
from tests.support.dying_store import DyingStore, Killed
from tests.support.manager_law import ROOT, Clock, disk

PHASES = ["items", "states"]
Lines = list[bytes]


def at(store: Store) -> SharedLocation:
    """Return a location in a store for a process that need not wait for a dead one's lease."""
    return SharedLocation(store, Terms(take_over=True))


def fill(where: Where, items: list[str], states: int) -> None:
    """Run, or carry on, a job of each kind."""
    with milepost.Phase("items", store=where) as phase:  # type: ignore[arg-type]
        for item in phase.each(items):
            phase.record({"title": item.upper()})
    with milepost.CheckpointManager("states", where) as manager:
        manager.get_latest_checkpoint()
        for iteration in range(1, states + 1):
            manager.save_checkpoint(iteration, {"books": list(range(iteration))}, force=iteration % 3 == 0)


def held_in(where: Where, phase: str) -> tuple[Lines, dict[str, bytes]] | None:
    """Return the records and checkpoints of a phase's own run; None where none counts."""
    lines: Lines = []
    with suppress(milepost.errors.InvalidArgument), looked_at(where, phase) as subject:
        if subject.keeper is None:
            return None
        reading = subject.store.read_journal(lambda _, some: lines.extend(some))
        assert reading is None or not reading.damage
        while lines and is_kind(lines[-1], Kind.TAKEN):  # what supersedes a killed writer says nothing
            lines.pop()
        return lines, {name: subject.store.read(name) for name in subject.store.names("checkpoint_")}
    return None


def is_intact(where: Where) -> bool:
    """Tell whether verify finds nothing wrong with what stands there."""
    return not any(one.findings for name in PHASES for one in verify.verify(where, name))


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a few records at a time, so that a copy can die between them."""
    monkeypatch.setattr(carrying, "_MOST_RECORDS", 2)


def deaths() -> Iterator[DyingStore]:
    """Yield empty stores without end, the clients of which die before and after each write."""
    for number in count(1):
        for when in ("before", "after"):
            yield DyingStore(MemoryStore(), number, when)


def test_a_copy_into_a_shared_store_goes_on_after_every_death() -> None:
    """Die before and after each write: no phase shows half a run, and the same call ends with equal records and files."""
    source = at(MemoryStore())
    fill(source, ITEMS, 7)
    wanted = {name: held_in(source, name) for name in PHASES}
    for dying in deaths():
        try:
            upkeep.copy_runs(source, at(dying), PHASES)
        except Killed:
            pass
        else:
            break
        target = at(dying.inner)
        assert all(held_in(target, name) in (None, wanted[name]) for name in PHASES)
        done = upkeep.copy_runs(source, target, PHASES)
        assert {name: held_in(target, name) for name in PHASES} == wanted
        assert is_intact(target), [one.outcome for one in done]
    assert dying.writes > 20


def test_a_run_that_is_continued_is_whole_at_every_death() -> None:
    """Die at each write of a second copy, which brings the rest: what stands there is always what its writer once had."""
    source, before = at(MemoryStore()), MemoryStore()
    fill(source, ITEMS[:2], 4)
    upkeep.copy_runs(source, at(before), PHASES)
    fill(source, ITEMS, 9)
    wanted = {name: held_in(source, name) for name in PHASES}
    for dying in deaths():
        copied = at(dying.inner)
        upkeep.copy_runs(at(before), copied, PHASES)
        try:
            upkeep.copy_runs(source, at(dying), PHASES)
        except Killed:
            pass
        else:
            break
        assert is_intact(copied)
        upkeep.copy_runs(source, copied, PHASES)
        assert {name: held_in(copied, name) for name in PHASES} == wanted
        assert is_intact(copied)
    assert dying.writes > 10


def test_what_was_brought_is_not_brought_again() -> None:
    """A copy that died after so many records were written appends only the others."""
    source = at(MemoryStore())
    fill(source, [str(number) for number in range(20)], 1)
    (whole,) = upkeep.copy_runs(source, at(MemoryStore()), ["items"])
    for number in (12, 16):
        dying = DyingStore(MemoryStore(), number)
        with pytest.raises(Killed):
            upkeep.copy_runs(source, at(dying), ["items"])
        assert dying.appended > 0
        again = DyingStore(dying.inner)
        (rest,) = upkeep.copy_runs(source, at(again), ["items"])
        assert rest.new == whole.records - dying.appended


def test_a_copy_into_a_folder_goes_on_after_every_crash() -> None:
    """A power cut at any operation leaves nothing or the whole run there, and the same call finishes."""
    source = at(MemoryStore())
    fill(source, ITEMS[:3], 2)
    wanted = {name: held_in(source, name) for name in PHASES}

    def copying(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            upkeep.copy_runs(source, ROOT, PHASES, clock=Clock())
            acknowledged.append("copied")

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left):
            found = {name: held_in(ROOT, name) for name in PHASES}
            assert all(found[name] in (None, wanted[name]) for name in PHASES)
            if acknowledged:
                assert found == wanted
            upkeep.copy_runs(source, ROOT, PHASES, clock=Clock())
            assert {name: held_in(ROOT, name) for name in PHASES} == wanted

    for_each_crash(copying, check, disk, limit=4)
