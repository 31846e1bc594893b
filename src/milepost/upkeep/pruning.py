"""Removing what is no longer needed: old runs, quarantined bytes, surplus checkpoints; or all of a phase."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from milepost.clock import Clock, SystemClock
from milepost.errors import CorruptDocument, InvalidArgument
from milepost.records import decode_line
from milepost.retention import ALWAYS_KEPT, Kept, surplus
from milepost.run import load_current
from milepost.run.handover import clear as clear_all
from milepost.run.handover import half_made
from milepost.run.manifest import MANAGER_KEEPER, Manifest, read_manifest
from milepost.run.place import Where
from milepost.run.subject import Subject, held, looked_at, runs_aside, stored_value
from milepost.stores import RUNS, RunStore
from milepost.stores.segments import QUARANTINE_SUFFIX

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Pruned:
    """One thing that goes, or went: its *phase*, its *kind* (``run``, ``quarantine``, ``checkpoint``), how large."""

    phase: str
    kind: str
    name: str
    size_bytes: int


class Limits(NamedTuple):
    """What stays: the newest *keep* runs set aside, those younger than *older_than_hours*, so many checkpoints.

    *most_checkpoints* is at least 2, or None for all.
    """

    older_than_hours: float = 0
    keep: int = 1
    most_checkpoints: int | None = None


def prunable(root: Where, phase: str, limits: Limits, clock: Clock | None = None) -> list[Pruned]:
    """Return what `prune` would remove; changes nothing.

    Raises:
        InvalidArgument: There is no such phase, or a number is out of range.
        StorageError: The medium refused.
    """
    most = limits.most_checkpoints
    if not limits.older_than_hours >= 0 or limits.keep < 0 or (most is not None and most < ALWAYS_KEPT):
        raise InvalidArgument(
            f"{phase}: ages and counts are at least 0, and at least {ALWAYS_KEPT} checkpoints stay in any case."
        )
    with looked_at(root, phase) as subject:
        return _going(subject, limits, clock or SystemClock())


def prune(root: Where, phase: str, limits: Limits, clock: Clock | None = None) -> list[Pruned]:
    """Remove runs that were set aside, quarantined bytes and surplus checkpoints; return what went.

    The phase's own run keeps its journal and its newest two checkpoints whatever is asked.

    Args:
        root: The checkpoint folder or store.
        phase: The phase's name.
        limits: What stays.
        clock: The clock that tells ages.

    Raises:
        InvalidArgument: There is no such phase, or a number is out of range.
        RunLocked: A process writes this phase.
        StorageError: The medium refused; what is left is whole.
    """
    clock = clock or SystemClock()
    prunable(root, phase, limits, clock)
    with held(root, phase, clock) as subject:
        store = subject.store
        going = _going(subject, limits, clock)
        for one in going:
            if one.kind == "run":
                store.remove_run(one.name)
            else:
                store.delete([one.name], durable=True)
        return going


def clear(root: Where, phase: str, clock: Clock | None = None) -> int:
    """Delete everything of a phase, runs that were set aside included; return how many bytes that were.

    Once it has begun, nothing of the phase is loaded any more; the next writer finishes what a kill broke off.

    Args:
        root: The checkpoint folder or store.
        phase: The phase's name.
        clock: The clock that the lock's note tells.

    Raises:
        InvalidArgument: There is no such phase.
        RunLocked: A process writes this phase.
        StorageError: The medium refused.
    """
    clock = clock or SystemClock()
    with held(root, phase, clock) as subject:
        size = _size(subject.store) + sum(_size_of_run(subject.store, name) for name in runs_aside(subject.store))
        clear_all(subject.store, subject.manifest or Manifest("", phase, clock.now()))
        return size


def _going(subject: Subject, limits: Limits, clock: Clock) -> list[Pruned]:
    store, phase, now = subject.store, subject.phase, clock.now()
    runs = _old_runs(store, limits.older_than_hours * _SECONDS_PER_HOUR, limits.keep, now) + half_made(store)
    going = [Pruned(phase, "run", name, _size_of_run(store, name)) for name in runs]
    names = [name for name in store.names() if name.endswith(QUARANTINE_SUFFIX)]
    going += [Pruned(phase, "quarantine", name, _size_of_file(store, name)) for name in names]
    if limits.most_checkpoints is not None and subject.keeper == MANAGER_KEEPER:
        loaded = load_current(store, stored_value)
        kept = [Kept(entry.name, entry.head.time) for entry in loaded.entries]
        beyond = [] if loaded.damage else surplus(kept, most=limits.most_checkpoints, ttl_seconds=None, now=now)
        going += [Pruned(phase, "checkpoint", name, _size_of_file(store, name)) for name in beyond]
    return going


def _old_runs(store: RunStore, seconds: float, keep: int, now: float) -> list[str]:
    """Return the folders of runs that are not among the newest *keep* and are older than *seconds*."""
    newest_first = sorted(((_newest(store, name), name) for name in runs_aside(store)), reverse=True)
    return [name for at, name in newest_first[keep:] if now - at > seconds]


def _newest(store: RunStore, name: str) -> float:
    """Return when a run had its newest record, in seconds since 1970-01-01 UTC."""
    with store.run(name) as run:
        reading = run.read_journal()
        if reading is not None and reading.last is not None:
            return decode_line(reading.last).time
        with suppress(CorruptDocument):
            manifest = read_manifest(run)
            return manifest.created if manifest else 0.0
        return 0.0


def _size_of_run(store: RunStore, name: str) -> int:
    with store.run(name) as run:
        return _size(run)


def _size(store: RunStore) -> int:
    return sum(_size_of_file(store, name) for name in store.names() if name != RUNS)


def _size_of_file(store: RunStore, name: str) -> int:
    return store.size(name)
