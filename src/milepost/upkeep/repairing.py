"""Bringing a damaged run into order: originals stay as ``*.quarantine``, and what is proven is used."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from milepost import codec
from milepost.checkpoint import decode, is_checkpoint_name
from milepost.clock import Clock, SystemClock
from milepost.errors import CorruptCheckpoint, CorruptDocument, DamageError, NotDecodable
from milepost.records import unseal
from milepost.run import Place, RunWriter, load_current
from milepost.run.index import Index
from milepost.run.manifest import PHASE_KEEPER, Manifest, read_manifest, write_manifest
from milepost.run.place import Where, location_of
from milepost.run.recovery import open_journal, recover
from milepost.run.session import FolderSession
from milepost.run.subject import SEALED, Subject, held, looked_at, stored_value
from milepost.stores import MANIFEST, Durability, RunStore


@dataclass(slots=True)
class Repair:
    """What is wrong with a run, and what is done about it, a line each. *needed* tells whether there is anything."""

    phase: str
    found: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)

    @property
    def needed(self) -> bool:
        """Whether there is something to do."""
        return bool(self.actions)


def repair(root: Where, phase: str, *, really: bool, clock: Clock | None = None) -> Repair:
    """Say what is damaged in the run of *phase*, and if *really* so, bring it into order.

    Nothing is lost by it that could still be proven: originals are kept as ``*.quarantine`` beside the run, the
    journal goes on behind its last proven record, and the newest state that can be proven becomes a checkpoint.

    Args:
        root: The checkpoint folder or store.
        phase: The phase's name.
        really: Do it; otherwise nothing is changed.
        clock: The clock.

    Raises:
        InvalidArgument: There is no such phase.
        RunLocked: A process writes this phase.
        NotDecodable: It was written by a newer Milepost, which must repair it.
        StorageError: The medium refused; run the same command again.
    """
    clock = clock or SystemClock()
    with looked_at(root, phase) as subject:
        plan = _plan(subject)
        keeper = subject.keeper
    if not really or not plan.needed:
        return plan
    with held(root, phase, clock) as subject:
        _set_documents_aside(subject.store)
        if _manifest_error(subject.store) is not None:
            _write_manifest(subject, clock)
        if keeper != PHASE_KEEPER:
            _salvage_states(subject, clock)
    if keeper == PHASE_KEEPER:
        _salvage_items(root, phase, clock)
    return plan


def _plan(subject: Subject) -> Repair:
    store = subject.store
    plan = Repair(subject.phase)
    error = _manifest_error(store)
    if error is not None:
        plan.found.append(str(error))
        plan.actions.append(f"keep {MANIFEST} as *.quarantine and write it anew")
    for name in _bad_documents(store):
        plan.found.append(f"{subject.path / name}: it is not what was written.")
        plan.actions.append(f"set {name} aside as *.quarantine")
    reading = store.read_journal(Index().see if subject.keeper == PHASE_KEEPER else None)
    damage = [str(one.error) for one in reading.damage] if reading else []
    if damage:
        assert reading is not None, "its damage was read"
        plan.found += damage
        plan.actions.append(f"keep the damaged journal as *.quarantine and go on behind record {reading.end.sequence}")
    if subject.keeper != PHASE_KEEPER:
        _plan_checkpoints(subject, plan)
    return plan


def _plan_checkpoints(subject: Subject, plan: Repair) -> None:
    loaded = load_current(subject.store, stored_value)
    for name, error in _bad_checkpoints(subject.store).items():
        plan.found.append(f"{subject.path}/{error}")
        plan.actions.append(f"set {name} aside as *.quarantine")
    rest = [str(error) for error in loaded.damage]
    plan.found += [line for line in rest if line not in plan.found]
    if loaded.damage and not isinstance(loaded.damage[-1], CorruptDocument):
        progress = loaded.progress
        reached = "nothing is left" if progress is None else f"iteration {progress.iteration} becomes a checkpoint"
        plan.actions.append(f"go on with the newest state that can be proven: {reached}")


def _salvage_items(root: Where, phase: str, clock: Clock) -> None:
    """Let the recovery that a job with ``on_damage="salvage"`` would use do its work."""
    session = FolderSession(Place(location_of(root), phase), clock, Durability.POWER)
    try:
        session.recover(salvage=True)
    finally:
        session.close()


def _salvage_states(subject: Subject, clock: Clock) -> None:
    """Recover the journal, save the newest proven state as a checkpoint, then let go of what is damaged."""
    store = subject.store
    manifest = read_manifest(store)
    token = store.token()
    run, loaded = recover(store, manifest.run if manifest else token, known=manifest is not None, decoded=stored_value)
    if manifest is None:  # the old manager's runs have none
        manifest = Manifest(run, subject.phase, clock.now())
        write_manifest(store, manifest)
    bad = list(_bad_checkpoints(store))
    for name in bad:
        store.keep_copy(name)
    writer = RunWriter(store, clock, manifest, open_journal(store, clock, loaded), loaded, loaded.mark)
    progress = loaded.progress
    if progress is None:
        writer.settle(None, bad)
        return
    encode = orjson.dumps if progress.entry.head.number else codec.encode  # the old manager's file gives values
    writer.settle((progress.iteration, encode(progress.state), encode(progress.metadata)), bad)


def _set_documents_aside(store: RunStore) -> None:
    for name in _bad_documents(store):
        store.keep_copy(name)
        store.delete([name], durable=True)


def _write_manifest(subject: Subject, clock: Clock) -> None:
    """Write a damaged manifest anew: the journal knows the run, its files who keeps it."""
    reading = subject.store.read_journal()
    run = (reading.run if reading else None) or subject.store.token()
    subject.store.keep_copy(MANIFEST)
    keeper = subject.keeper or PHASE_KEEPER
    write_manifest(subject.store, Manifest(run, subject.phase, clock.now(), keeper=keeper))


def _manifest_error(store: RunStore) -> DamageError | None:
    try:
        read_manifest(store)
    except NotDecodable:
        raise
    except CorruptDocument as error:
        return error
    return None


def _bad_documents(store: RunStore) -> list[str]:
    return [name for name in SEALED if store.has(name) and not _is_sound(store, name)]


def _is_sound(store: RunStore, name: str) -> bool:
    try:
        return unseal(store.read(name).rstrip(b"\n")) is not None
    except CorruptDocument:
        return False


def _bad_checkpoints(store: RunStore) -> dict[str, CorruptCheckpoint]:
    """Return the errors of checkpoint files that are not what was written, by name."""
    bad = {}
    for name in store.names("checkpoint_"):
        if is_checkpoint_name(name):
            try:
                decode(name, store.read(name, group_may_write=True), lambda _: None)
            except CorruptCheckpoint as error:
                bad[name] = error
    return bad
