"""Repairing and pruning die at every operation: the same command finishes, and nothing that is proven is lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from milepost import upkeep
from milepost.fs import FileSystem, use
from milepost.report import verify
from milepost.run.coded import bare
from milepost.run.subject import looked_at
from milepost.stores import RunFiles
from milepost.testing import SimulatedDisk, for_each_crash
from tests.support.manager_law import PHASE, ROOT, Clock, manager
from tests.support.upkeep_law import ITEMS, STATES, done, job, with_items, with_states


@contextmanager
def quiet() -> Iterator[None]:
    """Let damage be logged, which here is there on purpose."""
    log = logging.getLogger("milepost")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def damage(made: SimulatedDisk, prefix: str, word: bytes) -> SimulatedDisk:
    """Change a byte behind *word* in the last file whose name begins with *prefix*."""
    with use(made), looked_at(ROOT, PHASE) as subject:
        store = bare(subject.store)
        assert isinstance(store, RunFiles)
        name = store.names(prefix)[-1]
        at = store.read(name).index(word)
        with store.folder.opened(name, "update") as handle:
            made.write(handle, b"?", at)
            made.sync(handle)
    return made.killed()


def items_damaged() -> SimulatedDisk:
    """Return a disk with a run of items whose third result is damaged, and its manifest with it."""
    return damage(damage(with_items(), "journal_", b'"key":"c"'), "run.json", b'"created"')


def states_damaged() -> SimulatedDisk:
    """Return a disk with a manager's run whose newest checkpoint is damaged."""
    return damage(with_states(), "checkpoint_", b'"books"')


def repairing(files: FileSystem, acknowledged: list[Any]) -> None:
    """Repair the phase."""
    with use(files), quiet():
        assert upkeep.repair(ROOT, PHASE, really=True, clock=Clock()).needed
        acknowledged.append("repaired")


def kept(word: bytes) -> bool:
    """Tell whether the damaged bytes, in which *word* lost its first one, still stand in some file of the phase."""
    with looked_at(ROOT, PHASE) as subject:
        store = subject.store
        return any(b"?" + word[1:] in store.read(name) for name in store.names() if name not in ("lock", "runs"))


def findings() -> list[verify.Finding]:
    """Return what verify finds in the phase's run."""
    return [finding for one in verify.verify(ROOT, PHASE) for finding in one.findings]


def test_repairing_items_is_finished_after_every_crash() -> None:
    """After a crash at any operation of a repair the same command finishes, and every proven item and every original is there."""

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left), quiet():
            assert kept(b'"key":"c"')
            assert kept(b'"created"')
            again = upkeep.repair(ROOT, PHASE, really=True, clock=Clock())
            assert not (acknowledged and again.needed)
            assert findings() == []
            assert done() == ITEMS[:2]
            assert job() == {item: {"item": item} for item in ITEMS}

    assert for_each_crash(repairing, check, items_damaged, limit=5).points > 20


def test_repairing_states_is_finished_after_every_crash() -> None:
    """After a crash at any operation of a repair the same command finishes, the newest proven state is loaded, no original is gone."""

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left), quiet():
            assert kept(b'"books"')
            again = upkeep.repair(ROOT, PHASE, really=True, clock=Clock())
            assert not (acknowledged and again.needed)
            assert findings() == []
            found = manager().get_latest_checkpoint()
            assert found is not None
            assert (found["iteration"], found["state"]) == (2, STATES[2])

    assert for_each_crash(repairing, check, states_damaged, limit=5).points > 20


@pytest.mark.parametrize("made", [with_items, with_states])
def test_pruning_loses_nothing_of_the_phases_own_run(made: Any) -> None:
    """A crash at any operation of a prune leaves the phase's run whole, and the same command finishes."""
    limits = upkeep.Limits(keep=0, most_checkpoints=2)

    def forked() -> SimulatedDisk:
        disk = made()
        with use(disk):
            point: dict[str, Any] = {"item": "d"} if made is with_items else {"checkpoint_name": "3"}
            upkeep.fork(ROOT, PHASE, clock=Clock(), **point)
        return disk.killed()

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            acknowledged += [one.kind for one in upkeep.prune(ROOT, PHASE, limits, Clock(1_795_000_001.0))]

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left):
            assert acknowledged in ([], ["run"])
            assert findings() == []
            upkeep.prune(ROOT, PHASE, limits, Clock(1_795_000_001.0))
            assert upkeep.prunable(ROOT, PHASE, limits, Clock(1_795_000_001.0)) == []
            if made is with_items:
                assert done() == ITEMS[:3]
            else:
                assert manager().get_latest_checkpoint()["iteration"] == 3  # type: ignore[index]

    assert for_each_crash(scenario, check, forked, limit=5).points > 8
