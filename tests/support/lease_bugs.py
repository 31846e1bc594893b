"""Faults planted into leases and fencing, by name: an object, the attribute, and what it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from milepost.clock import Clock
from milepost.errors import Fenced
from milepost.records import Position, Record
from milepost.stores.head import Directory, Part, parse_head
from milepost.stores.lease import Tenure
from milepost.stores.stored import StoredRun
from milepost.stores.stored_documents import Documents
from milepost.stores.stored_journal import StoredLines


def _blind_write(self: Documents, **changes: Any) -> None:
    try:
        WRITE(self, **changes)
    except Fenced:
        wanted = self.directory._replace(**changes)
        self.look()
        WRITE(self, **wanted._asdict())


def _blind_lease(self: Tenure, **changes: Any) -> None:
    self._version = self.store.read(self._key).version
    WRITE_LEASE(self, **changes)


def _wrong_slot(self: StoredRun, clock: Clock) -> None:
    part = self._documents.directory.parts[-1] if self._documents.directory.parts else None
    FENCE(self, clock)
    if part is not None:
        [*_, (first, lines)] = self.store.lines(self._lines.name(part.number))
        self.store.trim(self._lines.name(part.number), first + len(lines) - 1, range(1, first + len(lines) - 1))


def _deaf(self: StoredRun, records: Sequence[Record], *, expected: int, **more: Any) -> Position:
    try:
        return APPEND(self, records, expected=expected, **more)
    except Fenced:
        return Position(expected + len(records), self._open_end().chain)


def _let_go(self: Tenure) -> None:
    END(self)
    found = self.store.read(self._key)
    head = parse_head("", found.data)
    self.store.replace(self._key, head._replace(area=self.head.area, runs=self.head.runs).encoded(), found.version)


def _polite(*words: Any) -> Tenure:
    tenure = BEGUN(*words)
    tenure.taken_over = False
    return tenure


def _only_looks(self: Documents, _: int) -> None:
    self.look()


def _trusting(self: Documents, _: int | None = None) -> Directory:
    return LOOK(self)


def _rash(self: Documents, _: int) -> None:
    named = {entry.key for entry in self.directory.documents.values()}
    self._store.delete([key for key in self._store.keys(f"{self._prefix}/documents/") if key not in named])


def _forgetful(self: StoredLines, _: Part, __: Position | None) -> list[int]:
    return self.fences


def _reads_first(self: StoredRun, clock: Clock, **more: Any) -> None:
    area, documents, lines = self._area, self._documents, self._lines
    LOCK(self, clock, **more)
    self._area, self._documents, self._lines = area, documents, lines
    self._documents.look()


def _nothing(*_: Any, **__: Any) -> None:
    pass


LOOK, WRITE, WRITE_LEASE, FENCE, APPEND, END = (
    Documents.look,
    Documents.write,
    Tenure.write,
    StoredRun._fence,
    StoredRun.append,
    Tenure.end,
)
BEGUN, LOCK = Tenure.begun, StoredRun.lock
BUGS = {
    "a directory is written whatever its version": (Documents, "write", _blind_write),
    "a head is written whatever its version": (Tenure, "write", _blind_lease),
    "no slot of the journal is taken": (StoredRun, "_fence", _nothing),
    "the slot is taken and let go of": (StoredRun, "_fence", _wrong_slot),
    "the directory is not taken": (Documents, "take", _only_looks),
    "a directory that another took is gone by": (Documents, "look", _trusting),
    "a refused record is acknowledged": (StoredRun, "append", _deaf),
    "the lease of another is given back": (Tenure, "end", _let_go),
    "a takeover is not noticed": (Tenure, "begun", staticmethod(_polite)),
    "what is not named is deleted by an older look": (Documents, "sweep", _rash),
    "slots of long ago are forgotten": (StoredLines, "fencing", _forgetful),
    "the run is not looked for anew behind the lease": (StoredRun, "lock", _reads_first),
}
