"""Opening a run for writing: once per process, whoever asks; and never by a forked child."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Hashable

from milepost import codec, delta
from milepost.clock import Clock
from milepost.errors import CorruptDocument, ForeignRun, MilepostError, NotEncodable, Reentered
from milepost.retention import is_expired
from milepost.run.handover import set_aside, settled
from milepost.run.manifest import MANAGER_KEEPER, Manifest, read_manifest, write_manifest
from milepost.run.place import Place
from milepost.run.progress import Loaded
from milepost.run.recovery import open_journal, recover
from milepost.run.reentry import calls_under_way
from milepost.run.writer import RunWriter
from milepost.stores import MANIFEST, RunStore

log = logging.getLogger(__name__)

_Key = Hashable


class _Registry:
    """What this process writes. A forked child gets a new mutex: another thread's hold would be for ever there."""

    def __init__(self) -> None:
        self.mutex = threading.RLock()
        self.writers: weakref.WeakValueDictionary[_Key, RunWriter] = weakref.WeakValueDictionary()
        self.stores: set[RunStore] = set()  # also those whose writer is being collected: a fork must let go of them


_registry = _Registry()


def open_writer(
    place: Place,
    clock: Clock,
    user: object,
    *,
    ttl_seconds: float | None,
    take_up: bool,
    allow_network_filesystem: bool,
) -> RunWriter:
    """Return this process's writer of the phase at *place*, opened if it is not open yet.

    Args:
        place: The phase's folder.
        clock: The clock.
        user: Who asks; the writer is closed when its last user leaves.
        ttl_seconds: The age beyond which progress is set aside under ``runs/`` and a new run begins.
        take_up: Go on with the progress whatever its age.
        allow_network_filesystem: See `WriterLock.take`.

    Raises:
        RunLocked: Another process is the writer.
        StorageError: The medium refused.
    """
    with _registry.mutex:
        if calls_under_way((open_writer,)) > 1:
            raise Reentered
        store = place.made()
        key = _key(store)
        writer = _registry.writers.get(key)
        if writer is not None and not writer.closed:
            store.close(clean=False)
            writer.users.add(user)
            return writer
        try:
            store.lock(clock, allow_network_filesystem=allow_network_filesystem)
            writer = _begin(store, place, clock, None if take_up else ttl_seconds)
            weakref.finalize(writer, _close_quietly, store, writer.mutex, os.getpid())
            _registry.writers[key] = writer
            _registry.stores.add(store)
            writer.users.add(user)
        except BaseException:
            if writer is not None:
                writer.closed = True  # it may be registered already, and a kept traceback keeps it alive
            store.close(clean=False)
            raise
        return writer


def leave(writer: RunWriter, user: object) -> None:
    """Let *user* go; the last one closes the writer, under the mutex, so that nobody joins or opens meanwhile."""
    with _registry.mutex:
        writer.users.discard(user)
        if not writer.users:
            writer.close()


def running_writer(place: Place) -> RunWriter | None:
    """Return this process's writer of the phase at *place* if it is open."""
    store = place.existing()
    if store is None:
        return None
    with store, _registry.mutex:
        writer = _registry.writers.get(_key(store))
    return writer if writer is not None and not writer.closed else None


def _begin(store: RunStore, place: Place, clock: Clock, ttl_seconds: float | None) -> RunWriter:
    manifest = settled(store, manifest_or_none(store))
    if manifest is not None and manifest.keeper != MANAGER_KEEPER:
        raise ForeignRun(
            f"{place.path}: phase {place.phase!r} is kept by a milepost.Phase; nothing was touched. Give this "
            "CheckpointManager another phase."
        )
    manifest, loaded = _recovered(store, place, clock, manifest)
    opened_at = loaded.mark
    progress = loaded.progress
    if progress is not None and is_expired(progress.time, ttl_seconds=ttl_seconds, now=clock.now()):
        log.warning("%s: expired progress is set aside under runs/%s; a new run begins.", place.path, manifest.run)
        store.close_journal()
        set_aside(store, manifest)
        manifest, loaded = _recovered(store, place, clock, None)
    store.delete(loaded.void, durable=False)
    journal = open_journal(store, clock, loaded)
    writer = RunWriter(store, clock, manifest, journal, loaded, opened_at)
    _adopt(writer, loaded)
    return writer


def _recovered(store: RunStore, place: Place, clock: Clock, manifest: Manifest | None) -> tuple[Manifest, Loaded]:
    """Recover the run that the manifest names, or give the one that is found its manifest."""
    if manifest is not None:
        return manifest, recover(store, manifest.run, known=True)[1]
    run, loaded = recover(store, store.token(), known=False)
    manifest = Manifest(run, place.phase, clock.now())
    write_manifest(store, manifest)
    return manifest, loaded


def registered(store: RunStore) -> None:
    """Have a forked child let go of *store*, and this process close it when nobody uses it any more."""
    _registry.stores.add(store)


def forget(store: RunStore) -> None:
    """Know that *store* was closed."""
    _registry.stores.discard(store)


def manifest_or_none(store: RunStore) -> Manifest | None:
    """Return the manifest; a damaged one is kept as *.quarantine, and the journal tells what it said."""
    try:
        return read_manifest(store)
    except CorruptDocument as error:
        log.error("%s It is kept as *.quarantine and written anew from the journal.", error)  # noqa: TRY400
        store.keep_copy(MANIFEST)
        return None


def _adopt(writer: RunWriter, loaded: Loaded) -> None:
    """Let the writer know the saved state, unless damage makes it doubtful: then the next save writes it whole."""
    progress = loaded.progress
    if progress is None or loaded.damage:
        return
    try:
        state = delta.encode_state(progress.state)
        metadata = codec.encode(progress.metadata, "metadata")
    except NotEncodable:
        log.debug("%s: the old manager's file holds what this format does not; nothing builds on it.", writer.path)
    else:
        writer.adopt(state, progress.iteration, metadata, in_file=progress.in_file)


def _key(store: RunStore) -> _Key:
    return store.identity()


def _close_quietly(store: RunStore, mutex: threading.RLock, pid: int) -> None:
    """Close what nobody uses any more, also at the interpreter's end; only the process that opened it may."""
    if pid != os.getpid():
        _registry.stores.discard(store)
        return
    if not mutex.acquire(blocking=False):
        return  # the interpreter ends below a daemon thread's save: cutting the file under it would lose that save
    try:
        store.close()
    except MilepostError as error:
        log.warning("%s", error)
    finally:
        _registry.stores.discard(store)
        mutex.release()


def _after_fork_in_child() -> None:
    """Let go of what the parent writes: a child that kept the lock's handle would outlive the parent's kill with it."""
    _registry.mutex = threading.RLock()
    for writer in list(_registry.writers.values()):
        writer.abandon()
    for store in list(_registry.stores):
        store.close(clean=False)
    _registry.writers.clear()
    _registry.stores.clear()


os.register_at_fork(
    before=lambda: _registry.mutex.acquire(),  # a fork while another thread opens would copy a lock nobody knows of
    after_in_parent=lambda: _registry.mutex.release(),
    after_in_child=_after_fork_in_child,
)
