"""Files that the old manager wrote: loaded as they were, ordered by their timestamps, and built on."""

from __future__ import annotations

import json
import math
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from milepost import CheckpointManager
from tests.unit.manager.world import PHASE, World, said

GOLDEN = Path(__file__).parents[2] / "golden" / "legacy"
OLD = sorted(path.name for path in GOLDEN.glob("checkpoint_*.json"))
DAMAGED = sorted(path.name for path in (GOLDEN / "damaged").glob("*.json"))
FIFTH, SIXTH, SEVENTH = OLD
NEWER = "checkpoint_20251018_110000_iter8.json"


@pytest.fixture
def old(world: World) -> World:
    """Return a world whose clock stands soon after the samples, in an empty folder of the phase."""
    world.clock.at = datetime.fromisoformat("2025-10-18T12:00:00").timestamp()
    world.folder.mkdir(parents=True, mode=0o700)
    return world


def put(world: World, name: str, source: Path | None = None, mode: int = 0o600) -> Path:
    """Copy a sample into the folder of the phase."""
    path = world.folder / name
    shutil.copyfile(source or GOLDEN / name, path)
    path.chmod(mode)
    return path


def write(world: World, name: str, **fields: Any) -> Path:
    """Write a file as the old manager did."""
    path = world.folder / name
    content = {"phase": PHASE, "iteration": 1, "timestamp": "2025-10-18T10:00:00", "state": {}, "metadata": {}}
    path.write_text(json.dumps(content | fields, indent=2))
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("name", OLD)
def test_an_old_file_loads_as_it_was(old: World, name: str) -> None:
    """An old file loads as the standard library reads it, nothing interpreted."""
    path = put(old, name)
    expected = json.loads(path.read_bytes())
    loaded = old.load()
    assert loaded is not None
    assert repr(loaded) == repr({key: expected[key] for key in loaded})
    assert list(loaded) == ["phase", "iteration", "timestamp", "state", "metadata"]


def test_numbers_beyond_json_are_kept(old: World) -> None:
    """NaN, Infinity and long integers of an old file are what they were."""
    put(old, FIFTH)
    state = old.state()
    assert math.isnan(state["results"]["2"]["score"])
    assert state["limit"] == math.inf
    assert state["big"] == 12345678901234567890


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_modes_of_any_umask_are_taken(old: World, mode: int) -> None:
    """An old file made under the usual masks loads, since the old manager set no mode."""
    put(old, FIFTH, mode=mode)
    assert old.load() is not None


def test_old_files_order_by_their_timestamp(old: World) -> None:
    """The latest of several old files is the one of the latest timestamp, whatever their names and mtimes say."""
    for name, mtime in ((SEVENTH, 1), (FIFTH, 3), (SIXTH, 2)):
        os.utime(put(old, name), (mtime, mtime))
    write(old, "checkpoint_20991231_235959_iter99.json", iteration=4, timestamp="2025-10-18T09:00:00")
    assert [one["iteration"] for one in old.manager().list_checkpoints()] == [7, 6, 5, 4]
    loaded = old.load()
    assert loaded is not None
    assert loaded["iteration"] == 7


def test_timestamps_with_a_zone_are_understood(old: World) -> None:
    """An old timestamp with a zone is put in order with naive ones by the moment it means."""
    naive = datetime.fromisoformat("2025-10-18T10:00:00").astimezone()
    later = (naive.replace(minute=1)).astimezone(tz=None).isoformat()
    write(old, "checkpoint_20251018_100000_iter1.json", iteration=1)
    write(old, "checkpoint_20251018_100100_iter2.json", iteration=2, timestamp=later)
    assert [one["iteration"] for one in old.manager().list_checkpoints()] == [2, 1]


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_old_file_is_passed_over_loudly(old: World, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """An old file that is torn or no checkpoint is passed over with an ERROR that names it; the one before loads."""
    put(old, FIFTH)
    put(old, NEWER, GOLDEN / "damaged" / name)
    loaded = old.load()
    assert loaded is not None
    assert loaded["iteration"] == 5
    assert any(NEWER in line for line in said(caplog))
    caplog.clear()
    assert [one["iteration"] for one in old.manager().list_checkpoints()] == [5]
    assert any(NEWER in line for line in said(caplog))


@pytest.mark.parametrize("name", DAMAGED)
def test_only_damage_is_no_progress(old: World, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing but a damaged old file is there, nothing loads, loudly, and saving begins beside it."""
    path = put(old, NEWER, GOLDEN / "damaged" / name)
    data = path.read_bytes()
    assert old.load() is None
    assert any(NEWER in line for line in said(caplog))
    assert old.manager().save_checkpoint(1, {"n": 1}) is not None
    assert old.state() == {"n": 1}
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", OLD)
def test_saving_goes_on_from_an_old_file(old: World, name: str) -> None:
    """A manager that loaded an old file saves on top of it, throttled and forced, and each is there."""
    put(old, name)
    manager = old.manager()
    loaded = manager.get_latest_checkpoint()
    assert loaded is not None
    state = {"more": [1]}
    manager.save_checkpoint(loaded["iteration"] + 1, state)
    assert old.state() == state
    state["more"].append(2)
    assert manager.save_checkpoint(loaded["iteration"] + 2, state) is None
    manager.close()
    assert old.state() == state
    assert [one["iteration"] for one in old.manager().list_checkpoints()][-1] == loaded["iteration"]


def test_an_equal_state_is_not_written_again_on_top_of_an_old_file(old: World) -> None:
    """The state of an old file, saved again, is in that file, and what follows builds on it."""
    path = put(old, FIFTH)
    manager = old.manager()
    loaded = manager.get_latest_checkpoint()
    assert loaded is not None
    assert manager.save_checkpoint(6, loaded["state"], force=True) == path
    loaded["state"]["done"].append("c")
    assert manager.save_checkpoint(7, loaded["state"]) is None
    assert old.state()["done"] == ["a", "b", "c"]


@pytest.mark.parametrize("loss", ["gone", "torn"])
def test_changes_never_land_on_another_old_file(old: World, loss: str, caplog: pytest.LogCaptureFixture) -> None:
    """What was journalled on one old file is never applied to another when that one is gone or torn."""
    write(old, "checkpoint_20251018_100000_iter1.json", iteration=1, state={"list": [1]})
    newest = write(
        old,
        "checkpoint_20251018_100500_iter2.json",
        iteration=2,
        timestamp="2025-10-18T10:05:00",
        state={"list": [1, 2]},
    )
    with old.manager() as manager:
        manager.save_checkpoint(2, {"list": [1, 2]})
        manager.save_checkpoint(3, {"list": [1, 2, 3]})
    assert old.state() == {"list": [1, 2, 3]}
    newest.unlink() if loss == "gone" else newest.write_bytes(newest.read_bytes()[:50])
    loaded = old.load()
    assert loaded is not None
    assert (loaded["iteration"], loaded["state"]) == (1, {"list": [1]})
    assert any("iteration 3" in line for line in said(caplog))


def test_old_files_count_for_retention(old: World) -> None:
    """Old files are removed in their turn, the oldest timestamp first."""
    for name in OLD:
        put(old, name)
    manager = old.manager(max_checkpoints=3)
    manager.save_checkpoint(8, {"n": 8}, force=True)
    assert [one["iteration"] for one in manager.list_checkpoints()] == [8, 7, 6]
    manager.save_checkpoint(9, {"n": 9}, force=True)
    assert [one["iteration"] for one in manager.list_checkpoints()] == [9, 8, 7]


def test_an_expired_old_file_is_kept(old: World, caplog: pytest.LogCaptureFixture) -> None:
    """Old files beyond the TTL are not loaded but taken up on demand, and a new run sets them aside whole."""
    data = put(old, FIFTH).read_bytes()
    old.clock.sleep(48 * 3600)
    assert old.load() is None
    assert any("include_expired=True" in line for line in said(caplog))
    assert old.manager().get_latest_checkpoint(include_expired=True) is not None
    old.manager().save_checkpoint(0, {"n": 0})
    [aside] = (old.folder / "runs").iterdir()
    assert (aside / FIFTH).read_bytes() == data
    loaded = CheckpointManager(aside.name, aside.parent, ttl_hours=None).get_latest_checkpoint()
    assert loaded is not None
    assert loaded["iteration"] == 5


def test_the_newest_old_file_can_be_deleted(old: World) -> None:
    """Deleting the newest old file rolls back to the old one before it."""
    put(old, FIFTH)
    newest = put(old, SIXTH)
    old.manager().delete_checkpoint(newest)
    loaded = old.load()
    assert loaded is not None
    assert loaded["iteration"] == 5


@pytest.mark.parametrize("iteration", ["5", None, 5.5, [1]])
def test_an_odd_iteration_does_no_harm(old: World, iteration: object) -> None:
    """An old file whose iteration is no number loads as it is, and saving goes on."""
    write(old, "checkpoint_20251018_100000_iter5.json", iteration=iteration, state={"n": 1})
    loaded = old.load()
    assert loaded is not None
    assert loaded["iteration"] == iteration
    manager = old.manager()
    manager.save_checkpoint(6, {"n": 1})
    manager.save_checkpoint(7, {"n": 2})
    assert old.state() == {"n": 2}
