"""Each wrapper does what it says, at the operation it was told, to whatever filesystem is below."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from milepost.fs import FileSystem, SystemFiles, new_file
from milepost.fs.durable import write_all
from milepost.testing import (
    ALL,
    MUTATING,
    CrashAt,
    ErrorAt,
    Intercepted,
    Interrupted,
    KillAt,
    Operation,
    Recorded,
    ShortWrites,
    SimulatedCrash,
    SimulatedDisk,
)
from milepost.testing.faults import At, When


def exercise(files: FileSystem, path: str) -> None:
    """Use every verb once."""
    root = files.open_path(path)
    files.make_path(f"{path.rstrip('/')}/p")
    files.make_directory(root, "d")
    below = files.open_directory(root, "d")
    file = files.open_file(root, "f", "create")
    files.write(file, b"abc", 0)
    files.truncate(file, 2)
    files.sync_data(file)
    files.sync(root)
    files.drop_cache(file, 0, 0)
    assert files.read(file, 9, 0) == b"ab"
    files.link(root, "f", below, "g")
    files.rename(root, "f", root, "h")
    files.unlink(below, "g")
    files.remove_directory(root, "d")
    assert sorted(files.names(root)) == ["h", "p"]
    assert files.stat(file).size == files.stat_name(root, "h").size == 2
    assert files.exists(root, "h")
    assert files.lock(file)
    assert files.free_bytes(root) > 0
    assert isinstance(files.filesystem_type(root), str)
    assert len(files.token()) == 16
    files.close(files.open_file(root, "h", "read"))
    for handle in (file, below, root):
        files.close(handle)


STORY = [
    "make_path /p",
    "make_directory d",
    "create_file f",
    "write f",
    "truncate f",
    "sync_data f",
    "sync /",
    "link f -> g",
    "rename f -> h",
    "unlink g",
    "remove_directory d",
]


def test_every_verb_passes_by_name() -> None:
    """The recorder sees every verb with its file, in order, and tells those that change something."""
    recorded = Recorded(SimulatedDisk())
    exercise(recorded, "/")
    assert {operation.name for operation in recorded.operations} == ALL
    assert recorded.story() == STORY
    assert recorded.story({"open_directory", "lock"}) == ["open_directory d", "lock f"]
    assert [operation.number for operation in recorded.operations] == list(range(1, recorded.count + 1))
    assert recorded.mutations == sum(operation.mutates for operation in recorded.operations) == len(STORY)


def test_the_real_filesystem_can_be_wrapped(tmp_path: Path) -> None:
    """Wrappers stand around the real filesystem as well, and nest."""
    recorded = Recorded(ShortWrites(SystemFiles()))
    assert isinstance(recorded.innermost(), SystemFiles)
    new_file(recorded, recorded.open_path(str(tmp_path)), "a", b"abcd", replace=True)
    assert (tmp_path / "a").read_bytes() == b"abcd"
    assert [text.split()[0] for text in recorded.story()] == [
        "create_file", "write", "write", "write", "sync", "rename", "sync",
    ]  # fmt: skip


def test_before_and_after_surround_each_operation() -> None:
    """One hook hears of an operation before it happens, the other after, even when it was refused."""
    disk = SimulatedDisk()
    heard: list[tuple[str, str, int]] = []

    def hear(word: str, operation: Operation) -> None:
        heard.append((word, operation.name, len(disk.pending)))

    files = Intercepted(disk, before=lambda o: hear("before", o), after=lambda o: hear("after", o))
    root = files.open_path("/")
    files.make_directory(root, "d")
    with pytest.raises(FileExistsError):
        files.make_directory(root, "d")
    assert heard[2:] == [
        ("before", "make_directory", 0),
        ("after", "make_directory", 1),
        ("before", "make_directory", 1),
        ("after", "make_directory", 1),
    ]
    with pytest.raises(OSError, match="Bad file"):
        files.stat(77)
    assert heard[-1] == ("after", "stat", 1)


@pytest.mark.parametrize(("when", "names"), [("before", ["a"]), ("after", ["a", "b"])])
def test_a_crash_comes_before_or_after_the_nth_operation(when: When, names: list[str]) -> None:
    """A dead process does nothing more: every further call dies too, even in a `finally`."""
    disk = SimulatedDisk()
    files = CrashAt(disk, 2, when)
    root = files.open_path("/")
    files.make_directory(root, "a")
    with pytest.raises(SimulatedCrash, match=f"{when} make_directory b"):
        files.make_directory(root, "b")
    assert files.fired
    for late in (lambda: files.unlink(root, "a"), lambda: files.close(root), lambda: files.names(root)):
        with pytest.raises(SimulatedCrash, match="already dead"):
            late()
    assert disk.names(root) == names
    assert not issubclass(SimulatedCrash, Exception)


def test_a_fault_behind_the_last_operation_never_strikes() -> None:
    """A run with fewer operations ends undisturbed, and says so."""
    files = CrashAt(SimulatedDisk(), len(STORY) + 1)
    exercise(files, "/")
    assert not files.fired
    striking = CrashAt(SimulatedDisk(), len(STORY))
    with pytest.raises(SimulatedCrash):
        exercise(striking, "/")


def test_an_error_comes_once_or_from_then_on() -> None:
    """The nth counted operation is refused with the errno, and the later ones only if it was asked for."""
    for persistent in (False, True):
        disk = SimulatedDisk()
        files = ErrorAt(disk, 2, errno.EDQUOT, among={"make_directory"}, persistent=persistent)
        root = files.open_path("/")
        files.make_directory(root, "a")
        with pytest.raises(OSError, match="quota") as caught:
            files.make_directory(root, "b")
        assert (caught.value.errno, caught.value.filename) == (errno.EDQUOT, "b")
        if persistent:
            with pytest.raises(OSError, match="quota"):
                files.make_directory(root, "c")
        else:
            files.make_directory(root, "c")
        assert disk.names(root) == (["a"] if persistent else ["a", "c"])


def test_an_error_may_follow_its_effect() -> None:
    """An operation may take effect and be reported as failed."""
    disk = SimulatedDisk()
    files = ErrorAt(disk, 1, errno.EIO, "after", among=MUTATING)
    root = files.open_path("/")
    with pytest.raises(OSError, match="Input/output"):
        files.make_directory(root, "a")
    assert disk.names(root) == ["a"]


def test_a_failed_close_has_closed() -> None:
    """After an error of close the handle is gone and its lock is free."""
    disk = SimulatedDisk()
    files = ErrorAt(disk, 1, errno.EIO, among={"close"})
    root = files.open_path("/")
    file = files.open_file(root, "f", "lock")
    assert files.lock(file)
    with pytest.raises(OSError, match="Input/output"):
        files.close(file)
    assert disk.lock(disk.open_file(root, "f", "lock"))
    with pytest.raises(OSError, match="Bad file"):
        disk.stat(file)


def test_a_failed_sync_on_a_simulated_disk_has_lost() -> None:
    """A sync that was made to fail loses its atoms below any wrappers, so that a retry proves nothing."""
    disk = SimulatedDisk()
    files = ErrorAt(ShortWrites(disk), 1, errno.EIO, among={"sync", "sync_data"})
    root = files.open_path("/")
    file = files.open_file(root, "f", "create")
    disk.sync(root)
    write_all(files, file, b"abc", 0)
    with pytest.raises(OSError, match="Input/output"):
        files.sync_data(file)
    files.sync_data(file)
    assert disk.files() == {"/f": b"abc"}
    assert disk.crash().files() == {"/f": b""}


def test_an_error_needs_no_simulated_disk(tmp_path: Path) -> None:
    """On a real filesystem an injected error only refuses."""
    files = ErrorAt(SystemFiles(), 1, errno.EIO, among={"sync"})
    root = files.open_path(str(tmp_path))
    with pytest.raises(OSError, match="Input/output"):
        new_file(files, root, "a", b"abc", replace=True)
    files.close(root)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("when", "names"), [("before", []), ("after", ["a"])])
def test_a_signal_handler_may_raise(when: When, names: list[str]) -> None:
    """What a handler raises comes out of a call, before it or after its effect; the process lives on."""
    disk = SimulatedDisk()
    files = Interrupted(disk, 1, when, among={"make_directory"})
    root = files.open_path("/")
    with pytest.raises(KeyboardInterrupt):
        files.make_directory(root, "a")
    assert files.names(root) == names
    other = Interrupted(disk, 1, error=lambda: SystemExit(3), among={"close"})
    with pytest.raises(SystemExit):
        other.close(root)


@pytest.mark.parametrize(("takes", "count"), [("byte", 5), ("half", 4)])
def test_short_writes_take_a_part(takes: Literal["byte", "half"], count: int) -> None:
    """Each write takes one byte or half, so that only a loop writes all."""
    disk = SimulatedDisk()
    files = ShortWrites(disk, takes)
    file = files.open_file(files.open_path("/"), "f", "create")
    assert files.write(file, b"", 0) == 0
    write_all(files, file, b"abcde", 0)
    assert disk.files() == {"/f": b"abcde"}
    assert files.count == 3 + count


KILLED = """
import sys
from milepost.fs import SystemFiles
from milepost.testing import KillAt
files = KillAt(SystemFiles(), 2, sys.argv[2])
root = files.open_path(sys.argv[1])
files.make_directory(root, "a")
files.make_directory(root, "b")
"""


@pytest.mark.parametrize(("when", "names"), [("before", ["a"]), ("after", ["a", "b"])])
def test_a_kill_is_a_real_one(tmp_path: Path, when: str, names: list[str]) -> None:
    """The process gets SIGKILL before or after its nth operation."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), when], check=False)
    assert done.returncode == -signal.SIGKILL
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert issubclass(KillAt, At)


def test_a_bare_fault_does_nothing_of_its_own() -> None:
    """What strikes is a subclass's business."""
    files = At(SimulatedDisk(), 1, among={"open_path"})
    with pytest.raises(NotImplementedError):
        files.open_path("/")
