"""The real filesystem, relative to directory handles, closed across exec, never following a link below the root."""

from __future__ import annotations

import fcntl
import os
import stat as mode_bits
import sys

from milepost.fs.seam import FileKind, OpenMode, Stat

_BASE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_OPEN_FLAGS: dict[OpenMode, int] = {
    "read": os.O_RDONLY | _BASE,
    "update": os.O_RDWR | _BASE,
    "create": os.O_RDWR | os.O_CREAT | os.O_EXCL | _BASE,
    "create shared": os.O_RDWR | os.O_CREAT | os.O_EXCL | _BASE,
    "lock": os.O_RDWR | os.O_CREAT | _BASE,
}
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PRIVATE_FILE = 0o600
_SHARED_FILE = 0o666  # less what the umask takes
_PRIVATE_DIRECTORY = 0o700
_LAST_STREAM = 2  # standard error


class SystemFiles:
    """The operating system's files. See `FileSystem` for what each verb promises."""

    def open_path(self, path: str) -> int:
        """Open the directory at *path*, following links."""
        return _above_streams(os.open(path, _DIRECTORY_FLAGS))

    def make_path(self, path: str) -> None:
        """Make the directory at *path*."""
        os.mkdir(path, _PRIVATE_DIRECTORY)

    def open_directory(self, directory: int, name: str) -> int:
        """Open a subdirectory that is not a link."""
        return _above_streams(os.open(name, _DIRECTORY_FLAGS | os.O_NOFOLLOW, dir_fd=directory))

    def make_directory(self, directory: int, name: str) -> None:
        """Make a private subdirectory."""
        os.mkdir(name, _PRIVATE_DIRECTORY, dir_fd=directory)

    def remove_directory(self, directory: int, name: str) -> None:
        """Remove an empty subdirectory."""
        os.rmdir(name, dir_fd=directory)

    def open_file(self, directory: int, name: str, mode: OpenMode) -> int:
        """Open a file that is not a link, without blocking."""
        permissions = _SHARED_FILE if mode == "create shared" else _PRIVATE_FILE
        return _above_streams(os.open(name, _OPEN_FLAGS[mode], permissions, dir_fd=directory))

    def close(self, handle: int) -> None:
        """Close a handle."""
        os.close(handle)

    def read(self, file: int, size: int, offset: int) -> bytes:
        """Read at an offset."""
        return os.pread(file, size, offset)

    def write(self, file: int, data: bytes | memoryview, offset: int) -> int:
        """Write at an offset."""
        return os.pwrite(file, data, offset)

    def truncate(self, file: int, size: int) -> None:
        """Set the file's size."""
        os.ftruncate(file, size)

    def sync(self, handle: int) -> None:
        """Sync bytes and metadata; on macOS down to the medium, which plain fsync does not promise there."""
        if sys.platform == "darwin":
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        else:
            os.fsync(handle)

    def sync_data(self, file: int) -> None:
        """Sync bytes and size."""
        if sys.platform == "darwin":
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(file)

    def drop_cache(self, file: int, offset: int, size: int) -> None:
        """Evict clean pages of the range, where the system can be asked to."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file, offset, size, os.POSIX_FADV_DONTNEED)

    def rename(self, source: int, old: str, target: int, new: str) -> None:
        """Move an entry."""
        os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)

    def link(self, source: int, old: str, target: int, new: str) -> None:
        """Add a name."""
        os.link(old, new, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)

    def unlink(self, directory: int, name: str) -> None:
        """Remove a name."""
        os.unlink(name, dir_fd=directory)

    def names(self, directory: int) -> list[str]:
        """List the entries."""
        return os.listdir(directory)

    def stat(self, handle: int) -> Stat:
        """Describe a handle."""
        return _described(os.fstat(handle))

    def stat_name(self, directory: int, name: str) -> Stat:
        """Describe an entry."""
        return _described(os.stat(name, dir_fd=directory, follow_symlinks=False))

    def exists(self, directory: int, name: str) -> bool:
        """Tell whether the name is taken; a `stat` would make the next sync dearer (docs/design/decisions.md)."""
        return os.access(name, os.F_OK, dir_fd=directory)

    def lock(self, file: int) -> bool:
        """Take the flock, which lasts as long as the open file description: a killed process lets go of it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def free_bytes(self, handle: int) -> int:
        """Return the bytes free to ordinary users."""
        space = os.fstatvfs(handle)
        return space.f_bavail * space.f_frsize

    def filesystem_type(self, handle: int) -> str:
        """Look the handle's mount up in /proc, which names it exactly where a device number would not."""
        try:
            with open(f"/proc/self/fdinfo/{handle}", encoding="ascii") as lines:
                mount = next(line.split()[1] for line in lines if line.startswith("mnt_id:"))
            with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if line.split(" ", 1)[0] == mount:
                        return line.rpartition(" - ")[2].split(" ", 1)[0]
        except (OSError, StopIteration):
            return ""
        return ""

    def token(self) -> str:
        """Return 16 random hex digits."""
        return os.urandom(8).hex()


def _described(result: os.stat_result) -> Stat:
    if mode_bits.S_ISREG(result.st_mode):
        kind = FileKind.FILE
    elif mode_bits.S_ISDIR(result.st_mode):
        kind = FileKind.DIRECTORY
    else:
        kind = FileKind.OTHER
    return Stat(
        kind=kind,
        size=result.st_size,
        inode=result.st_ino,
        device=result.st_dev,
        owner=result.st_uid,
        permissions=mode_bits.S_IMODE(result.st_mode),
        modified=result.st_mtime,
        links=result.st_nlink,
    )


def _above_streams(handle: int) -> int:
    """Return *handle*, moved off the numbers of the standard streams.

    A program that was started without them gets those numbers for its files, and whatever is printed goes there.
    """
    if handle > _LAST_STREAM:
        return handle
    try:
        return fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, _LAST_STREAM + 1)
    finally:
        os.close(handle)
