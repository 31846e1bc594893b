"""A run written anew under another key, encrypted for the first time, or made readable: the old one goes at the end.

A run that is made of another like this is the same run: its id, its numbers and times are, only the chain is not. It
is made whole below ``runs/`` and takes its place in one step. Until it stands, nothing of the old one is touched;
a process that is killed leaves one of them, or both, and the same command finishes.
"""

from __future__ import annotations

from dataclasses import dataclass

import xxhash

from milepost import checkpoint
from milepost.checkpoint import stored_parts
from milepost.clock import Clock, SystemClock
from milepost.codec.coding import Codec, Steps
from milepost.codec.files import coded_name, is_encrypted, plain_name
from milepost.codec.ring import KeyRing
from milepost.codec.sealing import DOCUMENT_START
from milepost.errors import InvalidArgument, NotEncodable
from milepost.records import (
    Kind,
    Position,
    chain_of,
    codec_of,
    decode_line,
    is_kind,
    seal,
    start_of,
    stated,
    unseal,
)
from milepost.run import load_current
from milepost.run.coded import CodedRun, bare
from milepost.run.handover import staged, sweep, take_over
from milepost.run.manifest import MAKING, MANAGER_KEEPER, Manifest, read_manifest, write_manifest
from milepost.run.place import Where
from milepost.run.session import RECEIPT
from milepost.run.subject import SEALED, Subject, held, looked_at, runs_aside, stored_value
from milepost.stores import MANIFEST, RunStore
from milepost.stores.lock import LOCK_NAME

_SOME = 1000


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What became of one run: its id, its *folder* below ``runs/`` (None: the phase's own), and whether it *changed*.

    *key* is the id of the key that it is encrypted under now, None for none.
    """

    phase: str
    run: str
    folder: str | None
    records: int
    key: str | None
    changed: bool


def rekey(
    root: Where, phase: str, ring: KeyRing | None, *, compress: bool | None = None, clock: Clock | None = None
) -> list[Rekeyed]:
    """Write every run of *phase* anew, its own and those that were set aside, encrypted under the first key of *ring*.

    Args:
        root: The checkpoint folder or store.
        phase: The phase's name.
        ring: The keys: the first encrypts, all of them open what is there; None leaves what is written readable,
            and ``MILEPOST_KEY`` opens what is there.
        compress: Whether it is compressed as well; None keeps to what each run has.
        clock: The clock.

    Raises:
        InvalidArgument: There is no such phase, or no run of it.
        KeyMissing, WrongKey: Something is encrypted under a key that is not there.
        RunLocked: A process writes this phase.
        DamageError: A run is damaged; nothing of it was touched. Repair it first.
        StorageError: The medium refused; run the same command again.
    """
    clock = clock or SystemClock()
    with held(root, phase, clock) as subject:
        if subject.keeper is None or subject.manifest is None:
            raise InvalidArgument(f"{subject.path}: there is no run here that could be written anew.")
        sweep(subject.store)
        _remove_superseded(root, subject, ring)
        done = [_rekeyed(root, subject, folder, ring, compress) for folder in [None, *runs_aside(subject.store)]]
        _remove_superseded(root, subject, ring)
    return done


def _rekeyed(root: Where, own: Subject, folder: str | None, ring: KeyRing | None, compress: bool | None) -> Rekeyed:
    with looked_at(root, own.phase, folder) as source:
        store, manifest = source.store, source.manifest
        assert isinstance(store, CodedRun), "a location opens runs with a codec around"
        if manifest is None:
            raise InvalidArgument(f"{source.path}: this run has no manifest; run milepost repair first.")
        store.read_with(ring)
        reading = store.read_journal(_unseen)
        if reading is not None and reading.damage:
            raise reading.damage[0].error
        key = None if ring is None else ring.first.id
        count = reading.end.sequence if reading else 0
        if _keys(store) <= {key} and compress in (None, store.is_packed):
            return Rekeyed(own.phase, manifest.run, folder, count, key, changed=False)
        codec = Codec("zstd" if (store.is_packed if compress is None else compress) else None, encrypt=ring)
        with staged(own.store, manifest.at_rest, named=folder is not None) as (name, target):
            assert isinstance(target, CodedRun), "what stands below a coded run is coded"
            target.write_with(codec)
            _fill(source, target, manifest)
    if folder is None:
        take_over(own.store, manifest, name)
    return Rekeyed(own.phase, manifest.run, folder, count, key, changed=True)


def _fill(source: Subject, target: CodedRun, manifest: Manifest) -> None:
    store = source.store
    target.recover(manifest.run, known=True)
    loaded = load_current(store, stored_value) if source.keeper == MANAGER_KEEPER else None
    if loaded is not None and loaded.damage:
        raise loaded.damage[0]
    taken_at = {entry.head.position.sequence for entry in loaded.entries if entry.head.position} if loaded else set()
    completed = _completed(store)
    chains = _copy_records(store, target, taken_at | {completed})
    chains[0] = start_of(manifest.run).chain
    for entry in reversed(loaded.entries) if loaded else ():
        head, metadata, state = stored_parts(entry.name, store.read(entry.name, group_may_write=True))
        if head.position is None:
            raise NotEncodable(entry.name, "a file of the old manager stays as it is: save once, and prune it")
        position = Position(head.position.sequence, chains[head.position.sequence])
        pieces = checkpoint.encode(head._replace(position=position), metadata, state)
        target.replace(*target.coded_checkpoint(plain_name(entry.name), pieces))
        target.note_checkpoint(head.number)
    for name in SEALED:
        if store.has(name):
            data = store.read(name)
            if name == RECEIPT and completed:
                data = _receipt_behind(data, chains[completed])
            target.replace(name, data)


def _copy_records(source: RunStore, target: RunStore, wanted: set[int]) -> dict[int, str]:
    """Append all records of *source* as they are; return the chains behind those that are *wanted*."""
    chains: dict[int, str] = {}

    def copy(first: int, lines: list[bytes]) -> None:
        for at in range(0, len(lines), _SOME):
            some = lines[at : at + _SOME]
            behind = first + at + len(some) - 1
            target.append([decode_line(line) for line in some], expected=first + at - 1)
            for sequence in wanted & set(range(first + at, behind + 1)):
                chains[sequence] = chain_of(target.read_line(sequence))

    reading = source.read_journal(copy)
    if reading is not None and reading.damage:
        raise reading.damage[0].error
    return chains


def _receipt_behind(data: bytes, chain: str) -> bytes:
    """Return a receipt that names the chain of its result as it is now."""
    fields = unseal(data.rstrip(b"\n"))
    if fields is None:
        return data  # verify tells of it
    fields["completed"]["chain"] = chain
    return seal(fields) + b"\n"


def _completed(store: RunStore) -> int:
    """Return the number of the newest record that says the run is complete, or 0."""
    found = [0]

    def look(first: int, lines: list[bytes]) -> None:
        found.extend(number for number, line in enumerate(lines, first) if is_kind(line, Kind.COMPLETED))

    store.read_journal(look)
    return found[-1]


def _keys(coded: RunStore) -> set[str | None]:
    """Return the ids of all keys that something in a run is encrypted under; None stands for what is not."""
    store = bare(coded)
    found: set[str | None] = set()

    def look(_: int, lines: list[bytes]) -> None:
        found.update(_key_in(codec_of(line)) for line in lines if not is_kind(line, Kind.TAKEN))

    store.read_journal(look)
    for name in store.names("checkpoint_"):
        found.add(_key_in(is_encrypted(store.read(name, checkpoint.HEAD_READ_BYTES)) if coded_name(name) else None))
    for name in filter(store.has, SEALED):
        data = store.read(name)
        named = data[len(DOCUMENT_START) :].partition(b'"')[0].decode() if data.startswith(DOCUMENT_START) else None
        found.add(_key_in(named))
    return found


def _key_in(named: str | None) -> str | None:
    steps = None if named is None else Steps.named(named)
    return None if steps is None else steps.key_id


def _remove_superseded(root: Where, own: Subject, ring: KeyRing | None) -> None:
    """Delete the runs set aside that stand here once more, written anew: what a rekeying leaves behind."""
    wanted = {None if ring is None else ring.first.id}
    runs: list[tuple[str | None, str, bool]] = []
    for folder in [None, *runs_aside(own.store)]:
        with looked_at(root, own.phase, folder) as one:
            if one.manifest is not None:
                runs.append((folder, one.manifest.run, _keys(one.store) <= wanted))
    for folder, run, is_new in runs:
        newer = [name for name, same, is_so in runs if same == run and is_so and name != folder]
        if folder is not None and not is_new and newer and _holds(root, own.phase, newer[0], folder, ring):
            _remove(own.store, folder)


def _remove(store: RunStore, folder: str) -> None:
    """Delete a run below ``runs/``; one that is half deleted when a process dies counts for nothing and is swept."""
    with store.run(folder) as one:
        manifest = read_manifest(one)
        assert manifest is not None, "it was read a moment ago"
        write_manifest(one, manifest._replace(stage=MAKING))
        one.delete([name for name in one.names() if name not in (MANIFEST, LOCK_NAME)], durable=True)
    store.remove_run(folder)


def _holds(root: Where, phase: str, newer: str | None, older: str, ring: KeyRing | None) -> bool:
    """Tell whether a run has all records of another one, equal in all but how they are written."""
    with looked_at(root, phase, older) as one, looked_at(root, phase, newer) as two:
        count, content = _content(one, ring)
        return content == _content(two, ring, count)[1]


def _content(subject: Subject, ring: KeyRing | None, most: int | None = None) -> tuple[int, str]:
    """Return how many records a run has, and the digest of the first *most* of them as they were made."""
    running = xxhash.xxh3_128()
    seen = [0]

    def look(first: int, lines: list[bytes]) -> None:
        for sequence, line in enumerate(lines, first):
            if most is None or sequence <= most:
                record = decode_line(line)
                running.update(stated(record, sequence) + b"\n" + (record.value or b"") + b"\n")
                seen[0] = sequence

    assert isinstance(subject.store, CodedRun), "a location opens runs with a codec around"
    subject.store.read_with(ring)
    reading = subject.store.read_journal(look)
    if reading is not None and reading.damage:
        raise reading.damage[0].error
    return seen[0], running.hexdigest()


def _unseen(_: int, __: list[bytes]) -> None:
    """See nothing: the lines are only proven."""
