"""A run that is only read: no lock, nothing changed."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any, Self

from milepost.errors import CorruptDocument, CorruptJournal, DamageError, ForeignRun, InvalidArgument, StoreUnavailable
from milepost.records import Record, chain_of, decode_line
from milepost.run.index import Index
from milepost.run.manifest import PHASE_KEEPER, read_manifest
from milepost.run.place import Place
from milepost.run.session import value_of
from milepost.stores import MANIFEST, RunStore

_LOOKS = 8


class ReadSession:
    """What a run held when it was looked at."""

    def __init__(self, store: RunStore, path: str) -> None:
        """Read *store*, which is closed with this object."""
        self.path = path
        self.index = Index()
        self._store = store
        self._mutex = threading.Lock()
        self._manifest: Hashable = None
        self._run = ""

    @classmethod
    def opened(cls, place: Place) -> Self:
        """Look at the run of *place*.

        Raises:
            InvalidArgument: There is none.
            ForeignRun: It is kept by a `CheckpointManager`.
            DamageError: Acknowledged records are lost or altered.
            StorageError: The medium refused.
        """
        store = place.existing()
        if store is None:
            raise InvalidArgument(f"{place.path}: there is no such phase.")
        session = cls(store, str(place.path))
        try:
            session.refresh()
        except BaseException:
            session.close()
            raise
        return session

    def refresh(self) -> None:
        """Read the journal anew. A writer may be at work, so damage counts only if two looks in a row agree on it."""
        seen, manifest = self._manifest_file(), read_manifest(self._store)
        while seen != (seen := self._manifest_file()):  # a shared store knows only behind the first look
            manifest = read_manifest(self._store)
        if manifest is None or manifest.leaving:
            raise InvalidArgument(f"{self.path}: there is no run of a milepost.Phase here.")
        if manifest.keeper != PHASE_KEEPER:
            raise ForeignRun(f"{self.path}: this is kept by a CheckpointManager; read it with that.")
        self._run = manifest.run
        told: list[str] = []
        damage: list[DamageError] = []
        with self._mutex:
            for _ in range(_LOOKS):
                index = Index()
                reading = self._store.read_journal(index.see)
                damage = [] if reading is None else [one.error for one in reading.damage]
                if not damage:
                    self.index, self._manifest = index, seen
                    return
                if told == (told := [str(error) for error in damage]):
                    break
            raise damage[0]

    @property
    def run(self) -> str:
        """The id of the run."""
        return self._run

    def begins_with(self, name: str, data: bytes) -> bool:
        """Tell whether there is a document that begins with *data*."""
        try:
            return self._store.read(name, len(data)) == data
        except (FileNotFoundError, CorruptDocument):
            return False

    def chain(self, sequence: int) -> str:
        """Return the chain hash that a record states."""
        with self._mutex:
            return chain_of(self._store.read_line(sequence))

    def document(self, name: str) -> bytes | None:
        """Return a document's bytes, or None if there is none, or its store knows that it is damaged."""
        try:
            return self._store.read(name)
        except (FileNotFoundError, CorruptDocument):
            return None

    def value(self, sequence: int) -> Any:
        """Return the value of a record.

        Raises:
            CorruptJournal: It is no longer what was written.
            NotDecodable: It holds a class that is not registered here.
        """
        return value_of(self.record(sequence))

    def record(self, sequence: int) -> Record:
        """Return a record; its value is encoded.

        Raises:
            StoreUnavailable: The run was set aside since it was read: where its journal stood may be another one's.
        """
        with self._mutex:
            try:
                line = self._store.read_line(sequence)
            except (CorruptJournal, StoreUnavailable):
                self._refuse_another_run()
                raise
            self._refuse_another_run()  # behind the line: a run that leaves says so before its first file moves
            return decode_line(line)

    def close(self) -> None:
        """Let go of the files."""
        self._store.close()

    def _refuse_another_run(self) -> None:
        if self._manifest_file() != self._manifest:
            raise StoreUnavailable(f"{self.path}: this run was set aside since it was read; call refresh().")

    def _manifest_file(self) -> Hashable:
        """Return what tells one manifest from the next, at the price of one look and not of a read for each record."""
        return self._store.stamp(MANIFEST)
