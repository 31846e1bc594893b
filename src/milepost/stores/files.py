"""The file store of one run: a folder with numbered journal segments and documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

from milepost.clock import Clock
from milepost.errors import DurabilityUnknown, Fenced, LostRecords, StorageError, StoreUnavailable
from milepost.fs import TEMPORARY_SUFFIX
from milepost.records import Position, Record, Totals, encode_lines, start_of
from milepost.stores.appender import Appender
from milepost.stores.base import Damaged, Durability, Glance, Holder, JournalReading, Visit
from milepost.stores.documents import FolderDocuments
from milepost.stores.folder import Folder
from milepost.stores.glance import glance
from milepost.stores.lines import LineReader
from milepost.stores.lock import WriterLock, holder_of
from milepost.stores.segment import HEAD_BYTES, Head, head_page, trailer
from milepost.stores.segments import cut_tail, keep_copy, read_segments, run_of, segment_name, segment_numbers

SEGMENT_BYTES = 32 * 1024 * 1024
"""What a journal file holds before the next begins: reading a run takes this much memory beside the index."""
_MOST_UNSEEN_BYTES = 64 * 1024


class RunFiles(FolderDocuments):
    """A run kept in a folder. See `RunStore` for what each verb promises."""

    def __init__(self, folder: Folder, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Work in an open *folder*; the journal goes on in a next file once one holds *segment_bytes*."""
        super().__init__(folder)
        self._segment_bytes = segment_bytes
        self._lock: WriterLock | None = None
        self._appender: Appender | None = None
        self._head: Head | None = None
        self._lines = LineReader(folder)
        self._unseen_bytes = 0
        self._totals: Callable[[], Totals] | None = None

    # --- reading: takes no lock, changes nothing

    def read_journal(self, visit: Visit | None = None) -> JournalReading | None:
        """Read the journal as it stands; its end is synced before it is served."""
        reading, _ = read_segments(self.folder, visit)
        if self._appender is None:  # a writer knows its own lines best
            self._lines.take(reading.lines if reading else [])
        return reading

    def read_line(self, sequence: int) -> bytes:
        """Return the line of a record that was read or appended here, checked again."""
        return self._lines.read(sequence)

    def journal_run(self) -> str | None:
        """Return the id of the run that the first segment names."""
        return run_of(self.folder)

    def glance(self) -> Glance | None:
        """Return what the newest watermark says."""
        return glance(self.folder)

    def holder(self) -> Holder | None:
        """Return who holds the lock; it is not touched."""
        return holder_of(self.folder)

    # --- writing: one process, behind the lock

    def lock(self, clock: Clock, *, allow_network_filesystem: bool = False) -> None:
        """Become the writer, and sweep what a killed writer left half made.

        Raises:
            RunLocked: Another process is the writer.
            UnsafeStore: The filesystem cannot keep the promise of a lock.
        """
        self._lock = WriterLock.take(self.folder, clock, allow_network_filesystem=allow_network_filesystem)
        self.delete([name for name in self.names(".") if name.endswith(TEMPORARY_SUFFIX)], durable=False)

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

        A tail that no acknowledgement covers is set aside in a ``*.quarantine`` file and cut. What was read is
        synced before it is served. A damaged journal is kept whole, and the run goes on behind its last proven
        record in a new segment. A crash in here is only another crash.

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
        reading, last = read_segments(self.folder, visit, run=run if known else None)
        self.folder.sync()
        if reading is None:
            reading = JournalReading(start or start_of(run), run)
            self._lines.take(reading.lines)
            self._start_segment(Head(run, 1, reading.start))
            return reading
        if known and reading.run not in (None, run):
            path = self.folder.path / segment_name(1)
            lost = LostRecords(f"{path}: this journal is of run {reading.run}; that of run {run} is missing.")
            reading.forget()
            reading.damage, reading.run = [Damaged(path.name, lost)], None
        if reading.damage and refuse_damage:
            raise reading.damage[0].error
        self._lines.take(reading.lines)
        if reading.damage:
            if not reading.segments:  # nothing is proven, not even where it would start
                reading.start = reading.end = start or start_of(run)
            self._set_damage_aside(reading.segments)
            self._start_segment(Head(reading.run or run, reading.segments + 1, reading.end), reading.checkpoint)
            return reading
        assert last is not None, "a journal without damage has a last segment"
        assert last.head is not None, "a segment without a head is damage"
        cut_tail(self.folder, last)
        if last.marked_offset > HEAD_BYTES:
            self._open_segment(last.head, last.end, last.end_offset, reading.checkpoint)
        else:
            # Perhaps nobody has written here since the sync of the folder failed for the process that began it. The
            # sync above says nothing then: it is told only once. So the file appears anew.
            self._start_segment(last.head, reading.checkpoint, last.unvouched, last.end)
        return reading

    def append(
        self, records: Sequence[Record], *, expected: int, durability: Durability = Durability.POWER
    ) -> Position:
        """Append a batch behind record number *expected*, in the next segment if this one is full."""
        appender = self._open_end()
        if appender.position.sequence != expected:
            raise Fenced(f"{self.folder.path}: record {expected + 1} is taken: another writer took this run over.")
        lines, end = encode_lines(records, appender.position)
        data = lines[0] if len(lines) == 1 else b"".join(lines)
        self._unseen_bytes += len(data)
        if durability is not Durability.PROCESS or self._unseen_bytes > _MOST_UNSEEN_BYTES:
            self._see_the_file(appender)
        if HEAD_BYTES < appender.offset > self._segment_bytes - len(data):
            appender = self._rotate(appender)
        appender.append(data, end, durability)
        self._lines.extend(lines)
        return end

    @property
    def poisoned(self) -> bool:
        """Whether a write to the journal failed, so that only `restart_journal` helps."""
        return self._appender is None or self._appender.poisoned

    def restart_journal(self) -> None:
        """Go on behind the last acknowledged record in a new segment; the old one is never written again."""
        old = self._open_end()
        assert self._head is not None
        old.poisoned = True  # also if this fails half way: records behind the next segment's start do not count
        if old.loose is None:
            raise DurabilityUnknown(
                f"{old.path}: records {old.synced.sequence + 1} to {old.position.sequence} were recorded to survive "
                "this process only, and are too many to be written anew into another file. End this process and run "
                "the same command again: it goes on from what the disk holds of them."
            )
        head = Head(self._head.run, self._head.segment + 1, old.synced)
        self._start_segment(head, old.checkpoint, old.loose, old.position)
        with suppress(StorageError):  # its failure was told when it was poisoned
            old.close(clean=False)

    def totals_by(self, totals: Callable[[], Totals]) -> None:
        """Ask *totals* what the records come to whenever a watermark is written; it vouches for nothing."""
        self._totals = self._open_end().totals = totals

    def note_checkpoint(self, number: int) -> None:
        """Leave a note, not synced, that checkpoint *number* exists."""
        self._open_end().note_checkpoint(number)

    def close_journal(self, *, clean: bool = True) -> None:
        """Let go of the journal; a clean close cuts its padding and states its end."""
        if self._appender is not None:
            appender, self._appender = self._appender, None
            appender.close(clean=clean)

    def close(self, *, clean: bool = True) -> None:
        """Let go of journal, lock and folder, in this order."""
        try:
            self.close_journal(clean=clean)
        finally:
            try:
                self._lines.close() if clean else self._lines.abandon()
            finally:
                if self._lock is not None:
                    lock, self._lock = self._lock, None
                    lock.release()
                self.folder.close()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    # --- inside

    def _open_end(self) -> Appender:
        if self._appender is None:
            raise DurabilityUnknown(f"{self.folder.path}: this journal is not open for writing.")
        return self._appender

    def _see_the_file(self, appender: Appender) -> None:
        """Refuse to write into a file that has no name any more."""
        if not self.folder.still_has(appender.path.name):
            appender.poisoned = True
            raise StoreUnavailable(
                f"{appender.path}: this journal was deleted while it was open; nothing was saved. "
                "Close this manager, load again, and go on from there."
            )
        self._unseen_bytes = 0

    def _rotate(self, appender: Appender) -> Appender:
        """Begin the next segment, then seal this one: the other order would look like a lost segment after a crash.

        Half way, the next segment may stand already, and records behind its start would not count: so whatever
        goes wrong in here, an interrupt too, this segment takes no more.
        """
        assert self._head is not None
        number = self._head.segment + 1
        head = Head(self._head.run, number, appender.position)
        appender.refuse_poisoned()
        try:
            if appender.synced != appender.position:
                appender.append(b"", appender.position)
            totals = self._totals() if self._totals is not None else None
            self.folder.put(segment_name(number), head_page(head, appender.checkpoint, totals), replace=True)
            appender.append(trailer(appender.position, number), appender.position)
            appender.close()
            return self._open_segment(head, head.start, HEAD_BYTES, appender.checkpoint)
        except BaseException:
            appender.poisoned = True
            raise

    def _start_segment(
        self, head: Head, checkpoint: int = 0, lines: bytes | bytearray = b"", end: Position | None = None
    ) -> None:
        """Let a segment appear that holds *lines*, up to the position *end*, and go on in it."""
        self.folder.put(segment_name(head.segment), head_page(head, checkpoint) + lines, replace=True)
        self._open_segment(head, end or head.start, HEAD_BYTES + len(lines), checkpoint)

    def _open_segment(self, head: Head, position: Position, offset: int, checkpoint: int) -> Appender:
        path = self.folder.path / segment_name(head.segment)
        handle = self.folder.open_file(path.name, "update")
        self._head = head
        self._appender = Appender(self.folder.files, handle, path, position, offset, checkpoint)
        self._appender.totals = self._totals
        self._lines.begin(path.name, head.start)
        return self._appender

    def _set_damage_aside(self, good: int) -> None:
        """Keep whole what is not proven: the last good segment is copied, those behind it make room."""
        for number in segment_numbers(self.folder):
            if number >= good:
                keep_copy(self.folder, segment_name(number))
        behind = [segment_name(number) for number in segment_numbers(self.folder) if number > good]
        self.delete(behind, durable=True)
