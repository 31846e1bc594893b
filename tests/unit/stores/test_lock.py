"""One writer at a time: a lock that dies with its holder, names it, and is never unlinked."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import milepost
from milepost.errors import DiskFull, RunLocked, UnsafeStore
from milepost.fs import FileSystem, SystemFiles
from milepost.fs.intercepted import Operation
from milepost.stores import RunFiles
from milepost.stores.folder import Folder
from milepost.stores.lock import WriterLock
from milepost.testing import MUTATING, Intercepted, Recorded, SimulatedDisk
from tests.support.journals import RUN, Clock, append, disk, look, numbers, read, store, writer

HOLDER = """
import sys, time
from pathlib import Path
from milepost.clock import SystemClock
from milepost.fs import SystemFiles
from milepost.stores import RunFiles
from milepost.stores.folder import Folder

run = RunFiles(Folder.open(SystemFiles(), Path(sys.argv[1])))
run.lock(SystemClock())
run.recover("run-one")
print("held", flush=True)
time.sleep(60)
"""


def _take(files: FileSystem, clock: Clock | None = None, *, network: bool = False) -> WriterLock:
    return WriterLock.take(store(files).folder, clock or Clock(), allow_network_filesystem=network)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Return another process that holds the lock of *tmp_path*."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def _real(path: Path) -> RunFiles:
    return RunFiles(Folder.open(SystemFiles(), path))


def test_a_second_writer_is_refused_with_the_holders_name() -> None:
    """A lock that is held is refused at once, and the error names host, pid and age of the holder."""
    files = disk()
    clock = Clock()
    held = _take(files, clock)
    clock.at += 90
    with pytest.raises(RunLocked) as refused:
        _take(files, clock)
    assert (refused.value.host, refused.value.pid, refused.value.age_seconds) == (socket.gethostname(), os.getpid(), 90)
    assert f"process {os.getpid()} on host {socket.gethostname()}, for 90 s" in str(refused.value)
    assert "this very process" in str(refused.value)
    held.release()


def test_the_note_of_another_process_names_it(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """The error names the pid of the process that holds the lock, and reading is possible all the while."""
    run = _real(tmp_path)
    with pytest.raises(RunLocked, match=f"process {holder.pid} on host") as refused:
        run.lock(milepost_clock())
    assert refused.value.pid == holder.pid
    assert "this very process" not in str(refused.value)
    assert numbers(look(run)) == []
    run.close()


def milepost_clock() -> Clock:
    """Return a clock that shows the real time."""
    return Clock(time.time())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_lets_go(tmp_path: Path, holder: subprocess.Popen[str], how: signal.Signals) -> None:
    """The lock of a killed process is free at once, and the note that it left is replaced."""
    holder.send_signal(how)
    holder.wait(10)
    run = _real(tmp_path)
    run.lock(milepost_clock())
    run.recover(RUN)
    note = json.loads((tmp_path / "lock").read_text())
    assert note["pid"] == os.getpid()
    run.close()


def test_a_stopped_holder_keeps_the_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """A paused process is not dead: its lock is kept."""
    holder.send_signal(signal.SIGSTOP)
    run = _real(tmp_path)
    with pytest.raises(RunLocked):
        run.lock(milepost_clock())
    holder.send_signal(signal.SIGCONT)
    run.close()


FORKING = """
import os, sys, time
import milepost

manager = milepost.CheckpointManager("phase", sys.argv[1])
manager.save_checkpoint(1, {"a": 1}, force=True)
child = os.fork()
if child == 0:
    open_here = []
    for name in os.listdir("/proc/self/fd"):
        try:
            open_here.append(os.readlink("/proc/self/fd/" + name))
        except OSError:
            pass
    print("kept" if any(path.endswith(("/lock", ".jsonl")) for path in open_here) else "free", os.getpid(), flush=True)
time.sleep(60)
"""


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A child that was forked while its parent wrote does not lock others out once the parent is killed."""
    parent = subprocess.Popen([sys.executable, "-c", FORKING, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    word, child = parent.stdout.readline().split()
    try:
        with pytest.raises(RunLocked):
            milepost.CheckpointManager("phase", tmp_path).save_checkpoint(2, {"a": 2}, force=True)
        parent.kill()
        parent.wait(10)
        os.kill(int(child), 0)  # it lives
        assert word == "free"
        with milepost.CheckpointManager("phase", tmp_path) as manager:
            manager.get_latest_checkpoint()
            assert manager.save_checkpoint(2, {"a": 2}, force=True) is not None
    finally:
        parent.kill()
        os.kill(int(child), signal.SIGKILL)
        parent.stdout.close()
        parent.wait(10)


def test_the_lock_is_never_unlinked() -> None:
    """Taking and releasing the lock any number of times keeps the one file, with its inode."""
    files = disk()
    inodes = set()
    for _ in range(3):
        lock = _take(files)
        with store(files).folder as folder:
            inodes.add(files.stat_name(folder.handle, "lock").inode)
        lock.release()
        lock.release()
    assert len(inodes) == 1
    recorded = Recorded(files)
    _take(recorded).release()
    assert not [line for line in recorded.story() if line.startswith(("unlink", "rename"))]


def test_the_note_is_one_line_of_json() -> None:
    """The note in the lock file is one sealed line that names host, pid and since when."""
    files = disk()
    held = _take(files, Clock(12.5))
    note = json.loads(files.files()["/run/lock"])
    assert {name: note[name] for name in ("kind", "host", "pid", "since")} == {
        "kind": "lock", "host": socket.gethostname(), "pid": os.getpid(), "since": 12.5,
    }  # fmt: skip
    held.release()


def test_a_writer_that_leaves_takes_its_note_back() -> None:
    """Behind a writer that let go no note stays, so that no other host takes the run for one that is running."""
    files = disk()
    held = _take(files)
    assert files.files()["/run/lock"]
    held.release()
    assert files.files()["/run/lock"] == b""


def test_a_forked_child_leaves_the_note_of_its_parent(tmp_path: Path) -> None:
    """A child that lets go of its copy of the lock changes nothing for the parent, who holds it still."""
    held = WriterLock.take(_real(tmp_path).folder, Clock(), allow_network_filesystem=False)
    before = (tmp_path / "lock").read_bytes()
    child = os.fork()
    if not child:
        held.release()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (tmp_path / "lock").read_bytes() == before
    held.release()


@pytest.mark.parametrize("note", [b"", b"\0" * 100, b"{}", b'{"pid":1', b'{"kind":"lock","pid":1}\n', b"\xff" * 3000])
def test_an_unreadable_note_still_locks(note: bytes) -> None:
    """A holder whose note is empty, torn or altered is told as one that left no readable note."""
    files = disk()
    held = _take(files)
    files.damage("/run/lock", note)
    with pytest.raises(RunLocked, match="a process that left no readable note") as refused:
        _take(files)
    assert (refused.value.host, refused.value.pid, refused.value.age_seconds) == (None, None, None)
    held.release()


def test_a_clock_that_went_back_gives_no_negative_age() -> None:
    """The age of a holder is never below zero."""
    files = disk()
    held = _take(files, Clock(1000))
    with pytest.raises(RunLocked) as refused:
        _take(files, Clock(10))
    assert refused.value.age_seconds == 0
    held.release()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_lock_on_a_replaced_file_is_no_lock(replaced: bool) -> None:
    """If the lock file was replaced or removed between opening and locking, the one that stands there is locked."""
    inner = disk()
    with store(inner).folder as folder:
        inner.close(inner.open_file(folder.handle, "lock", "lock"))
    done: list[bool] = []

    def meddle(operation: Operation) -> None:
        if operation.name == "lock" and not done:
            done.append(True)
            with store(inner).folder as folder:
                inner.unlink(folder.handle, "lock")
                if replaced:
                    inner.close(inner.open_file(folder.handle, "lock", "create"))

    files = Intercepted(inner, before=meddle)
    opened = store(files)
    lock = WriterLock.take(opened.folder, Clock(), allow_network_filesystem=False)
    assert inner.stat(lock._handle).inode == inner.stat_name(opened.folder.handle, "lock").inode
    assert len(inner._open) == 2
    with pytest.raises(RunLocked):
        _take(inner)


def test_a_lock_that_cannot_be_signed_is_let_go() -> None:
    """Where the note finds no room, the error is typed and the lock is free for the next try."""
    files = SimulatedDisk(("/run",), capacity=0)
    with pytest.raises(DiskFull):
        _take(files)
    files.capacity = None
    assert len(files._open) == 1  # the folder of the failed try
    _take(files).release()


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"])
def test_a_network_filesystem_is_refused(kind: str) -> None:
    """A filesystem whose locks or syncs are not sound is refused before anything is made, and reading is not."""
    files = SimulatedDisk(("/run",), filesystem=kind)
    with pytest.raises(UnsafeStore, match=re.escape(f"this is on {kind},") + ".*allow_network_filesystem=True"):
        store(files).lock(Clock())
    assert files.files() == {}
    assert look(store(files)) is None


def test_a_network_filesystem_can_be_allowed() -> None:
    """With the explicit word a network filesystem is written all the same."""
    files = SimulatedDisk(("/run",), filesystem="nfs4")
    run = store(files)
    run.lock(Clock(), allow_network_filesystem=True)
    run.recover(RUN)
    append(run, 1)
    assert numbers(read(files)) == [1]


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", ""])
def test_a_local_or_unknown_filesystem_is_taken(kind: str) -> None:
    """Local filesystems, and those whose type nobody tells, are written without a word."""
    assert writer(SimulatedDisk(("/run",), filesystem=kind)) is not None


def test_reading_takes_no_lock_and_changes_nothing() -> None:
    """Reading beside a writer is possible and does no operation that changes anything but a sync."""
    files = disk()
    append(writer(files), 1, 2)
    recorded = Recorded(files)
    opened = store(recorded)
    assert numbers(look(opened)) == [1, 2]
    opened.close()
    assert set(recorded.story(MUTATING)) <= {"sync_data journal_000001.jsonl"}
    assert not [operation for operation in recorded.operations if operation.name == "lock"]


def test_closing_lets_go_of_the_lock() -> None:
    """A closed store has let go of journal, lock and folder, and the next writer gets in."""
    files = disk()
    first = writer(files)
    append(first, 1)
    first.close()
    assert files._open == {}
    second = writer(files)
    append(second, 2)
    second.close(clean=False)
    assert files._open == {}
    assert numbers(read(files)) == [1, 2]
