"""Every phase of a checkpoint folder at a glance."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from milepost.checkpoint import decode
from milepost.clock import Clock, SystemClock
from milepost.errors import CorruptCheckpoint, CorruptDocument, InvalidArgument, MilepostError
from milepost.records import decode_line
from milepost.run import Loaded, load_current
from milepost.run.index import Index
from milepost.run.manifest import MANAGER_KEEPER, PHASE_KEEPER, RUNS, Manifest, read_manifest
from milepost.run.place import folder_name
from milepost.run.subject import Subject, is_bare, looked_at, runs_aside, stored_value
from milepost.stores import RunFiles
from milepost.stores.translate import error_for, translated

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


def phases(root: Path, clock: Clock | None = None) -> list[PhaseReport]:
    """Return a report of every folder below *root*, sorted by name; a stranger's folder is reported as foreign.

    Args:
        root: The checkpoint folder.
        clock: The clock that tells ages.

    Raises:
        InvalidArgument: There is no such folder.
        StorageError: It cannot be read.
    """
    now = (clock or SystemClock()).now()
    return [_reported(root, path, now) for path in _folders(root)]


def names(root: Path) -> list[str]:
    """Return the names of the phases below *root*, sorted, without a look at what they hold.

    Raises:
        InvalidArgument: There is no such folder.
        StorageError: It cannot be read.
    """
    found = []
    for path in _folders(root):
        name = unquote(path.name)
        with suppress(MilepostError, FileNotFoundError):
            if _is_named(path, name):
                with looked_at(root, name) as subject:
                    if subject.manifest is not None or subject.keeper is not None:
                        found.append(name)
    return found


def size_of(store: RunFiles) -> int:
    """Return how many bytes the files of a run take, without those of the runs below ``runs/``."""
    return sum(_size(store, name) for name in store.names() if name != RUNS)


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        raise InvalidArgument(f"{root}: there is no such folder.")
    try:
        return [path for path in sorted(root.iterdir()) if path.is_dir() and not path.is_symlink()]
    except OSError as error:
        raise error_for(error, root, "list the folder") from error


def _is_named(path: Path, name: str) -> bool:
    """Tell whether a folder has the name that a phase called *name* has: a stranger's may have any."""
    try:
        return folder_name(name) == path.name
    except InvalidArgument:
        return False


def _reported(root: Path, path: Path, now: float) -> PhaseReport:
    name = unquote(path.name)
    if not _is_named(path, name):
        return PhaseReport(path.name, str(path), foreign=True)
    try:
        with looked_at(root, name) as subject:
            return _phase(subject, path, now)
    except MilepostError as error:
        return PhaseReport(name, str(path), unreadable=str(error))


def _phase(subject: Subject, path: Path, now: float) -> PhaseReport:
    found = subject.store.names()
    if subject.keeper is None and subject.manifest is None:
        foreign = not is_bare(found)
        return PhaseReport(subject.phase, str(path), foreign=foreign, runs=_runs(path))
    facts = _items_of(subject, now) if subject.keeper == PHASE_KEEPER else _progress_of(subject, now)
    manifest = subject.manifest
    runs = _runs(path)
    return PhaseReport(
        phase=subject.phase,
        path=str(path),
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


def damaged_checkpoints(store: RunFiles, loaded: Loaded) -> list[str]:
    """Verify every byte of all checkpoints: loading looked no further than the newest good one."""
    damage = []
    for entry in loaded.entries:
        try:
            with suppress(FileNotFoundError):  # a writer's retention was faster
                decode(entry.name, store.read(entry.name, group_may_write=True), lambda _: None)
        except CorruptCheckpoint as error:
            damage.append(f"{store.folder.path}/{error}")
    return damage


def _runs(path: Path) -> list[RunReport]:
    """Describe the runs that were set aside, by their manifests alone."""
    found = []
    with looked_at(path.parent, unquote(path.name)) as own, suppress(FileNotFoundError):
        store = own.store
        for name in runs_aside(store):
            with store.folder.child(RUNS) as runs, runs.child(name) as folder:
                found.append(_run(RunFiles(folder), name))
    return found


def _run(store: RunFiles, name: str) -> RunReport:
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


def _size(store: RunFiles, name: str) -> int:
    with suppress(FileNotFoundError), translated(store.folder.path / name, "look at the file"):
        return store.folder.files.stat_name(store.folder.handle, name).size
    return 0  # a writer deleted or renamed it meanwhile
