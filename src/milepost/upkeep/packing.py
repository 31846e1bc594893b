"""Writing runs into an archive, while a job may be at work: whole or not at all."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from milepost.clock import Clock, SystemClock
from milepost.errors import InvalidArgument, KeyMissing, StoreUnavailable, WrongKey
from milepost.records import Position, start_of
from milepost.run import list_entries, load_current
from milepost.run.coded import bare
from milepost.run.manifest import MANAGER_KEEPER
from milepost.run.place import Where, location_of
from milepost.run.subject import Subject, looked_at, runs_aside, stored_value
from milepost.stores import JournalReading, RunStore, write_durably
from milepost.upkeep import archive
from milepost.upkeep.archive import JOURNAL, RUN, RunFacts

_GZIP = 31  # zlib's word for a gzip header, whose time is 0


_LOOKS = 8


class _MovedOn(StoreUnavailable):
    """A writer was faster; another look may be in time."""


class Packed(NamedTuple):
    """One run in an archive: its *phase*, its id, and how many *records* and *checkpoints* it has."""

    phase: str
    run: str | None
    records: int
    checkpoints: int
    aside: str | None


def export_runs(
    root: Where, phases: Sequence[str], target: Path, *, with_runs: bool = False, clock: Clock | None = None
) -> list[Packed]:
    """Write the runs of *phases* into an archive that `import_runs` reads anywhere; return what is in it.

    Nothing is locked and nothing changes, so a job may go on meanwhile: the archive has what was recorded when its
    run was looked at.

    Args:
        root: The checkpoint folder or store.
        phases: The phases' names.
        target: The file; compressed where its name ends in ``gz``. What stood there is replaced.
        with_runs: Take along runs that were set aside.
        clock: The clock.

    Raises:
        InvalidArgument: There is no such phase, or nothing in it.
        DamageError: A run is damaged; repair it first.
        StorageError: The medium refused; what stood at *target* is whole.
    """
    if not phases:
        raise InvalidArgument(f"{location_of(root).spot}: there is no phase to export.")
    clock = clock or SystemClock()
    runs = [(phase, folder) for phase in phases for folder in _folders(root, phase, with_runs=with_runs)]
    for looks_left in reversed(range(_LOOKS)):
        packed: list[Packed] = []
        pieces = _pieces(root, runs, packed, clock)
        try:
            write_durably(target, _compressed(pieces) if target.name.endswith("gz") else pieces)
        except _MovedOn:
            if not looks_left:
                raise
        else:
            return packed
    raise AssertionError("the last look raises or returns")


def _folders(root: Where, phase: str, *, with_runs: bool) -> list[str | None]:
    with looked_at(root, phase) as subject:
        if subject.keeper is None:
            raise InvalidArgument(f"{subject.path}: there is no run here.")
        aside = runs_aside(subject.store) if with_runs else []
    return [None, *aside]


def _pieces(root: Where, runs: list[tuple[str, str | None]], packed: list[Packed], clock: Clock) -> Iterator[bytes]:
    digests: dict[str, tuple[int, str]] = {}
    yield from _member(archive.HEADER, archive.header(), digests)
    for number, (phase, folder) in enumerate(runs):
        with looked_at(root, phase, folder) as subject:
            yield from _run(subject, number, digests, packed, clock)
    yield from _member(archive.MANIFEST, archive.contents(digests), digests)
    yield archive.end()


def _run(
    subject: Subject, number: int, digests: dict[str, tuple[int, str]], packed: list[Packed], clock: Clock
) -> Iterator[bytes]:
    store = bare(subject.store)  # what is encrypted stays so
    checkpoints, reading = _checked(subject)
    facts = _facts(subject, reading, clock)
    yield from _member(f"runs/{number}/{RUN}", facts.encoded(), digests)
    if reading is not None:
        yield from _journal(store, f"runs/{number}/{JOURNAL}", reading, digests)
    try:
        for name in checkpoints:
            data = store.read(name, group_may_write=True)
            yield from _member(f"runs/{number}/checkpoints/{name}", data, digests)
        for name in filter(archive.is_document, store.names()):
            yield from _member(f"runs/{number}/documents/{name}", store.read(name), digests)
    except FileNotFoundError as error:
        raise _moved_on(store) from error
    packed.append(Packed(subject.phase, facts.run, facts.records, len(checkpoints), subject.folder))


def _checked(subject: Subject) -> tuple[list[str], JournalReading | None]:
    """Return the names of the checkpoints, oldest first, and the journal, of a run without damage."""
    if subject.keeper != MANAGER_KEEPER:
        reading = subject.store.read_journal()
        damage = [one.error for one in reading.damage] if reading else []
        names: list[str] = []
    else:
        try:
            loaded = load_current(subject.store, stored_value)
        except (KeyMissing, WrongKey):  # whoever has no key may still move what is encrypted
            return _unopened(bare(subject.store))
        names = [entry.name for entry in reversed(loaded.entries)]
        reading, damage = loaded.history.reading if loaded.history else None, loaded.damage
    if damage:
        raise type(damage[0])(f"{damage[0]} A damaged run is not exported: run milepost repair first.")
    return names, reading


def _unopened(store: RunStore) -> tuple[list[str], JournalReading | None]:
    """Return the same of a run that nobody here can open: void checkpoints go along, and are void there too."""
    entries, damage = list_entries(store)
    reading = store.read_journal()
    damage += [one.error for one in reading.damage] if reading else []
    if damage:
        raise type(damage[0])(f"{damage[0]} A damaged run is not exported: run milepost repair first.")
    return [entry.name for entry in reversed(entries)], reading


def _facts(subject: Subject, reading: JournalReading | None, clock: Clock) -> RunFacts:
    manifest = subject.manifest
    run = manifest.run if manifest else (reading.run if reading else None)
    position = reading.end if reading else (start_of(run) if run else Position(0, ""))
    return RunFacts(
        phase=subject.phase,
        run=run,
        keeper=subject.keeper or MANAGER_KEEPER,
        created=manifest.created if manifest else clock.now(),
        records=position.sequence,
        chain=position.chain,
        checkpoint=reading.checkpoint if reading else 0,
        origin=manifest.origin._asdict() if manifest and manifest.origin else None,
        aside=subject.folder,
    )


def _journal(
    store: RunStore, name: str, reading: JournalReading, digests: dict[str, tuple[int, str]]
) -> Iterator[bytes]:
    """Yield the journal as plain lines: what was read at first and not what a job has added since."""
    size = sum(file.offsets[-1] - file.offsets[0] for file in reading.lines)
    yield archive.framed(name, size)
    sha = hashlib.sha256()
    written = 0
    for sequence in range(1, reading.end.sequence + 1):
        line = store.read_line(sequence) + b"\n"
        sha.update(line)
        written += len(line)
        yield line
    if written != size:
        raise _moved_on(store)
    digests[name] = size, sha.hexdigest()
    yield archive.padding(size)


def _member(name: str, data: bytes, digests: dict[str, tuple[int, str]]) -> Iterator[bytes]:
    if len(name) > archive.LONGEST_NAME:
        raise InvalidArgument(f"{name}: this file's name is too long for an archive.")
    digests[name] = len(data), hashlib.sha256(data).hexdigest()
    yield archive.framed(name, len(data))
    yield data
    yield archive.padding(len(data))


def _compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _moved_on(store: RunStore) -> _MovedOn:
    return _MovedOn(f"{store.path}: it changed while it was read; run the same command again.")
