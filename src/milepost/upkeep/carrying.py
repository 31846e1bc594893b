"""Bringing one run's bytes from one store into another: records and documents as they stand, then compared.

Values are never opened, so an encrypted run needs no key. A checkpoint goes right behind the record at which it was
taken and before the next: whatever was carried so far is a run as its writer had it once.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from milepost.checkpoint import decode, is_checkpoint_name
from milepost.codec.files import coded_name
from milepost.errors import CorruptDocument, CorruptJournal, DamageError, NotDecodable, StoreUnavailable
from milepost.fs import TEMPORARY_SUFFIX
from milepost.records import Kind, Position, chain_of, decode_line, digest, encode_lines, is_kind, start_of
from milepost.run.manifest import MANAGER_KEEPER
from milepost.run.progress import list_entries
from milepost.run.subject import Subject
from milepost.stores import JournalReading, RunStore
from milepost.upkeep.archive import is_document

_LOOKS = 8
_MOST_RECORDS, _MOST_BYTES = 1000, 4 * 1024 * 1024

Told = Callable[[int, int], None]
"""Hears how many records were gone through, of how many."""


class MovedOn(StoreUnavailable):
    """A writer of the source was faster; another look may be in time."""


class Cargo(NamedTuple):
    """A run as it was looked at: its open *store*, the *run*'s id, its records behind *start* up to *end*.

    *reading* is what the journal held, None where there is none; *noted* the checkpoint that its writer noted.
    *checkpoints* tells each one's file by the number of the record at which it was taken, 0 for one that does not say.
    """

    store: RunStore
    run: str
    start: Position
    end: Position
    noted: int
    reading: JournalReading | None
    checkpoints: dict[int, list[str]]
    documents: list[str]

    @property
    def names(self) -> list[str]:
        """All files of it but the journal and the manifest, in the order in which they go."""
        return [name for at in sorted(self.checkpoints) for name in self.checkpoints[at]] + self.documents

    def chain_at(self, sequence: int) -> str | None:
        """Return the chain behind record *sequence*; None if it has none of that number."""
        if self.reading is None:
            return self.start.chain if sequence == self.start.sequence else None
        return chain_at(self.store, self.reading, sequence)


def looked_over(subject: Subject) -> Cargo:
    """Return what of a run is to be moved: all that was recorded at this moment.

    Raises:
        DamageError: The run is damaged.
        MovedOn: A writer was faster.
    """
    store = subject.store
    reading = agreed(store)
    checkpoints: defaultdict[int, list[str]] = defaultdict(list)
    run = subject.manifest.run if subject.manifest else reading.run if reading else None
    end = reading.end if reading else None
    if subject.keeper == MANAGER_KEEPER:
        entries, damage = list_entries(store)
        if damage:
            raise _damaged(damage[0])
        run = run or next((entry.head.run for entry in entries if entry.head.run), None)
        run = run or digest(*(entry.name.encode() for entry in entries[-1:]))[:16]  # the old manager's had none
        for entry in reversed(entries):
            position = entry.head.position
            if position is None or end is None or position.sequence <= end.sequence:
                checkpoints[position.sequence if position else 0].append(entry.name)
    elif run is None:
        raise CorruptDocument(f"{subject.path}: nothing tells which run this is; run milepost repair first.")
    start = reading.start if reading else start_of(run)
    noted = reading.checkpoint if reading else 0
    documents = [name for name in store.names() if is_document(name)]
    return Cargo(store, run, start, end or start, noted, reading, checkpoints, documents)


def agreed(store: RunStore) -> JournalReading | None:
    """Return what the journal holds. A writer may be at work, so damage counts only if two looks in a row agree on it.

    Raises:
        DamageError: It is damaged.
    """
    before: list[str] = []
    for _ in range(_LOOKS):
        reading = store.read_journal()
        damage = [one.error for one in reading.damage] if reading else []
        if not damage:
            return reading
        told = [str(one) for one in damage]
        if told == before:
            raise _damaged(damage[0])
        before = told
    raise moved_on(store)


def chain_at(store: RunStore, reading: JournalReading, sequence: int) -> str | None:
    """Return the chain behind record *sequence* of a journal that was read; None where it does not reach there."""
    if not reading.start.sequence <= sequence <= reading.end.sequence:
        return None
    if sequence == reading.start.sequence:
        return reading.start.chain
    return reading.end.chain if sequence == reading.end.sequence else chain_of(store.read_line(sequence))


class Relation(Enum):
    """How what is there relates to a run that is to be copied; None where it has records of its own.

    `PART`: it is a beginning of it, or all of it. `STALE`: it is, too, but a writer who had to supersede a killed one
    has left `taken` records behind it, where the rest belongs. `AHEAD`: it is all of it, and its job went on.
    """

    PART = "part"
    STALE = "stale"
    AHEAD = "ahead"


def relation(cargo: Cargo, store: RunStore, there: JournalReading) -> Relation | None:
    """Return how the journal in *store*, which was just read, relates to *cargo*."""
    end, proper = there.end.sequence, there.end.sequence
    while proper > there.start.sequence and is_kind(store.read_line(proper), Kind.TAKEN):
        proper -= 1
    if end <= cargo.end.sequence and cargo.chain_at(end) == there.end.chain:
        return Relation.PART
    if end > cargo.end.sequence and chain_at(store, there, cargo.end.sequence) == cargo.end.chain:
        return Relation.AHEAD if proper > cargo.end.sequence else Relation.PART
    is_part = proper <= cargo.end.sequence and cargo.chain_at(proper) == chain_at(store, there, proper)
    return Relation.STALE if is_part else None


def moved_on(store: RunStore) -> MovedOn:
    """Return the error that a writer was faster."""
    return MovedOn(f"{store.path}: it changed while it was read; run the same command again.")


class Carried(NamedTuple):
    """What was brought: the number of *records* that are new there, and what everything there must be like."""

    records: int
    lines: str
    documents: dict[str, str]


def carry(cargo: Cargo, target: RunStore, position: Position, told: Told) -> Carried:
    """Bring what *target*, which is open for writing behind *position*, does not have yet.

    Raises:
        MovedOn: The source's writer was faster.
        DamageError: A checkpoint is damaged.
        StorageError: A store refused; what was brought so far is whole, and is not brought again.
    """
    carrying = _Carrying(cargo, target, position, told)
    try:
        carrying.put_up_to(cargo.start.sequence)
        reading = cargo.store.read_journal(carrying.see)
        if carrying.seen != cargo.end.sequence or (reading is not None and reading.run not in {None, cargo.run}):
            raise moved_on(cargo.store)
        carrying.put_up_to(cargo.end.sequence)
        for name in cargo.documents:
            carrying.put(name)
    except FileNotFoundError as error:
        raise moved_on(cargo.store) from error
    going = [name for name in target.names() if _is_moved(name) and name not in carrying.documents]
    if going:
        target.delete(going, durable=True)
    if cargo.noted:
        target.note_checkpoint(cargo.noted)
    return Carried(carrying.records, carrying.lines.hexdigest(), carrying.documents)


def check(cargo: Cargo, carried: Carried, target: RunStore) -> None:
    """Read everything in *target* again and compare it with what was read in the source.

    Raises:
        DamageError: Something there is not what was written.
    """
    lines = hashlib.sha256()

    def see(first: int, some: list[bytes]) -> None:
        for number, line in enumerate(some, first):
            if cargo.start.sequence < number <= cargo.end.sequence:
                lines.update(line + b"\n")

    reading = target.read_journal(see)
    if reading is not None and reading.damage:
        raise reading.damage[0].error
    ends = None if reading is None else chain_at(target, reading, cargo.end.sequence)
    if ends != cargo.end.chain or lines.hexdigest() != carried.lines:
        raise CorruptJournal(f"{target.path}: what was written there is read back as something else.")
    for name, wanted in carried.documents.items():
        if _sha(target.read(name, group_may_write=True)) != wanted:
            raise CorruptDocument(f"{target.path / name}: what was written there is read back as something else.")


class _Carrying:
    """Takes a journal's lines as they stream by, and puts each checkpoint in its place between them."""

    def __init__(self, cargo: Cargo, target: RunStore, position: Position, told: Told) -> None:
        self.records = 0
        self.seen = cargo.start.sequence
        self.lines = hashlib.sha256()
        self.documents: dict[str, str] = {}
        self._cargo = cargo
        self._target = target
        self._position = position
        self._told = told
        self._there = set(target.names())
        self._left = sorted(cargo.checkpoints)
        self._held: list[bytes] = []
        self._size = 0

    def see(self, first: int, lines: list[bytes]) -> None:
        """Take some lines."""
        for number, line in enumerate(lines, first):
            if number > self._cargo.end.sequence:
                break
            self.seen = number
            self.lines.update(line + b"\n")
            if number > self._position.sequence:
                self._held.append(line)
                self._size += len(line)
            is_cut = bool(self._left) and self._left[0] <= number
            if is_cut or len(self._held) >= _MOST_RECORDS or self._size >= _MOST_BYTES:
                self._flush()
            if is_cut:
                self.put_up_to(number)
        self._flush()
        self._told(self.seen, self._cargo.end.sequence)

    def put_up_to(self, sequence: int) -> None:
        """Put the checkpoints that were taken up to a record."""
        while self._left and self._left[0] <= sequence:
            for name in self._cargo.checkpoints[self._left.pop(0)]:
                self.put(name)

    def put(self, name: str) -> None:
        """Put a document, unless it is there just so."""
        data = self._cargo.store.read(name, group_may_write=True)
        if is_checkpoint_name(name) and not coded_name(name):
            try:
                decode(name, data, lambda _: None)
            except DamageError as error:
                raise _damaged(type(error)(f"{self._cargo.store.path}/{error}")) from error
        self.documents[name] = _sha(data)
        if name not in self._there or self._target.read(name, group_may_write=True) != data:
            self._target.replace(name, data)

    def _flush(self) -> None:
        if not self._held:
            return
        before = self._position
        records = [decode_line(line) for line in self._held]
        spelled, end = encode_lines(records, before)
        if any(one != line + b"\n" for one, line in zip(spelled, self._held, strict=True)):
            raise NotDecodable(
                f"{self._cargo.store.path}: records from {before.sequence + 1} on do not follow what is in "
                f"{self._target.path}, or are spelled as no Milepost known here does. They were not copied."
            )
        self._position = self._target.append(records, expected=before.sequence)
        assert self._position == end, "equal records have equal chains"
        self.records += len(records)
        self._held, self._size = [], 0


def _is_moved(name: str) -> bool:
    return is_checkpoint_name(name) or is_document(name) or name.endswith(TEMPORARY_SUFFIX)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _damaged(error: DamageError) -> DamageError:
    return type(error)(f"{error} A damaged run is not copied: run milepost repair first.")
