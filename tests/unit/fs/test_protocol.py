"""The order in which a new file appears, and the real filesystem below the seam."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from milepost.fs import FileKind, NotSynced, SystemFiles, current, new_file, read_all, use, write_all
from milepost.testing import ErrorAt, Recorded, ShortWrites, SimulatedDisk


@pytest.fixture
def real(tmp_path: Path) -> Iterator[tuple[SystemFiles, int]]:
    """Return the real filesystem with a handle of an empty folder."""
    files = SystemFiles()
    folder = files.open_path(str(tmp_path))
    yield files, folder
    files.close(folder)


def _disk() -> tuple[SimulatedDisk, Recorded, int]:
    inner = SimulatedDisk(("/data",))
    files = Recorded(inner)
    return inner, files, files.open_path("/data")


def test_a_replacing_file_appears_in_this_order() -> None:
    """Temporary file, write, sync, close, rename, sync of the directory: in this order and nothing else."""
    _, files, folder = _disk()
    new_file(files, folder, "doc", b"x", replace=True)
    done = [str(operation) for operation in files.operations][1:]
    temporary = done[0].split()[1]
    assert temporary.startswith(".doc.")
    assert temporary.endswith(".tmp")
    assert done == [
        f"create_file {temporary}",
        f"write {temporary}",
        f"sync {temporary}",
        f"close {temporary}",
        f"rename {temporary} -> doc",
        "sync /data",
    ]


def test_a_created_file_appears_in_this_order() -> None:
    """Where nothing may be overwritten, the whole and synced file is linked, and its temporary name goes."""
    inner, files, folder = _disk()
    new_file(files, folder, "doc", b"x", replace=False)
    verbs = [operation.name for operation in files.operations][1:]
    assert verbs == ["create_file", "write", "sync", "close", "link", "unlink", "sync"]
    assert inner.crash().files() == {"/data/doc": b"x"}
    with pytest.raises(FileExistsError):
        new_file(files, folder, "doc", b"y", replace=False)
    assert inner.files() == {"/data/doc": b"x"}


@pytest.mark.parametrize("verb", ["write", "sync", "close"])
def test_a_failed_step_is_never_tried_again(verb: str) -> None:
    """After a failed write, sync or close the temporary file is dropped, and no second sync is made."""
    inner, _, _ = _disk()
    files = Recorded(ErrorAt(inner, 1, errno.EIO, among={verb}))
    with pytest.raises(OSError, match="Input/output"):
        new_file(files, files.open_path("/data"), "doc", b"x", replace=True)
    verbs = [operation.name for operation in files.operations]
    assert verbs.count("sync") == (0 if verb == "write" else 1)
    assert verbs[-1] == "unlink"
    assert inner.files() == {}


def test_a_failed_sync_of_the_directory_is_told_apart() -> None:
    """Where only the sync of the directory failed, the error says that the name is there and may not last."""
    inner, _, _ = _disk()
    files = ErrorAt(inner, 2, errno.EIO, among={"sync"})
    with pytest.raises(NotSynced):
        new_file(files, files.open_path("/data"), "doc", b"x", replace=True)
    assert inner.files() == {"/data/doc": b"x"}


def test_a_created_file_stands_though_its_temporary_name_stays() -> None:
    """A temporary name that cannot be removed after the link does not undo what was done."""
    inner, _, _ = _disk()
    files = ErrorAt(inner, 1, errno.EIO, among={"unlink"})
    new_file(files, files.open_path("/data"), "doc", b"x", replace=False)
    assert inner.crash().files()["/data/doc"] == b"x"


def test_the_first_error_is_the_one_told() -> None:
    """When cleaning up fails too, the error is that of the first failure."""
    inner, _, _ = _disk()
    files = ErrorAt(ErrorAt(inner, 1, errno.ENOSPC, among={"write"}), 1, errno.EIO, among={"unlink", "close"})
    with pytest.raises(OSError, match="No space"):
        new_file(files, files.open_path("/data"), "doc", b"x", replace=True)


def test_short_writes_and_reads_are_carried_on() -> None:
    """All bytes are written and read, however few the system takes or gives at a time."""
    inner, _, folder = _disk()
    data = bytes(range(256)) * 40
    new_file(ShortWrites(inner), folder, "doc", data, replace=True)

    class ShortReads(Recorded):
        def read(self, file: int, size: int, offset: int) -> bytes:
            return super().read(file, min(size, 1000), offset)

    files = ShortReads(inner)
    handle = files.open_file(folder, "doc", "read")
    assert read_all(files, handle) == data
    assert read_all(files, handle, 5000) == data[5000:]
    assert read_all(files, handle, 10, 3) == data[10:13]
    assert read_all(files, handle, 10, 99_999) == data[10:]
    assert read_all(files, handle, 99_999) == b""
    write_all(inner, inner.open_file(folder, "doc", "update"), b"", 0)


def test_the_filesystem_in_use_is_the_innermost() -> None:
    """Code gets the real filesystem unless a block puts another in its place, and gets it back behind the block."""
    outside = current()
    assert isinstance(outside, SystemFiles)
    one, two = SimulatedDisk(), SimulatedDisk()
    with use(one):
        with suppress(ZeroDivisionError), use(two):
            assert current() is two
            raise ZeroDivisionError
        assert current() is one
    assert current() is outside


# --- the real one


def test_the_real_filesystem_follows_no_link_below_the_root(real: tuple[SystemFiles, int], tmp_path: Path) -> None:
    """Neither files nor folders below the root are reached through a link."""
    files, folder = real
    (tmp_path / "target").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "to_folder").symlink_to("target")
    (tmp_path / "to_file").symlink_to("file")
    with pytest.raises(NotADirectoryError):
        files.open_directory(folder, "to_folder")
    for mode in ("read", "update", "lock"):
        with pytest.raises(OSError, match="symbolic links") as refused:
            files.open_file(folder, "to_file", mode)
        assert refused.value.errno == errno.ELOOP
    assert files.stat_name(folder, "to_file").kind is FileKind.OTHER


def test_the_real_filesystem_makes_private_things(real: tuple[SystemFiles, int], tmp_path: Path) -> None:
    """New files have mode 0600 and new folders 0700, and a taken name is refused."""
    files, folder = real
    handle = files.open_file(folder, "a", "create")
    files.make_directory(folder, "b")
    files.make_path(str(tmp_path / "c"))
    assert files.stat(handle).permissions == 0o600
    assert files.stat_name(folder, "b").permissions == files.stat_name(folder, "c").permissions == 0o700
    assert files.stat_name(folder, "b").kind is FileKind.DIRECTORY
    assert files.stat(handle).owner == os.geteuid()
    with pytest.raises(FileExistsError):
        files.open_file(folder, "a", "create")
    files.close(handle)
    files.remove_directory(folder, "b")
    assert sorted(files.names(folder)) == ["a", "c"]


def test_no_handle_survives_exec(real: tuple[SystemFiles, int], tmp_path: Path) -> None:
    """Every handle is closed in a program that this process starts."""
    files, folder = real
    opened = [files.open_directory(folder, "."), files.open_file(folder, "a", "lock"), files.open_path(str(tmp_path))]
    assert not any(os.get_inheritable(each) for each in opened)
    for each in opened:
        files.close(each)


def test_the_real_lock_belongs_to_one_handle(real: tuple[SystemFiles, int]) -> None:
    """A lock is refused to a second handle without waiting, and free again when the first is closed."""
    files, folder = real
    one, two = (files.open_file(folder, "lock", "lock") for _ in range(2))
    assert files.lock(one)
    assert files.lock(one)
    assert not files.lock(two)
    files.close(one)
    assert files.lock(two)
    files.close(two)


def test_a_real_file_keeps_what_is_written(real: tuple[SystemFiles, int]) -> None:
    """Write, cut, rename, link and unlink do on the real system what their names say."""
    files, folder = real
    handle = files.open_file(folder, "a", "create")
    write_all(files, handle, b"0123456789", 4)
    files.truncate(handle, 9)
    files.sync_data(handle)
    files.sync(handle)
    files.drop_cache(handle, 0, 0)
    assert read_all(files, handle) == b"\0\0\0\x0001234"
    files.close(handle)
    files.link(folder, "a", folder, "b")
    files.rename(folder, "a", folder, "c")
    files.unlink(folder, "b")
    files.sync(folder)
    assert files.names(folder) == ["c"]


def test_the_real_filesystem_tells_about_itself(real: tuple[SystemFiles, int]) -> None:
    """Free bytes, the type of the mount and random names are told; an unknown handle has no type."""
    files, folder = real
    assert files.free_bytes(folder) > 0
    assert files.filesystem_type(folder)
    assert files.filesystem_type(10_000_000) == ""
    names = {files.token() for _ in range(100)}
    assert len(names) == 100
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in names)
