"""The writer's lock of a folder: an flock that a killed process lets go of, and a note of who holds it."""

from __future__ import annotations

import os
from contextlib import suppress

from milepost.clock import Clock
from milepost.errors import RunLocked, StorageError, UnsafeStore
from milepost.fs import read_all, write_all
from milepost.records import seal, unseal
from milepost.stores.base import Holder
from milepost.stores.folder import Folder
from milepost.stores.translate import translated

LOCK_NAME = "lock"

_KERNEL_LOCKS = "/proc/locks"

_UNSOUND = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "fuse.sshfs", "fuse.s3fs", "fuse.rclone"}
)
"""Filesystems where a lock taken on one machine may not be seen on another, or a sync may not reach the medium."""


def holder_of(folder: Folder) -> Holder | None:
    """Return who writes in *folder* now, or None. The lock is not touched, so no writer is hindered.

    The note in the file stays behind a writer that has left, so it counts only if the kernel's list of locks has the
    file (on Linux), or else if the process it names is alive. Of a writer on another host only the note tells.

    Raises:
        StoreUnavailable: The medium refused.
    """
    try:
        with folder.opened(LOCK_NAME) as handle, translated(folder.path / LOCK_NAME, "read the file"):
            inode = folder.files.stat(handle).inode
            note = unseal(read_all(folder.files, handle).rstrip(b"\n"))
    except FileNotFoundError:
        return None
    if note is None:
        return None
    holder = Holder(note["host"], note["pid"], note["since"])
    if holder.host != os.uname().nodename:
        return holder
    return holder if _is_locked(inode, holder.pid) else None


def _is_locked(inode: int, pid: int) -> bool:
    try:
        with open(_KERNEL_LOCKS, encoding="ascii") as lines:
            return any(_names_inode(line, inode) for line in lines)
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _names_inode(line: str, inode: int) -> bool:
    """Tell whether a line of the kernel's list is of an flock on that inode (proc(5): fields 2 and 6)."""
    fields = line.split()
    return len(fields) >= 6 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode)


class WriterLock:
    """The lock, held from `take` to `release`. The file is never unlinked: a second one could be locked beside it."""

    def __init__(self, folder: Folder, handle: int) -> None:
        """Hold the locked file *handle* of *folder*."""
        self._folder = folder
        self._handle = handle

    @classmethod
    def take(cls, folder: Folder, clock: Clock, *, allow_network_filesystem: bool) -> WriterLock:
        """Take the lock without waiting.

        Raises:
            RunLocked: Another process holds it; names its host, pid and age where the note is readable.
            UnsafeStore: The filesystem cannot keep the promise of a lock.
        """
        if not allow_network_filesystem:
            refuse_unsound(folder)
        while True:
            lock = cls(folder, folder.open_file(LOCK_NAME, "lock"))
            try:
                if lock._obtained(clock):
                    lock._sign(clock)
                    return lock
            except BaseException:
                with suppress(StorageError):  # the first error is the one to tell
                    lock.release()
                raise
            lock.release()  # somebody replaced the file between our open and our lock

    _handle = -1  # an interrupt may come before there is one
    _signed_by = -1

    def __del__(self) -> None:
        """Let go of a lock that an interrupt left without an owner, which nobody could take for the process's life."""
        with suppress(StorageError):
            self.release()

    def release(self) -> None:
        """Take the note back and let go of the lock.

        On another host only the note tells of a writer. A forked child leaves it: the lock is still its parent's.
        """
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            if self._signed_by == os.getpid():
                with suppress(OSError):  # it is for people; the lock itself goes with the handle
                    self._folder.files.truncate(handle, 0)
            with translated(self._folder.path / LOCK_NAME, "close the file"):
                self._folder.files.close(handle)

    def _obtained(self, clock: Clock) -> bool:
        """Lock the file, and tell whether it still is the one of that name."""
        folder = self._folder
        with translated(folder.path / LOCK_NAME, "lock the file"):
            if not folder.files.lock(self._handle):
                raise _held_elsewhere(folder, self._handle, clock)
            try:
                named = folder.files.stat_name(folder.handle, LOCK_NAME).inode
            except FileNotFoundError:
                return False
            return folder.files.stat(self._handle).inode == named

    def _sign(self, clock: Clock) -> None:
        """Note who holds the lock."""
        note = seal({"kind": "lock", "host": os.uname().nodename, "pid": os.getpid(), "since": clock.now()}) + b"\n"
        with translated(self._folder.path / LOCK_NAME, "write the file"):
            self._folder.files.truncate(self._handle, 0)
            write_all(self._folder.files, self._handle, note, 0)
            self._signed_by = os.getpid()


def refuse_unsound(folder: Folder) -> None:
    """Refuse a filesystem where another machine may not see a lock, or a sync may not reach the medium.

    Raises:
        UnsafeStore: It is one.
    """
    with translated(folder.path, "look at the filesystem"):
        kind = folder.files.filesystem_type(folder.handle)
    if kind in _UNSOUND:
        raise UnsafeStore(
            f"{folder.path}: this is on {kind}, where another machine may not see the lock and a sync may not reach "
            "the disk. Use a local folder, or pass allow_network_filesystem=True if only one machine writes here and "
            "losing the last records in a power cut is acceptable."
        )


def _held_elsewhere(folder: Folder, handle: int, clock: Clock) -> RunLocked:
    note = unseal(read_all(folder.files, handle).rstrip(b"\n")) or {}
    host, pid, since = note.get("host"), note.get("pid"), note.get("since")
    age = None if since is None else max(0.0, clock.now() - since)
    known = age is not None
    who = f"process {pid} on host {host}, for {age:.0f} s" if known else "a process that left no readable note"
    if pid == os.getpid() and host == os.uname().nodename:
        who += " (this very process, through another copy of Milepost)"
    return RunLocked(
        f"{folder.path}: this run is being written by {who}. Wait for it or stop it, then run the same command again; "
        "reading is possible all the while. The lock of a folder goes with its process: if it hangs, kill it; nothing "
        "else takes its run over.",
        host=host,
        pid=pid,
        age_seconds=age,
    )
