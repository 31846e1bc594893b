"""The inodes of a simulated medium: what is shown beside what is durable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from milepost.fs.seam import FileKind, Stat
from milepost.testing.content import EMPTY, Content

_DIRECTORY_BYTES = 4096


@dataclass(slots=True)
class Node:
    """What every inode has: *links* are visible names, *opened* counts handles, *modified* is in seconds."""

    inode: int
    owner: int
    permissions: int
    modified: float
    links: int = 0
    opened: int = 0


@dataclass(slots=True)
class FileNode(Node):
    """A regular file; *diverged* once a failed sync made the view show what the medium never got."""

    view: Content = EMPTY
    durable: Content = EMPTY
    diverged: bool = False


@dataclass(slots=True)
class DirectoryNode(Node):
    """A directory; the mappings are replaced, never changed, so that copies may share them."""

    view: Mapping[str, int] = field(default_factory=dict)
    durable: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class SpecialNode(Node):
    """A symbolic link to *target*, or a FIFO where that is None."""

    target: str | None = None


def file_copy(node: FileNode, view: Content, durable: Content, links: int, diverged: bool) -> FileNode:
    """Return a file as *node*, with no handle open on it."""
    return FileNode(node.inode, node.owner, node.permissions, node.modified, links, 0, view, durable, diverged)


def directory_copy(
    node: DirectoryNode, view: Mapping[str, int], durable: Mapping[str, int], links: int
) -> DirectoryNode:
    """Return a directory as *node*, with no handle open on it."""
    return DirectoryNode(node.inode, node.owner, node.permissions, node.modified, links, 0, view, durable)


def special_copy(node: Node, links: int) -> SpecialNode:
    """Return a link or FIFO as *node*, with no handle open on it."""
    target = node.target if isinstance(node, SpecialNode) else None
    return SpecialNode(node.inode, node.owner, node.permissions, node.modified, links, 0, target)


def described(node: Node) -> Stat:
    """Return what `stat` tells of *node*."""
    kind, size = FileKind.OTHER, 0
    if isinstance(node, FileNode):
        kind, size = FileKind.FILE, node.view.size
    elif isinstance(node, DirectoryNode):
        kind, size = FileKind.DIRECTORY, _DIRECTORY_BYTES
    elif isinstance(node, SpecialNode) and node.target is not None:
        size = len(node.target)
    return Stat(kind, size, node.inode, 1, node.owner, node.permissions, node.modified)
