"""The narrow waist: what every store promises about one run, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from milepost.errors import DamageError
from milepost.fs import Content
from milepost.records import Position, Record


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


class JournalReading:
    """What a journal holds, as far as it can be proven.

    *run* is the id of the run, *segments* how many files vouch for it, *checkpoint* the number of the newest
    checkpoint that its writer noted. *lines* are the intact lines without newlines, the first of them record
    number ``start.sequence + 1``;
    *end* is the position behind the last. *damage* lists acknowledged records that are lost or altered: the
    lines end before them. *torn* names the bytes behind *end* that no acknowledgement covers,
    *warnings* what else is not as it was written, and costs nothing.
    """

    def __init__(self, start: Position, run: str | None = None) -> None:
        """Hold nothing yet, from *start* on."""
        self.start = start
        self.end = start
        self.run = run
        self.segments = 0
        self.checkpoint = 0
        self.lines: list[bytes] = []
        self.damage: list[Damaged] = []
        self.torn: list[str] = []
        self.warnings: list[str] = []


class RunStore(Protocol):
    """One run's journal and documents. One process at a time writes; any number read."""

    def read_journal(self) -> JournalReading | None:
        """Read the journal as it stands, changing nothing; None if there is none.

        Raises:
            StoreUnavailable: The medium refused.
        """

    def append(self, records: Sequence[Record], *, expected: int, durable: bool = True) -> Position:
        """Append a batch behind record number *expected*; all of it is durable when this returns.

        Of a batch that a crash or an error broke off, a beginning may be there: whole records, in order.

        Raises:
            Fenced: Another writer holds that slot.
            DiskFull: There is no room; nothing was acknowledged.
            DurabilityUnknown: The write failed part way; this store appends no more until `restart_journal`.
        """

    def restart_journal(self) -> None:
        """Go on behind the last acknowledged record in a place that no failed write has touched."""

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
