"""Rekeying dies at every operation: the run is there all the same, and the same command finishes."""

from __future__ import annotations

from typing import Any

import pytest

from milepost import keys, upkeep
from milepost.codec.ring import KeyRing
from milepost.fs import FileSystem, use
from milepost.report import verify
from milepost.run.coded import bare
from milepost.run.subject import looked_at, runs_aside
from milepost.testing import SimulatedDisk, for_each_crash
from tests.support.coded import OLD, ring
from tests.support.manager_law import PHASE, ROOT, Clock, manager
from tests.support.upkeep_law import done, with_items, with_states


def still_plain() -> list[str]:
    """Return the files of the phase, and of what was set aside, that show what was recorded."""
    shown = []
    for run in (None, *aside()):
        with looked_at(ROOT, PHASE, run) as subject:
            store = bare(subject.store)
            files = [name for name in store.names() if name not in ("lock", "runs", "run.json")]
            shown += [name for name in files if b'"value":{' in store.read(name) or b'"state":{' in store.read(name)]
    return shown


def aside() -> list[str]:
    """Return the runs that were set aside."""
    with looked_at(ROOT, PHASE) as subject:
        return runs_aside(subject.store)


@pytest.mark.parametrize("made", [with_items, with_states])
def test_rekeying_is_finished_after_every_crash(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash at any operation of a rekeying leaves all that was recorded, and the same command leaves nothing plain."""
    monkeypatch.setenv("MILEPOST_KEY", OLD)
    held: KeyRing = ring(OLD)
    with use(made()):
        before = done() if made is with_items else None

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            acknowledged += [one.changed for one in upkeep.rekey(ROOT, PHASE, held, clock=Clock())]

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left):
            assert acknowledged in ([], [True])
            assert keys.given() is not None
            assert [finding for one in verify.verify(ROOT, PHASE) for finding in one.findings] == []
            if made is with_items:
                assert done() == before
            again = upkeep.rekey(ROOT, PHASE, held, clock=Clock())
            assert not (acknowledged and any(one.changed for one in again))
            assert still_plain() == []
            assert aside() == []
            if made is with_items:
                assert done() == before
            else:
                latest = manager().get_latest_checkpoint()
                assert latest is not None
                assert (latest["iteration"], latest["state"]) == (4, {"books": []})

    assert for_each_crash(scenario, check, made, limit=5).points > 20
