"""The simulated disk below its handles: names, space, dates, and what a tester does to it from outside."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass

import xxhash

from milepost.clock import Clock
from milepost.testing.atoms import Atom
from milepost.testing.content import PAGE_BYTES, Content
from milepost.testing.medium import ROOT, Medium
from milepost.testing.nodes import DirectoryNode, FileNode, Node, SpecialNode

_START_SECONDS = 1_760_000_000.0
_LONGEST_NAME_BYTES = 255
_MOST_LINKS_FOLLOWED = 40
_UNLIMITED_PAGES = 1 << 38


@dataclass(slots=True)
class _FailingSync:
    code: int
    landed: int
    times: int


class Volume:
    """Inodes with names on a medium of limited space."""

    def __init__(
        self, *, capacity: int | None, names_need_space: bool, filesystem: str, owner: int | None, clock: Clock | None
    ) -> None:
        """Hold an empty root directory. See `SimulatedDisk` for the arguments."""
        self.capacity = capacity
        self.names_need_space = names_need_space
        self.filesystem = filesystem
        self._owner = os.geteuid() if owner is None else owner
        self._clock = clock
        self._ticks = 0
        self._tokens = 0
        self._failing_sync: _FailingSync | None = None
        self._medium = Medium(self._owner, self._now())

    # --- from outside --------------------------------------------------------------------------------

    @property
    def pending(self) -> tuple[Atom, ...]:
        """What a crash may lose, oldest first."""
        return tuple(self._medium.pending)

    def fingerprint(self) -> tuple[object, ...]:
        """Return what two disks share that nobody can tell apart, now or after any crash (dates aside)."""
        return self._medium.fingerprint()

    def files(self) -> dict[str, bytes]:
        """Return every visible regular file by its absolute path."""
        found: dict[str, bytes] = {}
        waiting: list[tuple[str, Node]] = [("", self._medium.nodes[ROOT])]
        for path, node in waiting:
            if isinstance(node, DirectoryNode):
                waiting.extend((f"{path}/{name}", self._medium.nodes[i]) for name, i in node.view.items())
            elif isinstance(node, FileNode):
                found[path] = node.view.read()
        return found

    def damage(self, path: str, data: bytes) -> None:
        """Let the file at *path* hold *data*, durably, as if the medium had done it.

        Raises:
            OSError: There is no regular file at *path*.
        """
        node = self._at(path)
        if not isinstance(node, FileNode):
            raise refused(errno.EINVAL, path)
        self._medium.flush(node)
        node.view = node.durable = Content.of(data)
        node.diverged = False

    def disguise(
        self, path: str, *, owner: int | None = None, permissions: int | None = None, modified: float | None = None
    ) -> None:
        """Change what `stat` tells of *path*: *owner* id, *permissions* bits, *modified* in seconds."""
        node = self._at(path)
        node.owner = node.owner if owner is None else owner
        node.permissions = node.permissions if permissions is None else permissions
        node.modified = node.modified if modified is None else modified

    def plant(self, path: str, link_to: str | None = None) -> None:
        """Make, durably, what Milepost never makes: a link to the path *link_to*, or a FIFO if that is None."""
        parent, name = self._parent_at(path)
        self._check_free(parent, name)
        inode = self._medium.number()
        self._medium.nodes[inode] = SpecialNode(inode, self._owner, 0o777, self._now(), target=link_to)
        self._assign("plant", (parent, name, inode))
        self._medium.flush(parent)

    def fail_next_sync(self, code: int = errno.EIO, *, landed: int = 0, times: int = 1) -> None:
        """Let the next sync that has something to do fail as a bad device does.

        The atoms it should have made durable are dropped after the first *landed* of them; no later sync
        brings them back, while reads go on showing them until `drop_cache` or a crash.

        Args:
            code: The errno to raise.
            landed: How many atoms, oldest first, reach the disk all the same.
            times: How many syncs fail so.
        """
        self._failing_sync = _FailingSync(code, landed, times)

    # --- names ---------------------------------------------------------------------------------------

    def _at(self, path: str) -> Node:
        """Return the node at *path*, following links; a relative path starts at the root."""
        if not path:
            raise refused(errno.ENOENT, path)
        trail = [self._medium.nodes[ROOT]]
        todo = path.split("/")[::-1]
        followed = 0
        while todo:
            part = todo.pop()
            here = trail[-1]
            if not isinstance(here, DirectoryNode):
                raise refused(errno.ENOTDIR, path)
            if part == ".." and len(trail) > 1:
                trail.pop()
            if part in {"", ".", ".."}:
                continue
            node = self._entry(here, part)
            if not isinstance(node, SpecialNode) or node.target is None:
                trail.append(node)
                continue
            followed += 1
            if followed > _MOST_LINKS_FOLLOWED:
                raise refused(errno.ELOOP, path)
            if node.target.startswith("/"):
                del trail[1:]
            todo.extend(node.target.split("/")[::-1])
        return trail[-1]

    def _parent_at(self, path: str) -> tuple[DirectoryNode, str]:
        parent, _, name = path.rstrip("/").rpartition("/")
        node = self._at(parent or "/")
        if not isinstance(node, DirectoryNode):
            raise refused(errno.ENOTDIR, path)
        return node, name

    def _entry(self, directory: DirectoryNode, name: str) -> Node:
        check_name(name)
        inode = directory.view.get(name)
        if inode is None:
            raise refused(errno.ENOENT, name)
        return self._medium.nodes[inode]

    def _check_free(self, directory: DirectoryNode, name: str) -> None:
        """Refuse a *name* that is taken, or that a removed directory or a full disk cannot take."""
        check_name(name)
        if name in directory.view:
            raise refused(errno.EEXIST, name)
        if directory.links == 0:
            raise refused(errno.ENOENT, name)

    def _check_space_for_name(self) -> None:
        if self.names_need_space and self.capacity is not None and not self._free_pages():
            raise refused(errno.ENOSPC)

    def _new_file(self, directory: DirectoryNode, name: str) -> FileNode:
        self._check_free(directory, name)
        self._check_space_for_name()
        inode = self._medium.number()
        node = FileNode(inode, self._owner, 0o600, self._now())
        self._medium.nodes[inode] = node
        self._assign("create", (directory, name, inode))
        return node

    def _new_directory(self, parent: DirectoryNode, name: str) -> None:
        self._check_free(parent, name)
        self._check_space_for_name()
        inode = self._medium.number()
        self._medium.nodes[inode] = DirectoryNode(inode, self._owner, 0o700, self._now())
        self._assign("mkdir", (parent, name, inode))

    def _rename(self, parent: DirectoryNode, old: str, heir: DirectoryNode, new: str) -> None:
        node = self._entry(parent, old)
        nodes = self._medium.nodes
        check_name(new)
        if contains(nodes, node, heir):
            raise refused(errno.EINVAL, new)
        if heir.links == 0:
            raise refused(errno.ENOENT, new)
        replaced = nodes[heir.view[new]] if new in heir.view else None
        if replaced is not None:
            if contains(nodes, replaced, parent):
                raise refused(errno.ENOTEMPTY, new)
            if replaced is node:
                return
            if isinstance(replaced, DirectoryNode) != isinstance(node, DirectoryNode):
                raise refused(errno.EISDIR if isinstance(replaced, DirectoryNode) else errno.ENOTDIR, new)
            if isinstance(replaced, DirectoryNode) and replaced.view:
                raise refused(errno.ENOTEMPTY, new)
        else:
            self._check_space_for_name()
        self._assign("rename", (parent, old, None), (heir, new, node.inode))

    def _assign(self, verb: str, *changes: tuple[DirectoryNode, str, int | None]) -> None:
        self._medium.assign(verb, *changes)
        for directory, _, _ in changes:
            directory.modified = self._now()

    def _sync(self, node: Node) -> None:
        failing = self._failing_sync
        if failing is not None and self._medium.atoms_of(node):
            failing.times -= 1
            if failing.times <= 0:
                self._failing_sync = None
            self._medium.lose(node, failing.landed)
            raise refused(failing.code)
        self._medium.flush(node)

    # --- space and time ------------------------------------------------------------------------------

    def _free_pages(self) -> int:
        """Return how many pages are free; a crash that brings deleted files back may leave less than none."""
        if self.capacity is None:
            return _UNLIMITED_PAGES
        used = sum(
            node.view.blocks
            for node in self._medium.nodes.values()
            if isinstance(node, FileNode) and (node.links or node.opened)
        )
        return max(0, self.capacity // PAGE_BYTES - used)

    def _now(self) -> float:
        if self._clock is not None:
            return self._clock.now()
        self._ticks += 1
        return _START_SECONDS + self._ticks / 1000

    def token(self) -> str:
        """Return 16 hex digits that no other call gave, not even before a crash; the same in every run."""
        self._tokens += 1
        return xxhash.xxh3_64_hexdigest(b"token %d" % self._tokens)


def refused(code: int, name: str | None = None) -> OSError:
    """Return the error that the system gives for *code*."""
    return OSError(code, os.strerror(code), name) if name is not None else OSError(code, os.strerror(code))


def check_name(name: str) -> None:
    """Refuse what is no name of a directory entry.

    Raises:
        ValueError: It is a path, or holds a NUL: the caller's mistake, which a real system might follow.
        OSError: It is empty or too long.
    """
    if "/" in name or "\0" in name or name in {".", ".."}:
        raise ValueError(f"not one path component: {name!r}")
    if not name:
        raise refused(errno.ENOENT, name)
    if len(os.fsencode(name)) > _LONGEST_NAME_BYTES:
        raise refused(errno.ENAMETOOLONG, name)


def contains(nodes: Mapping[int, Node], outer: Node, inner: Node) -> bool:
    """Tell whether the directory *inner* is *outer*, or anywhere visibly below it."""
    if not isinstance(outer, DirectoryNode):
        return False
    return outer is inner or any(contains(nodes, nodes[inode], inner) for inode in outer.view.values())
