"""A new run that begins with what an older one had up to some point; the older one is set aside whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from milepost import checkpoint
from milepost.checkpoint import Head, is_checkpoint_name, stored_parts
from milepost.clock import Clock, SystemClock
from milepost.errors import InvalidArgument
from milepost.records import Kind, Position, Record, decode_line, is_kind
from milepost.run import load_current
from milepost.run.coded import coded_checkpoint, write_like
from milepost.run.handover import staged, sweep, take_over
from milepost.run.manifest import MANAGER_KEEPER, PHASE_KEEPER, Manifest, Origin, write_manifest
from milepost.run.place import Where
from milepost.run.session import DIGESTS
from milepost.run.subject import Subject, entry_named, held, looked_at, stored_value
from milepost.stores import RunStore

Fill = Callable[[RunStore, Manifest, Clock], int]


class Point(NamedTuple):
    """Where a fork begins: a *checkpoint*, an *item* (of a *loop*), or the first *record* not to keep; or the end."""

    checkpoint: str | None = None
    item: str | None = None
    loop: str | None = None
    record: int | None = None


@dataclass(frozen=True, slots=True)
class Forked:
    """What a fork did: the new *run*, the one it came *origin* from, how much it *kept*, where the old one is."""

    phase: str
    run: str
    origin: dict[str, Any]
    records: int
    set_aside: str


def fork(
    root: Where,
    phase: str,
    *,
    checkpoint_name: str | None = None,
    item: str | None = None,
    loop: str | None = None,
    record: int | None = None,
    run: str | None = None,
    clock: Clock | None = None,
) -> Forked:
    """Begin a new run of *phase* with what its run had up to some point. The next attempt of the job goes on there.

    Exactly one point is named; only where *run* is a `Phase`'s may there be none, which keeps all of it. A process
    that is killed leaves either the old run or the fork as the phase's run, whole; the old one stays under
    ``runs/``.

    Args:
        root: The checkpoint folder or store.
        phase: The phase's name.
        checkpoint_name: A checkpoint's file or iteration; for a run of a `CheckpointManager`.
        item: The key of an item: all before its first result is kept, and it runs again with all that came later.
        loop: The name of that item's loop, where several loops know the key.
        record: The number of the first record that is not kept.
        run: A run that was set aside, to fork from instead of the phase's own.
        clock: The clock.

    Raises:
        InvalidArgument: There is no such phase, checkpoint, item or record, or not exactly one point is named.
        RunLocked: A process writes this phase.
        DamageError: The run is damaged; repair it first.
        StorageError: The medium refused.
    """
    point = Point(checkpoint_name, item, loop, record)
    if sum(one is not None for one in (checkpoint_name, item, record)) != 1 and (run is None or any(point)):
        raise InvalidArgument(f"{phase}: name one point to fork from: a checkpoint, an item, or a record.")
    clock = clock or SystemClock()
    with looked_at(root, phase) as own, looked_at(root, phase, run) as source:
        done = _done_already(own, point) if run is None else None
        if done is None:  # a wrong point is told without a lock, and nothing is touched
            _point_of(source, point)
    with held(root, phase, clock) as subject:
        if done is not None:
            return done
        sweep(subject.store)
        with looked_at(root, phase, run) as source:
            return _forked(subject, *_point_of(source, point), clock)


def _forked(subject: Subject, origin: Origin, fill: Fill, clock: Clock) -> Forked:
    """Make the fork and let it take its place."""
    keeper = PHASE_KEEPER if origin.checkpoint is None else MANAGER_KEEPER
    run = subject.store.token()
    manifest = Manifest(run, subject.phase, clock.now(), keeper=keeper, origin=origin)
    old = subject.manifest or named(subject, origin.run, clock)
    with staged(subject.store, manifest) as (folder, store):
        store.recover(run, known=True)
        records = fill(store, manifest, clock)
    before = set(subject.store.runs())
    take_over(subject.store, old, folder)
    (aside,) = set(subject.store.runs()) - before or {old.run}
    return Forked(subject.phase, run, origin._asdict(), records, aside)


def _done_already(subject: Subject, point: Point) -> Forked | None:
    """Return the fork that is asked for where a killed process has made it, or begun it, and nothing came since."""
    manifest = subject.manifest
    if manifest is None or manifest.origin is None:
        return None
    origin = manifest.origin
    if point.checkpoint is not None:
        name = origin.checkpoint or ""
        same = name == point.checkpoint or f"_iter{point.checkpoint}.json" in name
    elif point.item is not None:
        same = origin.item == point.item
    else:
        same = origin.item is None and origin.sequence + 1 == point.record
    reading = subject.store.read_journal() if same else None
    kept = 1 if origin.checkpoint is not None else origin.sequence
    if reading is None or reading.damage or reading.end.sequence != kept:
        return None
    return Forked(subject.phase, manifest.run, origin._asdict(), kept, origin.run)


def _point_of(subject: Subject, point: Point) -> tuple[Origin, Fill]:
    """Return where the new run comes from, and what fills it."""
    if point.checkpoint is not None:
        return _of_checkpoint(subject, point.checkpoint)
    if subject.keeper != PHASE_KEEPER:
        raise InvalidArgument(
            f"{subject.path}: no milepost.Phase keeps a run here; fork a CheckpointManager's run with a checkpoint."
        )
    reading = subject.store.read_journal()
    if reading is None:
        raise InvalidArgument(f"{subject.path}: this run has no records yet.")
    if reading.damage:
        raise reading.damage[0].error
    record = reading.end.sequence + 1 if point.record is None else point.record
    if point.item is not None:
        record = _first_result(subject, point.item, point.loop)
    if not 1 <= record <= reading.end.sequence + 1:
        raise InvalidArgument(f"{subject.path}: there is no record {record}; there are {reading.end.sequence}.")
    kept = record - 1
    source = subject.store
    return Origin(reading.run or "", kept, item=point.item), lambda store, _, __: _keep(source, store, kept)


def _keep(source: RunStore, store: RunStore, count: int) -> int:
    """Append the first *count* records of *source* as they are; their chain becomes the new run's."""
    digests = source.read(DIGESTS) if source.has(DIGESTS) else None

    def copy(first: int, lines: list[bytes]) -> None:
        wanted = [decode_line(line) for line in lines[: max(0, count - first + 1)]]
        if wanted:
            store.append(wanted, expected=first - 1)

    write_like(store, source)
    reading = source.read_journal(copy)
    if reading is not None and reading.damage:
        raise reading.damage[0].error
    if digests is not None:
        store.replace(DIGESTS, digests)
    return count


def _first_result(subject: Subject, key: str, loop: str | None) -> int:
    """Return the number of the first record that says item *key* is done."""
    spelled = b'"key":' + orjson.dumps(key)
    found: dict[str | None, int] = {}

    def look(first: int, lines: list[bytes]) -> None:
        for sequence, line in enumerate(lines, first):
            if is_kind(line, Kind.DONE) and spelled in line:
                record = decode_line(line)
                if record.key == key and (record.group is None or record.group.startswith("loop:")):
                    found.setdefault(record.group, sequence)

    subject.store.read_journal(look)
    if loop is not None:
        found = {group: sequence for group, sequence in found.items() if group == f"loop:{loop}"}
    if len(found) > 1:
        names = ", ".join(sorted((group or "loop:").removeprefix("loop:") or "(no name)" for group in found))
        raise InvalidArgument(f"{subject.path}: several loops have item {key!r}: {names}; name one.")
    for sequence in found.values():
        return sequence
    raise InvalidArgument(f"{subject.path}: no item {key!r} is done in this run.")


def _of_checkpoint(subject: Subject, name: str) -> tuple[Origin, Fill]:
    if subject.keeper != MANAGER_KEEPER:
        raise InvalidArgument(
            f"{subject.path}: no CheckpointManager keeps checkpoints here; fork from an item or a record."
        )
    entry = entry_named(subject, load_current(subject.store, stored_value), name)
    head, metadata, state = stored_parts(entry.name, subject.store.read(entry.name, group_may_write=True))

    def fill(store: RunStore, manifest: Manifest, clock: Clock) -> int:
        write_like(store, subject.store)
        opened = Record(Kind.OPENED, clock.now(), 1)  # fresh, so that no age makes the fork expire at once
        position = store.append([opened], expected=0)
        _write(store, manifest, head, position, metadata, state, entry.name)
        return 1

    sequence = head.position.sequence if head.position else 0
    run = head.run or (subject.manifest.run if subject.manifest else "")
    return Origin(run, sequence, checkpoint=entry.name), fill


def _write(
    store: RunStore, manifest: Manifest, head: Head, position: Position, metadata: bytes, state: bytes, name: str
) -> None:
    """Write the checkpoint as the first one of its new run; then note it, so that its loss would be noticed."""
    first = head._replace(phase=manifest.phase, number=1, run=manifest.run, position=position)
    if not is_checkpoint_name(name):
        name = checkpoint.file_name(datetime.fromtimestamp(head.time).astimezone(), head.iteration)
    plain, _, _ = name.partition(".json")  # what it is compressed or encrypted with is the new run's affair
    store.replace(*coded_checkpoint(store, f"{plain}.json", checkpoint.encode(first, metadata, state)))
    store.note_checkpoint(1)


def named(subject: Subject, run: str, clock: Clock) -> Manifest:
    """Give a run that has no manifest one, so that it can be set aside whole: the old manager's have none."""
    run = run or subject.store.token()
    manifest = Manifest(run, subject.phase, clock.now(), keeper=subject.keeper or MANAGER_KEEPER)
    write_manifest(subject.store, manifest)
    return manifest
