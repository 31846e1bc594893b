"""A folder by handle: hostile entries are refused without a hang, and new names are durable."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from milepost.errors import (
    DiskFull,
    DurabilityUnknown,
    InvalidArgument,
    StorageError,
    StoreUnavailable,
    UnsafeStore,
)
from milepost.fs import NotSynced, SystemFiles, use
from milepost.stores import write_durably
from milepost.stores.folder import Folder
from milepost.stores.translate import error_for, full, translated, unknown
from milepost.testing import ErrorAt, Recorded, SimulatedDisk
from tests.support.journals import PLACE, RUN, Clock, disk, look, store, writer, written

NAMES = ["journal_000001.jsonl", "lock", "run.json"]


def _use(files: SimulatedDisk, name: str) -> None:
    """Do with the entry *name* what a run does with it."""
    opened = store(files)
    if name == "lock":
        opened.lock(Clock())
    elif name == "run.json":
        opened.read(name)
    else:
        opened.lock(Clock())
        opened.recover(RUN)


def _file(files: SimulatedDisk, name: str) -> None:
    with store(files).folder as folder:
        folder.put(name, b"x", replace=True)


def _directory(files: SimulatedDisk, name: str) -> None:
    files.make_path(f"/run/{name}")


def _owned(files: SimulatedDisk, name: str) -> None:
    _file(files, name)
    files.disguise(f"/run/{name}", owner=os.geteuid() + 12)


def _mode(permissions: int) -> Callable[[SimulatedDisk, str], None]:
    def plant(files: SimulatedDisk, name: str) -> None:
        _file(files, name)
        files.disguise(f"/run/{name}", permissions=permissions)

    return plant


def _link(files: SimulatedDisk, name: str) -> None:
    _file(files, "elsewhere")
    files.plant(f"/run/{name}", "/run/elsewhere")


HOSTILE = {
    "a link": _link,
    "a link to nothing": lambda files, name: files.plant(f"/run/{name}", "/nothing"),
    "a FIFO": lambda files, name: files.plant(f"/run/{name}"),
    "a directory": _directory,
    "another user's": _owned,
    "writable by the group": _mode(0o660),
    "writable by others": _mode(0o602),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("plant", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_entry_is_refused(plant: Callable[[SimulatedDisk, str], None], name: str) -> None:
    """A link, FIFO, directory, foreign or open file in place of ours is refused as unsafe, and named."""
    files = disk()
    plant(files, name)
    before = {path: data for path, data in files.files().items() if path != "/run/lock"}
    with pytest.raises(UnsafeStore, match=f"^/run/{re.escape(name)}: "):
        _use(files, name)
    assert {path: data for path, data in files.files().items() if path != "/run/lock"} == before


def test_files_of_root_are_taken() -> None:
    """A file that belongs to root is as good as our own."""
    files = written(1)
    files.disguise("/run/journal_000001.jsonl", owner=0)
    assert look(store(files)) is not None


def test_a_group_may_write_only_where_that_is_said() -> None:
    """A file that its group may write is read only on request, one that others may write never."""
    files = disk()
    _mode(0o664)(files, "old.json")
    with pytest.raises(UnsafeStore, match=r"mode 664.*chmod go-w"):
        store(files).read("old.json")
    assert store(files).read("old.json", group_may_write=True) == b"x"
    files.disguise("/run/old.json", permissions=0o666)
    with pytest.raises(UnsafeStore, match="mode 666"):
        store(files).read("old.json", group_may_write=True)


def _special(path: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "device link":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"")
        path.chmod(0o666)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["fifo", "socket", "link", "device link", "directory", "open to all"])
@pytest.mark.parametrize("name", NAMES)
def test_a_real_hostile_entry_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    """On the real system, what is no file of ours is refused, and nothing waits for a reader or writer of it."""
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    _special(Path(name), kind)
    folder = Folder.open(SystemFiles(), tmp_path)
    for mode in ("read", "update", "lock"):
        with pytest.raises(UnsafeStore, match=name):
            folder.open_file(name, mode)
    folder.close()


def test_a_device_is_refused() -> None:
    """A device is no file of ours."""
    folder = Folder.open(SystemFiles(), Path("/dev"))
    with pytest.raises(UnsafeStore, match="not a regular file"):
        folder.open_file("null", "read")
    folder.close()


@pytest.mark.parametrize("kind", ["fifo", "link", "open to all"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    """A link or a file in place of a run's folder is refused."""
    _special(tmp_path / "phase", kind)
    if kind == "link":
        (tmp_path / "phase").unlink()
        (tmp_path / "real").mkdir()
        (tmp_path / "phase").symlink_to("real")
    with Folder.open(SystemFiles(), tmp_path) as folder, pytest.raises(UnsafeStore, match="Nothing was touched"):
        folder.child("phase", create=True)


def test_links_in_the_callers_own_path_are_followed(tmp_path: Path) -> None:
    """The path that the caller gives may go through links: it is his own word."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_durably(tmp_path / "link" / "report", b"1")
    assert (tmp_path / "real" / "report").read_bytes() == b"1"


def test_new_files_and_folders_are_private(tmp_path: Path) -> None:
    """What is made is for its owner alone."""
    with Folder.make(SystemFiles(), tmp_path / "new" / "er") as folder:
        folder.put("doc", b"1", replace=True)
        folder.put("other", b"1", replace=False)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "er").stat().st_mode & 0o777 == 0o700
    for name in ("doc", "other"):
        assert (tmp_path / "new" / "er" / name).stat().st_mode & 0o777 == 0o600


# --- names are durable


def test_missing_folders_are_made_durably_from_the_top() -> None:
    """Each folder on the way is made and its parent synced, before anything is put below it."""
    inner = SimulatedDisk(("/a",))
    files = Recorded(inner)
    with use(files):
        write_durably("/a/b/c/report", b"whole")
    story = files.story()
    assert story.index("make_path /a/b") < story.index("make_path /a/b/c")
    assert inner.crash().files() == {"/a/b/c/report": b"whole"}


def test_a_folder_that_is_there_already_is_synced_all_the_same() -> None:
    """A folder made by a killed process gets a durable name before it is used."""
    files = SimulatedDisk()
    files.make_path("/left")
    with use(files):
        write_durably("/left/report", b"whole")
    assert files.crash().files() == {"/left/report": b"whole"}


def test_a_child_that_was_made_is_durable() -> None:
    """A subfolder that was made, or found, is durable when it is handed out."""
    files = disk()
    with store(files).folder as folder:
        for _ in range(2):
            folder.child("runs", create=True).close()
        with pytest.raises(FileNotFoundError):
            folder.child("nothing")
    left = files.crash()
    assert left.names(left.open_path("/run")) == ["runs"]


def test_a_file_needs_a_name() -> None:
    """A path that names a folder is refused as the caller's mistake."""
    with pytest.raises(InvalidArgument, match="a file is needed"):
        write_durably("/", b"")


def test_a_folder_is_the_same_by_whatever_path(tmp_path: Path) -> None:
    """Identity is the directory's own, and closing twice is no error."""
    (tmp_path / "link").symlink_to(".")
    with Folder.open(SystemFiles(), tmp_path) as one, Folder.open(SystemFiles(), tmp_path / "link") as two:
        assert one.identity() == two.identity()
    one.close()


def test_a_parent_closed_to_us_is_no_hindrance() -> None:
    """Where the folder above may not be opened, the folder is used all the same."""
    inner = SimulatedDisk(("/a", "/a/b"))
    files = ErrorAt(inner, 2, errno.EACCES, among={"open_path"})
    with Folder.make(files, Path("/a/b")) as folder:
        assert folder.names() == []
    assert files.fired


# --- foreign errors


CLASSES: list[tuple[int, type[StorageError], str]] = [
    (errno.ENOSPC, DiskFull, "No space left"),
    (errno.EDQUOT, DiskFull, "quota"),
    (errno.EROFS, StoreUnavailable, "remount it"),
    (errno.EACCES, StoreUnavailable, "change the permissions"),
    (errno.EPERM, StoreUnavailable, "change the permissions"),
    (errno.EMFILE, StoreUnavailable, "ulimit -n"),
    (errno.ENFILE, StoreUnavailable, "the machine has too many files open"),
    (errno.EIO, StoreUnavailable, "system log"),
    (errno.ENAMETOOLONG, StoreUnavailable, "File name too long"),
    (errno.ELOOP, UnsafeStore, "Nothing was touched"),
    (errno.ENOTDIR, UnsafeStore, "Nothing was touched"),
    (errno.ENXIO, UnsafeStore, "Nothing was touched"),
    (errno.EISDIR, UnsafeStore, "Nothing was touched"),
]


@pytest.mark.parametrize(("code", "error", "words"), CLASSES, ids=[errno.errorcode[code] for code, _, _ in CLASSES])
def test_each_system_error_has_its_class_and_its_advice(code: int, error: type[StorageError], words: str) -> None:
    """A system error becomes one of ours that names the place, what was being done, and what helps."""
    with pytest.raises(error, match=words) as caught, translated(PLACE, "do it"):
        raise OSError(code, os.strerror(code))
    assert type(caught.value) is error
    assert str(caught.value).startswith("/run: cannot do it: ")
    assert isinstance(caught.value.__cause__, OSError)


def test_an_error_without_a_number_keeps_its_words() -> None:
    """An error that has no number is told in its own words."""
    assert "odd" in str(error_for(OSError("odd"), PLACE, "do it"))
    assert "odd" in str(unknown(PLACE, "do it", OSError("odd")))


@pytest.mark.parametrize("kind", [FileNotFoundError, FileExistsError])
def test_a_missing_or_taken_name_is_an_answer(kind: type[OSError]) -> None:
    """A name that is missing or taken passes as the system said it."""
    with pytest.raises(kind), translated(PLACE, "do it"):
        raise kind(2, "x")


def test_a_name_that_could_not_be_synced_is_of_unknown_durability() -> None:
    """A new file whose folder could not be synced is of unknown durability; for want of room it is a full disk."""
    with pytest.raises(DurabilityUnknown, match="Nobody knows"), translated(PLACE, "do it"):
        raise NotSynced(errno.EIO, "x")
    with pytest.raises(DiskFull), translated(PLACE, "do it"):
        raise NotSynced(errno.ENOSPC, "x")


def test_a_full_disk_names_bytes_where_they_are_known() -> None:
    """The message of a full disk counts what is needed and free, and is silent where that is not known."""
    assert "; 1,234 bytes are needed, 56 are free." in str(full(PLACE, "do it", needed_bytes=1234, free_bytes=56))
    assert "bytes" not in str(full(PLACE, "do it", needed_bytes=None, free_bytes=None))


def test_a_put_asks_for_room_first() -> None:
    """A file that cannot fit is refused before anything is written."""
    files = disk()
    opened = writer(files)
    files.capacity = 0
    recorded = Recorded(files)
    opened.folder.files = recorded
    with pytest.raises(DiskFull):
        opened.replace("doc", b"1")
    assert recorded.story() == []
