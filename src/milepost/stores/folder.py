"""A directory by handle: only regular files of ours are opened in it, and errors are Milepost's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self

from milepost.errors import InvalidArgument, StoreUnavailable, UnsafeStore
from milepost.fs import Content, FileKind, FileSystem, OpenMode, Stat, current, new_file, read_all
from milepost.stores.translate import error_for, full, translated, unknown

_GROUP_AND_OTHERS = 0o022
_OTHERS = 0o002
_STICKY = 0o1000
_IN_PLACE = ("update", "lock")
_ROOT = 0
_SPARE_BYTES = 4096  # what a directory may need for one more name


class Folder:
    """An open directory, its *path* only for messages; everything below is reached by name, never by path."""

    def __init__(self, files: FileSystem, handle: int, path: Path) -> None:
        """Take over an open directory *handle*."""
        self.files = files
        self.handle = handle
        self.path = path

    @classmethod
    def open(cls, files: FileSystem, path: Path) -> Folder:
        """Open an existing directory at a path of the caller's choice; links in it are followed.

        Raises:
            FileNotFoundError: There is none.
            UnsafeStore: It is not a directory.
            StoreUnavailable: The system refused.
        """
        with translated(path, "open the folder"):
            return cls(files, files.open_path(os.fspath(path)), path)

    @classmethod
    def make(cls, files: FileSystem, path: Path) -> Folder:
        """Open the directory at *path*, made durably with its parents where missing.

        A directory that is there already may have been made by a process that was killed before it synced it,
        so the one above is synced in any case.

        Raises:
            UnsafeStore: Something else stands there.
            DiskFull: There is no room for it.
            StoreUnavailable: The system refused.
        """
        above = path.absolute().parent
        try:
            folder = cls.open(files, path)
        except FileNotFoundError:
            if above == path.absolute():
                raise
            with cls.make(files, above) as parent, translated(path, "make the folder"):
                try:
                    with parent._new(partial(files.make_path, os.fspath(path)), path.name):
                        parent.sync()
                    return cls.open(files, path)
                except FileNotFoundError as error:
                    raise StoreUnavailable(
                        f"{path}: cannot make the folder: it is not there and cannot be made (a link that leads "
                        "nowhere, or a filesystem that takes no folders). Use another folder."
                    ) from error
        try:
            with suppress(StoreUnavailable), cls.open(files, above) as parent:  # it may be closed to this user
                parent.sync()
        except BaseException:
            folder.close()
            raise
        return folder

    def child(self, name: str, *, create: bool = False) -> Folder:
        """Open a subdirectory; a symbolic link in its place is refused, and a folder that is not ours alone.

        Raises:
            FileNotFoundError: There is none and *create* is false.
            UnsafeStore: It is a link, no directory, another user's, or one in which others may rename our files.
        """
        path = self.path / name
        with translated(path, "open the folder"):
            if create:
                with self._new(partial(self.files.make_directory, self.handle, name), name):
                    self.sync()
            handle = self.files.open_directory(self.handle, name)
            try:
                reason = _unsafe_folder(self.files.stat(handle))
            except OSError:
                self.files.close(handle)
                raise
        if reason:
            self.files.close(handle)
            raise UnsafeStore(f"{path}: {reason}. Nothing was touched.")
        return Folder(self.files, handle, path)

    @contextmanager
    def _new(self, make: Callable[[], None], name: str) -> Iterator[None]:
        """Make a subdirectory, which the block syncs; if that fails take it away again.

        A sync that failed is told only once: whoever finds the name later could not make it durable any more.
        """
        made = True
        try:
            make()
        except FileExistsError:
            made = False
        try:
            yield
        except Exception:
            if made:
                with suppress(OSError):  # the first error is the one to tell
                    self.files.remove_directory(self.handle, name)
            raise

    def close(self) -> None:
        """Let go of the handle; the folder must not be used after."""
        if self.handle >= 0:
            handle, self.handle = self.handle, -1
            with translated(self.path, "close the folder"):
                self.files.close(handle)

    def __enter__(self) -> Self:
        """Return the folder."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def names(self) -> list[str]:
        """List the entries, sorted."""
        with translated(self.path, "list the folder"):
            return sorted(self.files.names(self.handle))

    def has(self, name: str) -> bool:
        """Tell whether the name is taken, by whatever it be."""
        try:
            self.files.stat_name(self.handle, name)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise error_for(error, self.path / name, "look at the file") from error
        return True

    def still_has(self, name: str) -> bool:
        """Tell whether a file that stood there still does: cheap enough to be asked before every write."""
        try:
            return self.files.exists(self.handle, name)
        except OSError as error:
            raise error_for(error, self.path / name, "look at the file") from error

    def identity(self) -> tuple[int, int]:
        """Return device and inode, which name this directory whatever path led to it."""
        with translated(self.path, "look at the folder"):
            stat = self.files.stat(self.handle)
        return stat.device, stat.inode

    @contextmanager
    def opened(self, name: str, mode: OpenMode = "read", *, group_may_write: bool = False) -> Iterator[int]:
        """Open a file safely for the block; see `open_file`."""
        handle = self.open_file(name, mode, group_may_write=group_may_write)
        try:
            yield handle
        finally:
            with translated(self.path / name, "close the file"):
                self.files.close(handle)

    def open_file(self, name: str, mode: OpenMode, *, group_may_write: bool = False) -> int:
        """Open a regular file that belongs to us and that nobody else may write.

        Args:
            name: The file's name.
            mode: How it is opened.
            group_may_write: Accept a file that its group may write, as files made under a umask of 002 are.

        Raises:
            FileNotFoundError: There is none.
            UnsafeStore: It is a link, a FIFO, a device, a directory, another user's, or writable by others.
            StoreUnavailable: The system refused.
        """
        path = self.path / name
        with translated(path, "open the file"):
            handle = self.files.open_file(self.handle, name, mode)
            try:
                stat = self.files.stat(handle)
            except OSError:
                self.files.close(handle)
                raise
        reason = _unsafe(stat, _OTHERS if group_may_write else _GROUP_AND_OTHERS)
        if not reason and mode in _IN_PLACE and stat.links > 1:
            reason = "this file has a second name, and what is written here would change it there, too; copy it instead"
        if reason:
            self.files.close(handle)
            raise UnsafeStore(f"{path}: {reason}. Nothing was touched.")
        return handle

    def refuse_unsafe(self, name: str) -> None:
        """Look at a file without opening it, and refuse what `open_file` would refuse.

        Raises:
            FileNotFoundError: There is none.
            UnsafeStore: See `open_file`.
        """
        path = self.path / name
        with translated(path, "look at the file"):
            reason = _unsafe(self.files.stat_name(self.handle, name), _GROUP_AND_OTHERS)
        if reason:
            raise UnsafeStore(f"{path}: {reason}. Nothing was touched.")

    def read(self, name: str, size: int | None = None, *, group_may_write: bool = False) -> bytes:
        """Return a file's bytes (the first *size* of them).

        Raises:
            FileNotFoundError: There is none.
            UnsafeStore: See `open_file`.
            StoreUnavailable: The system refused.
        """
        with (
            self.opened(name, group_may_write=group_may_write) as handle,
            translated(self.path / name, "read the file"),
        ):
            return read_all(self.files, handle, 0, size)

    def put(self, name: str, data: Content, *, replace: bool, shared: bool = False) -> None:
        """Let a file appear whole and durable, or not at all; *data* whole or in pieces, *shared* as in `new_file`.

        Raises:
            FileExistsError: The name is taken and *replace* is false.
            DiskFull: There is no room; the old state is whole.
            DurabilityUnknown: The file is there, but its name may not survive a power cut.
            StoreUnavailable: The system refused; the old state is whole.
        """
        path = self.path / name
        needed = _size_of(data) + _SPARE_BYTES
        with translated(path, "write the file"):
            free = self.files.free_bytes(self.handle)
        if free < needed:
            raise full(path, "write the file", needed_bytes=needed, free_bytes=free)
        try:
            with translated(path, "write the file", needed_bytes=needed, free_bytes=free):
                new_file(self.files, self.handle, name, data, replace=replace, shared=shared)
        except FileNotFoundError as error:
            raise StoreUnavailable(f"{path}: cannot write the file: its folder was removed meanwhile.") from error

    def remove(self, name: str) -> None:
        """Remove a file's name; not durable until `sync`. A missing one is no error."""
        with translated(self.path / name, "delete the file"), suppress(FileNotFoundError):
            self.files.unlink(self.handle, name)

    def sync(self) -> None:
        """Make the entries survive power loss.

        Raises:
            DurabilityUnknown: The sync failed.
        """
        try:
            self.files.sync(self.handle)
        except OSError as error:
            raise unknown(self.path, "sync the folder", error) from error


def write_durably(path: str | os.PathLike[str], data: Content) -> None:
    """Let the file at *path* appear whole and durable, or stay as it was.

    The bytes go to a temporary file of the same folder, are synced, renamed over *path*, and the folder is
    synced: the protocol of docs/design/storage.md. The folder is made where it is missing.

    Args:
        path: The file; what stood there is replaced.
        data: All of its bytes, or an iterator of pieces, which is read as the file is written.

    Raises:
        InvalidArgument: *path* names no file.
        DiskFull: There is no room; what stood at *path* is whole.
        DurabilityUnknown: The file is there, but its name may not survive a power cut.
        StoreUnavailable: The system refused; what stood at *path* is whole.
    """
    target = Path(path)
    if not target.name:
        raise InvalidArgument(f"{target}: a file is needed, this names a folder.")
    with Folder.make(current(), target.parent) as folder:
        folder.put(target.name, data, replace=True, shared=True)


def _size_of(data: Content) -> int:
    """Return how many bytes are known to be needed: an iterator does not say."""
    if isinstance(data, bytes):
        return len(data)
    return 0 if isinstance(data, Iterator) else sum(map(len, data))


def _unsafe(stat: Stat, refused: int) -> str | None:
    if stat.kind is not FileKind.FILE:
        return "this is not a regular file"
    if stat.owner not in (os.geteuid(), _ROOT):
        return f"this file belongs to another user (uid {stat.owner}); change its owner if you trust it"
    if stat.permissions & refused:
        return f"others may write this file (mode {stat.permissions:o}); if you trust it, run chmod go-w on it"
    return None


def _unsafe_folder(stat: Stat) -> str | None:
    """Say why others could take files of ours away or put older ones back; a group may share a folder, as ever."""
    if stat.owner not in (os.geteuid(), _ROOT):
        return f"this folder belongs to another user (uid {stat.owner}); change its owner if you trust it"
    if stat.permissions & _OTHERS and not stat.permissions & _STICKY:
        return (
            f"others may rename files in this folder (mode {stat.permissions:o}); if you trust it, run chmod o-w on it"
        )
    return None
