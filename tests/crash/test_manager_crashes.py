"""Every crash within the stated bound, of every kind of save, of retention, of recovery: nothing acknowledged is lost."""

from __future__ import annotations

from typing import Any

import pytest

from milepost.fs import FileSystem, use
from milepost.testing import SimulatedDisk, for_each_crash
from tests.support.manager_law import PHASE, Clock, disk, keeps, manager

GROWING = {n: {"books": {f"book {i}": ["advice"] * i for i in range(n)}, "count": n} for n in range(1, 6)}
LARGE = {n: {"text": f"{n}" * 5000, "list": [n] * n} for n in range(1, 4)}


def _saving(plan: dict[int, Any], *, forced: set[int], **settings: Any) -> Any:
    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            saver = manager(**settings)
            for iteration, state in plan.items():
                saver.save_checkpoint(iteration, state, force=iteration in forced)
                acknowledged.append(iteration)

    return scenario


def test_forced_saves_survive_every_crash() -> None:
    """A forced save that returned is there after every crash, and one that did not leaves the state before it."""
    counts = for_each_crash(_saving(GROWING, forced=set(GROWING)), keeps(GROWING), disk)
    assert counts.points > 50
    assert counts.states > 200


def test_throttled_saves_survive_every_crash() -> None:
    """A throttled save that returned None is there after every crash, from the journal."""
    counts = for_each_crash(_saving(GROWING, forced={1}), keeps(GROWING), disk)
    assert counts.points > 50
    assert counts.states > 200


def test_large_records_survive_tears_at_every_border() -> None:
    """A record over many sectors is there whole or not at all, wherever its write was torn."""
    counts = for_each_crash(_saving(LARGE, forced=set()), keeps(LARGE), disk)
    assert counts.states > 200


def test_mixed_saves_survive_every_crash() -> None:
    """Checkpoints and journal together give back the last acknowledged state after every crash."""
    counts = for_each_crash(_saving(GROWING, forced={3}), keeps(GROWING), disk)
    assert counts.states > 200


def test_retention_survives_every_crash() -> None:
    """While old checkpoints go, the newest acknowledged state is there after every crash."""
    counts = for_each_crash(_saving(GROWING, forced=set(GROWING), max_checkpoints=1), keeps(GROWING), disk)
    assert counts.states > 200


def test_recovery_survives_every_crash_of_its_own() -> None:
    """A crash inside the recovery from a crash is only another crash: nothing acknowledged is lost."""
    plan = {n: GROWING[n] for n in range(1, 4)}

    def recover(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            saver = manager()
            found = saver.get_latest_checkpoint()
            iteration = found["iteration"] if found else 1
            saver.save_checkpoint(iteration, plan[iteration])
            acknowledged.append(iteration)

    counts = for_each_crash(_saving(plan, forced={1}), keeps(plan), disk, recover=recover, limit=12)
    assert counts.nested_points > 500
    assert counts.nested_states > 500


def test_a_clean_close_survives_every_crash() -> None:
    """Closing loses nothing, whenever the power goes while it cuts the padding."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        for iteration, state in GROWING.items():
            with use(files), manager() as saver:
                saver.get_latest_checkpoint()
                saver.save_checkpoint(iteration, state, force=iteration == 1)
                acknowledged.append(iteration)

    assert for_each_crash(scenario, keeps(GROWING), disk).states > 200


def test_deleting_the_newest_is_done_or_not_done() -> None:
    """After a crash while the newest checkpoint is deleted, either it is the latest or the one before it is."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            saver = manager()
            saver.save_checkpoint(1, GROWING[1], force=True)
            path = saver.save_checkpoint(2, GROWING[2], force=True)
            assert path is not None
            acknowledged.append("before")
            saver.save_checkpoint(3, GROWING[3])
            name = path.name
            saver._open().delete(name)  # the path is only real on a real disk
            acknowledged.append("after")

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left):
            found = manager().get_latest_checkpoint()
            reached = found and found["iteration"]
        if acknowledged == ["before", "after"]:
            assert reached == 1
        elif acknowledged == ["before"]:
            assert reached in {1, 2, 3}
        if found:
            assert found["state"] == GROWING[found["iteration"]]

    assert for_each_crash(scenario, check, disk).states > 100


def test_clearing_is_done_or_not_done() -> None:
    """After a crash while everything is cleared, the last state is there or nothing is, never an older state."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            saver = manager()
            saver.save_checkpoint(1, GROWING[1], force=True)
            saver.save_checkpoint(2, GROWING[2], force=True)
            saver.save_checkpoint(3, GROWING[3])
            acknowledged.append("saved")
            saver.clear_all_checkpoints()
            acknowledged.append("cleared")

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left):
            found = manager().get_latest_checkpoint()
            reached = found and found["iteration"]
        if acknowledged == ["saved", "cleared"]:
            assert reached is None
        elif acknowledged == ["saved"]:
            assert reached in {None, 3}

    assert for_each_crash(scenario, check, disk).states > 100


def test_setting_expired_progress_aside_loses_none_of_it() -> None:
    """While a new run sets expired progress aside, every crash leaves the old state whole: in place or under runs/."""
    day = 86_400.0
    clock = Clock()

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        clock.at = 1_795_000_000.0
        with use(files):
            with manager(clock=clock) as old:
                old.save_checkpoint(1, GROWING[1])
                old.save_checkpoint(2, GROWING[2])
                acknowledged.append("old")
            clock.at += 2 * day
            manager(clock=clock).save_checkpoint(7, GROWING[5])
            acknowledged.append("new")

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with use(left):
            found = manager(clock=Clock(clock.at)).get_latest_checkpoint(include_expired=True)
            reached = found and found["iteration"]
            if acknowledged == ["old", "new"]:
                assert reached == 7
            elif acknowledged == ["old"]:
                assert reached in {None, 2, 7}
                if reached != 2:
                    # Nothing is half moved for good: the next writer finishes, and the old run is whole.
                    manager(clock=Clock(clock.at)).save_checkpoint(8, GROWING[4], force=True)
                    assert _set_aside_iteration(left) == 2

    assert for_each_crash(scenario, check, disk, limit=40).states > 100


def _set_aside_iteration(left: SimulatedDisk) -> int:
    from milepost.run import Place, load
    from milepost.run.place import FolderLocation
    from milepost.stores import RunFiles

    store = Place(FolderLocation(manager().checkpoint_dir.parent, left), PHASE).existing()
    assert isinstance(store, RunFiles)
    runs = store.folder.child("runs")
    (run,) = runs.names()
    progress = load(RunFiles(runs.child(run))).progress
    assert progress is not None
    return progress.iteration


@pytest.mark.soak
@pytest.mark.parametrize("forced", [set(), {2}, {2, 4}, {1, 2, 3, 4, 5}])
@pytest.mark.parametrize("most", [1, 2, 10])
def test_long_runs_survive_every_crash_twice(forced: set[int], most: int) -> None:
    """Without a limit on the states, two crashes in a row lose nothing acknowledged."""

    def recover(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            saver = manager(max_checkpoints=most)
            found = saver.get_latest_checkpoint()
            iteration = found["iteration"] if found else 1
            saver.save_checkpoint(iteration, GROWING[iteration])
            acknowledged.append(iteration)

    scenario = _saving(GROWING, forced=forced, max_checkpoints=most)
    assert for_each_crash(scenario, keeps(GROWING), disk, recover=recover).nested_states > 1000
