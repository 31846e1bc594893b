"""What a disk may lose: the atoms of change since the last sync, and the choice a crash makes."""

from __future__ import annotations

from dataclasses import dataclass

from milepost.testing.content import Content


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes of one write, at their place in *source*, which ends with them; the only atom that can be torn."""

    number: int
    inode: int
    offset: int
    source: Content

    @property
    def size(self) -> int:
        """The number of bytes written."""
        return self.source.size - self.offset

    def __str__(self) -> str:
        return f"write of {self.size} bytes at {self.offset} to inode {self.inode}"


@dataclass(frozen=True, slots=True)
class Truncate:
    """A new size for one file."""

    number: int
    inode: int
    size: int

    def __str__(self) -> str:
        return f"truncate of inode {self.inode} to {self.size} bytes"


@dataclass(frozen=True, slots=True)
class Entries:
    """Names set at once, as absolute assignments: (directory inode, name, inode or None for gone)."""

    number: int
    verb: str
    changes: tuple[tuple[int, str, int | None], ...]

    def __str__(self) -> str:
        names = ", ".join(f"{name!r}={inode or 'gone'}" for _, name, inode in self.changes)
        return f"{self.verb} {names}"


Atom = Write | Truncate | Entries


@dataclass(frozen=True, slots=True)
class Tear:
    """A write of which only parts landed.

    Args:
        number: The write's atom number.
        pieces: What landed, as (start, stop) in bytes from the start of the write's data.
        full_size: Whether the file's size grew as if all had landed; what is missing then reads as
            it was before, or as zeros behind the old end.
    """

    number: int
    pieces: tuple[tuple[int, int], ...]
    full_size: bool


@dataclass(frozen=True, slots=True)
class CrashState:
    """What a crash spared: the numbers of the atoms that landed whole, and at most one torn write."""

    kept: frozenset[int] = frozenset()
    tear: Tear | None = None


NOTHING = CrashState()
"""The crash that spares only what was synced."""


def landed(content: Content, atom: Write | Truncate) -> Content:
    """Return *content* after *atom* landed whole."""
    if isinstance(atom, Truncate):
        return content.resized(atom.size)
    return content.spliced(atom.source, atom.offset, atom.source.size)


def torn(content: Content, atom: Write, tear: Tear) -> Content:
    """Return *content* after only the pieces of *tear* landed."""
    for start, stop in tear.pieces:
        content = content.spliced(atom.source, atom.offset + start, atom.offset + stop)
    grown = max(content.size, atom.source.size) if tear.full_size else content.size
    return content.resized(grown)
