"""Retention and expiry: what goes, what stays, and that no clock can take the newest progress away."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from milepost import CheckpointManager
from tests.unit.manager.world import HOUR, YEAR, World, contents, said

DAY = 24 * HOUR


def iterations(manager: CheckpointManager) -> list[int]:
    """Return the iterations of the files, newest first."""
    return [one["iteration"] for one in manager.list_checkpoints()]


@pytest.mark.parametrize("most", [1, 2, 3, 10])
def test_only_the_newest_files_stay(world: World, most: int) -> None:
    """Beyond the newest max_checkpoints files of the phase, a save removes the rest."""
    manager = world.manager(max_checkpoints=most)
    for n in range(12):
        manager.save_checkpoint(n, {"n": n}, force=True)
        assert iterations(manager) == list(range(n, max(-1, n - most), -1))
    assert world.state() == {"n": 11}


def test_the_count_holds_over_managers(world: World) -> None:
    """A new manager counts the files that were there before it."""
    for n in range(6):
        with world.manager(max_checkpoints=3) as manager:
            manager.save_checkpoint(n, {"n": n}, force=True)
    assert iterations(world.manager()) == [5, 4, 3]


def test_files_older_than_the_ttl_go(world: World) -> None:
    """A save removes files older than the TTL, but always leaves the newest two."""
    manager = world.manager(ttl_hours=10)
    for n in range(4):
        manager.save_checkpoint(n, {"n": n}, force=True)
        world.clock.sleep(HOUR)
    world.clock.sleep(8 * HOUR)
    manager.save_checkpoint(4, {"n": 4}, force=True)
    assert iterations(manager) == [4, 3, 2]
    world.clock.sleep(30 * DAY)
    manager.save_checkpoint(5, {"n": 5}, force=True)
    assert iterations(manager) == [5, 4]


def test_without_a_ttl_no_age_counts(world: World) -> None:
    """Without a TTL nothing ever expires."""
    manager = world.manager(ttl_hours=None)
    for n in range(3):
        manager.save_checkpoint(n, {"n": n}, force=True)
        world.clock.sleep(10 * YEAR)
    assert iterations(manager) == [2, 1, 0]
    assert not any(one["expired"] for one in manager.list_checkpoints())
    assert world.state(ttl_hours=None) == {"n": 2}


def test_retention_asks_no_mtime(world: World) -> None:
    """Touching files in any order changes neither which is latest nor which ones go."""
    manager = world.manager(max_checkpoints=3)
    for n in range(3):
        manager.save_checkpoint(n, {"n": n}, force=True)
        world.clock.sleep(1)
    for age, name in enumerate(world.files()):
        os.utime(world.folder / name, (5_000_000_000 - age * 1e6,) * 2)
    assert world.state() == {"n": 2}
    assert iterations(world.manager()) == [2, 1, 0]
    manager.save_checkpoint(3, {"n": 3}, force=True)
    assert iterations(manager) == [3, 2, 1]
    for name in world.files():
        os.utime(world.folder / name, (0, 0))
    assert world.state() == {"n": 3}


@pytest.mark.parametrize("jump", [-YEAR, -DAY, DAY, YEAR, 30 * YEAR])
def test_a_jumping_clock_loses_nothing(world: World, jump: float) -> None:
    """Whichever way the clock jumps while a process saves, the last state saved is the latest and nothing is lost."""
    manager = world.manager(max_checkpoints=3)
    for n in range(4):
        manager.save_checkpoint(n, {"n": n}, force=True)
    manager.save_checkpoint(4, {"n": 4})
    world.clock.jump(jump)
    manager.save_checkpoint(5, {"n": 5})
    assert world.state() == {"n": 5}
    for n in range(6, 8):
        manager.save_checkpoint(n, {"n": n}, force=True)
        assert world.state() == {"n": n}
    assert iterations(manager)[:2] == [7, 6]
    world.clock.jump(-jump)
    manager.save_checkpoint(8, {"n": 8})
    manager.save_checkpoint(9, {"n": 9}, force=True)
    assert world.state() == {"n": 9}


@pytest.mark.parametrize("jump", [-YEAR, YEAR, 30 * YEAR])
def test_a_clock_that_jumped_between_processes_loses_nothing(world: World, jump: float) -> None:
    """Progress outlives a wrong clock between two processes: taken up, or set aside whole, never deleted."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1}, force=True)
        manager.save_checkpoint(2, {"n": 2})
    world.clock.jump(jump)
    loaded = world.load()
    assert (loaded is None) == (jump > 0)
    with world.manager() as manager:
        manager.save_checkpoint(0, {"n": 0})
    world.clock.jump(-jump)
    if jump > 0:
        [aside] = (world.folder / "runs").iterdir()
        assert CheckpointManager(aside.name, aside.parent, ttl_hours=None).get_latest_checkpoint() is not None
    assert world.state(ttl_hours=None) == {"n": 0}


def test_the_interval_goes_by_the_steady_clock(world: World) -> None:
    """A jump of the wall clock neither brings a save forward nor puts it off."""
    manager = world.manager(save_interval_seconds=300)
    manager.save_checkpoint(0, {"n": 0})
    world.clock.jump(YEAR)
    assert manager.save_checkpoint(1, {"n": 1}) is None
    world.clock.jump(-2 * YEAR)
    assert manager.save_checkpoint(2, {"n": 2}) is None
    world.clock.sleep(301)
    assert manager.save_checkpoint(3, {"n": 3}) is not None


def expired(world: World) -> dict[str, bytes]:
    """Leave progress that is older than the TTL, and return its files."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1}, force=True)
        manager.save_checkpoint(2, {"n": 2}, force=True)
        manager.save_checkpoint(3, {"n": 3})
    world.clock.sleep(25 * HOUR)
    return contents(world.folder)


def test_expired_progress_is_not_loaded_and_the_way_is_named(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Expired progress is not loaded, changes nothing, and a warning says how to take it up."""
    files = expired(world)
    assert world.load() is None
    [warning] = said(caplog)
    assert "include_expired=True" in warning
    assert "iteration 3" in warning
    assert str(world.folder) in warning
    assert contents(world.folder) == files


def test_age_counts_from_the_newest_record(world: World) -> None:
    """Progress is as old as its newest journal record, not as its newest file."""
    manager = world.manager(save_interval_seconds=1000 * HOUR)
    manager.save_checkpoint(1, {"n": 1})
    world.clock.sleep(23 * HOUR)
    manager.save_checkpoint(2, {"n": 2})
    world.clock.sleep(23 * HOUR)
    assert world.state() == {"n": 2}
    world.clock.sleep(2 * HOUR)
    assert world.load() is None


def test_expired_progress_can_be_taken_up(world: World) -> None:
    """With include_expired=True expired progress loads, and the next save of that manager goes on with it."""
    expired(world)
    manager = world.manager()
    loaded = manager.get_latest_checkpoint(include_expired=True)
    assert loaded is not None
    assert (loaded["iteration"], loaded["state"]) == (3, {"n": 3})
    manager.save_checkpoint(4, {"n": 4})
    assert world.state() == {"n": 4}
    assert not (world.folder / "runs").exists()
    assert iterations(manager) == [4, 2]


@pytest.mark.parametrize("look", [False, True])
def test_a_new_run_sets_expired_progress_aside(world: World, look: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A new run sets expired progress aside whole under runs/, where it can still be loaded and stays for good."""
    files = expired(world)
    manager = world.manager()
    if look:
        assert manager.get_latest_checkpoint() is None
    caplog.clear()
    manager.save_checkpoint(0, {"n": 0})
    assert any("set aside" in warning for warning in said(caplog, logging.WARNING))
    [aside] = (world.folder / "runs").iterdir()
    kept = contents(aside)
    assert kept == {name: data for name, data in files.items() if name != "lock"}
    for n in range(1, 30):
        manager.save_checkpoint(n, {"n": n}, force=True)
        world.clock.sleep(DAY)
    assert contents(aside) == kept
    manager.clear_all_checkpoints()
    assert not aside.exists()


def test_a_run_set_aside_can_be_loaded(world: World) -> None:
    """A manager on the folder of a run that was set aside loads its whole progress and lists its checkpoints."""
    expired(world)
    world.manager().save_checkpoint(0, {"n": 0})
    [aside] = (world.folder / "runs").iterdir()
    manager = CheckpointManager(aside.name, aside.parent, ttl_hours=None)
    loaded = manager.get_latest_checkpoint()
    assert loaded is not None
    assert (loaded["iteration"], loaded["state"]) == (3, {"n": 3})
    assert iterations(manager) == [2, 1]


def test_several_runs_stay_aside(world: World) -> None:
    """Each run that expired keeps a folder of its own."""
    for n in range(3):
        with world.manager() as manager:
            manager.save_checkpoint(n, {"n": n})
        world.clock.sleep(48 * HOUR)
    runs = sorted(Path(world.folder / "runs").iterdir())
    assert len(runs) == 2
    assert world.state(ttl_hours=None) == {"n": 2}


def test_expiry_in_a_living_process_sets_aside_too(world: World) -> None:
    """A manager that was told its own progress expired begins a new run, and the old one is kept."""
    manager = world.manager()
    manager.save_checkpoint(1, {"n": 1})
    world.clock.sleep(25 * HOUR)
    assert manager.get_latest_checkpoint() is None
    for n in range(5):
        manager.save_checkpoint(n, {"n": -n}, force=True)
    [aside] = (world.folder / "runs").iterdir()
    assert [name for name in contents(aside) if name.startswith("checkpoint_")] != []
    assert world.state() == {"n": -4}


def test_a_look_that_refuses_takes_back_the_look_before(world: World) -> None:
    """After a load that called the progress expired, a save never goes on with it."""
    expired(world)
    manager = world.manager()
    assert manager.get_latest_checkpoint(include_expired=True) is not None
    assert manager.get_latest_checkpoint() is None
    manager.save_checkpoint(0, {"n": 0})
    assert (world.folder / "runs").is_dir()


def test_deleting_from_expired_progress_sets_nothing_aside(world: World) -> None:
    """Deleting one checkpoint of expired progress deletes that one and leaves the rest in its place."""
    expired(world)
    manager = world.manager()
    manager.delete_checkpoint(manager.list_checkpoints()[-1]["path"])
    assert iterations(manager) == [2]
    assert world.state(ttl_hours=None) == {"n": 3}
    assert not (world.folder / "runs").exists()


def test_clearing_expired_progress_sets_nothing_aside(world: World) -> None:
    """Clearing expired progress clears it."""
    expired(world)
    assert world.manager().clear_all_checkpoints() == 2
    assert [path.name for path in world.folder.iterdir()] == ["lock"]


def test_a_ttl_of_zero_expires_at_once(world: World) -> None:
    """With a TTL of 0 progress is kept for the process that made it and expires behind it."""
    manager = world.manager(ttl_hours=0)
    manager.save_checkpoint(1, {"n": 1})
    world.clock.sleep(1)
    manager.save_checkpoint(2, {"n": 2}, force=True)
    assert world.load(ttl_hours=0) is not None
    world.clock.sleep(1)
    assert world.load(ttl_hours=0) is None
    assert world.state() == {"n": 2}


def test_confirming_an_equal_state_keeps_it_from_expiring(world: World) -> None:
    """A run that goes on saving an equal state does not expire, and pays for it with two records per TTL at the most."""
    manager = world.manager(ttl_hours=24)
    manager.save_checkpoint(1, {"n": 1})
    sizes = set()
    for _ in range(60):
        world.clock.sleep(HOUR)
        manager.save_checkpoint(1, {"n": 1})
        sizes.add(len((world.folder / "journal_000001.jsonl").read_bytes().rstrip(b"\n")))
    assert 2 <= len(sizes) <= 6
    found = world.manager(ttl_hours=24).get_latest_checkpoint()
    assert found is not None
    assert found["state"] == {"n": 1}
