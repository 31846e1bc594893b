"""What Milepost asks of a filesystem: about twenty verbs, each one system call.

Everything durable goes through one object of this shape, so that the same code runs against the real
system, against a wrapper that kills the process at the n-th call, and against a simulated disk that
loses what was not synced. Verbs raise `OSError` as the system does; nobody here interprets.
"""

from __future__ import annotations

import enum
from typing import Literal, NamedTuple, Protocol

OpenMode = Literal["read", "update", "create", "create shared", "lock"]
"""How a file is opened: existing, to read; existing, to read and write; new, fails if taken; the same with the
permissions of any new file of this user; made if missing."""


class FileKind(enum.Enum):
    """What a directory entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    OTHER = "other"


class Stat(NamedTuple):
    """What Milepost needs to know of a file: *size* in bytes, *modified* in seconds since 1970, how many *links*."""

    kind: FileKind
    size: int
    inode: int
    device: int
    owner: int
    permissions: int
    modified: float
    links: int = 1


class FileSystem(Protocol):
    """The verbs. A *directory* is an open handle; a *name* is one path component below it, never a path."""

    def open_path(self, path: str) -> int:
        """Open the directory at *path*, following links: the path is the caller's own word."""

    def make_path(self, path: str) -> None:
        """Make the directory at *path*, private to its owner; its parent must exist."""

    def open_directory(self, directory: int, name: str) -> int:
        """Open a subdirectory; a symbolic link is refused."""

    def make_directory(self, directory: int, name: str) -> None:
        """Make a subdirectory, private to its owner."""

    def remove_directory(self, directory: int, name: str) -> None:
        """Remove an empty subdirectory."""

    def open_file(self, directory: int, name: str, mode: OpenMode) -> int:
        """Open a file; never follows a symbolic link, never blocks on a FIFO. New files get mode 0600."""

    def close(self, handle: int) -> None:
        """Close a handle of either kind."""

    def read(self, file: int, size: int, offset: int) -> bytes:
        """Read up to *size* bytes at *offset*; fewer only at the end of the file or by a short read."""

    def write(self, file: int, data: bytes | memoryview, offset: int) -> int:
        """Write at *offset*; return how many bytes were taken, which may be fewer."""

    def truncate(self, file: int, size: int) -> None:
        """Cut or extend the file to *size* bytes."""

    def sync(self, handle: int) -> None:
        """Make a file with its metadata, or a directory's entries, survive power loss."""

    def sync_data(self, file: int) -> None:
        """Make a file's bytes and its size survive power loss."""

    def drop_cache(self, file: int, offset: int, size: int) -> None:
        """Ask that the next read of this range comes from the device, not from the page cache."""

    def rename(self, source: int, old: str, target: int, new: str) -> None:
        """Move an entry, replacing the target."""

    def link(self, source: int, old: str, target: int, new: str) -> None:
        """Give a file a second name; fails if it is taken."""

    def unlink(self, directory: int, name: str) -> None:
        """Remove a file's name."""

    def names(self, directory: int) -> list[str]:
        """List a directory's entries, in no order."""

    def stat(self, handle: int) -> Stat:
        """Describe an open handle."""

    def stat_name(self, directory: int, name: str) -> Stat:
        """Describe an entry without following a link."""

    def exists(self, directory: int, name: str) -> bool:
        """Tell whether the name is taken, without asking for the file's times."""

    def lock(self, file: int) -> bool:
        """Take the exclusive advisory lock of an open file without waiting; False if it is held elsewhere."""

    def free_bytes(self, handle: int) -> int:
        """Return the bytes an ordinary user may still write to this filesystem."""

    def filesystem_type(self, handle: int) -> str:
        """Return the type of the filesystem as its mount says (``ext4``, ``nfs4``); empty if unknown."""

    def token(self) -> str:
        """Return 16 random hex digits, for names that must not collide."""
