"""A run's journal: what was recorded, read lazily, and the one place where a record is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from milepost.clock import Clock
from milepost.records import Kind, Position, Record, decode_line
from milepost.stores.base import Damaged, JournalReading, RunStore


class History(NamedTuple):
    """What a journal proves; records are decoded when they are asked for."""

    reading: JournalReading

    @property
    def damage(self) -> list[Damaged]:
        """Return what is lost or altered."""
        return self.reading.damage

    @property
    def end(self) -> Position:
        """Return the position behind the last proven record."""
        return self.reading.end

    def records(self, after: int = 0) -> Iterator[tuple[int, Record]]:
        """Yield sequence numbers and records behind number *after*."""
        skipped = max(0, after - self.reading.start.sequence)
        first = self.reading.start.sequence + skipped + 1
        for index in range(skipped, len(self.reading.lines)):
            yield first + index - skipped, decode_line(self.reading.lines[index])

    def last(self) -> Record | None:
        """Return the newest record."""
        return decode_line(self.reading.lines[-1]) if self.reading.lines else None

    def contains(self, position: Position) -> bool:
        """Tell whether the journal passed through *position*."""
        if position == self.reading.start:
            return True
        index = position.sequence - self.reading.start.sequence - 1
        if not 0 <= index < len(self.reading.lines):
            return False
        return self.reading.lines[index].endswith(b'"' + position.chain.encode() + b'"}')


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
