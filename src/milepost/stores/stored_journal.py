"""The journal of one area of a shared store: read and proven, read again line by line, appended to."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator

from milepost.errors import CorruptJournal, InvalidArgument, LostRecords, StoreUnavailable
from milepost.records import Kind, Position, chain_of, follow_all, is_kind
from milepost.stores.base import OFFSETS, Damaged, JournalReading, Lines, Visit
from milepost.stores.head import Directory, Mark, Part
from milepost.stores.store import Numbered, Store

_CHUNK = 256
_MOST_CACHED_BYTES = 16 * 1024 * 1024


def file_name(number: int) -> str:
    """Return the name under which journal *number* of an area is listed."""
    return f"journal_{number:06d}.jsonl"


class StoredLines:
    """The lines of an area's journal, under `<area>/journal-<number>`; *where* says so in messages."""

    def __init__(self, store: Store, prefix: str, where: str) -> None:
        """Read below *prefix*; nothing is known yet."""
        self._store = store
        self._prefix = prefix
        self._where = where
        self._directory = Directory()
        self._end = 0
        self._held: OrderedDict[int, tuple[list[bytes], int]] = OrderedDict()
        self.fences: list[int] = []

    def name(self, number: int) -> str:
        """Return the journal's name in the store."""
        return f"{self._prefix}/journal-{number:06d}"

    def take(self, directory: Directory, end: int) -> None:
        """Know that the journal is as *directory* says, up to record *end*."""
        if directory.parts != self._directory.parts or end < self._end:
            self._held.clear()
        self._directory, self._end = directory, end

    def read_all(self, directory: Directory, marks: list[Mark], visit: Visit | None) -> JournalReading | None:
        """Read the journal that *directory* describes; None if there is none.

        Args:
            directory: What the area's directory says.
            marks: The watermarks that were left for this area: what they name must be there.
            visit: Is shown every proven line, in order, once; None for nobody.
        """
        if not directory.parts:
            return None
        start = directory.trimmed or directory.parts[0].start
        reading = JournalReading(start, directory.run)
        self.fences = []
        wanted = {mark.position.sequence: mark.position.chain for mark in marks}
        for part, behind in _with_next(directory.parts):
            if behind is not None and behind.start.sequence <= start.sequence:
                continue  # all of it was trimmed
            reading.segments = part.number
            self._read_part(reading, part, behind, wanted, visit or _unseen)
            if reading.damage:
                break
        self._check_marks(reading, marks)
        reading.checkpoint = max((mark.checkpoint for mark in marks), default=0)
        self.take(directory, reading.end.sequence)
        return reading

    def _read_part(
        self, reading: JournalReading, part: Part, behind: Part | None, wanted: dict[int, str], visit: Visit
    ) -> None:
        offsets = array(OFFSETS, [0])
        reading.lines.append(Lines(file_name(part.number), reading.end, offsets))
        most = None if behind is None else behind.start.sequence - reading.end.sequence
        if most == 0:
            return
        for first, lines in self._store.lines(self.name(part.number), reading.end.sequence, most):
            if first != reading.end.sequence + 1:
                self._damage(
                    reading, part, LostRecords, f"records {reading.end.sequence + 1} to {first - 1} are missing"
                )
                return
            count, end = follow_all(lines, reading.end)
            proven = lines[:count]
            self.fences += [number for number, line in enumerate(proven, first) if _fences(line)]
            for number, line in enumerate(proven, first):
                offsets.append(offsets[-1] + len(line) + 1)
                if number in wanted and wanted[number] != chain_of(line):
                    self._damage(reading, part, CorruptJournal, f"record {number} is not the one that was noted")
            reading.count += count
            reading.end = end
            reading.last = proven[-1] if proven else reading.last
            if proven:
                visit(first, proven)
            if count < len(lines):
                self._damage(reading, part, CorruptJournal, f"record {first + count} is not what was written")
            if reading.damage:
                return
        if behind is not None and behind.start != reading.end:
            self._damage(reading, part, LostRecords, f"record {reading.end.sequence + 1} is missing")

    def _damage(
        self, reading: JournalReading, part: Part, error: type[LostRecords | CorruptJournal], what: str
    ) -> None:
        name = file_name(part.number)
        reading.damage.append(Damaged(name, error(f"{self._where}/{name}: {what}.")))

    def _check_marks(self, reading: JournalReading, marks: list[Mark]) -> None:
        noted = max((mark.position.sequence for mark in marks), default=0)
        if noted > reading.end.sequence and not reading.damage:
            what = f"{noted} records were noted and {reading.end.sequence} are here: the last ones are lost"
            reading.damage.append(Damaged(file_name(reading.segments or 1), LostRecords(f"{self._where}: {what}.")))

    def extend(self, end: int) -> None:
        """Know that the journal goes up to record *end* now."""
        self._end = end

    def fencing(self, part: Part, trimmed: Position | None) -> list[int]:
        """Return the slots of a journal that superseded writers would need next: each of them, however old it is.

        Args:
            part: The journal.
            trimmed: Up to where records were forgotten before; of what was left there nobody has read anything.
        """
        upto = trimmed.sequence if trimmed is not None else 0
        older: list[int] = []
        for first, lines in self._store.lines(self.name(part.number)) if upto else ():
            if first > upto:
                break
            older += [number for number, line in enumerate(lines, first) if number <= upto and _fences(line)]
        return [*older, *self.fences]

    def tail(self, directory: Directory, after: Position) -> Iterator[Numbered]:
        """Yield the lines behind *after*, in the newest part; nothing is proven."""
        yield from self._store.lines(self.name(directory.parts[-1].number), after.sequence)

    def read(self, sequence: int) -> bytes:
        """Return the line of a record, checked again.

        Raises:
            InvalidArgument: It was neither read nor appended here.
            CorruptJournal: It is not any more what was written.
            StoreUnavailable: It is gone, or the store refused.
        """
        first = (self._directory.trimmed or Position(0, "")).sequence
        if not first < sequence <= self._end or not self._directory.parts:
            raise InvalidArgument(f"{self._where}: record {sequence} was neither read nor appended here.")
        chunk = (sequence - 1) // _CHUNK
        lines, begins = self._held.get(chunk, ([], 0))
        if not begins <= sequence < begins + len(lines):
            lines, begins = self._fetched(chunk, sequence)
        self._held.move_to_end(chunk)
        return lines[sequence - begins]

    def _fetched(self, chunk: int, sequence: int) -> tuple[list[bytes], int]:
        """Read the chunk that holds *sequence* and prove it, from the chain that the line before it states."""
        part, behind = self._part(sequence)
        start = part.start
        trimmed = self._directory.trimmed
        if trimmed is not None and trimmed.sequence > start.sequence:
            start = trimmed
        first = max(chunk * _CHUNK + 1, start.sequence + 1)
        ahead = min(1, first - 1 - start.sequence)
        last = min(self._end, (chunk + 1) * _CHUNK, behind.start.sequence if behind else self._end)
        most = last - first + 1 + ahead
        lines: list[bytes] = []
        for begins, some in self._store.lines(self.name(part.number), first - 1 - ahead, most):
            if begins != first - ahead + len(lines):
                break
            lines += some
        chain = chain_of(lines[0]) if ahead and lines else start.chain
        lines = lines[ahead:]
        count, _ = follow_all(lines, Position(first - 1, chain))
        if sequence >= first + len(lines):
            raise StoreUnavailable(f"{self._where}: record {sequence} was deleted since it was read; load again.")
        if sequence >= first + count:
            name = file_name(part.number)
            raise CorruptJournal(f"{self._where}/{name}: record {sequence} is not what was written.")
        self._keep(chunk, lines[:count], first)
        return lines[:count], first

    def _part(self, sequence: int) -> tuple[Part, Part | None]:
        """Return the journal that holds a record, and the one behind it."""
        parts = self._directory.parts
        index = max(0, bisect_right(parts, sequence - 1, key=lambda part: part.start.sequence) - 1)
        return parts[index], parts[index + 1] if index + 1 < len(parts) else None

    def _keep(self, chunk: int, lines: list[bytes], begins: int) -> None:
        self._held[chunk] = lines, begins
        size = sum(sum(map(len, held)) for held, _ in self._held.values())
        while size > _MOST_CACHED_BYTES and len(self._held) > 1:
            _, (gone, _) = self._held.popitem(last=False)
            size -= sum(map(len, gone))


def _fences(line: bytes) -> bool:
    """Tell whether a record holds a slot that a superseded writer would need next."""
    return is_kind(line, Kind.OPENED) or is_kind(line, Kind.TAKEN)


def _unseen(_: int, __: list[bytes]) -> None:
    """See nothing."""


def _with_next(parts: tuple[Part, ...]) -> Iterator[tuple[Part, Part | None]]:
    yield from zip(parts, (*parts[1:], None), strict=True)
