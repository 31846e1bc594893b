"""One wrapper through which every verb passes by name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from milepost.fs.seam import FileSystem, OpenMode, Stat

MUTATING = frozenset(
    {
        "create_file",
        "link",
        "make_directory",
        "make_path",
        "remove_directory",
        "rename",
        "sync",
        "sync_data",
        "truncate",
        "unlink",
        "write",
    }
)
"""The operations that may change what is visible or what is durable."""

NEEDING_SPACE = MUTATING - {"remove_directory", "unlink"}
"""The operations that a full disk or an exhausted quota may refuse."""

ALL = MUTATING | {
    "close",
    "drop_cache",
    "exists",
    "filesystem_type",
    "free_bytes",
    "lock",
    "names",
    "open_directory",
    "open_file",
    "open_path",
    "read",
    "stat",
    "stat_name",
}
"""Every operation; `token` is none. ``open_file`` goes as ``create_file`` where its mode may make a file."""


_OPENING = frozenset({"create_file", "open_directory", "open_file", "open_path"})
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of a verb.

    Args:
        number: Which operation it was, counted from 1.
        name: One of `ALL`.
        file: The entry's name, or the name under which the handle was opened.
        to: The new name, where there is one.
        handle: The handle that was used, if it was one of a file or directory by itself.
    """

    number: int
    name: str
    file: str
    to: str | None = None
    handle: int | None = None

    @property
    def mutates(self) -> bool:
        """Whether it may change what is visible or what is durable."""
        return self.name in MUTATING

    def __str__(self) -> str:
        return f"{self.name} {self.file}" + (f" -> {self.to}" if self.to is not None else "")


class Intercepted:
    """A filesystem that tells *before* and *after* of each operation; *after* also where it raised `OSError`.

    Operations happen one at a time, whatever threads call, so that "the n-th" means something.
    """

    def __init__(
        self,
        inner: FileSystem,
        *,
        before: Callable[[Operation], None] | None = None,
        after: Callable[[Operation], None] | None = None,
    ) -> None:
        """Wrap *inner*."""
        self.inner = inner
        self.count = 0
        self.mutations = 0
        self._tell_before = before or _nothing
        self._tell_after = after or _nothing
        self._turn = threading.RLock()
        self._names: dict[int, str] = {}

    def innermost(self) -> FileSystem:
        """Return the filesystem below all wrappers."""
        below = self.inner
        while isinstance(below, Intercepted):
            below = below.inner
        return below

    def _do(
        self,
        name: str,
        call: Callable[[], _Result],
        *,
        handle: int | None = None,
        file: str | None = None,
        to: str | None = None,
    ) -> _Result:
        with self._turn:
            self.count += 1
            self.mutations += name in MUTATING
            if file is None:
                file = self._names.get(handle, "?") if handle is not None else "?"
            operation = Operation(self.count, name, file, to, handle)
            self._tell_before(operation)
            try:
                result = call()
            except OSError:
                self._tell_after(operation)
                raise
            if name in _OPENING and isinstance(result, int):
                self._names[result] = file
            self._tell_after(operation)
            return result

    def open_path(self, path: str) -> int:
        """Open the directory at *path*."""
        return self._do("open_path", lambda: self.inner.open_path(path), file=path)

    def make_path(self, path: str) -> None:
        """Make the directory at *path*."""
        self._do("make_path", lambda: self.inner.make_path(path), file=path)

    def open_directory(self, directory: int, name: str) -> int:
        """Open a subdirectory."""
        return self._do("open_directory", lambda: self.inner.open_directory(directory, name), file=name)

    def make_directory(self, directory: int, name: str) -> None:
        """Make a subdirectory."""
        self._do("make_directory", lambda: self.inner.make_directory(directory, name), file=name)

    def remove_directory(self, directory: int, name: str) -> None:
        """Remove an empty subdirectory."""
        self._do("remove_directory", lambda: self.inner.remove_directory(directory, name), file=name)

    def open_file(self, directory: int, name: str, mode: OpenMode) -> int:
        """Open a file."""
        verb = "create_file" if mode in {"create", "create shared", "lock"} else "open_file"
        return self._do(verb, lambda: self.inner.open_file(directory, name, mode), file=name)

    def close(self, handle: int) -> None:
        """Close a handle."""
        self._do("close", lambda: self.inner.close(handle), handle=handle)

    def read(self, file: int, size: int, offset: int) -> bytes:
        """Read at an offset."""
        return self._do("read", lambda: self.inner.read(file, size, offset), handle=file)

    def write(self, file: int, data: bytes | memoryview, offset: int) -> int:
        """Write at an offset."""
        return self._do("write", lambda: self.inner.write(file, data, offset), handle=file)

    def truncate(self, file: int, size: int) -> None:
        """Set the file's size."""
        self._do("truncate", lambda: self.inner.truncate(file, size), handle=file)

    def sync(self, handle: int) -> None:
        """Sync a file or a directory."""
        self._do("sync", lambda: self.inner.sync(handle), handle=handle)

    def sync_data(self, file: int) -> None:
        """Sync bytes and size."""
        self._do("sync_data", lambda: self.inner.sync_data(file), handle=file)

    def drop_cache(self, file: int, offset: int, size: int) -> None:
        """Evict clean pages."""
        self._do("drop_cache", lambda: self.inner.drop_cache(file, offset, size), handle=file)

    def rename(self, source: int, old: str, target: int, new: str) -> None:
        """Move an entry."""
        self._do("rename", lambda: self.inner.rename(source, old, target, new), file=old, to=new)

    def link(self, source: int, old: str, target: int, new: str) -> None:
        """Add a name."""
        self._do("link", lambda: self.inner.link(source, old, target, new), file=old, to=new)

    def unlink(self, directory: int, name: str) -> None:
        """Remove a name."""
        self._do("unlink", lambda: self.inner.unlink(directory, name), file=name)

    def names(self, directory: int) -> list[str]:
        """List the entries."""
        return self._do("names", lambda: self.inner.names(directory), handle=directory)

    def stat(self, handle: int) -> Stat:
        """Describe a handle."""
        return self._do("stat", lambda: self.inner.stat(handle), handle=handle)

    def stat_name(self, directory: int, name: str) -> Stat:
        """Describe an entry."""
        return self._do("stat_name", lambda: self.inner.stat_name(directory, name), file=name)

    def exists(self, directory: int, name: str) -> bool:
        """Tell whether the name is taken."""
        return self._do("exists", lambda: self.inner.exists(directory, name), file=name)

    def lock(self, file: int) -> bool:
        """Take the lock."""
        return self._do("lock", lambda: self.inner.lock(file), handle=file)

    def free_bytes(self, handle: int) -> int:
        """Return the bytes free."""
        return self._do("free_bytes", lambda: self.inner.free_bytes(handle), handle=handle)

    def filesystem_type(self, handle: int) -> str:
        """Return the type of the filesystem."""
        return self._do("filesystem_type", lambda: self.inner.filesystem_type(handle), handle=handle)

    def token(self) -> str:
        """Return 16 hex digits; not counted, since it does nothing."""
        return self.inner.token()


def _nothing(operation: Operation) -> None:
    """Hear of *operation* and do nothing."""
