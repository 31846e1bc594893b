"""A filesystem in memory that keeps no promise which the system does not make.

What was not synced is pending: a crash may spare any of it (`SimulatedDisk.crash`, enumerated by
`milepost.testing.crashes`). Syncing a file makes its bytes and its size durable, not its name; syncing
a directory makes its entries durable, not the bytes of the files.

Kinder than some real systems, and known to be: a file's bytes that never landed read as zeros, never
as what another file left there; a sector is never torn within; syncs order nothing but what they
sync. Not simulated: permissions to search or write, the change of a directory's size, and limits on
open files. The disk is not safe for use by several threads; `milepost.testing.faults.Intercepted`
around it is.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from milepost.clock import Clock
from milepost.fs.seam import OpenMode, Stat
from milepost.testing.atoms import NOTHING, CrashState
from milepost.testing.content import PAGE_BYTES
from milepost.testing.medium import Medium
from milepost.testing.nodes import DirectoryNode, FileNode, Node, SpecialNode, described
from milepost.testing.volume import Volume, refused

_FIRST_HANDLE = 1000  # far from real descriptors, so that mixing the two up shows
_LARGEST_FILE_BYTES = 1 << 40


@dataclass(slots=True)
class _Handle:
    node: Node
    writable: bool


class SimulatedDisk(Volume):
    """A filesystem whose durability can be looked at. See `FileSystem` for the verbs.

    Args:
        directories: Absolute paths of directories that exist from the start, durably; parents first.
        capacity: Bytes of file pages it holds, or None for no limit. May be set at any time.
        names_need_space: Whether a new entry fails with ENOSPC too when no page is free.
        filesystem: The type that `filesystem_type` tells.
        owner: The user id of everything made here; the caller's own, if None.
        clock: Dates the files; a clock that ticks a millisecond with every change, if None.
    """

    def __init__(
        self,
        directories: tuple[str, ...] = (),
        *,
        capacity: int | None = None,
        names_need_space: bool = False,
        filesystem: str = "ext4",
        owner: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Hold an empty root directory, and *directories*."""
        super().__init__(
            capacity=capacity, names_need_space=names_need_space, filesystem=filesystem, owner=owner, clock=clock
        )
        self._open: dict[int, _Handle] = {}
        self._locks: dict[int, int] = {}
        self._next_handle = _FIRST_HANDLE
        for path in directories:
            self.make_path(path)
        for node in list(self._medium.nodes.values()):
            self._medium.flush(node)

    # --- power, death and bad devices -----------------------------------------------------------------

    def crash(self, state: CrashState = NOTHING) -> SimulatedDisk:
        """Return the disk after a power cut that spared *state*: no handles, no locks, nothing pending."""
        return self._with(self._medium.survivors(state))

    def killed(self) -> SimulatedDisk:
        """Return the disk after only the process died: all is still visible, and not more durable than before."""
        return self._with(self._medium.copy())

    def lose_pending(self, handle: int, landed: int = 0) -> None:
        """Lose what a sync of *handle* would make durable, but for the *landed* oldest atoms; go on showing it."""
        self._medium.lose(self._handle(handle).node, landed)

    # --- directories ---------------------------------------------------------------------------------

    def open_path(self, path: str) -> int:
        """Open the directory at *path*, following links; a relative path starts at the root."""
        node = self._at(path)
        if not isinstance(node, DirectoryNode):
            raise refused(errno.ENOTDIR, path)
        return self._opened(node, writable=False)

    def make_path(self, path: str) -> None:
        """Make the directory at *path*."""
        parent, name = self._parent_at(path)
        if name in {"", ".", ".."}:
            raise refused(errno.EEXIST if path else errno.ENOENT, path)
        self._new_directory(parent, name)

    def open_directory(self, directory: int, name: str) -> int:
        """Open a subdirectory that is not a link."""
        node = self._entry(self._directory(directory), name)
        if not isinstance(node, DirectoryNode):
            raise refused(errno.ENOTDIR, name)
        return self._opened(node, writable=False)

    def make_directory(self, directory: int, name: str) -> None:
        """Make a private subdirectory."""
        self._new_directory(self._directory(directory), name)

    def remove_directory(self, directory: int, name: str) -> None:
        """Remove an empty subdirectory."""
        parent = self._directory(directory)
        node = self._entry(parent, name)
        if not isinstance(node, DirectoryNode):
            raise refused(errno.ENOTDIR, name)
        if node.view:
            raise refused(errno.ENOTEMPTY, name)
        self._assign("rmdir", (parent, name, None))

    def names(self, directory: int) -> list[str]:
        """List the entries."""
        return list(self._directory(directory).view)

    # --- files ---------------------------------------------------------------------------------------

    def open_file(self, directory: int, name: str, mode: OpenMode) -> int:
        """Open a file that is not a link, without blocking."""
        parent = self._directory(directory)
        if mode in {"create", "create shared", "lock"} and name not in parent.view:
            return self._opened(self._new_file(parent, name), writable=True)
        node = self._entry(parent, name)
        if mode in {"create", "create shared"}:
            raise refused(errno.EEXIST, name)
        if isinstance(node, SpecialNode) and node.target is not None:
            raise refused(errno.ELOOP, name)
        if isinstance(node, DirectoryNode) and mode != "read":
            raise refused(errno.EISDIR, name)
        return self._opened(node, writable=mode != "read")

    def close(self, handle: int) -> None:
        """Close a handle; its lock goes with it."""
        node = self._handle(handle).node
        del self._open[handle]
        node.opened -= 1
        if self._locks.get(node.inode) == handle:
            del self._locks[node.inode]

    def read(self, file: int, size: int, offset: int) -> bytes:
        """Read at an offset."""
        node = self._handle(file).node
        if size < 0 or offset < 0:
            raise refused(errno.EINVAL)
        if isinstance(node, DirectoryNode):
            raise refused(errno.EISDIR)
        return _regular(node, errno.ESPIPE).view.read(offset, size)

    def write(self, file: int, data: bytes | memoryview, offset: int) -> int:
        """Write at an offset; short where only some of the new pages fit, ENOSPC where none does."""
        handle = self._handle(file)
        if offset < 0:
            raise refused(errno.EINVAL)
        if not handle.writable and not isinstance(handle.node, SpecialNode):
            raise refused(errno.EBADF)
        node = _regular(handle.node, errno.ESPIPE)
        taken = bytes(data)
        if offset + len(taken) > _LARGEST_FILE_BYTES:
            raise refused(errno.EFBIG)
        if self.capacity is not None:
            taken = taken[: node.view.fitting(offset, len(taken), self._free_pages())]
            if data and not taken:
                raise refused(errno.ENOSPC)
        if taken:
            self._medium.write(node, offset, taken)
            node.modified = self._now()
        return len(taken)

    def truncate(self, file: int, size: int) -> None:
        """Set the file's size; what it grows by takes no space."""
        handle = self._handle(file)
        if size < 0 or not handle.writable:
            raise refused(errno.EINVAL)
        node = _regular(handle.node, errno.EINVAL)
        if size > _LARGEST_FILE_BYTES:
            raise refused(errno.EFBIG)
        if size != node.view.size:
            self._medium.truncate(node, size)
        node.modified = self._now()

    def sync(self, handle: int) -> None:
        """Make a file's bytes and size durable, or a directory's entries; never a file's name."""
        node = self._handle(handle).node
        if isinstance(node, SpecialNode):
            raise refused(errno.EINVAL)
        self._sync(node)

    def sync_data(self, file: int) -> None:
        """Make a file's bytes and size durable: the same here."""
        self.sync(file)

    def drop_cache(self, file: int, offset: int, size: int) -> None:
        """Let whole clean pages of the range show what the medium holds; a *size* of 0 means to the end."""
        node = self._handle(file).node
        if size < 0:
            raise refused(errno.EINVAL)
        if isinstance(node, SpecialNode):
            raise refused(errno.ESPIPE)
        if isinstance(node, FileNode) and node.diverged:
            self._medium.drop_cache(node, max(offset, 0), offset + size if size else _LARGEST_FILE_BYTES)

    # --- names ---------------------------------------------------------------------------------------

    def rename(self, source: int, old: str, target: int, new: str) -> None:
        """Move an entry, replacing the target, as one atom."""
        self._rename(self._directory(source), old, self._directory(target), new)

    def link(self, source: int, old: str, target: int, new: str) -> None:
        """Give a file a second name."""
        node = self._entry(self._directory(source), old)
        parent = self._directory(target)
        self._check_free(parent, new)
        if isinstance(node, DirectoryNode):
            raise refused(errno.EPERM, old)
        self._check_space_for_name()
        self._assign("link", (parent, new, node.inode))

    def unlink(self, directory: int, name: str) -> None:
        """Remove a name; the file lives on while a handle or another name does."""
        parent = self._directory(directory)
        if isinstance(self._entry(parent, name), DirectoryNode):
            raise refused(errno.EISDIR, name)
        self._assign("unlink", (parent, name, None))

    # --- asking --------------------------------------------------------------------------------------

    def stat(self, handle: int) -> Stat:
        """Describe a handle."""
        return described(self._handle(handle).node)

    def stat_name(self, directory: int, name: str) -> Stat:
        """Describe an entry without following a link."""
        return described(self._entry(self._directory(directory), name))

    def exists(self, directory: int, name: str) -> bool:
        """Tell whether the name is taken; like the system, say no where it cannot be looked up."""
        try:
            return name in self._directory(directory).view
        except OSError:
            return False

    def lock(self, file: int) -> bool:
        """Take the lock, which belongs to this handle until it is closed or the process dies."""
        return self._locks.setdefault(self._handle(file).node.inode, file) == file

    def free_bytes(self, handle: int) -> int:
        """Return what is free, in whole pages."""
        self._handle(handle)
        return self._free_pages() * PAGE_BYTES

    def filesystem_type(self, handle: int) -> str:
        """Return the type that the disk was given."""
        self._handle(handle)
        return self.filesystem

    # --- handles -------------------------------------------------------------------------------------

    def _opened(self, node: Node, *, writable: bool) -> int:
        handle = self._next_handle
        self._next_handle += 1
        self._open[handle] = _Handle(node, writable)
        node.opened += 1
        return handle

    def _handle(self, handle: int) -> _Handle:
        found = self._open.get(handle)
        if found is None:
            raise refused(errno.EBADF)
        return found

    def _directory(self, handle: int) -> DirectoryNode:
        node = self._handle(handle).node
        if not isinstance(node, DirectoryNode):
            raise refused(errno.ENOTDIR)
        return node

    def _with(self, medium: Medium) -> SimulatedDisk:
        twin = SimulatedDisk.__new__(SimulatedDisk)
        twin.__dict__.update(self.__dict__)
        twin._medium = medium
        twin._open = {}
        twin._locks = {}
        twin._failing_sync = None
        return twin


def _regular(node: Node, otherwise: int) -> FileNode:
    if not isinstance(node, FileNode):
        raise refused(otherwise)
    return node
