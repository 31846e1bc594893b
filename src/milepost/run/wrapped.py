"""A run's store around another one: every verb goes through, for those who change a few of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Self

from milepost.clock import Clock
from milepost.fs import Content
from milepost.records import Position, Record, Totals
from milepost.stores import Durability, JournalReading, RunStore, Spot
from milepost.stores.base import Glance, Holder, Visit


class WrappedRun:
    """Does what *inner* does. See `RunStore` for what each verb promises."""

    def __init__(self, inner: RunStore) -> None:
        """Stand around *inner*, which is closed with this object."""
        self.inner = inner
        self.path = inner.path

    def around(self, inner: RunStore) -> Self:
        """Return the same around another store."""
        return type(self)(inner)

    path: Spot

    @property
    def window_seconds(self) -> float:
        """How long it is worth waiting for more records."""
        return self.inner.window_seconds

    @property
    def poisoned(self) -> bool:
        """Whether a write to the journal failed."""
        return self.inner.poisoned

    # --- reading

    def read_journal(self, visit: Visit | None = None) -> JournalReading | None:
        """Read the journal as it stands."""
        return self.inner.read_journal(visit)

    def read_line(self, sequence: int) -> bytes:
        """Return the line of a record that was read or appended here."""
        return self.inner.read_line(sequence)

    def journal_run(self) -> str | None:
        """Return the id of the run that the journal says it is of."""
        return self.inner.journal_run()

    def glance(self) -> Glance | None:
        """Return what the newest watermark says."""
        return self.inner.glance()

    def holder(self) -> Holder | None:
        """Return who writes this run now."""
        return self.inner.holder()

    def read(self, name: str, most: int | None = None, *, group_may_write: bool = False) -> bytes:
        """Return a document's bytes."""
        return self.inner.read(name, most, group_may_write=group_may_write)

    def names(self, prefix: str = "") -> list[str]:
        """List documents and journal files."""
        return self.inner.names(prefix)

    def has(self, name: str) -> bool:
        """Tell whether there is one of that name."""
        return self.inner.has(name)

    def size(self, name: str) -> int:
        """Return how many bytes it takes."""
        return self.inner.size(name)

    def stamp(self, name: str) -> Hashable:
        """Return what tells one writing of a document from the next."""
        return self.inner.stamp(name)

    def identity(self) -> Hashable:
        """Return what two objects of one run's place have in common."""
        return self.inner.identity()

    def token(self) -> str:
        """Return a random name."""
        return self.inner.token()

    def settle(self) -> None:
        """Make durable what was read."""
        self.inner.settle()

    # --- the runs below

    def runs(self) -> list[str]:
        """Return the names of all runs below."""
        return self.inner.runs()

    def run(self, name: str, *, create: bool = False) -> Self:
        """Open a run below."""
        return self.around(self.inner.run(name, create=create))

    def remove_run(self, name: str) -> None:
        """Delete a run below."""
        self.inner.remove_run(name)

    # --- writing

    def lock(self, clock: Clock, *, allow_network_filesystem: bool = False) -> None:
        """Become the writer."""
        self.inner.lock(clock, allow_network_filesystem=allow_network_filesystem)

    def recover(
        self,
        run: str,
        *,
        known: bool = False,
        visit: Visit | None = None,
        refuse_damage: bool = False,
        start: Position | None = None,
    ) -> JournalReading:
        """Bring the journal into a state that can be appended to."""
        return self.inner.recover(run, known=known, visit=visit, refuse_damage=refuse_damage, start=start)

    def append(
        self, records: Sequence[Record], *, expected: int, durability: Durability = Durability.POWER
    ) -> Position:
        """Append a batch."""
        return self.inner.append(records, expected=expected, durability=durability)

    def restart_journal(self) -> None:
        """Go on in a place that no failed write has touched."""
        self.inner.restart_journal()

    def totals_by(self, totals: Callable[[], Totals]) -> None:
        """Ask *totals* what all records come to."""
        self.inner.totals_by(totals)

    def note_checkpoint(self, number: int) -> None:
        """Leave a note that a checkpoint exists."""
        self.inner.note_checkpoint(number)

    def trim(self, upto: Position) -> None:
        """Forget records."""
        self.inner.trim(upto)

    def create(self, name: str, data: bytes) -> None:
        """Write a document under a free name."""
        self.inner.create(name, data)

    def replace(self, name: str, data: Content) -> None:
        """Write a document."""
        self.inner.replace(name, data)

    def delete(self, names: Sequence[str], *, durable: bool) -> None:
        """Delete documents and journal files."""
        self.inner.delete(names, durable=durable)

    def keep_copy(self, name: str) -> None:
        """Keep a damaged one whole under a second name."""
        self.inner.keep_copy(name)

    def document_path(self, name: str) -> Path:
        """Return what names a document for callers."""
        return self.inner.document_path(name)

    def close_journal(self, *, clean: bool = True) -> None:
        """Let go of the journal."""
        self.inner.close_journal(clean=clean)

    def close(self, *, clean: bool = True) -> None:
        """Let go of everything."""
        self.inner.close(clean=clean)

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
