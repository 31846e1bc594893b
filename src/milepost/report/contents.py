"""What one run holds, in the stored form: classes need not be registered here to look at their instances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from milepost import codec
from milepost.checkpoint import stored_parts
from milepost.errors import InvalidArgument
from milepost.phase.reader import PhaseReader
from milepost.records import Record, decode_line
from milepost.run import Entry, Loaded, load_current
from milepost.run.index import CALLS, STEPS
from milepost.run.manifest import PHASE_KEEPER
from milepost.run.place import Where
from milepost.run.reading import ReadSession
from milepost.run.subject import Subject, entry_named, looked_at, stored_value


@dataclass(frozen=True, slots=True)
class Items:
    """What a `Phase` has recorded: counts by loop (the only loop without a name is ``""``), its state, its result."""

    phase: str
    complete: bool
    attempts: int
    done: dict[str, int]
    failed: dict[str, int]
    ambiguous: list[dict[str, Any]]
    state: dict[str, Any]
    result: Any
    run: str | None = None
    origin: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Latest:
    """A saved state of a phase, with its labels, in the stored form; *file* where it is a whole checkpoint's."""

    phase: str
    iteration: int
    timestamp: str
    state: Any
    metadata: Any
    file: str | None = None
    run: str | None = None
    origin: dict[str, Any] | None = field(default=None)


class StoredSession(ReadSession):
    """A run of a `Phase` that is read in the stored form."""

    def value(self, sequence: int) -> Any:
        """Return the stored form of a record's value, None where it has none."""
        value = self.record(sequence).value
        return None if value is None else stored_value(value)


class Shown(NamedTuple):
    """One journal record, decoded as far as the stored form goes."""

    sequence: int
    record: Record

    def fields(self) -> dict[str, Any]:
        """Return what there is to say of it, in the order of its line; the time as ISO 8601."""
        record = self.record
        named = record._replace(value=None)._asdict()
        told = {name: value for name, value in named.items() if value is not None}
        told["kind"] = str(record.kind)
        told["time"] = datetime.fromtimestamp(record.time).astimezone().isoformat()
        if record.value is not None:
            told["value"] = stored_value(record.value)
        return {"sequence": self.sequence, **told}


@contextmanager
def session_of(subject: Subject) -> Iterator[StoredSession]:
    """Read the journal of a run that a `Phase` keeps, for the block.

    Raises:
        ForeignRun: It is kept by a `CheckpointManager`.
        DamageError: Acknowledged records are lost or altered.
        StorageError: The medium refused.
    """
    session = StoredSession(subject.store, str(subject.path))
    session.refresh()
    yield session


def kept_by(root: Where, phase: str) -> str | None:
    """Return who keeps the phase's run: ``"phase"``, ``"manager"``, or None where nothing is kept.

    Raises:
        InvalidArgument: There is no such phase.
        StorageError: The medium refused.
    """
    with looked_at(root, phase) as subject:
        return subject.keeper


def latest(root: Where, phase: str, run: str | None = None) -> tuple[Latest | None, list[str]]:
    """Return the newest saved state of *phase* (None if there is none), and what is damaged there.

    Args:
        root: The checkpoint folder or store.
        phase: The phase's name.
        run: A run that was set aside; None for the phase's own.

    Raises:
        InvalidArgument: There is no such phase or run.
        NotDecodable: It is of a newer format.
        StorageError: The medium refused.
    """
    with looked_at(root, phase, run) as subject:
        loaded = load_current(subject.store, stored_value)
        return latest_of(subject, loaded), [str(error) for error in loaded.damage]


def checkpoint(root: Where, phase: str, name: str, run: str | None = None) -> Latest:
    """Return one checkpoint, named by its file or its iteration (the newest of that iteration).

    Raises:
        InvalidArgument: There is no such checkpoint.
        CorruptCheckpoint: It is not what was written.
        StorageError: The medium refused.
    """
    with looked_at(root, phase, run) as subject:
        entry = entry_named(subject, load_current(subject.store, stored_value), name)
        return whole(subject, entry)


def whole(subject: Subject, entry: Entry) -> Latest:
    """Return a checkpoint's content in the stored form."""
    try:
        data = subject.store.read(entry.name, group_may_write=True)
    except FileNotFoundError as error:
        raise InvalidArgument(f"{subject.path / entry.name}: it was deleted meanwhile.") from error
    head, metadata, state = stored_parts(entry.name, data)
    forms = stored_value(state), stored_value(metadata)
    return Latest(subject.phase, head.iteration, head.timestamp, *forms, file=entry.name, run=head.run)


def items(root: Where, phase: str, run: str | None = None) -> Items | None:
    """Return what the `Phase` of that name has recorded; None if there is none, or a manager keeps it.

    Raises:
        InvalidArgument: The phase's name cannot be one, or there is no such run.
        DamageError: Acknowledged records are lost or altered.
        StorageError: The medium refused.
    """
    try:
        with looked_at(root, phase, run) as subject:
            if subject.keeper != PHASE_KEEPER or subject.manifest is None:
                return None
            with session_of(subject) as session:
                return _items(subject, session)
    except InvalidArgument:
        if run is not None:
            raise
        return None


def record(root: Where, phase: str, sequence: int, run: str | None = None) -> dict[str, Any]:
    """Return one journal record by its number, whoever keeps the run.

    Raises:
        InvalidArgument: There is no record of that number.
        DamageError: It was lost or altered.
        StorageError: The medium refused.
    """
    with looked_at(root, phase, run) as subject:
        reading = subject.store.read_journal()
        count = reading.end.sequence if reading else 0
        if not 1 <= sequence <= count:
            if reading and reading.damage:
                raise reading.damage[0].error
            raise InvalidArgument(f"{subject.path}: there is no record {sequence}; there are {count}.")
        return Shown(sequence, decode_line(subject.store.read_line(sequence))).fields()


def item(root: Where, phase: str, key: str, loop: str | None = None, run: str | None = None) -> dict[str, Any]:
    """Return the newest record of an item.

    Args:
        root: The checkpoint folder or store.
        phase: The phase's name.
        key: The item's key.
        loop: The name of its loop; None for the only loop, or for the one loop that knows the key.
        run: A run that was set aside; None for the phase's own.

    Raises:
        InvalidArgument: There is no such item, or more than one loop has it.
        DamageError: Acknowledged records are lost or altered.
        StorageError: The medium refused.
    """
    with looked_at(root, phase, run) as subject, session_of(subject) as session:
        found = {}
        for label, group in session.index.groups.items():
            if label in (STEPS, CALLS) or (loop is not None and label != f"loop:{loop}"):
                continue
            failure = group.failed.get(key)
            sequence = failure.sequence if failure else group.sequence(key)
            if sequence:
                found[label.removeprefix("loop:")] = sequence
        if len(found) > 1:
            raise InvalidArgument(f"{subject.path}: several loops have item {key!r}: {', '.join(found)}; name one.")
        for sequence in found.values():
            return Shown(sequence, session.record(sequence)).fields()
        raise InvalidArgument(f"{subject.path}: there is no record of an item {key!r}.")


def latest_of(subject: Subject, loaded: Loaded) -> Latest | None:
    """Return the newest state that was loaded, in the stored form; None if there is none."""
    progress = loaded.progress
    if progress is None:
        return None
    state, metadata = progress.state, progress.metadata
    if not progress.entry.head.number:  # the old manager's file gives values, not stored forms
        state, metadata = _form(state), _form(metadata)
    manifest = subject.manifest
    return Latest(
        phase=subject.phase,
        iteration=progress.iteration,
        timestamp=progress.timestamp,
        state=state,
        metadata=metadata,
        file=progress.entry.name if progress.in_file else None,
        run=manifest.run if manifest else progress.entry.head.run,
        origin=manifest.origin._asdict() if manifest and manifest.origin else None,
    )


def _items(subject: Subject, session: StoredSession) -> Items:
    reader = PhaseReader(session, subject.phase)
    loops, manifest = reader.loops, subject.manifest
    return Items(
        phase=subject.phase,
        complete=reader.is_complete,
        attempts=reader.attempts,
        done={name or "": len(reader.results(name)) for name in loops},
        failed={name or "": len(reader.failures(name)) for name in loops},
        ambiguous=[one._asdict() for one in reader.ambiguous],
        state=reader.state,
        result=reader.result if reader.is_complete else None,
        run=manifest.run if manifest else None,
        origin=manifest.origin._asdict() if manifest and manifest.origin else None,
    )


def _form(value: Any) -> Any:
    return orjson.loads(codec.encode(value))
