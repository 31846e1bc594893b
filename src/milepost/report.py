"""What a checkpoint folder holds, told to people and machines. Reads only; takes no lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from milepost.clock import Clock, SystemClock
from milepost.errors import InvalidArgument
from milepost.fs import current
from milepost.run import Place, load_current
from milepost.run.manifest import RUNS

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
    damage: list[str]


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


def latest(root: Path, phase: str) -> Latest | None:
    """Return the newest saved state of *phase*, or None if there is none.

    Raises:
        InvalidArgument: The phase's name cannot be one.
        NotDecodable: The state holds a class that is not registered here, or is of a newer format.
        StorageError: The medium refused.
    """
    store = Place(current(), root, phase).existing()
    if store is None:
        return None
    with store.folder:
        loaded = load_current(store)
    progress = loaded.progress
    if progress is None:
        return None
    damage = [str(error) for error in loaded.damage]
    return Latest(phase, progress.iteration, progress.timestamp, progress.state, progress.metadata, damage)


def _phase(root: Path, path: Path, now: float) -> PhaseReport:
    name = unquote(path.name)
    store = Place(current(), root, name).existing()
    if store is None:
        return PhaseReport(name, str(path), None, None, None, 0, 0, 0)
    with store.folder:
        loaded = load_current(store)
        names = store.names()
        size = sum(store.folder.files.stat_name(store.folder.handle, one).size for one in names if one != RUNS)
    aside = path / RUNS
    progress = loaded.progress
    return PhaseReport(
        phase=name,
        path=str(path),
        iteration=progress.iteration if progress else None,
        timestamp=progress.timestamp if progress else None,
        age_hours=max(0.0, now - progress.time) / _SECONDS_PER_HOUR if progress else None,
        checkpoints=len(loaded.entries),
        records=len(loaded.history.reading.lines) if loaded.history else 0,
        size_bytes=size,
        set_aside=sorted(run.name for run in aside.iterdir()) if aside.is_dir() else [],
        damage=[str(error) for error in loaded.damage],
    )
