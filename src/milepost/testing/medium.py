"""The simulated medium: what a process sees, what is durable, and the pending atoms in between.

The medium knows nothing of handles, locks and errors (see `disk`); it knows what survives. The view is
kept beside the durable state and is not computed from it: after a failed sync the two part for good,
as a page cache and its disk do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from milepost.testing.atoms import Atom, CrashState, Entries, Truncate, Write, landed, torn
from milepost.testing.content import PAGE_BYTES, Content, pages_between
from milepost.testing.nodes import (
    DirectoryNode,
    FileNode,
    Node,
    SpecialNode,
    directory_copy,
    file_copy,
    special_copy,
)

ROOT = 1


class Medium:
    """Inodes and the atoms that are not durable yet, oldest first."""

    def __init__(self, owner: int, modified: float) -> None:
        """Hold an empty root directory that belongs to *owner*."""
        self.nodes: dict[int, Node] = {ROOT: DirectoryNode(ROOT, owner, 0o700, modified, links=1)}
        self.pending: list[Atom] = []
        self._next = ROOT + 1

    def number(self) -> int:
        """Return the next unused number, of an inode or an atom."""
        self._next += 1
        return self._next

    # --- changes -------------------------------------------------------------------------------------

    def assign(self, verb: str, *changes: tuple[DirectoryNode, str, int | None]) -> None:
        """Set names as one atom."""
        for directory, name, inode in changes:
            entries = dict(directory.view)
            previous = entries.pop(name, None)
            if previous is not None:
                self.nodes[previous].links -= 1
            if inode is not None:
                entries[name] = inode
                self.nodes[inode].links += 1
            directory.view = entries
        assignments = tuple((directory.inode, name, inode) for directory, name, inode in changes)
        self.pending.append(Entries(self.number(), verb, assignments))

    def write(self, node: FileNode, offset: int, data: bytes) -> None:
        """Write *data*, visible at once and durable later."""
        source = Content.of(data, offset)
        node.view = node.view.spliced(source, offset, source.size)
        if node.diverged:
            # Page caches write whole pages: shown but lost bytes beside these go along with them.
            offset -= offset % PAGE_BYTES
            source = node.view.resized(min(node.view.size, source.size + -source.size % PAGE_BYTES))
        self.pending.append(Write(self.number(), node.inode, offset, source))

    def truncate(self, node: FileNode, size: int) -> None:
        """Set the size, visible at once and durable later."""
        node.view = node.view.resized(size)
        self.pending.append(Truncate(self.number(), node.inode, size))

    # --- syncs ---------------------------------------------------------------------------------------

    def atoms_of(self, node: Node) -> list[Atom]:
        """Return the pending atoms that a sync of *node* makes durable, oldest first."""
        if not isinstance(node, DirectoryNode):
            return [*self._edits_of(node)]
        return [
            atom
            for atom in self.pending
            if isinstance(atom, Entries) and any(change[0] == node.inode for change in atom.changes)
        ]

    def _edits_of(self, node: Node) -> list[Write | Truncate]:
        return [atom for atom in self.pending if not isinstance(atom, Entries) and atom.inode == node.inode]

    def flush(self, node: Node) -> None:
        """Make *node*'s content, or its entries, durable."""
        atoms = self.atoms_of(node)
        if isinstance(node, FileNode) and not node.diverged:
            node.durable = node.view
        else:
            self._land(atoms)
        self._forget(atoms)
        if isinstance(node, DirectoryNode):
            if node.durable == node.view:
                node.durable = node.view  # one object, which makes comparing cheap
            self.sweep()

    def lose(self, node: Node, first_landed: int) -> None:
        """Forget *node*'s atoms after the *first_landed* oldest reached the medium; go on showing them."""
        atoms = self.atoms_of(node)
        self._land(atoms[:first_landed])
        self._forget(atoms)
        if isinstance(node, FileNode) and len(atoms) > first_landed:
            node.diverged = True

    def _land(self, atoms: list[Atom]) -> None:
        for atom in atoms:
            if not isinstance(atom, Entries):
                node = self.nodes[atom.inode]
                assert isinstance(node, FileNode)
                node.durable = landed(node.durable, atom)
                continue
            for inode, name, target in atom.changes:
                directory = self.nodes[inode]
                assert isinstance(directory, DirectoryNode)
                directory.durable = _assigned(directory.durable, name, target)
            self._supersede(atom)

    def _supersede(self, newer: Entries) -> None:
        # An older assignment of the same name must not land on top of this one later.
        names = {(inode, name) for inode, name, _ in newer.changes}
        kept: list[Atom] = []
        for atom in self.pending:
            if isinstance(atom, Entries) and atom.number < newer.number:
                changes = tuple(change for change in atom.changes if change[:2] not in names)
                if not changes:
                    continue
                if changes != atom.changes:
                    atom = Entries(atom.number, atom.verb, changes)  # noqa: PLW2901
            kept.append(atom)
        self.pending = kept

    def _forget(self, atoms: list[Atom]) -> None:
        gone = {atom.number for atom in atoms}
        self.pending = [atom for atom in self.pending if atom.number not in gone]

    def drop_cache(self, node: FileNode, offset: int, stop: int) -> None:
        """Let whole clean pages from *offset* up to *stop* show what the medium holds."""
        dirty: set[int] = set()
        for atom in self._edits_of(node):
            if isinstance(atom, Write):
                dirty.update(pages_between(atom.offset, atom.source.size))
            else:
                dirty.add(atom.size // PAGE_BYTES)
        for index in range(-(-offset // PAGE_BYTES), node.view.page_count):
            whole = min((index + 1) * PAGE_BYTES, node.view.size) <= stop
            if whole and index not in dirty:
                node.view = node.view.with_page_of(node.durable, index)

    def sweep(self) -> None:
        """Forget inodes that neither a name, nor a crash, nor an open handle can show again."""
        named = {ROOT}
        for node in self.nodes.values():
            if isinstance(node, DirectoryNode):
                named.update(node.view.values(), node.durable.values())
        for atom in self.pending:
            if isinstance(atom, Entries):
                named.update(inode for _, _, inode in atom.changes if inode is not None)
        if len(named) < len(self.nodes):
            self.nodes = {i: node for i, node in self.nodes.items() if i in named or node.opened}
            self.pending = [atom for atom in self.pending if isinstance(atom, Entries) or atom.inode in named]

    # --- copies --------------------------------------------------------------------------------------

    def copy(self) -> Medium:
        """Return the same medium with no handle open: the process died, the machine lives."""
        twin = self._bare()
        twin.pending = list(self.pending)
        for inode, node in self.nodes.items():
            if isinstance(node, FileNode):
                twin.nodes[inode] = file_copy(node, node.view, node.durable, node.links, node.diverged)
            elif isinstance(node, DirectoryNode):
                twin.nodes[inode] = directory_copy(node, node.view, node.durable, node.links)
            else:
                twin.nodes[inode] = special_copy(node, node.links)
        twin.sweep()
        return twin

    def survivors(self, state: CrashState) -> Medium:
        """Return what *state* spared: all of it durable, nothing pending."""
        contents, entries = self._spared(state)
        after = self._bare()
        waiting = [ROOT]
        after.nodes[ROOT] = self._survivor(ROOT, contents, entries)
        after.nodes[ROOT].links = 1
        while waiting:
            directory = after.nodes[waiting.pop()]
            assert isinstance(directory, DirectoryNode)
            for inode in directory.view.values():
                if inode not in after.nodes:
                    after.nodes[inode] = self._survivor(inode, contents, entries)
                    if isinstance(after.nodes[inode], DirectoryNode):
                        waiting.append(inode)
                after.nodes[inode].links += 1
        return after

    def _bare(self) -> Medium:
        bare = Medium.__new__(Medium)
        bare.nodes = {}
        bare.pending = []
        bare._next = self._next
        return bare

    def _spared(self, state: CrashState) -> tuple[dict[int, Content], dict[int, Mapping[str, int]]]:
        contents: dict[int, Content] = {}
        entries: dict[int, Mapping[str, int]] = {}
        for atom in self.pending:
            tear = state.tear if state.tear is not None and state.tear.number == atom.number else None
            if tear is None and atom.number not in state.kept:
                continue
            if isinstance(atom, Entries):
                for inode, name, target in atom.changes:
                    node = self.nodes[inode]
                    assert isinstance(node, DirectoryNode)
                    entries[inode] = _assigned(entries.get(inode, node.durable), name, target)
                continue
            node = self.nodes[atom.inode]
            assert isinstance(node, FileNode)
            before = contents.get(atom.inode, node.durable)
            if tear is not None and isinstance(atom, Write):
                contents[atom.inode] = torn(before, atom, tear)
            else:
                contents[atom.inode] = landed(before, atom)
        return contents, entries

    def _survivor(self, inode: int, contents: Mapping[int, Content], entries: Mapping[int, Mapping[str, int]]) -> Node:
        node = self.nodes[inode]
        if isinstance(node, FileNode):
            content = contents.get(inode, node.durable)
            return file_copy(node, content, content, 0, diverged=False)
        if isinstance(node, DirectoryNode):
            names = entries.get(inode, node.durable)
            return directory_copy(node, names, names, 0)
        return special_copy(node, 0)

    # --- comparing -----------------------------------------------------------------------------------

    def fingerprint(self) -> tuple[object, ...]:
        """Return what two media share that nobody can tell apart, now or after any crash."""
        view = self._tree(lambda node: node.view, lambda node: node.view)
        if not self.pending and not any(
            isinstance(node, FileNode | DirectoryNode) and node.view is not node.durable for node in self.nodes.values()
        ):
            return (view,)
        durable = self._tree(lambda node: node.durable, lambda node: node.durable)
        return (view, durable, tuple(self.pending))

    def _tree(
        self, entries: Callable[[DirectoryNode], Mapping[str, int]], content: Callable[[FileNode], Content]
    ) -> tuple[object, ...]:
        places = {ROOT: 0}
        waiting = [ROOT]
        lines: list[object] = []
        for inode in waiting:
            directory = self.nodes[inode]
            assert isinstance(directory, DirectoryNode)
            for name, child in sorted(entries(directory).items()):
                place = places.get(child)
                if place is None:
                    place = places[child] = len(places)
                    if isinstance(self.nodes[child], DirectoryNode):
                        waiting.append(child)
                node = self.nodes[child]
                held: object = type(node).__name__
                if isinstance(node, FileNode):
                    held = content(node)
                elif isinstance(node, SpecialNode):
                    held = node.target
                lines.append((places[inode], name, place, held))
        return tuple(lines)


def _assigned(entries: Mapping[str, int], name: str, inode: int | None) -> Mapping[str, int]:
    changed = dict(entries)
    if inode is None:
        changed.pop(name, None)
    else:
        changed[name] = inode
    return changed
