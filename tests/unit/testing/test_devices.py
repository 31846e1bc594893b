"""A bad device loses what it failed to sync; a full one takes what fits and keeps what it has."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from milepost.testing import CrashState, SimulatedDisk
from milepost.testing.content import PAGE_BYTES


def made(disk: SimulatedDisk, data: bytes = b"") -> tuple[int, int]:
    """Return handles of the root and of a new file ``f`` there that holds *data*."""
    root = disk.open_path("/")
    file = disk.open_file(root, "f", "create")
    disk.write(file, data, 0)
    return root, file


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


def test_a_failed_sync_loses_what_it_should_have_kept(disk: SimulatedDisk) -> None:
    """After a failed sync a retry reports success while the disk keeps the old bytes, and reads lie until asked."""
    root, file = made(disk, data=b"o" * 5000)
    disk.sync(file)
    disk.sync(root)
    disk.write(file, b"n" * 5000, 0)
    disk.fail_next_sync()
    with pytest.raises(OSError, match="Input/output") as caught:
        disk.sync_data(file)
    assert caught.value.errno == errno.EIO
    disk.sync_data(file)
    assert disk.read(file, 5000, 0) == b"n" * 5000
    assert disk.killed().files() == {"/f": b"n" * 5000}
    assert disk.crash().files() == {"/f": b"o" * 5000}
    disk.drop_cache(file, 0, PAGE_BYTES)
    assert disk.read(file, 5000, 0) == b"o" * PAGE_BYTES + b"n" * 904
    disk.drop_cache(file, 0, 0)
    assert disk.read(file, 5000, 0) == b"o" * 5000


def test_a_failed_sync_may_have_kept_some(disk: SimulatedDisk) -> None:
    """The oldest atoms may have landed before a sync failed; it fails as often as it was told to."""
    root, file = made(disk, data=b"a")
    disk.sync(file)
    disk.sync(root)
    disk.write(file, b"b", 0)
    disk.write(file, b"c", 1)
    disk.fail_next_sync(errno.ENOSPC, landed=1, times=2)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            disk.sync(file)
        disk.write(file, b"d", PAGE_BYTES)
    disk.sync(file)
    assert disk.crash().files()["/f"][:2] == b"b\0"


def test_a_sync_with_nothing_to_do_does_not_fail(disk: SimulatedDisk) -> None:
    """A bad device is only met by a sync that has something to write."""
    root, file = made(disk)
    disk.sync(root)
    disk.fail_next_sync()
    disk.sync(root)
    disk.write(file, b"a", 0)
    with pytest.raises(OSError, match="Input/output"):
        disk.sync(file)


def test_a_failed_directory_sync_loses_names(disk: SimulatedDisk) -> None:
    """After a failed sync of a directory the name is shown, and gone after a crash in spite of a retry."""
    root, file = made(disk, data=b"abc")
    disk.sync(file)
    disk.fail_next_sync()
    with pytest.raises(OSError, match="Input/output"):
        disk.sync(root)
    disk.sync(root)
    assert disk.names(root) == ["f"]
    assert disk.crash().files() == {}


def test_dirty_pages_stay_in_the_cache(disk: SimulatedDisk) -> None:
    """Dropping the cache never drops what is not written yet, nor a part of a page."""
    _, file = made(disk, data=b"o" * 3 * PAGE_BYTES)
    disk.sync(file)
    disk.write(file, b"n" * 3 * PAGE_BYTES, 0)
    disk.lose_pending(file)
    disk.write(file, b"d", PAGE_BYTES)
    disk.drop_cache(file, 1, 3 * PAGE_BYTES - 2)
    assert disk.read(file, 3 * PAGE_BYTES, 0) == b"n" * PAGE_BYTES + b"d" + b"n" * (2 * PAGE_BYTES - 1)
    disk.drop_cache(file, 0, 0)
    shown = disk.read(file, 3 * PAGE_BYTES, 0)
    assert shown == b"o" * PAGE_BYTES + b"d" + b"n" * (PAGE_BYTES - 1) + b"o" * PAGE_BYTES


def test_lost_bytes_go_along_with_a_later_write_of_their_page(disk: SimulatedDisk) -> None:
    """A write beside lost bytes takes their whole page to the disk, as a page cache does."""
    root, file = made(disk, data=b"o" * 100)
    disk.sync(file)
    disk.sync(root)
    disk.write(file, b"n" * 100, 0)
    disk.lose_pending(file)
    disk.write(file, b"x", 100)
    disk.sync(file)
    assert disk.crash().files() == {"/f": b"n" * 100 + b"x"}


def test_a_full_disk_takes_what_fits() -> None:
    """A write is cut short at the last free page, and refused when none is free; overwriting never is."""
    disk = SimulatedDisk(capacity=2 * PAGE_BYTES)
    root, file = made(disk, data=b"a" * 100)
    assert disk.free_bytes(root) == PAGE_BYTES
    assert disk.write(file, b"b" * 3 * PAGE_BYTES, 50) == 2 * PAGE_BYTES - 50
    with pytest.raises(OSError, match="No space") as caught:
        disk.write(file, b"c", 2 * PAGE_BYTES)
    assert caught.value.errno == errno.ENOSPC
    assert disk.write(file, b"d" * 2 * PAGE_BYTES, 0) == 2 * PAGE_BYTES
    assert disk.free_bytes(file) == 0
    disk.truncate(file, 10 * PAGE_BYTES)
    disk.truncate(file, 1)
    assert disk.free_bytes(file) == PAGE_BYTES
    disk.capacity = None
    assert disk.write(file, b"e" * 9 * PAGE_BYTES, 0) == 9 * PAGE_BYTES


def test_a_deleted_file_gives_its_space_back_when_it_is_closed() -> None:
    """Space is free again when neither a name nor a handle holds the file."""
    disk = SimulatedDisk(capacity=PAGE_BYTES)
    root, file = made(disk, data=b"a")
    disk.unlink(root, "f")
    assert disk.free_bytes(root) == 0
    disk.close(file)
    assert disk.free_bytes(root) == PAGE_BYTES


def test_a_swept_file_still_takes_space_while_it_is_open() -> None:
    """What no crash can show again is forgotten, and an open handle keeps its bytes and its space."""
    disk = SimulatedDisk(capacity=2 * PAGE_BYTES)
    root, file = made(disk, data=b"a")
    disk.unlink(root, "f")
    assert len(disk.pending) == 3
    disk.sync(root)
    assert not disk.pending
    assert disk.free_bytes(root) == PAGE_BYTES
    disk.write(file, b"b", 1)
    assert disk.read(file, 9, 0) == b"ab"
    assert not disk.killed().pending
    everything = CrashState(frozenset(atom.number for atom in disk.pending))
    assert disk.crash(everything).files() == {}
    disk.close(file)
    assert disk.free_bytes(root) == 2 * PAGE_BYTES


def test_names_may_need_space() -> None:
    """Where it is asked for, a full disk refuses new names too, and never a replaced or removed one."""
    disk = SimulatedDisk(("/d",), capacity=PAGE_BYTES, names_need_space=True)
    root, _ = made(disk, data=b"a")
    new: list[Callable[[], object]] = [
        lambda: disk.open_file(root, "g", "create"),
        lambda: disk.make_directory(root, "g"),
        lambda: disk.link(root, "f", root, "g"),
        lambda: disk.rename(root, "f", root, "g"),
    ]
    for verb in new:
        with pytest.raises(OSError, match="No space"):
            verb()
    disk.remove_directory(root, "d")
    disk.unlink(root, "f")
    assert disk.names(root) == []
