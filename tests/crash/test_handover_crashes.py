"""Forking, importing and clearing die at every operation: a whole run is the phase's, the old one or the new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost import upkeep
from milepost.fs import FileSystem, use
from milepost.report import names
from milepost.run.handover import clear
from milepost.run.subject import held, looked_at
from milepost.testing import SimulatedDisk, for_each_crash
from tests.support.manager_law import PHASE, ROOT, Clock, disk, manager, no_damage_told
from tests.support.upkeep_law import ITEMS, STATES, aside, done, job, with_items, with_states


def fork_items(files: FileSystem, acknowledged: list[Any]) -> None:
    """Fork the run from item c on."""
    with use(files):
        upkeep.fork(ROOT, PHASE, item="c", clock=Clock())
        acknowledged.append("forked")


def check_items(left: SimulatedDisk, acknowledged: list[Any]) -> None:
    """The run is the old one or the fork, whole; the same command finishes; the job goes on; nothing is lost."""
    with use(left), no_damage_told():
        found = done()
        assert found in ([ITEMS[:2]] if acknowledged else [ITEMS, ITEMS[:2]])
        if not acknowledged:
            forked = upkeep.fork(ROOT, PHASE, item="c", clock=Clock())
            assert done() == ITEMS[:2]
            assert forked.origin["item"] == "c"
        assert len(aside()) == 1, "the old run, once, and nothing half made"
        assert upkeep.fork(ROOT, PHASE, record=1, clock=Clock()).records == 0
        assert job() == {item: {"item": item} for item in ITEMS}


def test_forking_items_is_done_or_not_done_at_every_crash() -> None:
    """A crash at any operation of a fork leaves the old run or the fork, and the same command finishes."""
    counts = for_each_crash(fork_items, check_items, with_items, limit=6)
    assert counts.points > 60


def fork_states(files: FileSystem, acknowledged: list[Any]) -> None:
    """Fork the manager's run from its second checkpoint."""
    with use(files):
        upkeep.fork(ROOT, PHASE, checkpoint_name="2", clock=Clock())
        acknowledged.append("forked")


def check_states(left: SimulatedDisk, acknowledged: list[Any]) -> None:
    """A manager finds the old state or the forked one, and goes on with the fork once the command ran again."""
    with use(left), no_damage_told():
        found = manager().get_latest_checkpoint()
        assert found is not None
        assert found["iteration"] in ((2,) if acknowledged else (2, 4))
        if not acknowledged:
            upkeep.fork(ROOT, PHASE, checkpoint_name="2", clock=Clock())
        with manager() as saver:
            resumed = saver.get_latest_checkpoint()
            assert resumed is not None
            assert (resumed["iteration"], resumed["state"]) == (2, STATES[2])
            saver.save_checkpoint(3, {"books": ["A", "B", "X"]}, force=True)
        assert manager().get_latest_checkpoint()["iteration"] == 3  # type: ignore[index]


def test_forking_a_checkpoint_is_done_or_not_done_at_every_crash() -> None:
    """A crash at any operation of a fork leaves the manager's old state or the forked one, never none."""
    counts = for_each_crash(fork_states, check_states, with_states, limit=6)
    assert counts.points > 60


def test_a_job_that_follows_a_killed_fork_needs_no_command() -> None:
    """A job that opens the phase after a crash in a fork finishes it and goes on, in the old run or in the fork."""

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left), no_damage_told():
            before = done()
            assert acknowledged == [] or before == ITEMS[:2]
            assert job() == {item: {"item": item} for item in ITEMS}
            assert len(aside()) == (before != ITEMS)

    assert for_each_crash(fork_items, check, with_items, limit=3).points > 60


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of another run of the phase, with two items."""
    folder = tmp_path_factory.mktemp("archive")
    with milepost.Phase(PHASE, store=folder / "store") as phase:
        for item in phase.each(ITEMS[:2]):
            phase.record({"item": item})
    upkeep.export_runs(folder / "store", [PHASE], folder / "archive.tar")
    return folder / "archive.tar"


def test_importing_is_done_or_not_done_at_every_crash(archive: Path) -> None:
    """A crash at any operation of an import leaves no run or the whole one, and the same command finishes."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            upkeep.import_runs(archive, ROOT, clock=Clock())
            acknowledged.append("imported")

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left), no_damage_told():
            try:
                found = done()
            except milepost.MilepostError:
                found = None
            assert found in ([ITEMS[:2]] if acknowledged else [None, ITEMS[:2]])
            (imported,) = upkeep.import_runs(archive, ROOT, clock=Clock())
            assert imported.was_there == (found is not None)
            assert job() == {item: {"item": item} for item in ITEMS}
            assert aside() == []

    assert for_each_crash(scenario, check, disk, limit=6).points > 30


def test_replacing_by_an_import_loses_no_run_at_any_crash(archive: Path) -> None:
    """A crash while an import takes a run's place leaves the old one or the new one, and the old one is kept."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            upkeep.import_runs(archive, ROOT, replace=True, clock=Clock())
            acknowledged.append("imported")

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left), no_damage_told():
            assert done() in ([ITEMS[:2]] if acknowledged else [ITEMS, ITEMS[:2]])
            upkeep.import_runs(archive, ROOT, replace=True, clock=Clock())
            assert done() == ITEMS[:2]
            assert len(aside()) == 1

    assert for_each_crash(scenario, check, with_items, limit=4).points > 60


@pytest.mark.parametrize("made", [with_items, with_states])
def test_clearing_leaves_nothing_to_load_at_any_crash(made: Any) -> None:
    """Once a clear has begun nothing of the phase is loaded any more, whoever kept it, and the next job starts anew."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            upkeep.clear(ROOT, PHASE, Clock())
            acknowledged.append("cleared")

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left), no_damage_told():
            whole = _what_is_loaded(made)
            assert whole in (("nothing",) if acknowledged else ("all", "nothing"))
            if whole == "nothing":
                assert job() == {item: {"item": item} for item in ITEMS}, "a new run of either kind may begin"

    counts = for_each_crash(scenario, check, made, limit=6)
    assert counts.points > 15


def _what_is_loaded(made: Any) -> str:
    if PHASE not in names(ROOT) if ROOT.is_dir() else False:
        return "nothing"
    if made is with_states:
        found = manager().get_latest_checkpoint()
        return "nothing" if found is None else "all" if found["iteration"] == 4 else "some"
    try:
        return "all" if done() == ITEMS else "some"
    except milepost.MilepostError:
        return "nothing"


def test_a_half_made_run_is_swept_by_the_next_command() -> None:
    """What a killed fork left half made below runs/ goes with the next fork, and is listed nowhere."""
    made = with_items()
    with use(made):
        with looked_at(ROOT, PHASE) as subject:
            manifest = subject.manifest
        assert manifest is not None
        with held(ROOT, PHASE, Clock()) as subject:
            subject.store.run("0123456789abcdef", create=True).close()
        assert aside() == []
        upkeep.fork(ROOT, PHASE, item="b", clock=Clock())
        assert aside() == [manifest.run]
        with held(ROOT, PHASE, Clock()) as subject:
            assert subject.manifest is not None
            clear(subject.store, subject.manifest)
        with pytest.raises(milepost.MilepostError):
            done()
