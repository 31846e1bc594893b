"""One run to look at or to work on, whoever keeps it: the phase's own, or one that was set aside under ``runs/``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import orjson

from milepost.checkpoint import is_checkpoint_name
from milepost.clock import Clock
from milepost.errors import CorruptDocument, InvalidArgument, NotDecodable
from milepost.fs import TEMPORARY_SUFFIX
from milepost.records import Kind, is_kind
from milepost.run.handover import is_empty, settled
from milepost.run.manifest import MAKING, MANAGER_KEEPER, PHASE_KEEPER, Manifest, read_manifest
from milepost.run.place import Place, Where, location_of
from milepost.run.progress import Entry, Loaded
from milepost.run.session import DIGESTS, RECEIPT, REFUSED
from milepost.run.shared import manifest_or_none
from milepost.stores import MANIFEST, RUNS, RunStore, Spot
from milepost.stores.lock import LOCK_NAME

SEALED = (REFUSED, DIGESTS, RECEIPT)
"""Documents of a run that are sealed; without them it goes on all the same."""

_OF_A_PHASE = (Kind.DONE, Kind.FAILED, Kind.INTENT, Kind.COMPLETED, Kind.CODE)


@dataclass(frozen=True, slots=True)
class Subject:
    """A run: its *phase*, its open *store*, what its *manifest* says (None: it has none, or a damaged one).

    *keeper* tells whether a `Phase` or a `CheckpointManager` keeps it; None where nothing is kept there.
    *folder* is its name below ``runs/``, None where it is the phase's own.
    """

    phase: str
    store: RunStore
    manifest: Manifest | None
    keeper: str | None
    folder: str | None = None

    @property
    def path(self) -> Spot:
        """Where the run is, for messages."""
        return self.store.path


@contextmanager
def looked_at(root: Where, phase: str, run: str | None = None) -> Iterator[Subject]:
    """Open a run for reading in the block: no lock is taken and nothing changes.

    Args:
        root: The checkpoint folder or store.
        phase: The phase's name.
        run: The id of a run that was set aside, or its folder's name below ``runs/``; None for the phase's own.

    Raises:
        InvalidArgument: There is no such phase or run.
        NotDecodable: Its manifest is of a newer format.
        StorageError: The medium refused.
    """
    place = Place(location_of(root), phase)
    store = place.existing()
    if store is None:
        raise InvalidArgument(f"{place.path}: there is no such phase.")
    try:
        subject = _subject(phase, store)
        if run is not None:
            aside = _aside(place, run, subject.manifest)
            if aside is not None:
                store.close()
                subject, store = aside, aside.store
        yield subject
    finally:
        store.close()


def runs_aside(store: RunStore) -> list[str]:
    """Return the names of the folders of runs that were set aside, sorted; none that comes, goes or is half made."""
    named = store.runs()
    if not named:
        return []
    manifest = None
    with suppress(CorruptDocument):
        manifest = read_manifest(store)
    coming = manifest.successor if manifest is not None else None
    found = []
    for name in named:
        with suppress(FileNotFoundError, CorruptDocument), store.run(name) as one:
            own = read_manifest(one)
            if name == coming or is_empty(one) or (own is not None and own.stage == MAKING):
                continue
        found.append(name)
    return found


@contextmanager
def held(root: Where, phase: str, clock: Clock, *, make: bool = False) -> Iterator[Subject]:
    """Open a phase's folder for changing it in the block: locked, with what a killed process began finished.

    Args:
        root: The checkpoint folder or store.
        phase: The phase's name.
        clock: The clock that the lock's note tells.
        make: Make the folder where it is missing.

    Raises:
        InvalidArgument: There is no such phase.
        RunLocked: A process writes this phase.
        StorageError: The medium refused.
    """
    place = Place(location_of(root), phase)
    store = place.made() if make else place.folder()
    if store is None:
        raise InvalidArgument(f"{place.path}: there is no such phase.")
    try:
        if not make and not _is_of_ours(store):
            raise InvalidArgument(f"{place.path}: nothing of Milepost is kept here.")
        store.lock(clock)
        settled(store, manifest_or_none(store))
        yield _subject(phase, store)
    finally:
        store.close()


def _is_of_ours(store: RunStore) -> bool:
    """Tell whether a folder may be a phase's: no lock is put into a stranger's."""
    names = store.names()
    return keeper_by_names(names) is not None or not {LOCK_NAME, RUNS, MANIFEST}.isdisjoint(names)


def entry_named(subject: Subject, loaded: Loaded, name: str) -> Entry:
    """Return the checkpoint of that file name or iteration.

    Raises:
        InvalidArgument: There is none.
    """
    for entry in loaded.entries:  # newest first
        if name in (entry.name, str(entry.head.iteration)):
            return entry
    known = ", ".join(str(entry.head.iteration) for entry in loaded.entries[:10]) or "none"
    raise InvalidArgument(
        f"{subject.path}: there is no checkpoint {name!r}. Name a file, or an iteration; there are: {known}."
    )


def is_bare(names: list[str]) -> bool:
    """Tell whether a folder with files of these *names* is a phase's without a run: cleared, or not begun."""
    return all(name in (LOCK_NAME, RUNS) or name.endswith(TEMPORARY_SUFFIX) for name in names)


def keeper_by_names(names: list[str]) -> str | None:
    """Return who seems to keep a folder that holds files of these *names*: a journal alone may be of either."""
    if any(map(is_checkpoint_name, names)):
        return MANAGER_KEEPER
    return PHASE_KEEPER if any(name.startswith("journal_") for name in names) else None


def stored_value(data: bytes | memoryview) -> object:
    """Return the stored form of a value: plain JSON, with tags where JSON has no such type; needs no classes.

    Raises:
        NotDecodable: It is no JSON.
    """
    try:
        form: object = orjson.loads(data)
    except ValueError as error:
        raise NotDecodable("A stored value is no JSON.") from error
    return form


def _subject(phase: str, store: RunStore, folder: str | None = None) -> Subject:
    manifest = None
    with suppress(CorruptDocument):  # what it said shows in the journal and the checkpoints as well
        manifest = read_manifest(store)
    if manifest is not None:
        return Subject(phase, store, manifest, manifest.keeper, folder)
    keeper = keeper_by_names(store.names())
    if keeper == PHASE_KEEPER and not _has_records_of_a_phase(store):
        keeper = MANAGER_KEEPER
    return Subject(phase, store, None, keeper, folder)


def _has_records_of_a_phase(store: RunStore) -> bool:
    found: set[bool] = set()

    def look(_: int, lines: list[bytes]) -> None:
        found.add(any(is_kind(line, kind) for line in lines for kind in _OF_A_PHASE))
        found.add(any(is_kind(line, Kind.STATE) and b',"value":{"base":' not in line for line in lines))

    store.read_journal(look)
    return True in found


def _aside(place: Place, run: str, own: Manifest | None) -> Subject | None:
    """Open the run that was set aside as *run*; None if it is the phase's *own*."""
    store = place.folder()
    assert store is not None, "it was there a moment ago"
    with store:
        named = runs_aside(store)
        names = [run] if run in named else [name for name in named if name.startswith(f"{run}-")]
        if run not in names and own is not None and own.run == run:
            return None
        if not names:
            known = ", ".join(named) or "none"
            raise InvalidArgument(f"{place.path}: there is no run {run!r}; set aside are: {known}.")
        return _subject(place.phase, store.run(names[-1]), names[-1])
