"""Reading a run in a shared store: `RunStore` on the few verbs of `Store`, as far as nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from pathlib import Path

from milepost.records import Position, Totals, follow_all
from milepost.stores.base import Glance, Holder, JournalReading, Spot, Visit
from milepost.stores.head import Head, Mark, parse_head
from milepost.stores.lease import Tenure
from milepost.stores.presence import is_gone
from milepost.stores.store import Store
from milepost.stores.stored_documents import Documents
from milepost.stores.stored_journal import StoredLines, file_name
from milepost.stores.terms import Terms

HEAD = "head"


def token() -> str:
    """Return a random name."""
    return os.urandom(8).hex()


def read_head(store: Store, phase: str) -> Head:
    """Return the head of a phase.

    Raises:
        FileNotFoundError: There is no such phase.
        CorruptDocument: It is not what was written.
    """
    key = f"{phase}/{HEAD}"
    return parse_head(f"{store.url}/{key}", store.read(key).data)


class StoredReading:
    """What of a run in a shared store can be told without writing. *phase* is a folder name."""

    def __init__(
        self, store: Store, phase: str, head: Head, terms: Terms, *, below: tuple[StoredReading, str] | None = None
    ) -> None:
        """Work on the run that *head* names, or on the one that stands *below* another by a name."""
        self.store = store
        self.phase = phase
        self.path = Spot(store.url) / phase
        self._terms = terms
        self._above = below[0] if below is not None else None
        self._name = below[1] if below is not None else ""
        if below is not None:
            self.path = self.path / "runs" / self._name
        self._tenure: Tenure | None = None
        self._seen = head
        self._position: Position | None = None
        self._noted: Mark | None = None
        self._totals: Callable[[], Totals] | None = None
        self._stand_in(self._named(head))

    @property
    def window_seconds(self) -> float:
        """How long it is worth waiting, as the store says."""
        return self.store.window_seconds

    # --- reading

    def read_journal(self, visit: Visit | None = None) -> JournalReading | None:
        """Read the journal as it stands."""
        self._look()
        return self._lines.read_all(self._documents.directory, self._marks(), visit)

    def read_line(self, sequence: int) -> bytes:
        """Return the line of a record that was read or appended here, checked again."""
        return self._lines.read(sequence)

    def journal_run(self) -> str | None:
        """Return the id of the run that the directory names, as it was looked at last."""
        return self._documents.directory.run

    def glance(self) -> Glance | None:
        """Return what the newest watermark says, and the lines behind it."""
        self._look()
        mark, directory = self._head.mark, self._documents.directory
        if mark is None or mark.totals is None or mark.area != self._area or not directory.parts:
            return None
        lines = [line for _, some in self._lines.tail(directory, mark.position) for line in some]
        count, _ = follow_all(lines, mark.position)
        return Glance(mark.position, mark.totals, lines[:count])

    def holder(self) -> Holder | None:
        """Return who holds the lease, unless it has expired or is that of a process that is gone."""
        found = self.store.read(f"{self.phase}/{HEAD}")
        lease = parse_head(self.path, found.data).lease
        if lease is None or is_gone(lease.owner) or self.store.now() - found.modified > lease.seconds:
            return None
        return Holder(lease.owner.host, lease.owner.pid, lease.since)

    def read(self, name: str, most: int | None = None, *, group_may_write: bool = False) -> bytes:  # noqa: ARG002
        """Return a document's bytes; whether a group may write is a question for files only."""
        self._look()
        return self._documents.read(name, most)

    def names(self, prefix: str = "") -> list[str]:
        """List the documents, and the journals by names as they have in folders."""
        self._look()
        directory = self._documents.directory
        names = [*directory.documents, *(file_name(part.number) for part in directory.parts)]
        return sorted(name for name in names if name.startswith(prefix))

    def has(self, name: str) -> bool:
        """Tell whether there is a document or a journal of that name."""
        return name in self.names()

    def size(self, name: str) -> int:
        """Return the size of a document; that of a journal is what its newest watermark noted."""
        self._look()
        directory = self._documents.directory
        journals = [file_name(part.number) for part in directory.parts]
        if name in journals:
            return self._marks()[0].size_bytes if self._marks() and name == journals[-1] else 0
        return self._documents.entry(name).size

    def stamp(self, name: str) -> Hashable:
        """Return the area and the object of a document, as it was looked at last: an area's run never changes."""
        if not self._documents.directory.documents:
            self._look()
        entry = self._documents.directory.documents.get(name)
        return None if entry is None else (self._area, entry.key)

    def identity(self) -> Hashable:
        """Return the store's place and the phase."""
        return id(self.store), self.phase, self._name

    def token(self) -> str:
        """Return a random name."""
        return token()

    def settle(self) -> None:
        """Do nothing: what a store shows is durable."""

    def document_path(self, name: str) -> Path:
        """Return a document's key below the store."""
        return Path(self.phase) / name

    # --- the runs below

    def runs(self) -> list[str]:
        """Return the names of the runs below."""
        self._look()
        return sorted(self._head.runs)

    # --- inside

    @property
    def _head(self) -> Head:
        """The phase's head: as it was written last by a writer, as it was looked at last by others."""
        if self._tenure is not None:
            return self._tenure.head
        return self._above._head if self._above is not None else self._seen

    def _named(self, head: Head) -> str:
        """Return the area that *head* names for this run."""
        if self._above is None:
            return head.area
        if self._name not in head.runs:
            raise FileNotFoundError(self.path)
        return head.runs[self._name]

    def _stand_in(self, area: str) -> None:
        """Work in *area* from here on."""
        self._area = area
        prefix = f"{self.phase}/{area}"
        self._documents = Documents(self.store, prefix, self.path)
        self._lines = StoredLines(self.store, prefix, self.path)

    def _look(self) -> None:
        """Look where the run is and what it holds; a writer knows."""
        if self._tenure is not None:
            return
        if self._above is None:
            self._seen = read_head(self.store, self.phase)
        else:
            self._above._look()
        area = self._named(self._head)
        if area != self._area:
            self._stand_in(area)
        writer = self._above._tenure if self._above is not None else None
        self._documents.look(None if writer is None else writer.head.token)

    def _marks(self) -> list[Mark]:
        """Return the watermarks that were left for this area, the newest first."""
        marks = [mark for mark in (self._noted, self._head.mark, self._documents.directory.mark) if mark is not None]
        mine = [mark for mark in marks if mark.area == self._area]
        return sorted(mine, key=lambda mark: mark.position.sequence, reverse=True)
