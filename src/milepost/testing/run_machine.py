"""A state machine that writes a run in any place, through several writers, against lists and dicts."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from milepost.clock import SystemClock
from milepost.errors import MilepostError, RunLocked
from milepost.records import Kind, Position, Record, decode_line
from milepost.run.handover import set_aside
from milepost.run.manifest import Manifest, write_manifest
from milepost.run.place import Location, SharedLocation
from milepost.stores import RunStore
from milepost.stores.terms import Terms
from milepost.testing.machine import run_machine

STEPS = 25

Places = Callable[[Terms], Location]
"""Opens one more handle on the same place, whose writers hold their leases by these terms."""

_names = st.sampled_from(["doc 1", "doc-é.json", "doc_2", "doc%2F"])
_data = st.binary(max_size=30)
_writing = precondition(lambda self: self.writer is not None)
_idle = precondition(lambda self: self.writer is None)
_stalled = precondition(lambda self: bool(self.stalled))


def record(number: int) -> Record:
    """Return a record whose value tells its *number*."""
    return Record(Kind.STATE, 1_795_000_000.0, 1, value=b"%d" % number)


def values(lines: list[bytes]) -> list[int]:
    """Return what the records of *lines* tell; those that only fence tell nothing."""
    records = [decode_line(line) for line in lines]
    return [int(one.value) for one in records if one.kind is Kind.STATE and one.value is not None]


class RunMachine(RuleBasedStateMachine):
    """What was acknowledged is there, whoever writes and whoever looks; a superseded writer is told nothing else.

    *records* are the numbers that were acknowledged, in order, *documents* the documents, *aside* what was set aside.
    """

    places: Places
    fences = True
    """Whether a writer that is alive can be superseded: the lock of a folder goes with its process alone."""

    @initialize()
    def begin(self) -> None:
        """Choose a phase that nobody has used."""
        self.phase = f"phase-{secrets.token_hex(6)}"
        self.writer: RunStore | None = None
        self.end = Position(0, "")
        self.stalled: list[tuple[RunStore, int]] = []
        self.run = ""
        self.count = 0
        self.records: list[int] = []
        self.documents: dict[str, bytes] = {}
        self.aside: dict[str, tuple[list[int], dict[str, bytes]]] = {}

    # --- who writes

    @_idle
    @rule()
    def open(self) -> None:
        """Become the writer, of what was acknowledged before."""
        self._open(Terms())

    @_writing
    @rule()
    def open_beside_a_writer(self) -> None:
        """Nobody becomes the writer beside one that is alive."""
        store = self._place(Terms()).made(self.phase)
        try:
            store.lock(SystemClock())
        except RunLocked:
            store.close(clean=False)
        else:
            raise AssertionError("two writers hold one run")

    @precondition(lambda self: self.writer is not None and self.fences)
    @rule()
    def take_over(self) -> None:
        """Become the writer in the place of one that is alive, which from then on is refused."""
        assert self.writer is not None, "there is one"
        self.stalled.append((self.writer, self.end.sequence))
        self._open(Terms(take_over=True))

    @_writing
    @rule(clean=st.booleans())
    def close(self, clean: bool) -> None:
        """Let go, or go without a word as a killed process does."""
        assert self.writer is not None, "there is one"
        self.writer.close(clean=clean)
        self.writer = None

    # --- what it writes

    @_writing
    @rule(count=st.integers(1, 4))
    def append(self, count: int) -> None:
        """Append a batch."""
        assert self.writer is not None, "there is one"
        numbers = [self.count + 1 + place for place in range(count)]
        self.count += count
        self.end = self.writer.append([record(number) for number in numbers], expected=self.end.sequence)
        self.records += numbers

    @_writing
    @rule()
    def restart(self) -> None:
        """Go on in another place."""
        assert self.writer is not None, "there is one"
        self.writer.restart_journal()

    @_writing
    @rule(name=_names, data=_data, anew=st.booleans())
    def write(self, name: str, data: bytes, anew: bool) -> None:
        """Write a document, anew where nothing may stand there."""
        assert self.writer is not None, "there is one"
        if not anew:
            self.writer.replace(name, data)
            self.documents[name] = data
            return
        try:
            self.writer.create(name, data)
        except FileExistsError:
            assert name in self.documents, f"{name} is free, and create said that it is taken"
        else:
            assert name not in self.documents, f"{name} was taken, and create wrote it"
            self.documents[name] = data

    @_writing
    @rule(names=st.lists(_names, max_size=2), durable=st.booleans())
    def delete(self, names: list[str], durable: bool) -> None:
        """Delete documents, be they there or not."""
        assert self.writer is not None, "there is one"
        self.writer.delete(names, durable=durable)
        for name in names:
            self.documents.pop(name, None)

    @_writing
    @rule()
    def set_aside(self) -> None:
        """Let the run go below, whole, and begin another."""
        assert self.writer is not None, "there is one"
        self.writer.close_journal()
        set_aside(self.writer, self.manifest)
        self.aside[self.run] = self.records, self.documents
        self.records, self.documents, self.run = [], {}, ""
        self._recover(self.writer)

    # --- who was superseded

    @_stalled
    @rule(which=st.sampled_from(["append", "create", "replace", "restart_journal", "run"]))
    def act_after_all(self, which: str) -> None:
        """Refuse a superseded writer that wakes, whatever it tries."""
        store, expected = self.stalled[-1]
        acts: dict[str, Callable[[], object]] = {
            "append": lambda: store.append([record(-1)], expected=expected),
            "create": lambda: store.create(f"doc {secrets.token_hex(4)}", b"stalled"),
            "replace": lambda: store.replace("doc 1", b"stalled"),
            "restart_journal": store.restart_journal,
            "run": lambda: store.run("another", create=True),
        }
        try:
            acts[which]()
        except MilepostError:
            return
        raise AssertionError(f"a superseded writer was told that its {which} is durable")

    @_stalled
    @rule(clean=st.booleans())
    def wake_and_close(self, clean: bool) -> None:
        """End a superseded writer, which disturbs nobody."""
        store, _ = self.stalled.pop()
        store.close(clean=clean)

    # --- who looks

    @precondition(lambda self: self.run)
    @rule()
    def look(self) -> None:
        """Whoever looks finds what was acknowledged, and nothing else."""
        store = self._place(Terms()).existing(self.phase)
        assert store is not None, "the phase is gone"
        with store:
            self._check(store, self.records, self.documents)
            assert sorted(store.runs()) == sorted(self.aside)
            for name, (records, documents) in self.aside.items():
                with store.run(name) as below:
                    self._check(below, records, documents)

    @_writing
    @rule(draw=st.data())
    def read_a_line(self, draw: st.DataObject) -> None:
        """Read any record again, as the writer."""
        assert self.writer is not None, "there is one"
        if self.end.sequence:
            sequence = draw.draw(st.integers(1, self.end.sequence))
            line = self.writer.read_line(sequence)
            assert line.startswith(b'{"sequence":%d,' % sequence), f"record {sequence} is {line[:40]!r}"

    def teardown(self) -> None:
        """Have a last writer find all of it."""
        if not hasattr(self, "phase"):
            return
        if self.writer is not None:
            self.close(clean=False)
        self.open()
        self.look()
        assert self.writer is not None, "it was opened"
        self.writer.close()
        for store, _ in self.stalled:
            store.close(clean=False)

    # --- inside

    def _place(self, terms: Terms) -> Location:
        return type(self).places(terms)

    def _open(self, terms: Terms) -> None:
        store = self._place(terms).made(self.phase)
        store.lock(SystemClock())
        self.writer = store
        self._recover(store)

    def _recover(self, store: RunStore) -> None:
        known = bool(self.run)
        if not known:
            self.run = store.token()
            self.manifest = Manifest(self.run, self.phase, 1_795_000_000.0)
            write_manifest(store, self.manifest)
        seen: list[bytes] = []
        reading = store.recover(self.run, known=known, visit=lambda _, lines: seen.extend(lines))
        assert not reading.damage, f"damage: {reading.damage}"
        assert values(seen) == self.records, f"{values(seen)} were found, {self.records} acknowledged"
        self.end = reading.end

    def _check(self, store: RunStore, records: list[int], documents: dict[str, bytes]) -> None:
        seen: list[bytes] = []
        reading = store.read_journal(lambda _, lines: seen.extend(lines))
        assert reading is None or not reading.damage, "damage is told where there is none"
        assert values(seen) == records, f"{values(seen)} were found, {records} acknowledged"
        assert store.names("doc") == sorted(documents)
        for name, data in documents.items():
            assert store.read(name) == data
            assert store.read(name, 3) == data[:3]
            assert store.size(name) == len(data)


def check_runs(
    places: Places, *, examples: int = 15, steps: int = STEPS, fences: bool = True, shortest: bool = True
) -> None:
    """Write a run in *examples* ways of up to *steps* steps each; raise what was lost, or wrongly acknowledged.

    Args:
        places: Opens one more handle on the same place.
        examples: How many ways.
        steps: How many steps each has at most.
        fences: Whether a writer that is alive can be superseded there.
        shortest: Look for the shortest way to what is wrong, which may take minutes.
    """
    held: dict[tuple[Terms, int], Location] = {}
    turns = itertools.count()

    def place(terms: Terms) -> Location:
        which = terms, next(turns) % 2
        if which not in held:
            held[which] = places(terms)
        return held[which]

    fields: dict[str, Any] = {"places": staticmethod(place), "fences": fences}
    try:
        run_machine(type("CheckedRuns", (RunMachine,), fields), examples, steps, shortest=shortest)
    finally:
        for location in held.values():
            if isinstance(location, SharedLocation):
                location.store.close()
