"""A run in a shared store: `RunStore` on the few verbs of `Store`.

Under the phase's name lie a *head* and one folder for each *area*; see `milepost.stores.head`. A writer holds the lease
in the head. One that takes over from a process which did not let go writes the directory anew and a `taken` record
into the very slot of the journal that the other needs next: from then on the store refuses the other, however late it
wakes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

from milepost.clock import Clock
from milepost.errors import DurabilityUnknown, Fenced, LostRecords, StoreUnavailable
from milepost.fs import Content
from milepost.records import (
    Kind,
    Position,
    Record,
    Totals,
    decode_line,
    encode_line,
    encode_lines,
    follow_all,
    start_of,
)
from milepost.stores.base import Damaged, Durability, JournalReading, Visit
from milepost.stores.documents import MANIFEST
from milepost.stores.head import Head, Mark, Part
from milepost.stores.lease import Tenure
from milepost.stores.store import MOST_LINES, Store
from milepost.stores.stored_journal import file_name
from milepost.stores.stored_reading import HEAD, StoredReading, read_head, token
from milepost.stores.terms import Terms

_LOOKS = 1000
_QUARANTINE = ".quarantine"


class StoredRun(StoredReading):
    """A run of the phase *phase* (a folder name). See `RunStore` for what each verb promises."""

    def __init__(
        self, store: Store, phase: str, head: Head, terms: Terms, *, below: tuple[StoredReading, str] | None = None
    ) -> None:
        """Work on the run that *head* names, or on the one that stands *below* another by a name."""
        super().__init__(store, phase, head, terms, below=below)
        self._size_bytes = 0
        self._checkpoint = 0
        self._poisoned = False

    @classmethod
    def existing(cls, store: Store, phase: str, terms: Terms) -> StoredRun | None:
        """Open the phase as it stands; None if there is none."""
        try:
            return cls(store, phase, read_head(store, phase), terms)
        except FileNotFoundError:
            return None

    @classmethod
    def made(cls, store: Store, phase: str, terms: Terms) -> StoredRun:
        """Open the phase, begun where it is not there."""
        with suppress(FileExistsError):
            store.create(f"{phase}/{HEAD}", Head(token()).encoded())
        return cls(store, phase, read_head(store, phase), terms)

    # --- the runs below

    def run(self, name: str, *, create: bool = False) -> StoredRun:
        """Open a run below."""
        self._look()
        if create and name not in self._head.runs:
            self._held().write(runs=self._head.runs | {name: token()})
        return StoredRun(self.store, self.phase, self._head, self._terms, below=(self, name))

    def remove_run(self, name: str) -> None:
        """Delete a run below: its contents first, so that what a crash leaves is still known for a run."""
        run = self.run(name)
        run.delete([one for one in run.names() if one != MANIFEST], durable=True)
        run.delete([MANIFEST], durable=True)
        self._held().write(runs={one: area for one, area in self._head.runs.items() if one != name})

    def swap(self, aside: str | None, successor: str | None) -> None:
        """Let this run go below as *aside*, and the run *successor* (None: an empty one) come, in one step.

        Raises:
            Fenced: Another writer took this phase over.
            StorageError: The store refused; all is as it was.
        """
        tenure, runs = self._held(), dict(self._head.runs)
        self._documents.write(mark=next(iter(self._marks()), None))
        if successor is not None:
            self.run(successor)._documents.take(tenure.head.token)
        area = runs.pop(successor) if successor is not None else token()
        if aside is not None:
            runs[aside] = self._area
        self._noted = None
        tenure.write(area=area, runs=runs, mark=None)
        self._stand_in(area)
        self._documents.look(tenure.head.token)

    # --- writing

    def lock(self, clock: Clock, *, allow_network_filesystem: bool = False) -> None:  # noqa: ARG002
        """Become the writer: hold the lease, and supersede one that did not let go of it."""
        tenure = Tenure.begun(self.store, f"{self.phase}/{HEAD}", self._terms, clock)
        self._tenure = tenure
        self._stand_in(tenure.head.area)
        try:
            if tenure.taken_over:
                self._documents.take(tenure.head.token)
                self._fence(clock)
                tenure.write()  # or somebody else has superseded this process, while it superseded another
            else:
                self._documents.look(tenure.head.token)
            self._documents.sweep(tenure.head.token)
        except BaseException:  # the lease is not given back: whoever is next must supersede the old writer, too
            self._tenure = None
            tenure.abandon()
            raise
        tenure.mark = lambda: self._noted

    def recover(
        self,
        run: str,
        *,
        known: bool = False,
        visit: Visit | None = None,
        refuse_damage: bool = False,
        start: Position | None = None,
    ) -> JournalReading:
        """Bring the journal into a state that can be appended to; a damaged one is kept whole, and gone on behind."""
        self._look()
        directory = self._documents.directory
        if not directory.parts:
            reading = JournalReading(start or start_of(run), run)
            self._begin_part(reading.start, run)
            self._opened(reading)
            return reading
        if known and directory.run not in (None, run):
            lost = LostRecords(f"{self.path}: this journal is of run {directory.run}; that of run {run} is missing.")
            reading = JournalReading(start_of(run))
            reading.damage = [Damaged(file_name(directory.parts[0].number), lost)]
        else:
            found = self.read_journal(visit)
            assert found is not None, "there are journals"
            reading = found
        if reading.damage and refuse_damage:
            raise reading.damage[0].error
        if reading.damage:
            self._begin_part(reading.end, run if reading.run is None else reading.run)
        self._opened(reading)
        return reading

    @property
    def poisoned(self) -> bool:
        """Whether a write to the journal failed, so that only `restart_journal` helps."""
        return self._poisoned or self._position is None

    def append(
        self,
        records: Sequence[Record],
        *,
        expected: int,
        durability: Durability = Durability.POWER,  # noqa: ARG002 -- a store knows only one
    ) -> Position:
        """Append a batch behind record number *expected*, in one write."""
        position = self._open_end()
        if self._poisoned:
            raise DurabilityUnknown(f"{self.path}: an earlier write to this journal failed, so it takes no more.")
        if position.sequence != expected:
            raise Fenced(f"{self.path}: record {expected + 1} is taken: another writer took this run over.")
        self._held().ensure()
        self._noted = self._mark(self._totals() if self._totals is not None else None)
        lines, end = encode_lines(records, position)
        name = self._lines.name(self._documents.directory.parts[-1].number)
        self._poisoned = True  # until it is known what became of this one, an interrupt included
        for begin in range(0, len(lines), MOST_LINES):
            some = [line[:-1] for line in lines[begin : begin + MOST_LINES]]
            try:
                self.store.append(name, position.sequence + 1 + begin, some)
            except StoreUnavailable:
                self._poisoned = begin > 0  # else nothing was written
                raise
        self._poisoned = False
        self._lines.fences += [
            number for number, record in enumerate(records, position.sequence + 1) if record.kind is Kind.OPENED
        ]
        self._position = end
        self._size_bytes += sum(map(len, lines))
        self._lines.extend(end.sequence)
        return end

    def restart_journal(self) -> None:
        """Go on behind the last acknowledged record in a new journal: what may still arrive in the old one is void."""
        self._begin_part(self._open_end(), self._documents.directory.run)
        self._poisoned = False

    def totals_by(self, totals: Callable[[], Totals]) -> None:
        """Ask *totals* what the records come to before each append, for the next watermark."""
        self._open_end()
        self._totals = totals

    def note_checkpoint(self, number: int) -> None:
        """Note, with the next watermark, that checkpoint *number* exists."""
        self._checkpoint = number

    def trim(self, upto: Position) -> None:
        """Forget the records up to *upto*; the slots that fence a superseded writer stay taken.

        Raises:
            Fenced: Another writer took this phase over.
            StorageError: The store refused; what is left is whole.
        """
        directory = self._documents.directory
        if directory.trimmed is not None and directory.trimmed.sequence >= upto.sequence:
            return
        self._documents.write(trimmed=upto)
        self._lines.take(self._documents.directory, self._open_end().sequence)
        for part in directory.parts:
            keep = self._lines.fencing(part, directory.trimmed)
            self.store.trim(self._lines.name(part.number), upto.sequence, keep)

    def create(self, name: str, data: bytes) -> None:
        """Write a document under a free name."""
        self._held().ensure()
        self._look()
        if name in self._documents.directory.documents:
            raise FileExistsError(f"{self.path}/{name}")
        self._documents.put(name, data, token())

    def replace(self, name: str, data: Content) -> None:
        """Write a document, whether or not it was there."""
        self._held().ensure()
        self._look()
        self._documents.put(name, data, token())

    def delete(self, names: Sequence[str], *, durable: bool) -> None:  # noqa: ARG002 -- a store knows only one
        """Delete documents and journals; of a journal the slots that fence a superseded writer stay taken."""
        self._held().ensure()
        self._look()
        self._documents.remove(list(names))
        directory = self._documents.directory
        going = [part for part in directory.parts if file_name(part.number) in names]
        if going:
            last = self._last_number(going)
            rest = tuple(part for part in directory.parts if part not in going)
            self._documents.write(parts=rest, run=directory.run if rest else None, mark=None, trimmed=None)
            self._position = self._noted = None
            for part in going:
                self.store.trim(self._lines.name(part.number), last, self._lines.fencing(part, directory.trimmed))

    def keep_copy(self, name: str) -> None:
        """Let a damaged document be known under a second name, too; a journal is never overwritten."""
        if name in self._documents.directory.documents:
            self._documents.link(name, f"{name}.{self._documents.entry(name).digest[:8]}{_QUARANTINE}")

    def close_journal(self, *, clean: bool = True) -> None:
        """Let go of the journal; a clean close leaves a watermark."""
        if clean and self._position is not None and not self._poisoned:
            self._noted = self._mark(self._totals() if self._totals is not None else None)
            if self._above is not None:
                self._look()
                self._documents.write(mark=self._noted)
        self._position = None
        self._totals = None

    def close(self, *, clean: bool = True) -> None:
        """Let go of journal and lease, in this order."""
        self.close_journal(clean=clean)
        if self._tenure is not None:
            tenure, self._tenure = self._tenure, None
            tenure.end() if clean else tenure.abandon()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    # --- inside

    def _held(self) -> Tenure:
        """Return the lease by which this run may be written."""
        if isinstance(self._above, StoredRun):
            return self._above._held()
        if self._tenure is None:
            raise DurabilityUnknown(f"{self.path}: this run is not open for writing.")
        return self._tenure

    def _open_end(self) -> Position:
        if self._position is None:
            raise DurabilityUnknown(f"{self.path}: this journal is not open for writing.")
        return self._position

    def _mark(self, totals: Totals | None) -> Mark:
        return Mark(self._area, self._open_end(), self._size_bytes, self._checkpoint, totals)

    def _opened(self, reading: JournalReading) -> None:
        """Go on behind what was read."""
        self._position, self._poisoned = reading.end, False
        self._checkpoint = reading.checkpoint
        self._size_bytes = sum(file.offsets[-1] for file in reading.lines)
        self._lines.take(self._documents.directory, reading.end.sequence)

    def _begin_part(self, start: Position, run: str | None) -> None:
        """Begin a journal whose records count behind *start*, and those of the one before it up to there."""
        directory = self._documents.directory
        number = directory.begun + 1
        self._documents.write(parts=(*directory.parts, Part(number, start)), run=run, begun=number)
        self._lines.take(self._documents.directory, start.sequence)

    def _fence(self, clock: Clock) -> None:
        """Take the slot of the journal that a superseded writer needs next, whoever is faster.

        Raises:
            StoreUnavailable: The other writer was faster, look after look; or the store refused.
        """
        directory = self._documents.directory
        if not directory.parts:
            return
        part = directory.parts[-1]
        mark = next((mark for mark in self._marks() if mark.position.sequence >= part.start.sequence), None)
        end, attempt = mark.position if mark else part.start, 0
        for _ in range(_LOOKS):
            for first, lines in self._lines.tail(directory, end):
                proven, end = follow_all(lines, end)
                attempt = decode_line(lines[proven - 1]).attempt if proven else attempt
                if proven < len(lines):  # damaged: recovery tells of it, and the slot is behind it all the same
                    end = Position(first + len(lines) - 1, end.chain)
            line, _ = encode_line(Record(Kind.TAKEN, clock.now(), attempt), end)
            try:
                self.store.append(self._lines.name(part.number), end.sequence + 1, [line[:-1]])
            except Fenced:
                continue
            return
        raise StoreUnavailable(f"{self.path}: another process writes too fast to be superseded; stop it.")

    def _last_number(self, parts: list[Part]) -> int:
        """Return the number of the last record that is held in *parts*, and know which slots fence."""
        reading = self._lines.read_all(self._documents.directory, [], None)
        ends = [reading.end.sequence] if reading else []
        for part in parts:
            ends += [first + len(lines) - 1 for first, lines in self.store.lines(self._lines.name(part.number))]
        return max(ends, default=0)
