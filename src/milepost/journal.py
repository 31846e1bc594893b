"""A run's journal: what was recorded, read lazily, and the one place where a record is made."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from milepost.clock import Clock
from milepost.records import Kind, Position, Record, chain_of, decode_line, is_kind
from milepost.stores.base import JournalReading, RunStore


class History:
    """What a journal proves, gathered while it streams by: only records of some kinds are kept, as lines."""

    def __init__(self, kind: Kind, passing: Iterable[int] = ()) -> None:
        """Keep records of *kind*, and the chains behind the record numbers *passing*."""
        self._kind = kind
        self._kept: list[tuple[int, bytes]] = []
        self._wanted = sorted(set(passing))
        self._passed: set[Position] = set()
        self._reading: JournalReading | None = None

    @classmethod
    def of(cls, store: RunStore, kind: Kind, passing: Iterable[int] = ()) -> History | None:
        """Read the journal of *store*; None if there is none.

        Raises:
            StorageError: The medium refused.
        """
        history = cls(kind, passing)
        history._reading = store.read_journal(history._visit)
        return history if history._reading else None

    @property
    def reading(self) -> JournalReading:
        """Return what is known of the journal as a whole."""
        assert self._reading is not None, "a history is made by reading"
        return self._reading

    @property
    def end(self) -> Position:
        """Return the position behind the last proven record."""
        return self.reading.end

    def records(self, after: int = 0) -> Iterator[tuple[int, Record]]:
        """Yield numbers and records, of the kind that was kept, behind number *after*."""
        for number, line in self._kept:
            if number > after:
                yield number, decode_line(line)

    def last(self) -> Record | None:
        """Return the newest record, of whatever kind."""
        return decode_line(self.reading.last) if self.reading.last is not None else None

    def contains(self, position: Position) -> bool:
        """Tell whether the journal passed through *position*, whose number was asked for."""
        return position == self.reading.start or position in self._passed

    def _visit(self, first: int, lines: list[bytes]) -> None:
        self._kept += [(first + index, line) for index, line in enumerate(lines) if is_kind(line, self._kind)]
        behind = first + len(lines)
        for number in self._wanted[bisect_left(self._wanted, first) : bisect_left(self._wanted, behind)]:
            self._passed.add(Position(number, chain_of(lines[number - first])))


class Journal:
    """The open end of a run's journal. *attempt* is the fencing token that every record of this process carries."""

    def __init__(self, store: RunStore, clock: Clock, position: Position) -> None:
        """Go on behind *position*, the last record of *store*."""
        self.store = store
        self.clock = clock
        self.position = position
        self.attempt = 0

    def open(self, previous: Record | None) -> None:
        """Append the `opened` record, in the very slot that an older writer would need next.

        Args:
            previous: The newest record there is; its attempt is counted on.

        Raises:
            StorageError: The medium refused.
            Fenced: Another writer took the slot.
        """
        self.attempt = (previous.attempt if previous else 0) + 1
        self.append(Kind.OPENED)

    def append(self, kind: Kind, value: bytes | None = None, *, key: str | None = None) -> Position:
        """Record one thing; durable when this returns.

        Args:
            kind: What the record says.
            value: The encoded value.
            key: The item or step it belongs to.

        Raises:
            StorageError: The medium refused; nothing was acknowledged.
            Fenced: Another writer took the slot.
        """
        record = Record(kind=kind, time=self.clock.now(), attempt=self.attempt, key=key, value=value)
        self.position = self.store.append([record], expected=self.position.sequence)
        return self.position
