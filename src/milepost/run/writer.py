"""The one writer of a run in this process, shared by every object that writes it."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from milepost import checkpoint
from milepost.clock import Clock
from milepost.codec.files import coded_name
from milepost.delta import EncodedState, difference
from milepost.errors import DiskFull, ForeignCheckpoint, MilepostError, Reentered, StorageError, StoreUnavailable
from milepost.journal import Journal
from milepost.records import Kind
from milepost.retention import Kept, surplus
from milepost.run.coded import coded_checkpoint
from milepost.run.handover import remove_set_aside
from milepost.run.manifest import Manifest
from milepost.run.progress import RESET_START, Entry, Loaded, Mark
from milepost.run.recovery import open_journal, recover
from milepost.run.reentry import calls_under_way
from milepost.stores import MANIFEST, RunStore
from milepost.stores.segments import QUARANTINE_SUFFIX

log = logging.getLogger(__name__)

_LEAST_TRIMMED = 500  # records: to forget some costs requests of its own


class RunWriter:
    """Saves states: as checkpoints, or as changes in the journal. Durable when a call returns."""

    def __init__(
        self, store: RunStore, clock: Clock, manifest: Manifest, journal: Journal, loaded: Loaded, opened_at: Mark
    ) -> None:
        """Go on from what was *loaded*; *store* is locked, *journal* open, *opened_at* what was found on opening."""
        self.store = store
        self.path = store.path
        self.opened_at = opened_at
        self.users: weakref.WeakSet[object] = weakref.WeakSet()
        self.closed = False
        self._clock = clock
        self._manifest = manifest
        self._journal = journal
        self._entries = loaded.entries
        self._number = loaded.last_number
        self.mutex = threading.RLock()
        self._state: EncodedState | None = None
        self._labels: tuple[int, bytes] | None = None
        self._in_file = False
        self._unfinished = False
        self._trimmed = 0
        self._recorded_at = clock.now()
        self.mark = loaded.mark

    def adopt(self, state: EncodedState, iteration: int, metadata: bytes, *, in_file: bool) -> None:
        """Take what was loaded as the last saved state, so that an equal one is not written again."""
        self._state, self._labels, self._in_file = state, (iteration, metadata), in_file

    def save(
        self,
        iteration: int,
        state: EncodedState,
        metadata: bytes,
        *,
        to_file: bool,
        most: int,
        ttl_seconds: float | None,
    ) -> Path | None:
        """Save a state; return the checkpoint that holds it, or None where the change went to the journal.

        Args:
            iteration: The iteration the state belongs to.
            state: The encoded state.
            metadata: The encoded metadata.
            to_file: Whether a checkpoint file must hold it.
            most: How many checkpoints retention leaves.
            ttl_seconds: The age beyond which retention removes older ones.

        Raises:
            StorageError: The medium refused; nothing was acknowledged, and the old state is whole.
        """
        with self._alone():
            change = difference(self._state, state) if self._state is not None else {}
            if to_file and self._in_file and change is None and not self.store.poisoned and self._stands():
                self._journal_change({}, iteration, metadata, ttl_seconds)
                return self.store.document_path(self._entries[0].name)
            if to_file or self._state is None or self.store.poisoned:
                path = self._write_checkpoint(iteration, state, metadata)
                self._retain(most, ttl_seconds)
                return path
            self._journal_change(change or {}, iteration, metadata, ttl_seconds)
            if change is not None:
                self._state, self._in_file = state, False
            return None

    def delete(self, name: str) -> None:
        """Delete one checkpoint; deleting the newest rolls the run back to the one before it.

        Raises:
            ForeignCheckpoint: There is no such checkpoint.
            StorageError: The medium refused.
        """
        with self._alone():
            names = [entry.name for entry in self._entries]
            if name not in names and name not in self.store.names("checkpoint_"):
                raise ForeignCheckpoint(f"{self.path / name}: there is no such checkpoint; nothing was deleted.")
            if names and names[0] == name:
                self._roll_back(self._entries[1] if len(self._entries) > 1 else None)
            self.store.delete([name], durable=True)
            self._entries = [entry for entry in self._entries if entry.name != name]

    def clear(self) -> int:
        """Delete every checkpoint, journal and run of the phase; return how many checkpoints there were.

        The roll-back to nothing is durable before the first file goes: a crash half way leaves nothing to load.
        """
        with self._alone():
            names = [name for name in self.store.names("checkpoint_") if checkpoint.is_checkpoint_name(name)]
            self._roll_back(None)
            self.store.delete(names, durable=True)
            self.store.close_journal(clean=False)
            try:
                rest = self.store.names("journal_") + [
                    name for name in self.store.names() if name.endswith(QUARANTINE_SUFFIX)
                ]
                self.store.delete([*rest, MANIFEST], durable=True)
                remove_set_aside(self.store)
            finally:
                self.close()  # what could not be deleted is void; a save opens anew
            return len(names)

    def settle(self, proven: tuple[int, bytes, bytes] | None, bad: Sequence[str]) -> None:
        """Go on from the newest state that can be proven, and let the damaged checkpoints go. For a repair.

        Args:
            proven: That state's iteration, the state and the metadata, encoded; None where there is none.
            bad: The names of damaged checkpoints, of which copies are kept.

        Raises:
            StorageError: The medium refused; the repair can be run again.
        """
        with self._alone():
            if proven is None:
                self._roll_back(None)
            else:
                iteration, state, metadata = proven
                self._write_checkpoint(iteration, EncodedState(None, state), metadata)
            self.store.delete(bad, durable=True)

    def close(self) -> None:
        """Cut the padding, state the journal's end, and let go of the lock."""
        with self.mutex:
            if not self.closed:
                self.closed = True
                self.store.close()

    def abandon(self) -> None:
        """Let go of every handle without touching a byte: for a forked child, whose parent goes on writing."""
        self.mutex = threading.RLock()  # another thread of the parent may have held it, for ever here
        self.closed = True
        self.store.close(clean=False)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one call work at a time. What breaks one off (Ctrl-C, a handler's exception) is treated as a crash."""
        with self.mutex:
            if self._unfinished:
                if calls_under_way((RunWriter.save, RunWriter.delete, RunWriter.clear), self) > 1:
                    raise Reentered
                self._start_again()
            self._unfinished = True
            try:
                yield
            except MilepostError:
                self._unfinished = False
                raise
            self._unfinished = False

    def _start_again(self) -> None:
        """Recover from the disk, lock in hand: nobody knows how far the call came that was broken off."""
        self.store.close_journal(clean=False)
        _, loaded = recover(self.store, self._manifest.run, known=True)
        self._journal = open_journal(self.store, self._clock, loaded)
        self._entries, self._number, self.mark = loaded.entries, loaded.last_number, loaded.mark
        self._state, self._labels, self._in_file = None, None, False

    def _roll_back(self, target: Entry | None) -> None:
        """Record that everything behind *target* is void."""
        if self.store.poisoned:
            self.store.restart_journal()
        behind = [entry for entry in self._entries if target is None or entry.order > target.order]
        old = [entry.name for entry in behind if not entry.head.number]
        value = {"reset": list(target.order) if target else None, "number": self._number, "old": old}
        encoded = orjson.dumps(value)
        assert encoded.startswith(RESET_START)
        self._journal.append(Kind.STATE, encoded)
        self._state, self._labels, self._in_file = None, None, False
        self._moved_to(target)

    def _journal_change(
        self, change: dict[str, Any], iteration: int, metadata: bytes, ttl_seconds: float | None
    ) -> None:
        """Put a change into the journal. What did not change is recorded only to keep it from expiring."""
        labels = (iteration, metadata)
        age_seconds = self._clock.now() - self._recorded_at
        if not change and labels == self._labels and (ttl_seconds is None or age_seconds <= ttl_seconds / 2):
            return
        value: dict[str, Any] = {"base": self._entries[0].base, "iteration": iteration}
        if self._labels is None or metadata != self._labels[1]:
            value["metadata"] = orjson.Fragment(metadata)
        self._journal.append(Kind.STATE, orjson.dumps(value | change))
        self._recorded_at = self._clock.now()
        self._labels = labels
        self.mark = (*self.mark[:2], self._journal.position.sequence)

    def _write_checkpoint(self, iteration: int, state: EncodedState, metadata: bytes) -> Path:
        if self.store.poisoned:
            self.store.restart_journal()
        now = self._clock.now()
        moment = datetime.fromtimestamp(now).astimezone()
        head = checkpoint.Head(
            phase=self._manifest.phase,
            iteration=iteration,
            timestamp=moment.isoformat(),
            time=now,
            number=self._number + 1,
            run=self._manifest.run,
            position=self._journal.position,
        )
        pieces = checkpoint.encode(head, metadata, *state.pieces())
        name, data = coded_checkpoint(self.store, self._free_name(moment, iteration), pieces)
        # Until the file stands for certain, nothing may build on what is believed to be in it.
        before, self._state = self._state, None
        self._number += 1
        try:
            self.store.replace(name, data)
        except (DiskFull, StoreUnavailable):
            if not self.store.has(name):  # it certainly does not stand, so changes may go on from what was before
                self._state = before
            raise
        size = self._size_of(name, pieces)
        self._entries.insert(0, Entry(name, head, size))
        self._state, self._labels, self._in_file = state, (iteration, metadata), True
        self._moved_to(self._entries[0])
        self._recorded_at = now
        try:
            self.store.note_checkpoint(head.number)
        except StorageError as error:
            log.warning("%s The checkpoint itself is safe; the next save begins a new journal file.", error)
        log.info("%s: checkpoint saved, iteration %d, %d bytes.", self.path / name, iteration, size)
        return self.store.document_path(name)

    def _size_of(self, name: str, pieces: list[bytes]) -> int:
        """Return how large a file is that was just written: as its plain *pieces*, unless it is coded."""
        return self.store.size(name) if coded_name(name) else sum(map(len, pieces))

    def _stands(self) -> bool:
        """Tell whether the newest checkpoint is still there: somebody may have deleted it beside us."""
        return self.store.has(self._entries[0].name)

    def _moved_to(self, entry: Entry | None) -> None:
        """Keep what a later load would find, so that its reader can tell whether somebody else moved on."""
        head = entry.head if entry else None
        taken_at = head.position.sequence if head and head.position else 0
        self.mark = (head.run if head else None, entry.name if entry else None, taken_at)

    def _free_name(self, moment: datetime, iteration: int) -> str:
        again = 0
        while self.store.names(name := checkpoint.file_name(moment, iteration, again)):
            again += 1
        return name

    def _retain(self, most: int, ttl_seconds: float | None) -> None:
        """Delete what retention says. The save stands already, so a refusal here is told and tried again next time."""
        kept = [Kept(entry.name, entry.head.time) for entry in self._entries]
        going = surplus(kept, most=most, ttl_seconds=ttl_seconds, now=self._clock.now())
        if not going:
            return
        oldest = [entry for entry in self._entries if entry.name not in going][-1].head.position
        try:
            self.store.delete(going, durable=False)
            if oldest is not None and oldest.sequence - self._trimmed >= _LEAST_TRIMMED:
                self.store.trim(oldest)
                self._trimmed = oldest.sequence
        except StorageError as error:
            log.warning("Old checkpoints could not be deleted: %s", error)
            return
        self._entries = [entry for entry in self._entries if entry.name not in going]
        log.info("%s: %d old checkpoints deleted: %s.", self.path, len(going), ", ".join(going))
