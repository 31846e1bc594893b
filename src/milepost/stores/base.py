"""The narrow waist: what every store promises about one run, and nothing more."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from milepost.clock import Clock
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


class Spot(str):
    """Where something is kept, for messages: a path or the URL of a store, with names put behind it by ``/``."""

    __slots__ = ()

    def __truediv__(self, name: str) -> Spot:
        """Return the place of *name* in here."""
        return Spot(f"{self.rstrip('/')}/{name}")


class Holder(NamedTuple):
    """Who writes a run: *host*, *pid*, and *since* when, in seconds since 1970-01-01 UTC."""

    host: str
    pid: int
    since: float


class Glance(NamedTuple):
    """What the newest watermark says: its *position* and *totals*, and the intact *lines* behind it."""

    position: Position
    totals: Totals
    lines: list[bytes]


class RunStore(Protocol):
    """One run's journal and documents, and the runs of the phase that were set aside.

    One process at a time writes; any number read. *path* says where it is, *window_seconds* how long it is worth
    waiting for more records before one append.
    """

    path: Spot

    @property
    def window_seconds(self) -> float:
        """How long, in seconds."""

    # --- reading: takes no lock, changes nothing

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

    def journal_run(self) -> str | None:
        """Return the id of the run that the journal says it is of, without a look at its records; None for none."""

    def glance(self) -> Glance | None:
        """Return what the newest watermark says, without a look at what is before it; None if none tells totals.

        Nothing is vouched for: this is for looking at progress, never for going on from it.
        """

    def holder(self) -> Holder | None:
        """Return who writes this run now, or None. No writer is hindered by it."""

    def read(self, name: str, most: int | None = None, *, group_may_write: bool = False) -> bytes:
        """Return a document's bytes, or its first *most* of them.

        Raises:
            FileNotFoundError: There is none.
            UnsafeStore: Others may write it.
        """

    def names(self, prefix: str = "") -> list[str]:
        """List the documents and journal files whose names start with *prefix*, sorted."""

    def has(self, name: str) -> bool:
        """Tell whether there is a document or journal file of that name."""

    def size(self, name: str) -> int:
        """Return how many bytes a document or journal file takes.

        Raises:
            FileNotFoundError: There is none.
        """

    def stamp(self, name: str) -> Hashable:
        """Return what tells one writing of a document from the next, by one look; None if there is none."""

    def identity(self) -> Hashable:
        """Return what two objects have in common if and only if they are of one run's place."""

    def token(self) -> str:
        """Return a random name: for a run's id, or for what comes once."""

    def settle(self) -> None:
        """Make durable what was read, so that nobody acts on what a power cut takes back."""

    # --- the runs below ``runs/``

    def runs(self) -> list[str]:
        """Return the names of all runs that stand below this one, sorted."""

    def run(self, name: str, *, create: bool = False) -> Self:
        """Open a run below this one; made where it is missing, if it may be.

        Raises:
            FileNotFoundError: There is none.
        """

    def remove_run(self, name: str) -> None:
        """Delete a run below this one: its manifest last, so that what a crash leaves is still known for a run."""

    # --- writing: one process, behind the lock

    def lock(self, clock: Clock, *, allow_network_filesystem: bool = False) -> None:
        """Become the writer, and sweep what a killed writer left half made.

        Raises:
            RunLocked: Another process is the writer.
            UnsafeStore: The place cannot keep the promise of a lock.
        """

    def recover(
        self,
        run: str,
        *,
        known: bool = False,
        visit: Visit | None = None,
        refuse_damage: bool = False,
        start: Position | None = None,
    ) -> JournalReading:
        """Bring the journal into a state that can be appended to, and return what it proves.

        Args:
            run: The run's id, which seeds the chain of a new journal.
            known: Whether the run is certainly this one, so that a journal of another run is damage.
            visit: Is shown every proven line, in order, once.
            refuse_damage: Touch nothing if acknowledged records are lost or altered.
            start: Where a new journal begins: behind this position of a run that was trimmed; None for its beginning.

        Raises:
            DamageError: They are, and *refuse_damage* was asked for.
            StorageError: The medium refused.
        """

    @property
    def poisoned(self) -> bool:
        """Whether a write to the journal failed, so that only `restart_journal` helps."""

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

    def trim(self, upto: Position) -> None:
        """Forget the records up to *upto*, where that can be done; what fences a superseded writer stays.

        Raises:
            Fenced: Another writer took this run over.
            StorageError: The medium refused; what is left is whole.
        """

    def create(self, name: str, data: bytes) -> None:
        """Write a document durably under a free name. Never overwrites.

        Raises:
            FileExistsError: The name is taken.
        """

    def replace(self, name: str, data: Content) -> None:
        """Write a document durably, whether or not it was there. The writer's lock is the expected version."""

    def delete(self, names: Sequence[str], *, durable: bool) -> None:
        """Delete documents and journal files; a missing one is no error."""

    def keep_copy(self, name: str) -> None:
        """Keep a damaged document or journal file whole under a second name that ends in ``.quarantine``."""

    def document_path(self, name: str) -> Path:
        """Return what names a document for callers: its path, or its key where there are no paths."""

    def close_journal(self, *, clean: bool = True) -> None:
        """Let go of the journal; a clean close states its end."""

    def close(self, *, clean: bool = True) -> None:
        """Let go of everything, the lock last; what is not *clean* writes nothing: a fork's child asks."""

    def __enter__(self) -> Self:
        """Return the store."""

    def __exit__(self, *_: object) -> None:
        """Close it."""
