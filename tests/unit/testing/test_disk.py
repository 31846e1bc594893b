"""The simulated disk promises what the system promises, and nothing else."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial

import pytest

from milepost.fs import FileKind, OpenMode
from milepost.testing import CrashState, SimulatedDisk, Tear, surviving_disks
from milepost.testing.atoms import Write


def made(disk: SimulatedDisk, name: str = "f", data: bytes = b"") -> tuple[int, int]:
    """Return handles of the root and of a new file there that holds *data*."""
    root = disk.open_path("/")
    file = disk.open_file(root, name, "create")
    disk.write(file, data, 0)
    return root, file


def all_of(disk: SimulatedDisk) -> CrashState:
    """Return the crash in which everything pending landed."""
    return CrashState(frozenset(atom.number for atom in disk.pending))


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


def test_a_file_without_any_sync_may_vanish(disk: SimulatedDisk) -> None:
    """What was not synced is visible and may be gone after a crash, or may be there."""
    made(disk, data=b"abc")
    assert disk.files() == {"/f": b"abc"}
    assert disk.crash().files() == {}
    assert disk.crash(all_of(disk)).files() == {"/f": b"abc"}


def test_syncing_a_file_does_not_sync_its_name(disk: SimulatedDisk) -> None:
    """A synced file may vanish while its directory was not synced."""
    _, file = made(disk, data=b"abc")
    disk.sync(file)
    assert [type(atom).__name__ for atom in disk.pending] == ["Entries"]
    assert disk.crash().files() == {}
    assert disk.crash(all_of(disk)).files() == {"/f": b"abc"}


def test_syncing_a_directory_does_not_sync_its_files(disk: SimulatedDisk) -> None:
    """A synced name may show a file whose bytes never landed."""
    root, _ = made(disk, data=b"abc")
    disk.sync(root)
    assert disk.crash().files() == {"/f": b""}


def test_what_is_synced_stays(disk: SimulatedDisk) -> None:
    """A file and its directory, once synced, survive with nothing pending."""
    root, file = made(disk, data=b"abc")
    disk.sync_data(file)
    disk.sync(root)
    assert disk.pending == ()
    assert disk.crash().files() == {"/f": b"abc"}
    assert disk.crash().crash().files() == {"/f": b"abc"}


def test_a_rename_across_directories_is_one_atom() -> None:
    """A move is durable when either directory is synced, and never half done."""
    for synced in ("/a", "/b"):
        disk = SimulatedDisk(("/a", "/b"))
        a, b = disk.open_path("/a"), disk.open_path("/b")
        disk.close(disk.open_file(a, "f", "create"))
        disk.sync(a)
        disk.rename(a, "f", b, "g")
        assert set(disk.crash().files()) == {"/a/f"}
        disk.sync({"/a": a, "/b": b}[synced])
        assert set(disk.crash().files()) == {"/b/g"}


def test_an_older_name_never_lands_on_a_newer_one() -> None:
    """Syncing one directory of a move settles the name: an older change of it cannot come back later."""
    disk = SimulatedDisk(("/a", "/b", "/c"))
    a, b, c = (disk.open_path(path) for path in ("/a", "/b", "/c"))
    for directory, data in ((a, b"new"), (c, b"old")):
        file = disk.open_file(directory, "f", "create")
        disk.write(file, data, 0)
        disk.sync(file)
        disk.sync(directory)
    disk.rename(c, "f", b, "f")
    disk.rename(a, "f", b, "f")
    disk.sync(a)
    assert disk.crash().files() == {"/b/f": b"new", "/c/f": b"old"}
    assert disk.crash(all_of(disk)).files() == {"/b/f": b"new"}


def test_a_torn_write_leaves_pieces(disk: SimulatedDisk) -> None:
    """A tear lands its pieces; the rest reads as before, or as zeros up to the size that landed."""
    root, file = made(disk, data=b"o" * 600)
    disk.sync(file)
    disk.sync(root)
    disk.write(file, b"n" * 2000, 0)
    (write,) = disk.pending
    assert isinstance(write, Write)
    hole = Tear(write.number, ((0, 512), (1024, 2000)), full_size=True)
    assert disk.crash(CrashState(tear=hole)).files()["/f"] == b"n" * 512 + b"o" * 88 + bytes(424) + b"n" * 976
    short = Tear(write.number, ((0, 512),), full_size=False)
    assert disk.crash(CrashState(tear=short)).files()["/f"] == b"n" * 512 + b"o" * 88


def test_a_killed_process_loses_nothing_but_handles_and_locks(disk: SimulatedDisk) -> None:
    """After SIGKILL all is visible, not more durable than before, and free to be locked."""
    _, file = made(disk, data=b"abc")
    assert disk.lock(file)
    after = disk.killed()
    assert after.files() == {"/f": b"abc"}
    assert after.crash().files() == {}
    with pytest.raises(OSError, match="Bad file"):
        after.stat(file)
    again = after.open_file(after.open_path("/"), "f", "update")
    assert after.lock(again)
    after.write(again, b"X", 0)
    assert disk.files() == {"/f": b"abc"}
    assert disk.fingerprint() != after.fingerprint()


def test_a_crash_takes_the_locks(disk: SimulatedDisk) -> None:
    """Nothing is locked after a power cut."""
    root, file = made(disk)
    disk.sync(root)
    assert disk.lock(file)
    assert not disk.lock(disk.open_file(root, "f", "lock"))
    after = disk.crash()
    assert after.lock(after.open_file(after.open_path("/"), "f", "lock"))


def test_a_lock_belongs_to_its_handle(disk: SimulatedDisk) -> None:
    """A lock is held against every other handle until its own is closed."""
    root, file = made(disk)
    other = disk.open_file(root, "f", "read")
    assert disk.lock(file)
    assert disk.lock(file)
    assert not disk.lock(other)
    disk.close(file)
    assert disk.lock(other)


def test_an_unlinked_file_lives_while_it_is_open(disk: SimulatedDisk) -> None:
    """An open handle reads and writes a file that has lost its name; a crash ends it."""
    root, file = made(disk, data=b"abc")
    disk.sync(root)
    disk.unlink(root, "f")
    disk.sync(root)
    disk.write(file, b"X", 0)
    disk.sync(file)
    assert disk.read(file, 9, 0) == b"Xbc"
    assert disk.crash(all_of(disk)).files() == {}


def test_an_unsynced_unlink_may_bring_the_file_back(disk: SimulatedDisk) -> None:
    """A removed name returns after a crash, unless its directory was synced."""
    root, file = made(disk, data=b"abc")
    disk.sync(file)
    disk.sync(root)
    disk.unlink(root, "f")
    assert disk.files() == {}
    assert disk.crash().files() == {"/f": b"abc"}
    disk.sync(root)
    assert disk.crash().files() == {}


def test_fingerprints_tell_disks_apart() -> None:
    """Two disks differ by what a crash may leave, and by whether two names are one file; not by how they came about."""

    def disk(*writes: bytes, twice: bool = False, link: bool = False) -> SimulatedDisk:
        made_disk = SimulatedDisk()
        root, file = made(made_disk)
        made_disk.sync(root)
        for data in writes:
            made_disk.write(file, data, 0)
        if link:
            made_disk.link(root, "f", root, "g")
        if twice:
            made_disk.write(made_disk.open_file(root, "g", "create"), writes[-1], 0)
        return made_disk

    def synced(one: SimulatedDisk) -> tuple[object, ...]:
        return one.crash(all_of(one)).fingerprint()

    assert synced(disk(b"a", b"b")) == synced(disk(b"b"))
    assert disk(b"b").fingerprint() == disk(b"b").fingerprint()
    assert disk(b"a", b"b").fingerprint() != disk(b"b").fingerprint()
    assert synced(disk(b"b")) != disk(b"b").fingerprint()
    assert disk(b"b", twice=True).files() == disk(b"b", link=True).files()
    assert synced(disk(b"b", twice=True)) != synced(disk(b"b", link=True))


def test_wrong_names_are_refused(disk: SimulatedDisk) -> None:
    """A path where a name belongs is the caller's mistake; an empty or long name is refused as by the system."""
    root = disk.open_path("/")
    for name in ("a/b", "..", ".", "a\0"):
        with pytest.raises(ValueError, match="not one path component"):
            disk.open_file(root, name, "create")
    for name, code in (("", errno.ENOENT), ("n" * 256, errno.ENAMETOOLONG), ("\u00e4" * 128, errno.ENAMETOOLONG)):
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            disk.make_directory(root, name)
        assert caught.value.errno == code


def test_a_path_leads_through_directories(disk: SimulatedDisk) -> None:
    """Only what is a directory can be opened by a path or have names; what exists is not made again."""
    _, file = made(disk)
    for verb in (lambda: disk.open_path("/f"), lambda: disk.names(file), lambda: disk.make_path("/f/x")):
        with pytest.raises(NotADirectoryError):
            verb()
    for path in ("/", "/f", "/."):
        with pytest.raises(FileExistsError):
            disk.make_path(path)
    for verb in (lambda: disk.open_path(""), lambda: disk.make_path("")):
        with pytest.raises(FileNotFoundError):
            verb()
    with pytest.raises(IsADirectoryError):
        disk.read(disk.open_path("/"), 1, 0)


def test_links_are_followed_in_paths_only(disk: SimulatedDisk) -> None:
    """A path follows links, but not in a circle; a name never does."""
    disk.make_path("/real")
    disk.plant("/link", "real/../real")
    disk.plant("/far", "/link")
    disk.plant("/circle", "circle")
    root = disk.open_path("/")
    assert disk.stat(disk.open_path("/far")).inode == disk.stat(disk.open_path("/real")).inode
    with pytest.raises(OSError, match="Too many levels") as caught:
        disk.open_path("/circle")
    assert caught.value.errno == errno.ELOOP
    with pytest.raises(NotADirectoryError):
        disk.open_directory(root, "link")
    assert disk.stat_name(root, "link").kind is FileKind.OTHER
    after = disk.crash()
    assert sorted(after.names(after.open_path("/"))) == ["circle", "far", "link", "real"]


def test_stat_can_be_disguised_and_bytes_damaged(disk: SimulatedDisk) -> None:
    """A tester may change owner, permissions, date and bytes behind everyone's back, durably."""
    root, file = made(disk, data=b"abc")
    disk.sync(root)
    assert disk.stat(file).owner == os.geteuid()
    assert disk.stat(file).permissions == 0o600
    disk.disguise("/f", owner=7, permissions=0o666, modified=5.0)
    disk.disguise("/f")
    stat = disk.stat_name(root, "f")
    assert (stat.owner, stat.permissions, stat.modified) == (7, 0o666, 5.0)
    disk.damage("/f", b"abX")
    assert disk.crash().files() == disk.files() == {"/f": b"abX"}
    with pytest.raises(OSError, match="Invalid"):
        disk.damage("/", b"")


def test_runs_are_the_same_and_tokens_never_repeat() -> None:
    """Dates and tokens depend on nothing but the calls, and a crash does not start them over."""

    def tokens() -> list[str]:
        disk = SimulatedDisk()
        return [disk.token(), disk.token(), disk.crash().token()]

    assert tokens() == tokens()
    assert len(set(tokens())) == 3
    assert {len(token) for token in tokens()} == {16}

    class Stopped:
        def now(self) -> float:
            return 12.5

        def monotonic(self) -> float:
            return 0.0

    disk = SimulatedDisk(clock=Stopped(), filesystem="nfs4")
    assert disk.stat(disk.open_path("/")).modified == 12.5
    assert disk.filesystem_type(disk.open_path("/")) == "nfs4"
    assert disk.free_bytes(disk.open_path("/")) > 1 << 40


def test_a_cut_may_land_or_not(disk: SimulatedDisk) -> None:
    """A new size is an atom like a write, and lands in its turn."""
    root, file = made(disk, data=b"abc")
    disk.sync(file)
    disk.sync(root)
    disk.truncate(file, 1)
    disk.truncate(file, 5000)
    assert [str(atom) for atom in disk.pending] == [f"truncate of inode 3 to {size} bytes" for size in (1, 5000)]
    assert [left.files()["/f"].rstrip(b"\0") for _, left in surviving_disks(disk)] == [b"abc", b"a", b"a", b"abc"]
    disk.lose_pending(file, landed=1)
    disk.truncate(file, 4500)
    disk.drop_cache(file, 0, 0)
    assert disk.read(file, 5000, 0) == b"a" + bytes(4499)


def test_what_is_no_file_has_no_bytes(disk: SimulatedDisk) -> None:
    """A FIFO is opened and locked, and neither read, written, cut, synced nor listed; a file is no path."""
    disk.plant("/fifo")
    root, _ = made(disk)
    modes: list[OpenMode] = ["read", "update", "lock"]
    for fifo in [disk.open_file(root, "fifo", mode) for mode in modes]:
        verbs: list[tuple[int, Callable[[], object]]] = [
            (errno.ESPIPE, partial(disk.read, fifo, 1, 0)),
            (errno.ESPIPE, partial(disk.write, fifo, b"a", 0)),
            (errno.ESPIPE, partial(disk.drop_cache, fifo, 0, 0)),
            (errno.EINVAL, partial(disk.truncate, fifo, 0)),
            (errno.EINVAL, partial(disk.sync, fifo)),
            (errno.ENOTDIR, partial(disk.names, fifo)),
            (errno.ENOTDIR, lambda: disk.open_path("/fifo")),
            (errno.ENOTDIR, lambda: disk.make_path("/f/below")),
            (errno.ENOTDIR, lambda: disk.open_path("/f/")),
        ]
        for code, verb in verbs:
            with pytest.raises(OSError, match=os.strerror(code)) as caught:
                verb()
            assert caught.value.errno == code
    assert disk.lock(fifo)
    assert disk.files() == {"/f": b""}
    assert disk.killed().fingerprint() == disk.fingerprint()


def test_directories_are_moved_and_removed_with_care() -> None:
    """A directory is removed only if empty, replaced only by a directory, and never moved into itself."""
    disk = SimulatedDisk(("/a", "/a/b", "/c"))
    root, _ = made(disk)
    a = disk.open_path("/a")
    refusals: list[tuple[int, Callable[[], object]]] = [
        (errno.ENOTEMPTY, lambda: disk.remove_directory(root, "a")),
        (errno.ENOTDIR, lambda: disk.remove_directory(root, "f")),
        (errno.EISDIR, lambda: disk.unlink(root, "a")),
        (errno.EISDIR, lambda: disk.open_file(root, "a", "update")),
        (errno.EPERM, lambda: disk.link(root, "a", root, "d")),
        (errno.EINVAL, lambda: disk.rename(root, "a", a, "d")),
        (errno.ENOTEMPTY, lambda: disk.rename(a, "b", root, "a")),
        (errno.ENOTEMPTY, lambda: disk.rename(root, "c", root, "a")),
        (errno.EISDIR, lambda: disk.rename(root, "f", root, "c")),
        (errno.ENOTDIR, lambda: disk.rename(root, "c", root, "f")),
        (errno.ENOENT, lambda: disk.rename(root, "none", root, "a")),
    ]
    for code, verb in refusals:
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            verb()
        assert caught.value.errno == code
    before = disk.fingerprint()
    disk.rename(root, "f", root, "f")
    assert disk.fingerprint() == before
    disk.rename(a, "b", root, "c")
    removed = disk.open_directory(root, "a")
    disk.remove_directory(root, "a")
    assert sorted(disk.names(root)) == ["c", "f"]
    for verb in (lambda: disk.make_directory(removed, "x"), lambda: disk.rename(root, "f", removed, "f")):
        with pytest.raises(FileNotFoundError):
            verb()


def test_huge_files_are_refused(disk: SimulatedDisk) -> None:
    """A file too large for the system is too large here."""
    _, file = made(disk)
    for verb in (lambda: disk.write(file, b"a", 1 << 41), lambda: disk.truncate(file, 1 << 41)):
        with pytest.raises(OSError, match="File too large"):
            verb()
