"""What a checkpoint folder holds, told to people and machines. Reads only; takes no lock."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from milepost.checkpoint import decode
from milepost.clock import Clock, SystemClock
from milepost.errors import CorruptCheckpoint, ForeignRun, InvalidArgument
from milepost.fs import current
from milepost.phase import open_phase
from milepost.records import decode_line
from milepost.run import Loaded, Place, load_current
from milepost.run.index import CALLS, STEPS, Index
from milepost.run.manifest import RUNS, is_of_a_phase
from milepost.stores import RunFiles
from milepost.stores.translate import translated

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """One phase: how far it is, how old that is, what it takes, and what is wrong with it.

    *records* counts what the journal holds, *set_aside* names runs under ``runs/``, *damage* says what was
    passed over. *iteration*, *timestamp* and *age_hours* are None where there is no progress. *done* and *failed*
    count items and *complete* tells whether there is a result, where a `Phase` keeps the run; else they are None.
    """

    phase: str
    path: str
    iteration: int | None
    timestamp: str | None
    age_hours: float | None
    checkpoints: int
    records: int
    size_bytes: int
    set_aside: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    done: int | None = None
    failed: int | None = None
    complete: bool | None = None


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


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest saved state of a phase, with its labels, decoded."""

    phase: str
    iteration: int
    timestamp: str
    state: Any
    metadata: Any


def phases(root: Path, clock: Clock | None = None) -> list[PhaseReport]:
    """Return a report of every phase below *root*, sorted by name.

    Args:
        root: The checkpoint folder.
        clock: The clock that tells ages.

    Raises:
        InvalidArgument: There is no such folder.
        StorageError: The medium refused.
    """
    if not root.is_dir():
        raise InvalidArgument(f"{root}: there is no such folder.")
    now = (clock or SystemClock()).now()
    return [_phase(root, path, now) for path in sorted(root.iterdir()) if path.is_dir() and not path.is_symlink()]


def latest(root: Path, phase: str) -> tuple[Latest | None, list[str]]:
    """Return the newest saved state of *phase* (None if there is none), and what is damaged there.

    Raises:
        InvalidArgument: The phase's name cannot be one.
        NotDecodable: The state holds a class that is not registered here, or is of a newer format.
        StorageError: The medium refused.
    """
    store = Place(current(), root, phase).existing()
    if store is None:
        return None, []
    with store.folder:
        loaded = load_current(store)
    progress = loaded.progress
    damage = [str(error) for error in loaded.damage]
    if progress is None:
        return None, damage
    return Latest(phase, progress.iteration, progress.timestamp, progress.state, progress.metadata), damage


def items(root: Path, phase: str) -> Items | None:
    """Return what the `Phase` of that name has recorded; None if there is none, or a manager keeps it.

    Raises:
        InvalidArgument: The phase's name cannot be one.
        DamageError: Acknowledged records are lost or altered.
        StorageError: The medium refused.
    """
    try:
        reader = open_phase(phase, store=root)
    except (ForeignRun, InvalidArgument):
        return None
    with reader:
        loops = reader.loops
        return Items(
            phase=phase,
            complete=reader.is_complete,
            attempts=reader.attempts,
            done={name or "": len(reader.results(name)) for name in loops},
            failed={name or "": len(reader.failures(name)) for name in loops},
            ambiguous=[one._asdict() for one in reader.ambiguous],
            state=reader.state,
            result=reader.result if reader.is_complete else None,
        )


def _damaged_checkpoints(store: RunFiles, loaded: Loaded) -> list[str]:
    """Verify every byte of all checkpoints: loading looked no further than the newest good one."""
    damage = []
    for entry in loaded.entries:
        try:
            decode(entry.name, store.read(entry.name, group_may_write=True))
        except (CorruptCheckpoint, FileNotFoundError) as error:
            damage.append(f"{store.folder.path}/{error}")
    return damage


def _size(store: RunFiles, name: str) -> int:
    with suppress(FileNotFoundError), translated(store.folder.path / name, "look at the file"):
        return store.folder.files.stat_name(store.folder.handle, name).size
    return 0  # a writer deleted or renamed it meanwhile


def _phase(root: Path, path: Path, now: float) -> PhaseReport:
    name = unquote(path.name)
    store = Place(current(), root, name).existing()
    if store is None:
        return PhaseReport(name, str(path), None, None, None, 0, 0, 0)
    if is_of_a_phase(store):
        return _items_of(store, name, path, now)
    with store.folder:
        loaded = load_current(store)
        damage = [str(error) for error in loaded.damage]
        damage += [line for line in _damaged_checkpoints(store, loaded) if line not in damage]
        names = store.names()
        size = sum(_size(store, one) for one in names if one != RUNS)
    aside = path / RUNS
    progress = loaded.progress
    return PhaseReport(
        phase=name,
        path=str(path),
        iteration=progress.iteration if progress else None,
        timestamp=progress.timestamp if progress else None,
        age_hours=max(0.0, now - progress.time) / _SECONDS_PER_HOUR if progress else None,
        checkpoints=len(loaded.entries),
        records=loaded.history.reading.count if loaded.history else 0,
        size_bytes=size,
        set_aside=sorted(run.name for run in aside.iterdir()) if aside.is_dir() else [],
        damage=damage,
    )


def _items_of(store: RunFiles, name: str, path: Path, now: float) -> PhaseReport:
    """Report a run that a `Phase` keeps: one scan of its journal."""
    index = Index()
    with store.folder:
        reading = store.read_journal(index.see)
        size = sum(_size(store, one) for one in store.names() if one != RUNS)
    last = decode_line(reading.last) if reading and reading.last else None
    loops = [group for label, group in index.groups.items() if label not in (STEPS, CALLS)]
    aside = path / RUNS
    return PhaseReport(
        phase=name,
        path=str(path),
        iteration=None,
        timestamp=datetime.fromtimestamp(last.time).astimezone().isoformat() if last else None,
        age_hours=max(0.0, now - last.time) / _SECONDS_PER_HOUR if last else None,
        checkpoints=0,
        records=reading.count if reading else 0,
        size_bytes=size,
        set_aside=sorted(run.name for run in aside.iterdir()) if aside.is_dir() else [],
        damage=[str(one.error) for one in reading.damage] if reading else [],
        done=sum(group.done for group in loops),
        failed=sum(len(group.failed) for group in loops),
        complete=index.completed > 0,
    )
