"""What a checkpoint folder holds, told to people and machines. Reads only; takes no lock."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from milepost.checkpoint import decode
from milepost.clock import Clock, SystemClock
from milepost.errors import CorruptCheckpoint, InvalidArgument
from milepost.fs import current
from milepost.run import Loaded, Place, load_current
from milepost.run.manifest import RUNS
from milepost.stores import RunFiles
from milepost.stores.translate import translated

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """One phase: how far it is, how old that is, what it takes, and what is wrong with it.

    *records* counts what the journal holds, *set_aside* names runs under ``runs/``, *damage* says what was
    passed over. *iteration*, *timestamp* and *age_hours* are None where there is no progress.
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
