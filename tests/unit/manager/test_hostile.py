"""Hostile files and odd names: refused by type, never followed, never waited for, never collided with."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.errors import InvalidArgument, MilepostError, UnsafeStore
from tests.unit.manager.world import PHASE, World, contents, forked, said, snapshot

NAMES = ["checkpoint", "journal_000001.jsonl", "run.json"]


def stand_in(kind: str, path: Path, secret: Path) -> None:
    """Put something hostile in the place of a file."""
    data = path.read_bytes()
    path.unlink()
    if kind == "symlink":
        secret.write_bytes(data)
        path.symlink_to(secret)
    elif kind == "dangling":
        path.symlink_to(secret)
    elif kind == "fifo":
        os.mkfifo(path, 0o600)
    elif kind == "folder":
        path.mkdir(mode=0o700)
    else:
        path.write_bytes(data)
        path.chmod(0o666)


@pytest.mark.parametrize("kind", ["symlink", "dangling", "fifo", "folder", "world-writable"])
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_is_refused(world: World, tmp_path: Path, name: str, kind: str) -> None:
    """A link, FIFO, folder or world-writable file in the place of ours is refused by load and save, untouched."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1})
    secret = tmp_path / "secret"
    [victim] = world.folder.glob(f"{name}*")
    stand_in(kind, victim, secret)
    before = contents(tmp_path)
    with pytest.raises(UnsafeStore, match=victim.name):
        world.load()
    with pytest.raises(UnsafeStore, match=victim.name):
        world.manager().save_checkpoint(2, {"n": 2}, force=True)
    after = contents(tmp_path)
    assert {path for path in after if before.get(path) != after[path]} <= {f"checkpoints/{PHASE}/lock"}


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder", "world-writable"])
def test_a_hostile_lock_is_refused(world: World, tmp_path: Path, kind: str) -> None:
    """Something else in the place of the lock is refused by a save, untouched, and hinders no load."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1})
    stand_in(kind, world.folder / "lock", tmp_path / "secret")
    before = contents(tmp_path)
    with pytest.raises(UnsafeStore, match="lock"):
        world.manager().save_checkpoint(2, {"n": 2}, force=True)
    assert contents(tmp_path) == before
    assert world.state() == {"n": 1}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_owner_is_refused(world: World, name: str) -> None:
    """A file that belongs to another user is refused."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1})
    [victim] = world.folder.glob(f"{name}*")
    os.chown(victim, 12345, 12345)
    with pytest.raises(UnsafeStore, match="another user"):
        world.load()


def test_a_folder_that_is_a_link_is_refused(world: World, tmp_path: Path) -> None:
    """A phase folder that is a symbolic link is refused, while the root may be one: it is the caller's word."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1})
    (tmp_path / "other root").symlink_to(world.root)
    assert World(tmp_path / "other root").state() == {"n": 1}
    world.folder.rename(tmp_path / "moved")
    world.folder.symlink_to(tmp_path / "moved")
    before = contents(tmp_path / "moved")
    for call in (world.load, world.manager().list_checkpoints, world.manager().clear_all_checkpoints):
        with pytest.raises(UnsafeStore, match=PHASE):
            call()
    with pytest.raises(UnsafeStore, match=PHASE):
        world.manager().save_checkpoint(1, {"n": 1})
    assert contents(tmp_path / "moved") == before


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A file in the place of the root is refused, typed, by reading and writing."""
    (tmp_path / "checkpoints").write_text("a file")
    world = World(tmp_path / "checkpoints")
    with pytest.raises(UnsafeStore):
        world.load()
    with pytest.raises(UnsafeStore):
        world.manager().save_checkpoint(1, {})


def test_strangers_in_the_folder_are_left_alone(world: World) -> None:
    """Files that are not Milepost's neither disturb nor change nor go, not even when all is cleared."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1})
    for name in ("notes.txt", "checkpoint_old.json", "journal_7.jsonl", "checkpoint_20250101_000000_iter1.json.bak"):
        (world.folder / name).write_text("mine")
    (world.folder / "folder").mkdir()
    assert world.state() == {"n": 1}
    with world.manager() as manager:
        for n in range(12):
            manager.save_checkpoint(n, {"n": n}, force=True)
    assert (world.folder / "checkpoint_old.json").read_text() == "mine"
    assert (world.folder / "notes.txt").read_text() == "mine"
    assert len(world.manager().list_checkpoints()) == 10


def test_a_name_cannot_steer_the_terminal(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A file whose name holds control characters is no checkpoint, and its name reaches no log."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1})
    (world.folder / "checkpoint_20990101_000000_iter\x1b[31m1.json").write_text("{}")
    assert world.state() == {"n": 1}
    assert not any("\x1b" in line for line in said(caplog, 0))


@pytest.mark.parametrize("phase", ["", ".", "..", "a\0b", "\ud800", "x" * 201, "é" * 40, None, 3, b"phase", Path("p")])
def test_a_name_that_cannot_be_a_folder_is_refused(world: World, phase: object) -> None:
    """A phase name that is empty, dots only, holds NUL or lone surrogates, is too long or no text, is refused."""
    with pytest.raises(InvalidArgument, match="phase"):
        world.manager(phase)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "phase",
    ["a/b", "../up", "/etc", "a\\b", " ", "...", "phase é", "数", "a\nb", "%2F", "-rf", "~", "*", "x" * 200, ".hidden"],
)
def test_a_name_is_never_a_path(world: World, tmp_path: Path, phase: str) -> None:
    """Any other name is one folder directly below the root, and comes back as it was."""
    manager = world.manager(phase)
    path = manager.save_checkpoint(1, {"n": 1})
    assert path is not None
    assert path.parent == manager.checkpoint_dir
    assert manager.checkpoint_dir.parent == world.root
    assert [one.parent for one in tmp_path.rglob("checkpoint_*.json")] == [manager.checkpoint_dir]
    loaded = world.manager(phase).get_latest_checkpoint()
    assert loaded is not None
    assert loaded["phase"] == phase


def test_different_names_are_different_folders(world: World) -> None:
    """Names that are written alike after encoding stay apart."""
    phases = ["a/b", "a%2Fb", "a b", "a+b", "a_b"]
    for n, phase in enumerate(phases):
        world.manager(phase).save_checkpoint(n, {"n": n})
    for n, phase in enumerate(phases):
        loaded = world.manager(phase).get_latest_checkpoint()
        assert loaded is not None
        assert loaded["state"] == {"n": n}


def test_names_that_differ_in_case_only_are_refused(world: World) -> None:
    """A phase whose name differs from another's in case only is refused at its first save."""
    world.manager("phase_3").save_checkpoint(1, {"n": 1})
    other = world.manager("PHASE_3")
    with pytest.raises(InvalidArgument, match="case"):
        other.save_checkpoint(1, {"n": 2})
    assert {path.name for path in world.root.iterdir()} == {"phase_3"}


def test_files_are_private(world: World) -> None:
    """Folders and files belong to their owner alone, whatever the umask says."""
    mask = os.umask(0)
    try:
        world.manager().save_checkpoint(1, {"n": 1})
    finally:
        os.umask(mask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [world.folder, *world.folder.iterdir()]}
    assert set(modes.values()) == {0o700, 0o600}
    assert [name for name, mode in modes.items() if mode == 0o700] == [PHASE]


@pytest.fixture
def open_world() -> Iterator[World]:
    """A world in a folder that every user can walk down to, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield World(Path(folder) / "root")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_a_reader_needs_no_right_to_write(open_world: World) -> None:
    """A user who may only read lists and loads, changes nothing, and is refused by type when saving."""
    world = open_world
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1})
        manager.save_checkpoint(2, {"n": 2})
    for path in [world.root, world.folder]:
        path.chmod(0o755)
    for path in world.folder.iterdir():
        path.chmod(0o644)
    before = snapshot(world.root)

    def reader() -> object:
        os.setuid(65534)
        theirs = World(world.root)
        theirs.clock = world.clock
        assert len(theirs.manager().list_checkpoints()) == 1
        try:
            theirs.manager().save_checkpoint(3, {"n": 3})
        except MilepostError as error:
            return theirs.state(), type(error).__name__
        return None

    assert forked(reader) == [{"n": 2}, "StoreUnavailable"]
    assert snapshot(world.root) == before
