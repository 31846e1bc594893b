"""One attempt of a run that a `Phase` keeps: its locked folder, its journal, and the index of what is done."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from milepost import codec
from milepost.clock import Clock
from milepost.errors import CorruptDocument, ForeignRun, Forked, PhaseClosed, Reentered
from milepost.fs import Content
from milepost.records import Kind, Position, Record, chain_of, decode_line
from milepost.run.handover import set_aside, settled
from milepost.run.index import Index
from milepost.run.manifest import PHASE_KEEPER, Manifest, read_manifest, write_manifest
from milepost.run.place import Place
from milepost.run.recovery import tell
from milepost.run.shared import forget, manifest_or_none, registered
from milepost.stores import MANIFEST, Durability, RunStore

log = logging.getLogger(__name__)

REFUSED = "refused.json"
DIGESTS = "digests.json"
RECEIPT = "receipt.json"


class _Nothing:
    """Stands for no value, where None is one."""


NOTHING = _Nothing()


class Recorded(Protocol):
    """What a run holds: which records there are, and each of them when it is asked for."""

    index: Index
    path: str

    def value(self, sequence: int) -> Any:
        """Return the value of a record."""

    def record(self, sequence: int) -> Record:
        """Return a record; its value is encoded."""


def value_of(record: Record) -> Any:
    """Return the decoded value of a record, None where it has none.

    Raises:
        NotDecodable: It holds a class that is not registered here.
    """
    return None if record.value is None else codec.decode(record.value)


class Session(Recorded, Protocol):
    """What a `Phase` needs of its run: kept in a folder, or in memory where Milepost is switched off."""

    run: str

    @property
    def window_seconds(self) -> float:
        """How long it is worth waiting for more records before one append."""

    def begin(self, description: object | None) -> None:
        """Open the attempt; *description* says what the run is made with, None where that is as before."""

    def made(
        self,
        kind: Kind,
        key: str | None = None,
        value: Any = NOTHING,
        *,
        name: str = "value",
        group: str | None = None,
        seconds: float | None = None,
        input: str | None = None,  # noqa: A002 -- the field's name
        code: str | None = None,
    ) -> Record:
        """Return a record of this attempt with its value encoded; *name* is what an error calls the value."""

    def append(self, records: Sequence[Record]) -> int:
        """Make a batch durable; return the number of its first record."""

    def restart(self) -> None:
        """Set the run aside under ``runs/`` and go on with a new, empty one."""

    def document(self, name: str) -> bytes | None:
        """Return a document's bytes, or None if there is none, or its store knows that it is damaged."""

    def begins_with(self, name: str, data: bytes) -> bool:
        """Tell whether there is a document that begins with *data*."""

    def keep_document(self, name: str, data: Content | None) -> None:
        """Write a document, or remove it where *data* is None."""

    def chain(self, sequence: int) -> str:
        """Return the chain hash that a record states."""

    def close(self) -> None:
        """End the attempt: give back the lock and the space held ahead."""


class FolderSession:
    """A session in a folder. One process writes; its threads take turns."""

    def __init__(
        self,
        place: Place,
        clock: Clock,
        durability: Durability,
        *,
        guard: AbstractContextManager[None] | None = None,
        allow_network_filesystem: bool = False,
        workflow: str | None = None,
    ) -> None:
        """Take the lock of *place*; `recover` comes next. Each append runs inside *guard*.

        A run that begins here is said to be of *workflow*.

        Raises:
            RunLocked: Another process, or another object of this one, is the writer.
            StorageError: The medium refused.
        """
        self.run = ""
        self.index = Index()
        self.path: str = place.path
        self._place = place
        self._workflow = workflow
        self._clock = clock
        self._guard = guard or nullcontext()
        self._durability = durability
        self._mutex = threading.RLock()
        self._busy = False
        self._pid = os.getpid()
        self._closed = False
        self._position = Position(0, "")
        self._attempt = 0
        self._store = place.made()
        try:
            self._store.lock(clock, allow_network_filesystem=allow_network_filesystem)
            registered(self._store)
        except BaseException:
            self._store.close(clean=False)
            raise

    @property
    def window_seconds(self) -> float:
        """How long it is worth waiting for more records before one append, as the store says."""
        return self._store.window_seconds

    def recover(self, *, salvage: bool = False) -> None:
        """Bring the journal into order and index it; nothing is appended yet.

        Args:
            salvage: Go on behind the last proven record of a damaged journal, which is kept aside whole.

        Raises:
            DamageError: Acknowledged records are lost or altered; nothing was touched.
            ForeignRun: The folder is kept by a `CheckpointManager`.
            StorageError: The medium refused.
        """
        manifest = settled(self._store, manifest_or_none(self._store))
        _refuse_foreign(self._place, self._store, manifest)
        self._start(manifest, salvage=salvage)

    def begin(self, description: object | None) -> None:
        """Open the attempt with an `opened` record, in the very slot that an older writer would need next."""
        self._attempt = self.index.attempt + 1
        value = NOTHING if description is None else description
        self.append([self.made(Kind.OPENED, value=value, name="description")])

    def made(
        self,
        kind: Kind,
        key: str | None = None,
        value: Any = NOTHING,
        *,
        name: str = "value",
        group: str | None = None,
        seconds: float | None = None,
        input: str | None = None,  # noqa: A002 -- the field's name
        code: str | None = None,
    ) -> Record:
        """Return a record of this attempt with its value encoded.

        Raises:
            NotEncodable: The value would not come back equal; the message names its path.
        """
        encoded = None if value is NOTHING else codec.encode(value, name)
        return Record(kind, self._clock.now(), self._attempt, key, seconds, input, encoded, group, code)

    def append(self, records: Sequence[Record]) -> int:
        """Record a batch with one write and one sync.

        Raises:
            Forked: This is a child of the process that opened the phase.
            PhaseClosed: The attempt has ended.
            Reentered: A signal handler recorded while a record was being made.
            StorageError: The medium refused; nothing was acknowledged.
        """
        if self._pid != os.getpid():  # before the mutex: another thread of the parent may hold it, for ever here
            raise Forked
        with self._guard, self._mutex:
            if self._closed:
                raise PhaseClosed(f"{self.path}: this attempt has ended; open the phase again.")
            if self._busy:
                raise Reentered
            self._busy = True
            try:
                if self._store.poisoned:
                    self._store.restart_journal()
                first = self._position.sequence + 1
                self._position = self._store.append(records, expected=first - 1, durability=self._durability)
                for sequence, record in enumerate(records, first):
                    self.index.note(sequence, record)
            finally:
                self._busy = False
            return first

    def value(self, sequence: int) -> Any:
        """Return the value of a record.

        Raises:
            CorruptJournal: It is no longer what was written.
            NotDecodable: It holds a class that is not registered here.
        """
        return value_of(self.record(sequence))

    def record(self, sequence: int) -> Record:
        """Return a record; its value is encoded."""
        if self._pid != os.getpid():
            raise Forked
        return decode_line(self._store.read_line(sequence))

    def restart(self) -> None:
        """Set the run aside under ``runs/`` and go on with a new, empty one."""
        self._store.close_journal()
        manifest = read_manifest(self._store)
        assert manifest is not None, "a recovered run has a manifest"
        set_aside(self._store, manifest)
        log.warning("%s: the run so far is set aside as runs/%s; a new one begins.", self.path, manifest.run)
        self._start(None, salvage=False)

    def document(self, name: str) -> bytes | None:
        """Return a document's bytes, or None if there is none, or its store knows that it is damaged."""
        try:
            return self._store.read(name)
        except (FileNotFoundError, CorruptDocument):
            return None

    def begins_with(self, name: str, data: bytes) -> bool:
        """Tell whether there is a document that begins with *data*."""
        try:
            return self._store.read(name, len(data)) == data
        except (FileNotFoundError, CorruptDocument):
            return False

    def chain(self, sequence: int) -> str:
        """Return the chain hash that a record states."""
        return chain_of(self._store.read_line(sequence))

    def keep_document(self, name: str, data: Content | None) -> None:
        """Write a document durably, or remove it where *data* is None."""
        if self._pid != os.getpid():
            raise Forked
        if data is not None:
            self._store.replace(name, data)
        elif self._store.has(name):
            self._store.delete([name], durable=True)

    def close(self) -> None:
        """Cut the padding, state the journal's end, and let go of the lock; in a forked child do nothing."""
        if self._pid != os.getpid():  # the fork hook has let go of everything
            self._closed = True
            return
        with self._mutex:
            if not self._closed:
                self._closed = True
                forget(self._store)
                self._store.close()

    def _start(self, manifest: Manifest | None, *, salvage: bool) -> None:
        """Recover the journal of the run that the manifest names, or begin a run."""
        self.index = Index()
        run = manifest.run if manifest else self._store.token()
        reading = self._store.recover(run, known=manifest is not None, visit=self.index.see, refuse_damage=not salvage)
        tell(reading)
        self.run = run if manifest else reading.run or run
        self._position = reading.end
        self._store.totals_by(self.index.totals)
        if manifest is None:
            manifest = Manifest(
                self.run, self._place.phase, self._clock.now(), keeper=PHASE_KEEPER, workflow=self._workflow
            )
            write_manifest(self._store, manifest)


def _refuse_foreign(place: Place, store: RunStore, manifest: Manifest | None) -> None:
    """Refuse a folder that a `CheckpointManager` keeps, whose records say other things."""
    names = store.names()
    managed = any(name.startswith("checkpoint_") for name in names)
    if manifest is not None:
        managed = managed or manifest.keeper != PHASE_KEEPER
    if managed:
        raise ForeignRun(
            f"{place.path}: phase {place.phase!r} is kept by a CheckpointManager ({MANIFEST}). Nothing was touched. "
            "Give this Phase another name, or clear the old progress with "
            f"CheckpointManager({place.phase!r}).clear_all_checkpoints()."
        )
