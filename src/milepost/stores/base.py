"""The narrow waist: what every store promises about one run, and nothing more."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from milepost.errors import DamageError
from milepost.fs import Content
from milepost.records import Position, Record, Totals


class Durability(StrEnum):
    """What a record survives once its append has returned.

    `POWER`: also a power cut; that it is the very last one and was cut off by the medium later goes unnoticed.
    `PROCESS`: the death of the process only; a power cut leaves a whole beginning of what was recorded.
    `STRICT`: a power cut, and the loss of even the very last record is noticed.
    """

    POWER = "power"
    PROCESS = "process"
    STRICT = "strict"


class Damaged(NamedTuple):
    """Something stored is not what was written: which *name*, the *error* to raise, and what it costs."""

    name: str
    error: DamageError


Visit = Callable[[int, list[bytes]], None]
"""Is shown proven lines in the journal's order, without newlines: the number of the first, and some thousands."""

OFFSETS = "Q"
"""The type code of arrays of offsets: 8 bytes for each record."""


class Lines(NamedTuple):
    """Where the lines of one journal file begin: record ``start.sequence + 1 + i`` at byte ``offsets[i]``.

    One more entry says where the last one ends.
    """

    name: str
    start: Position
    offsets: array[int]


class JournalReading:
    """What a journal holds, as far as it can be proven; the lines themselves are shown to a `Visit` or read singly.

    *run* is the id of the run, *segments* how many files vouch for it, *checkpoint* the number of the newest
    checkpoint that its writer noted. *count* is the number of intact lines, the first of them record number
    ``start.sequence + 1``, *last* the newest of them; *end* is the position behind it. *damage* lists acknowledged
    records that are lost or altered: the lines end before them. *torn* names the bytes behind *end* that no
    acknowledgement covers, *warnings* what else is not as it was written, and costs nothing. *lines* says where
    each line stands, for `RunStore.read_line`; a store that writes goes on with it.
    """

    def __init__(self, start: Position, run: str | None = None) -> None:
        """Hold nothing yet, from *start* on."""
        self.start = start
        self.run = run
        self.checkpoint = 0
        self.damage: list[Damaged] = []
        self.torn: list[str] = []
        self.warnings: list[str] = []
        self.forget()

    def forget(self) -> None:
        """Hold no lines any more: they turned out to be none of ours."""
        self.end = self.start
        self.segments = 0
        self.count = 0
        self.last: bytes | None = None
        self.lines: list[Lines] = []


class RunStore(Protocol):
    """One run's journal and documents. One process at a time writes; any number read."""

    def read_journal(self, visit: Visit | None = None) -> JournalReading | None:
        """Read the journal as it stands, changing nothing; None if there is none.

        Args:
            visit: Is shown every proven line, in order, once.

        Raises:
            StoreUnavailable: The medium refused.
        """

    def read_line(self, sequence: int) -> bytes:
        """Return the line of a record that this object has read or appended, without its newline, checked again.

        Args:
            sequence: The record's number.

        Raises:
            InvalidArgument: No record of that number was read or appended here.
            CorruptJournal: It is not any more what was written.
            StoreUnavailable: The medium refused.
        """

    def append(
        self, records: Sequence[Record], *, expected: int, durability: Durability = Durability.POWER
    ) -> Position:
        """Append a batch behind record number *expected*; all of it survives what *durability* says on return.

        Of a batch that a crash or an error broke off, a beginning may be there: whole records, in order.

        Args:
            records: What to record, in order.
            expected: The number of the newest record, as far as the caller knows.
            durability: What the records, and any before them that survive less, survive once this returns.

        Raises:
            Fenced: Another writer holds that slot.
            DiskFull: There is no room; nothing was acknowledged.
            DurabilityUnknown: The write failed part way; this store appends no more until `restart_journal`.
        """

    def restart_journal(self) -> None:
        """Go on behind the last acknowledged record in a place that no failed write has touched.

        Raises:
            DurabilityUnknown: Too much was acknowledged as surviving the process only: run the same command again.
        """

    def totals_by(self, totals: Callable[[], Totals]) -> None:
        """Ask *totals* what all records come to whenever there is room to note it; need not survive a crash.

        Whoever only looks at a run then need not read them.

        Raises:
            DurabilityUnknown: This store is not open for writing.
        """

    def note_checkpoint(self, number: int) -> None:
        """Leave a note that checkpoint *number* exists, so that its loss is noticed. Need not survive power loss."""

    def create(self, name: str, data: bytes) -> None:
        """Write a document durably under a free name. Never overwrites.

        Raises:
            FileExistsError: The name is taken.
        """

    def read(self, name: str) -> bytes:
        """Return a document's bytes.

        Raises:
            FileNotFoundError: There is none.
        """

    def replace(self, name: str, data: Content) -> None:
        """Write a document durably, whether or not it was there. The writer's lock is the expected version."""

    def names(self, prefix: str) -> Sequence[str]:
        """List the documents whose names start with *prefix*."""

    def delete(self, names: Sequence[str], *, durable: bool) -> None:
        """Delete documents; a missing one is no error."""
