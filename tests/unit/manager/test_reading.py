"""Readers: they lock, cut and change nothing, and a writer at work never fools them."""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import dataclass
from typing import Any

import pytest

import milepost
from milepost import CheckpointManager
from milepost.codec import registry
from milepost.errors import NotDecodable, StoreUnavailable
from milepost.fs import Stat, use
from milepost.testing import MUTATING, ErrorAt, Recorded
from tests.unit.manager.world import HOUR, UnsyncedFiles, World, forked, said, snapshot


def look(manager: CheckpointManager) -> None:
    """Do everything that only reads."""
    manager.list_checkpoints()
    manager.get_checkpoint_stats()
    manager.get_latest_checkpoint()
    manager.get_latest_checkpoint(include_expired=True)


def test_reading_changes_nothing(world: World) -> None:
    """Making a manager, listing, counting and loading leave every name, inode, time, mode and byte as it was."""

    def killed() -> None:
        manager = world.manager()
        manager.save_checkpoint(1, {"n": 1})
        manager.save_checkpoint(2, {"n": 2})
        world.kept.append(manager)

    forked(killed, kill=True)
    (world.folder / ".left.tmp").write_text("half made")
    journal = world.folder / "journal_000001.jsonl"
    with journal.open("r+b") as half:
        half.seek(len(journal.read_bytes().rstrip(b"\n")) + 1)
        half.write(b'{"sequence":4,"kind":"sta')
    before = snapshot(world.root)
    look(world.manager())
    world.clock.sleep(48 * HOUR)
    look(world.manager())
    assert snapshot(world.root) == before


def test_reading_nothing_makes_nothing(world: World) -> None:
    """Looking at a phase that never was makes no folder."""
    look(world.manager())
    assert not world.root.exists()


def test_reading_asks_for_no_change(world: World) -> None:
    """Readers call no operation that changes anything, and take no lock; they sync what they serve."""
    world.manager().save_checkpoint(1, {"n": 1})
    files = Recorded(UnsyncedFiles())
    with use(files):
        look(world.manager())
    assert {one.name for one in files.operations} & (MUTATING | {"lock"}) <= {"sync", "sync_data"}
    assert {"sync", "sync_data"} <= {one.name for one in files.operations}


def test_reading_works_where_nothing_can_be_written(world: World) -> None:
    """On a medium that refuses every change, readers work."""
    world.manager().save_checkpoint(1, {"n": 1})
    changes = MUTATING - {"sync", "sync_data"}
    with use(ErrorAt(UnsyncedFiles(), 1, errno.EROFS, among=changes | {"lock"}, persistent=True)):
        look(world.manager())
        assert world.state() == {"n": 1}


def test_a_load_that_cannot_sync_says_so(world: World) -> None:
    """What cannot be synced is not served as if it were durable."""
    world.manager().save_checkpoint(1, {"n": 1})
    files = ErrorAt(UnsyncedFiles(), 1, errno.EIO, among={"sync_data"}, persistent=True)
    with use(files), pytest.raises(milepost.MilepostError, match="sync"):
        world.load()


class Meanwhile(UnsyncedFiles):
    """Files on which something happens once, in the middle of a look."""

    def __init__(self, verb: str, act: Any, times: int = 1) -> None:
        self.verb, self.act, self.times = verb, act, times

    def _happens(self, verb: str) -> None:
        if verb == self.verb and self.times:
            self.times -= 1
            self.act()

    def names(self, directory: int) -> list[str]:
        """List, then let it happen."""
        found = super().names(directory)
        self._happens("names")
        return found

    def stat(self, handle: int) -> Stat:
        """Describe, then let it happen if this was the journal."""
        found = super().stat(handle)
        if os.path.basename(os.readlink(f"/proc/self/fd/{handle}")).startswith("journal_"):
            self._happens("stat")
        return found


@pytest.mark.parametrize("verb", ["names", "stat"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_writer_at_work_never_fools_a_reader(
    world: World, caplog: pytest.LogCaptureFixture, verb: str, times: int
) -> None:
    """Whatever a writer saves and deletes in the middle of a look, the reader finds a saved state and no damage."""
    writer = world.manager(max_checkpoints=1)
    count = 0

    def save() -> None:
        nonlocal count
        for force in (True, False, False, False):
            count += 1
            writer.save_checkpoint(count, {"n": count, "blob": "x" * 70_000 * (count % 3)}, force=force)

    save()
    first = count
    with use(Meanwhile(verb, save, times)):
        loaded = world.load()
    assert loaded is not None
    assert loaded["iteration"] == loaded["state"]["n"]
    assert first <= loaded["iteration"] <= count
    assert said(caplog, logging.ERROR) == []
    with use(Meanwhile(verb, save, times)):
        listed = world.manager().list_checkpoints()
    assert len(listed) == 1
    assert said(caplog, logging.ERROR) == []


def test_a_reader_that_is_never_fast_enough_says_so(world: World) -> None:
    """Where every look is overtaken, the reader raises instead of saying that there is nothing."""
    writer = world.manager(max_checkpoints=1)
    count = 0

    def save() -> None:
        nonlocal count
        count += 1
        writer.save_checkpoint(count, {"n": count}, force=True)

    save()
    for call in ("get_latest_checkpoint", "list_checkpoints"):
        with use(Meanwhile("names", save, 1000)), pytest.raises(StoreUnavailable, match="faster"):
            getattr(world.manager(), call)()


def test_a_clear_in_the_middle_of_a_look_is_no_damage(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Progress that is cleared while it is read is gone, without talk of damage."""
    writer = world.manager()
    writer.save_checkpoint(1, {"n": 1})
    with use(Meanwhile("names", writer.clear_all_checkpoints)):
        assert world.load() is None
    assert said(caplog) == []


@dataclass
class Settings:
    level: int


@pytest.mark.parametrize("force", [False, True])
def test_a_class_that_is_not_registered_stops_the_load(
    world: World, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    """A state with a class that is not registered here raises at load instead of starting over silently."""
    with monkeypatch.context() as registered:
        registered.setattr(registry, "_by_class", {})
        registered.setattr(registry, "_by_name", {})
        milepost.register(Settings, "settings")
        with world.manager() as manager:
            manager.save_checkpoint(1, {"n": 1})
            manager.save_checkpoint(2, {"settings": Settings(3)}, force=force)
        assert world.state() == {"settings": Settings(3)}
    with pytest.raises(NotDecodable, match="settings"):
        world.load()


def test_a_newer_format_stops_the_load(world: World) -> None:
    """A checkpoint of a newer format raises at load instead of starting over silently."""
    from milepost.checkpoint import digest_of
    from milepost.records import seal, unseal

    with world.manager() as manager:
        path = manager.save_checkpoint(1, {"n": 1})
    assert path is not None
    head, rest = path.read_bytes().split(b',\n"metadata"', 1)
    fields = unseal(head + b"}")
    assert fields is not None
    body = seal(fields | {"format": 2})[:-1] + b',\n"metadata"' + rest.rpartition(b',\n"digest"')[0]
    path.write_bytes(body + b',\n"digest":"xxh3-128:' + digest_of(body) + b'"}\n')
    with pytest.raises(NotDecodable, match="newer"):
        world.load()


def test_levels_are_sensible(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Files, loads, deletions and clearing are told at INFO, throttled saves at DEBUG, and nothing louder."""
    caplog.set_level(logging.DEBUG, "milepost")

    def levels() -> list[int]:
        found = [one.levelno for one in caplog.records if one.name.startswith("milepost")]
        caplog.clear()
        return found

    manager = world.manager(max_checkpoints=2)
    path = manager.save_checkpoint(1, {"n": 1})
    assert levels() == [logging.INFO]
    manager.save_checkpoint(2, {"n": 2})
    assert levels() == [logging.DEBUG]
    world.load()
    assert levels() == [logging.INFO]
    manager.list_checkpoints()
    assert levels() == []
    manager.save_checkpoint(3, {"n": 3}, force=True)
    manager.save_checkpoint(4, {"n": 4}, force=True)
    assert max(levels()) < logging.WARNING
    assert path is not None
    manager.delete_checkpoint(manager.list_checkpoints()[0]["path"])
    assert levels() == [logging.INFO]
    manager.clear_all_checkpoints()
    assert levels() == [logging.INFO]


def test_no_payload_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """No log line and no error message holds anything of the state or the metadata."""
    caplog.set_level(logging.DEBUG, "milepost")
    secret = "hunter2"
    manager = world.manager(ttl_hours=1)
    state: dict[str, Any] = {"key": [secret], "more": {"deep": (secret,)}}
    manager.save_checkpoint(1, state, {"token": secret})
    state["key"].append(secret)
    manager.save_checkpoint(2, state, {"token": secret * 2})
    errors = []
    for bad in ({"key": [secret, object()]}, {"key": f"{secret}\ud800"}):
        with pytest.raises(milepost.MilepostError) as caught:
            manager.save_checkpoint(3, bad, force=True)
        errors.append(str(caught.value))
    manager.close()
    world.load(ttl_hours=1)
    for path in list(world.folder.iterdir()):
        data = path.read_bytes()
        at = data.find(secret.encode())
        if at < 0:
            continue
        path.write_bytes(data[:at] + b"H" + data[at + 1 :])
        world.load(ttl_hours=None)
        path.write_bytes(data[: at + 3])
        world.load(ttl_hours=None)
        path.write_bytes(data)
    world.clock.sleep(2 * HOUR)
    world.load(ttl_hours=1)
    assert len(said(caplog, logging.DEBUG)) > 8
    assert not [line for line in [*errors, *said(caplog, logging.DEBUG)] if secret in line or "Hunter" in line]
