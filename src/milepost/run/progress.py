"""How far a run has come: the newest good checkpoint, and the journal after it. Reads only."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, cast

from milepost import codec, delta
from milepost.checkpoint import HEAD_READ_BYTES, Checkpoint, Decoder, Head, decode, decode_head, is_checkpoint_name
from milepost.codec.files import plain_name
from milepost.errors import CorruptCheckpoint, CorruptDocument, DamageError, LostRecords, NotDecodable, StoreUnavailable
from milepost.journal import History
from milepost.records import Kind
from milepost.run.manifest import read_manifest
from milepost.stores import RunStore

RESET_START = b'{"reset":'
LABELS = frozenset({"base", "iteration", "metadata"})
_RETRIES = 20
Mark = tuple[str | None, str | None, int]


class Entry(NamedTuple):
    """A checkpoint file: its *name*, what its *head* says, its *size* in bytes."""

    name: str
    head: Head
    size: int

    @property
    def order(self) -> tuple[int, float, str]:
        """Return what sorts checkpoints: by number; the old manager's, which have none, by their timestamps."""
        return self.head.number, 0.0 if self.head.number else self.head.time, plain_name(self.name)

    @property
    def base(self) -> int | str:
        """Return what journalled changes name as the checkpoint they build on; old files have only their name."""
        return self.head.number or self.name


class Progress:
    """The state a run has reached. *entry* is the checkpoint it stands on; *in_file* tells that nothing came after it.

    *timestamp* says when it was saved (ISO 8601), *time* is when the newest record or checkpoint was made, in
    seconds since 1970-01-01 UTC.
    """

    def __init__(self, entry: Entry, checkpoint: Checkpoint) -> None:
        """Stand on a checkpoint, with nothing after it."""
        head = entry.head
        self.entry = entry
        self.state = checkpoint.state
        self.metadata = checkpoint.metadata
        self.iteration = head.iteration
        self.timestamp = head.timestamp
        self.time = head.time
        self.sequence = head.position.sequence if head.position else 0
        self.in_file = True


class Loaded:
    """What was found: the *progress* (None if there is none), all *entries* newest first, and the *damage*."""

    def __init__(self) -> None:
        """Hold nothing found yet."""
        self.progress: Progress | None = None
        self.entries: list[Entry] = []
        self.history: History | None = None
        self.damage: list[DamageError] = []
        self.torn: list[str] = []
        self.void: list[str] = []
        self.last_number = 0

    @property
    def mark(self) -> Mark:
        """Return what tells whether a run moved on: its id, its checkpoint, and its last change."""
        if self.progress is None:
            return None, None, 0
        return self.progress.entry.head.run, self.progress.entry.name, self.progress.sequence


_Change = tuple[int, float, bytes]  # sequence, time, encoded value


class _Reset(NamedTuple):
    """A roll-back in the journal at *sequence*, from checkpoint *number* to the one of order *target* or to nothing.

    *old* names the files of the old manager, which have no numbers, that it voided.
    """

    sequence: int
    number: int
    target: tuple[int, float, str] | None
    old: frozenset[str]


def load_current(store: RunStore, decoded: Decoder = codec.decode) -> Loaded:
    """Find the newest state of the run that the manifest names; a run that is being set aside is passed over.

    Args:
        store: The run's folder.
        decoded: From stored bytes to a value; ``orjson.loads`` gives the stored form, which needs no classes.

    Raises:
        NotDecodable: The manifest is of a newer format.
        StorageError: The medium refused, or a writer deleted what was listed, look after look.
    """
    for _ in range(_RETRIES):
        try:
            manifest = read_manifest(store)
        except CorruptDocument as error:  # all it says stands in the journal and the checkpoints as well
            loaded = load(store, decoded=decoded)
            loaded.damage.append(error)
            return loaded
        if manifest is not None and manifest.leaving:
            return Loaded()
        loaded = load(store, manifest.run if manifest else None, decoded=decoded)
        if not loaded.damage or read_manifest(store) == manifest:  # else the run was set aside under our eyes
            return loaded
    raise _too_fast(store)


def load(store: RunStore, run: str | None = None, decoded: Decoder = codec.decode) -> Loaded:
    """Find the newest state that can be proven, of *run* where its id is known.

    A writer may be at work, and then a look can miss what it has just written: so damage counts only if two
    looks in a row agree on it.

    Raises:
        StorageError: The medium refused, or a writer deleted what was listed, look after look.
    """
    previous: list[str] = []
    loaded: Loaded | None = None
    for _ in range(_RETRIES):
        try:
            loaded = _load(store, run, decoded)
        except FileNotFoundError:  # a writer's retention was faster
            continue
        wrong = [*map(str, loaded.damage), *loaded.torn]
        if wrong == previous:
            break
        previous = wrong
    else:
        if loaded is None or loaded.damage:  # no two looks agreed: what they missed was only too quick for them
            raise _too_fast(store)
    store.settle()  # a name may be seen before it is durable; nobody is to act on one that a power cut takes back
    return loaded


def list_entries(store: RunStore) -> tuple[list[Entry], list[DamageError]]:
    """Return the checkpoints whose heads are intact, newest first, and what is wrong with the others.

    Raises:
        StoreUnavailable: A writer deleted what was listed, look after look.
    """
    for _ in range(_RETRIES):
        with suppress(FileNotFoundError):  # a writer's retention was faster
            return _list_entries(store)
    raise _too_fast(store)


def _too_fast(store: RunStore) -> StoreUnavailable:
    return StoreUnavailable(
        f"{store.path}: its checkpoints change faster than they can be read; run the same command again."
    )


def _list_entries(store: RunStore) -> tuple[list[Entry], list[DamageError]]:
    entries: list[Entry] = []
    damage: list[DamageError] = []
    for name in store.names("checkpoint_"):
        if is_checkpoint_name(name):
            try:
                entries.append(_entry(store, name))
            except CorruptCheckpoint as error:
                damage.append(_placed(store, error))
    return sorted(entries, key=lambda entry: entry.order, reverse=True), damage


def _entry(store: RunStore, name: str) -> Entry:
    head = decode_head(name, store.read(name, HEAD_READ_BYTES, group_may_write=True))
    size = store.size(name)
    if head is None:
        head = decode(name, store.read(name, group_may_write=True)).head
    return Entry(name, head, size)


def _load(store: RunStore, run: str | None, decoded: Decoder) -> Loaded:
    loaded = Loaded()
    entries, loaded.damage = _list_entries(store)
    taken_at = [entry.head.position.sequence for entry in entries if entry.head.position]
    history = History.of(store, Kind.STATE, taken_at)
    reading = history.reading if history else None
    if reading is not None and run and reading.run not in {None, run}:
        foreign = f"{store.path}: this journal is of run {reading.run}; that of run {run} is missing."
        loaded.damage.append(LostRecords(foreign))
        reading = None
    run = run or (reading.run if reading else None)
    resets: list[_Reset] = []
    changes: list[_Change] = []
    if history is not None and reading is not None:
        loaded.history = history
        loaded.torn = reading.torn + reading.warnings
        loaded.damage += [damaged.error for damaged in reading.damage]
        resets, changes = _changes(history)
    known = max([0, *(entry.head.number for entry in entries), *(reset.number for reset in resets)])
    noted = reading.checkpoint if reading else 0
    if noted > known and not loaded.damage:
        lost = f"{store.path}: checkpoint number {noted} was saved and is missing; what it held is lost."
        loaded.damage.append(LostRecords(lost))
    loaded.last_number = max(noted, known)
    loaded.entries = [entry for entry in entries if not _is_void(entry, resets)]
    loaded.void = [entry.name for entry in entries if entry not in loaded.entries]
    for entry in loaded.entries:
        try:
            checkpoint = decode(entry.name, store.read(entry.name, group_may_write=True), decoded)
            _check_run(entry, run)
        except CorruptCheckpoint as error:
            loaded.damage.append(_placed(store, error))
            continue
        loaded.progress = _replay(store, loaded, entry, checkpoint, resets, changes, decoded)
        break
    return loaded


def _changes(history: History) -> tuple[list[_Reset], list[_Change]]:
    """Sort the journal's state records into roll-backs and changes; only roll-backs are decoded here."""
    resets, changes = [], []
    for sequence, record in history.records():
        if record.value is None:
            continue
        if record.value.startswith(RESET_START):
            reset = cast("dict[str, Any]", codec.decode(record.value))
            target = reset["reset"]
            order = tuple(target) if target else None
            resets.append(_Reset(sequence, reset["number"], order, frozenset(reset["old"])))
        else:
            changes.append((sequence, record.time, record.value))
    return resets, changes


def _is_void(entry: Entry, resets: list[_Reset]) -> bool:
    if not entry.head.number:
        return any(entry.name in reset.old for reset in resets)
    return any(
        entry.head.number <= reset.number and (reset.target is None or entry.order > reset.target) for reset in resets
    )


def _check_run(entry: Entry, run: str | None) -> None:
    if run and entry.head.run and run != entry.head.run:
        raise CorruptCheckpoint(f"{entry.name}: it belongs to another run ({entry.head.run}), not to {run}.")


def _replay(
    store: RunStore,
    loaded: Loaded,
    entry: Entry,
    checkpoint: Checkpoint,
    resets: list[_Reset],
    changes: list[_Change],
    decoded: Decoder,
) -> Progress:
    """Return the checkpoint's state with every journalled change made to it that builds on it."""
    head, folder = entry.head, store.path
    progress = Progress(entry, checkpoint)
    if head.position and not (loaded.history and loaded.history.contains(head.position)):
        lost = (
            f"{folder}: the journal does not lead to where {entry.name} was taken; changes saved after it may be lost."
        )
        loaded.damage.append(LostRecords(lost))
        return progress
    start = max([progress.sequence, *(reset.sequence for reset in resets)])
    for sequence, time, value in changes:
        if sequence <= start:
            continue
        change = cast("dict[str, Any]", decoded(value))
        try:
            if change["base"] != entry.base:
                raise NotDecodable(f"it builds on checkpoint {change['base']}, which is missing or damaged")
            progress.state = delta.apply(progress.state, change)
        except NotDecodable as error:
            lost = f"what was saved from iteration {change['iteration']} on is lost"
            loaded.damage.append(LostRecords(f"{folder}: journal record {sequence} cannot be used: {error}; {lost}."))
            break
        progress.in_file = progress.in_file and change.keys() <= LABELS
        progress.iteration = change["iteration"]
        progress.metadata = change.get("metadata", progress.metadata)
        progress.timestamp = datetime.fromtimestamp(time).astimezone().isoformat()
        progress.time, progress.sequence = max(progress.time, time), sequence
    last = loaded.history.last() if loaded.history else None
    progress.time = max(progress.time, last.time) if last else progress.time
    return progress


def _placed(store: RunStore, error: DamageError) -> DamageError:
    return type(error)(f"{store.path}/{error}")
