"""Every row of the table of what the manager inherits: names, arguments, results and files."""

from __future__ import annotations

import inspect
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from milepost import CheckpointManager
from milepost.errors import ForeignCheckpoint, InvalidArgument
from tests.unit.manager.world import HOUR, PHASE, World, contents

NAME = re.compile(r"checkpoint_\d{8}_\d{6}_iter5\.json")


def test_it_is_constructed_as_ever() -> None:
    """The constructor takes the inherited arguments in the inherited order with the inherited defaults."""
    parameters = inspect.signature(CheckpointManager).parameters
    inherited = {
        name: one.default for name, one in parameters.items() if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    }
    assert inherited == {
        "phase": inspect.Parameter.empty,
        "checkpoint_dir": Path("checkpoints/"),
        "ttl_hours": 24,
        "max_checkpoints": 10,
        "save_interval_seconds": 300,
    }
    assert list(inherited) == list(parameters)[:5]


def test_its_attributes_are_as_ever(tmp_path: Path) -> None:
    """A manager shows its phase, its folder below the root, its TTL, its count and its interval."""
    manager = CheckpointManager("phase_4", tmp_path, 12, 3, 60)
    assert manager.phase == "phase_4"
    assert manager.checkpoint_dir == tmp_path / "phase_4"
    assert manager.ttl == timedelta(hours=12)
    assert manager.max_checkpoints == 3
    assert manager.save_interval == 60


def test_each_phase_has_its_folder(world: World) -> None:
    """Phases keep their checkpoints apart, each in its own folder."""
    world.manager("phase_3").save_checkpoint(1, {"phase": 3})
    world.manager("phase_4").save_checkpoint(2, {"phase": 4})
    third, fourth = world.manager("phase_3").get_latest_checkpoint(), world.manager("phase_4").get_latest_checkpoint()
    assert third is not None
    assert third["state"] == {"phase": 3}
    assert fourth is not None
    assert fourth["state"] == {"phase": 4}
    assert {path.name for path in world.root.iterdir()} == {"phase_3", "phase_4"}


@pytest.mark.parametrize("root", [str, Path])
def test_the_root_may_be_text_or_path(tmp_path: Path, root: type) -> None:
    """The root is a text or a path, and is made with its parents when something is saved."""
    path = CheckpointManager(PHASE, root(tmp_path / "a" / "b")).save_checkpoint(1, {})
    assert path is not None
    assert path.parent == tmp_path / "a" / "b" / PHASE


def test_a_save_returns_the_path_of_its_file(world: World) -> None:
    """A forced save returns the path of a new file that is named by local time and iteration."""
    path = world.manager().save_checkpoint(5, {"a": 1}, force=True)
    assert isinstance(path, Path)
    assert path.is_file()
    assert path.parent == world.folder
    assert NAME.fullmatch(path.name)
    assert path.name == f"checkpoint_{datetime.fromtimestamp(world.clock.at):%Y%m%d_%H%M%S}_iter5.json"


def test_the_file_is_the_inherited_document(world: World) -> None:
    """The file is one JSON object with phase, iteration, ISO timestamp, state and metadata."""
    path = world.manager().save_checkpoint(5, {"a": [1, "é"]}, {"books": 2})
    assert path is not None
    content = json.loads(path.read_bytes())
    assert content["phase"] == PHASE
    assert content["iteration"] == 5
    assert datetime.fromisoformat(content["timestamp"]).timestamp() == world.clock.at
    assert content["state"] == {"a": [1, "é"]}
    assert content["metadata"] == {"books": 2}


def test_what_is_saved_is_loaded(world: World) -> None:
    """A load returns exactly phase, iteration, timestamp, state and metadata, as they were saved."""
    world.manager().save_checkpoint(5, {"a": (1, {2})}, {"books": 2})
    loaded = world.load()
    assert loaded is not None
    assert set(loaded) == {"phase", "iteration", "timestamp", "state", "metadata"}
    assert (loaded["phase"], loaded["iteration"]) == (PHASE, 5)
    assert (loaded["state"], loaded["metadata"]) == ({"a": (1, {2})}, {"books": 2})
    assert datetime.fromisoformat(loaded["timestamp"]).timestamp() == world.clock.at


def test_absent_metadata_is_an_empty_dict(world: World) -> None:
    """A save without metadata loads with an empty dict."""
    world.manager().save_checkpoint(1, {})
    loaded = world.load()
    assert loaded is not None
    assert loaded["metadata"] == {}


def test_nothing_saved_is_none(world: World) -> None:
    """Without a checkpoint a load returns None, the list is empty and the counts are zero."""
    manager = world.manager()
    assert manager.get_latest_checkpoint() is None
    assert manager.list_checkpoints() == []
    assert manager.get_checkpoint_stats() == {
        "total_checkpoints": 0, "valid_checkpoints": 0, "expired_checkpoints": 0, "total_size_mb": 0,
        "oldest_age_hours": 0, "newest_age_hours": 0, "checkpoints": [],
    }  # fmt: skip


def test_within_the_interval_a_save_returns_none(world: World) -> None:
    """A save returns None until the interval has passed since the last file, then a path again."""
    manager = world.manager(save_interval_seconds=300)
    assert manager.save_checkpoint(1, {"n": 1}) is not None
    world.clock.sleep(299)
    assert manager.save_checkpoint(2, {"n": 2}) is None
    assert manager.save_checkpoint(3, {"n": 3}) is None
    world.clock.sleep(2)
    assert manager.save_checkpoint(4, {"n": 4}) is not None
    assert len(world.files()) == 2


def test_force_writes_within_the_interval(world: World) -> None:
    """A forced save writes a file whatever the interval."""
    manager = world.manager(save_interval_seconds=300)
    paths = [manager.save_checkpoint(n, {"n": n}, force=True) for n in range(3)]
    assert [path is not None and path.name for path in paths] == world.files()


def test_interval_zero_does_nothing_unless_forced(world: World) -> None:
    """With interval 0 an unforced save does nothing at all: no folder, no lock, no journal."""
    manager = world.manager(save_interval_seconds=0)
    assert manager.save_checkpoint(1, {"n": 1}) is None
    assert not world.root.exists()
    assert manager.save_checkpoint(2, {"n": 2}, force=True) is not None
    before = contents(world.root)
    world.clock.sleep(10 * HOUR)
    assert manager.save_checkpoint(3, {"n": 3}) is None
    assert contents(world.root) == before


def test_the_list_is_newest_first(world: World) -> None:
    """The list holds a dict per file, newest first, with file, path, iteration, timestamp, age, size and expiry."""
    manager = world.manager(ttl_hours=2)
    for iteration in (1, 2, 3):
        manager.save_checkpoint(iteration, {"n": iteration}, force=True)
        world.clock.sleep(HOUR)
    listed = manager.list_checkpoints()
    assert [one["iteration"] for one in listed] == [3, 2, 1]
    assert [one["age_hours"] for one in listed] == pytest.approx([1, 2, 3])
    assert [one["expired"] for one in listed] == [False, False, True]
    for one in listed:
        assert set(one) == {"file", "path", "iteration", "timestamp", "age_hours", "size_kb", "expired"}
        assert Path(one["path"]) == world.folder / one["file"]
        assert one["size_kb"] == Path(one["path"]).stat().st_size / 1024
        assert datetime.fromisoformat(one["timestamp"]) == datetime.fromisoformat(
            json.loads(Path(one["path"]).read_bytes())["timestamp"]
        )


def test_the_stats_sum_the_list_up(world: World) -> None:
    """The stats count the files, the valid and the expired ones, their size and ages, and hold the list."""
    manager = world.manager(ttl_hours=2)
    for iteration in (1, 2, 3):
        manager.save_checkpoint(iteration, {"n": iteration}, force=True)
        world.clock.sleep(HOUR)
    listed = manager.list_checkpoints()
    assert manager.get_checkpoint_stats() == {
        "total_checkpoints": 3,
        "valid_checkpoints": 2,
        "expired_checkpoints": 1,
        "total_size_mb": sum(one["size_kb"] for one in listed) / 1024,
        "oldest_age_hours": listed[-1]["age_hours"],
        "newest_age_hours": listed[0]["age_hours"],
        "checkpoints": listed,
    }


def test_deleting_the_newest_rolls_back(world: World) -> None:
    """Deleting the newest checkpoint goes back to the one before it, with what was journalled after both gone."""
    manager = world.manager()
    manager.save_checkpoint(1, {"n": 1})
    manager.save_checkpoint(2, {"n": 2})
    newest = manager.save_checkpoint(3, {"n": 3}, force=True)
    manager.save_checkpoint(4, {"n": 4})
    assert newest is not None
    manager.delete_checkpoint(newest)
    assert not newest.exists()
    loaded = world.load()
    assert loaded is not None
    assert (loaded["iteration"], loaded["state"]) == (1, {"n": 1})


def test_deleting_an_older_one_changes_nothing_else(world: World) -> None:
    """Deleting an older checkpoint removes its file and leaves the progress as it was."""
    manager = world.manager()
    oldest = manager.save_checkpoint(1, {"n": 1})
    manager.save_checkpoint(2, {"n": 2}, force=True)
    manager.save_checkpoint(3, {"n": 3})
    assert oldest is not None
    manager.delete_checkpoint(str(oldest))
    assert not oldest.exists()
    assert world.state() == {"n": 3}


def test_deleting_the_only_one_leaves_nothing(world: World) -> None:
    """Deleting the only checkpoint leaves no progress, and the next save begins anew."""
    manager = world.manager()
    only = manager.save_checkpoint(1, {"n": 1})
    manager.save_checkpoint(2, {"n": 2})
    assert only is not None
    manager.delete_checkpoint(only)
    assert world.load() is None
    assert manager.save_checkpoint(3, {"n": 3}) is not None
    assert world.state() == {"n": 3}


def test_a_rolled_back_manager_saves_on(world: World) -> None:
    """After a roll-back the next saves build on what is left, throttled ones too."""
    manager = world.manager()
    manager.save_checkpoint(1, {"n": 1})
    newest = manager.save_checkpoint(2, {"n": 2, "gone": True}, force=True)
    assert newest is not None
    manager.delete_checkpoint(newest)
    manager.save_checkpoint(5, {"n": 5})
    manager.save_checkpoint(6, {"n": 6, "more": []})
    assert world.state() == {"n": 6, "more": []}


@pytest.mark.parametrize("kind", ["journal", "stranger", "elsewhere", "missing", "another phase", "manifest", "odd"])
def test_deleting_what_is_no_checkpoint_is_refused(world: World, tmp_path: Path, kind: str) -> None:
    """Deleting anything but a checkpoint of this phase is refused, and nothing is touched."""
    manager = world.manager()
    saved = manager.save_checkpoint(1, {"n": 1})
    other = world.manager("phase_4").save_checkpoint(1, {"n": 1})
    assert saved is not None
    assert other is not None
    (world.folder / "checkpoint_backup.tar").write_bytes(b"mine")
    copy = tmp_path / saved.name
    copy.write_bytes(saved.read_bytes())
    path = {
        "journal": world.folder / "journal_000001.jsonl",
        "stranger": world.folder / "checkpoint_backup.tar",
        "elsewhere": copy,
        "missing": world.folder / "checkpoint_20250101_000000_iter9.json",
        "another phase": other,
        "manifest": world.folder / "run.json",
        "odd": Path("a\0b"),
    }[kind]
    before = contents(tmp_path)
    with pytest.raises(ForeignCheckpoint, match="nothing was deleted"):
        manager.delete_checkpoint(path)
    assert contents(tmp_path) == before


def test_clearing_removes_everything(world: World) -> None:
    """Clearing deletes checkpoints, journals, the manifest and runs set aside, and says how many checkpoints went."""
    world.manager().save_checkpoint(1, {"n": 1})
    world.clock.sleep(48 * HOUR)
    manager = world.manager()
    manager.save_checkpoint(1, {"n": 2})
    manager.save_checkpoint(2, {"n": 3}, force=True)
    manager.save_checkpoint(3, {"n": 4})
    assert (world.folder / "runs").is_dir()
    assert manager.clear_all_checkpoints() == 2
    assert [path.name for path in world.folder.iterdir()] == ["lock"]
    assert manager.list_checkpoints() == []
    assert world.load(ttl_hours=None) is None


def test_clearing_nothing_makes_nothing(world: World) -> None:
    """Clearing a phase that never was returns 0 and makes no folder."""
    assert world.manager().clear_all_checkpoints() == 0
    assert not world.root.exists()


def test_a_cleared_manager_saves_on(world: World) -> None:
    """After clearing, the same manager and every other one begin a new run."""
    one, other = world.manager(), world.manager()
    one.save_checkpoint(7, {"n": 7})
    other.save_checkpoint(8, {"n": 8})
    one.clear_all_checkpoints()
    assert other.save_checkpoint(0, {"n": 0}) is not None
    assert one.save_checkpoint(1, {"n": 1}) is not None
    assert world.state() == {"n": 1}


@pytest.mark.parametrize(
    "settings",
    [
        {"ttl_hours": -1}, {"ttl_hours": float("nan")}, {"ttl_hours": float("inf")}, {"ttl_hours": 1e12},
        {"ttl_hours": "24"}, {"ttl_hours": True}, {"max_checkpoints": 0}, {"max_checkpoints": 1.5},
        {"max_checkpoints": True}, {"save_interval_seconds": -1}, {"save_interval_seconds": None},
        {"save_interval_seconds": float("nan")},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(world: World, settings: dict[str, Any]) -> None:
    """A setting of the wrong type or range is refused by name when the manager is made."""
    with pytest.raises(InvalidArgument, match=next(iter(settings))):
        world.manager(**settings)


def test_the_largest_ttl_is_taken(world: World) -> None:
    """A TTL as long as a time span can be is a TTL."""
    world.manager(ttl_hours=timedelta.max.days * 24).save_checkpoint(1, {"n": 1})
    assert world.state(ttl_hours=timedelta.max.days * 24) == {"n": 1}


@pytest.mark.parametrize("iteration", [-1, 1.0, "1", None, True, 2**63])
def test_an_iteration_is_a_whole_number(world: World, iteration: object) -> None:
    """An iteration that is no whole number of at least 0 is refused, and nothing is written."""
    with pytest.raises(InvalidArgument, match="iteration"):
        world.manager().save_checkpoint(iteration, {"n": 1})  # type: ignore[arg-type]
    assert not world.root.exists()
