"""Every phase of a checkpoint folder at a glance."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from milepost.checkpoint import decode
from milepost.clock import Clock, SystemClock
from milepost.errors import CorruptCheckpoint, CorruptDocument, MilepostError
from milepost.records import decode_line
from milepost.run import Loaded, load_current
from milepost.run.index import Index
from milepost.run.manifest import MANAGER_KEEPER, PHASE_KEEPER, Manifest, read_manifest
from milepost.run.place import Location, Where, is_named, location_of, names_of_phases
from milepost.run.subject import Subject, is_bare, looked_at, runs_aside, stored_value
from milepost.stores import RUNS, RunStore

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run that was set aside: its id, the name of its *folder* below ``runs/``, since when, how large, and whence.

    *origin* is None, or tells which ``run`` it was forked from, behind which record ``sequence``, with which
    ``checkpoint`` and from which ``item`` on.
    """

    run: str | None
    folder: str
    keeper: str | None
    created: str | None
    size_bytes: int
    origin: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """One phase: how far it is, how old that is, what it takes, and what is wrong with it.

    *records* counts what the journal holds, *set_aside* names runs under ``runs/``, *damage* says what was
    passed over. *iteration*, *timestamp* and *age_hours* are None where there is no progress. *done* and *failed*
    count items and *complete* tells whether there is a result, where a `Phase` keeps the run; else they are None.
    *keeper* is ``"phase"`` or ``"manager"``, None where nothing is kept; *foreign* tells that the folder is no
    phase's. *origin* tells what the run was forked from, *runs* describes those set aside, and *unreadable* says
    why nothing could be told.
    """

    phase: str
    path: str
    iteration: int | None = None
    timestamp: str | None = None
    age_hours: float | None = None
    checkpoints: int = 0
    records: int = 0
    size_bytes: int = 0
    set_aside: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    done: int | None = None
    failed: int | None = None
    complete: bool | None = None
    run: str | None = None
    keeper: str | None = None
    foreign: bool = False
    origin: dict[str, Any] | None = None
    runs: list[RunReport] = field(default_factory=list)
    unreadable: str | None = None


def phases(root: Where, clock: Clock | None = None) -> list[PhaseReport]:
    """Return a report of every folder below *root*, sorted by name; a stranger's folder is reported as foreign.

    Args:
        root: The checkpoint folder or store.
        clock: The clock that tells ages.

    Raises:
        InvalidArgument: There is no such folder.
        StorageError: It cannot be read.
    """
    now, location = (clock or SystemClock()).now(), location_of(root)
    return [_reported(location, name, now) for name in location.names()]


def names(root: Where) -> list[str]:
    """Return the names of the phases below *root*, sorted, without a look at what they hold.

    Raises:
        InvalidArgument: There is no such folder.
        StorageError: It cannot be read.
    """
    found = []
    location = location_of(root)
    for _, name in names_of_phases(location):
        with suppress(MilepostError, FileNotFoundError), looked_at(location, name) as subject:
            if subject.manifest is not None or subject.keeper is not None:
                found.append(name)
    return found


def size_of(store: RunStore) -> int:
    """Return how many bytes the files of a run take, without those of the runs below ``runs/``."""
    return sum(_size(store, name) for name in store.names() if name != RUNS)


def _reported(location: Location, folder: str, now: float) -> PhaseReport:
    name, path = unquote(folder), location.spot / folder
    if not is_named(folder, name):
        return PhaseReport(folder, path, foreign=True)
    try:
        with looked_at(location, name) as subject:
            return _phase(subject, path, now)
    except MilepostError as error:
        return PhaseReport(name, path, unreadable=str(error))


def _phase(subject: Subject, path: str, now: float) -> PhaseReport:
    runs = _runs(subject.store)
    if subject.keeper is None and subject.manifest is None:
        return PhaseReport(subject.phase, path, foreign=not is_bare(subject.store.names()), runs=runs)
    facts = _items_of(subject, now) if subject.keeper == PHASE_KEEPER else _progress_of(subject, now)
    manifest = subject.manifest
    return PhaseReport(
        phase=subject.phase,
        path=path,
        size_bytes=size_of(subject.store),
        set_aside=[one.folder for one in runs],
        run=manifest.run if manifest else None,
        keeper=subject.keeper,
        origin=_origin(manifest),
        runs=runs,
        **facts,
    )


def _progress_of(subject: Subject, now: float) -> dict[str, Any]:
    """Report a run that a `CheckpointManager` keeps."""
    store = subject.store
    loaded = load_current(store, stored_value)
    damage = [str(error) for error in loaded.damage]
    damage += [line for line in damaged_checkpoints(store, loaded) if line not in damage]
    progress = loaded.progress
    return {
        "iteration": progress.iteration if progress else None,
        "timestamp": progress.timestamp if progress else None,
        "age_hours": max(0.0, now - progress.time) / _SECONDS_PER_HOUR if progress else None,
        "checkpoints": len(loaded.entries),
        "records": loaded.history.reading.count if loaded.history else 0,
        "damage": damage,
    }


def _items_of(subject: Subject, now: float) -> dict[str, Any]:
    """Report a run that a `Phase` keeps: one scan of its journal."""
    index = Index()
    reading = subject.store.read_journal(index.see)
    last = decode_line(reading.last) if reading and reading.last else None
    damage = [str(one.error) for one in reading.damage] if reading else []
    try:
        read_manifest(subject.store)
    except CorruptDocument as error:
        damage.append(str(error))
    return {
        "timestamp": datetime.fromtimestamp(last.time).astimezone().isoformat() if last else None,
        "age_hours": max(0.0, now - last.time) / _SECONDS_PER_HOUR if last else None,
        "records": reading.count if reading else 0,
        "damage": damage,
        "done": index.done,
        "failed": index.failed,
        "complete": index.completed > 0,
    }


def damaged_checkpoints(store: RunStore, loaded: Loaded) -> list[str]:
    """Verify every byte of all checkpoints: loading looked no further than the newest good one."""
    damage = []
    for entry in loaded.entries:
        try:
            with suppress(FileNotFoundError):  # a writer's retention was faster
                decode(entry.name, store.read(entry.name, group_may_write=True), lambda _: None)
        except CorruptCheckpoint as error:
            damage.append(f"{store.path}/{error}")
    return damage


def _runs(store: RunStore) -> list[RunReport]:
    """Describe the runs that were set aside, by their manifests alone."""
    found = []
    for name in runs_aside(store):
        with suppress(FileNotFoundError), store.run(name) as run:
            found.append(_run(run, name))
    return found


def _run(store: RunStore, name: str) -> RunReport:
    manifest = None
    with suppress(CorruptDocument):
        manifest = read_manifest(store)
    return RunReport(
        run=manifest.run if manifest else None,
        folder=name,
        keeper=manifest.keeper if manifest else MANAGER_KEEPER,
        created=datetime.fromtimestamp(manifest.created).astimezone().isoformat() if manifest else None,
        size_bytes=size_of(store),
        origin=_origin(manifest),
    )


def _origin(manifest: Manifest | None) -> dict[str, Any] | None:
    return manifest.origin._asdict() if manifest is not None and manifest.origin is not None else None


def _size(store: RunStore, name: str) -> int:
    with suppress(FileNotFoundError):
        return store.size(name)
    return 0  # a writer deleted or renamed it meanwhile
