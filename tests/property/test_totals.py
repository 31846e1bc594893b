"""The running totals in a journal's watermark: at every moment what a scan of the records up to there comes to."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

import milepost
from milepost.errors import StorageError
from milepost.fs import FileSystem, current, use
from milepost.records import Position, Totals
from milepost.run.index import Index
from milepost.run.place import FolderLocation, Place
from milepost.stores import RunFiles
from milepost.stores.segment import HEAD_BYTES, SLOT_BYTES, SLOT_OFFSETS, Mark, read_mark, scan, slot_bytes
from milepost.testing import ErrorAt, SimulatedDisk
from tests.support.manager_law import Clock, disk
from tests.support.phase_law import ROOT, phase

KEYS = st.sampled_from(["a", "b", "c", "d", "e"])
FOLDER = f"{ROOT}/phase_3/"
SMALL_SEGMENT_BYTES = HEAD_BYTES + 900


class Ticking(Clock):
    """A clock that goes on a little with each look."""

    def now(self) -> float:
        self.at += 0.25
        return self.at


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["done", "fail", "call", "step"]), KEYS),
        st.tuples(st.sampled_from(["state", "complete", "reopen", "kill", "restart", "failing append"]), st.just("")),
    ),
    max_size=14,
)


class Run:
    """One phase on a small disk, driven step by step."""

    def __init__(self, durability: str) -> None:
        self.disk = disk()
        self.clock = Ticking()
        self.durability = durability
        self.number = 0
        self.params = 0
        self.looked_at = 0
        self.open()

    def open(self) -> None:
        """Open an attempt with a loop over all items."""
        self.files = ErrorAt(self.disk, 10**9, errno.ENOSPC, among={"sync_data", "write"})
        with use(self.files):
            self.phase = phase(
                clock=self.clock, durability=self.durability, params={"n": self.params}, on_change="restart"
            ).__enter__()
            self.pending = {key: True for key, *_ in self._loop()}

    def _loop(self) -> list[tuple[str, int]]:
        items = [(key, self.number) for key in "abcde"]
        return list(self.phase.each(items, lambda item: item[0], version=lambda item: item[1]))

    def do(self, what: str, key: str) -> None:
        """Do one thing."""
        self.number += 1
        if what in ("reopen", "kill", "restart"):
            self.end(killed=what == "kill")
            self.params += what == "restart"
            self.open()
        else:
            with use(self.files):
                self._work(what, key)

    def _work(self, what: str, key: str) -> None:
        if what == "done" and self.pending.pop(key, False):
            self.phase.record([self.number] * 9, key)
        elif what == "fail" and self.pending.pop(key, False):
            self.phase.fail("no", key)
        elif what == "call":
            with suppress(OSError):
                self.phase.call(f"{key} {self.number}", _pays, self.number, cost_usd=0.1 * self.number)
        elif what == "step":
            self.phase.step(f"{key} {self.number}", str, self.number)
        elif what == "state":
            self.phase.state["n"] = self.number
            self.phase.save()
        elif what == "complete" and not self.pending:
            self.phase.complete(self.number)
        elif what == "failing append":
            self.files.n = self.files._counted + 1
            with suppress(StorageError):
                self.phase.step(f"failing {self.number}", str, self.number)
            self.files.n = 10**9

    def end(self, *, killed: bool) -> None:
        """End the attempt: by leaving, or by the death of the process."""
        if killed:
            dead = self.disk.killed()
            with use(self.files):
                self.phase.__exit__(None, None, None)
            self.disk = dead
        else:
            with use(self.files):
                self.phase.__exit__(None, None, None)

    def check(self) -> None:
        """Hold that every watermark with totals says what a scan says."""
        with use(self.disk):
            lines, marks = journal(self.disk)
        for mark, offset in marks:
            if mark.totals is None:
                continue
            self.looked_at += 1
            assert mark.totals._replace(expected=None) == scanned(lines[: mark.position.sequence])
            assert mark.offset == offset


def _pays(number: int, *, call_id: str) -> str:
    if number % 3 == 0:
        raise OSError("refused")
    return call_id


def journal(files: FileSystem) -> tuple[list[bytes], list[tuple[Mark, int | None]]]:
    """Return all lines of the journal, and the marks of its newest file with the offset behind the record of each."""
    lines: list[bytes] = []
    store = Place(FolderLocation(ROOT, current()), "phase_3").existing()
    assert store is not None
    with store:
        store.read_journal(lambda _, more: lines.extend(more))
    assert isinstance(files, SimulatedDisk)
    everything = files.files()
    newest = max(name for name in everything if name.startswith(FOLDER + "journal_"))
    data = bytes(everything[newest])
    reading = scan(newest, data)
    assert reading.head is not None
    start = reading.head.start.sequence
    marks = [mark for offset in SLOT_OFFSETS if (mark := read_mark(data, offset)) is not None]
    return lines, [(mark, reading.offsets[mark.position.sequence - start]) for mark in marks]


def scanned(lines: list[bytes]) -> Totals:
    """Return what a scan of *lines* comes to; how long a loop is stands in no record."""
    index = Index()
    if lines:
        index.see(1, lines)
    return index.totals()._replace(expected=None)


@given(operations=OPERATIONS, durability=st.sampled_from(["power", "process", "strict"]))
@settings(max_examples=60)
def test_totals_are_what_a_scan_gives(operations: list[tuple[str, str]], durability: str) -> None:
    """After any records, restarts, deaths, failed appends and changes of file, each watermark's totals are a scan's."""
    with patch.dict(RunFiles.__init__.__kwdefaults__, segment_bytes=SMALL_SEGMENT_BYTES):
        run = Run(durability)
        run.check()
        for what, key in operations:
            run.do(what, key)
            run.check()
        run.do("step", "a")  # behind a failed append the journal is whole again with the next record
        run.end(killed=False)
        run.check()
        assert run.looked_at > 0, "totals are looked at"
        with use(run.disk):
            lines, marks = journal(run.disk)
        newest, _ = max(marks, key=lambda one: one[0].position.sequence)
        assert newest.position.sequence == len(lines), "a clean end vouches for the last record"
        assert newest.totals is not None, "a clean end leaves the totals of all records"


def test_a_journal_without_totals_still_opens() -> None:
    """A journal of an earlier version is read and gone on with, and its next watermarks have totals."""
    left = disk()
    with use(left):
        with phase() as opened:
            for item in opened.each(["a", "b"]):
                opened.record(item)
        name = FOLDER + "journal_000001.jsonl"
        folder = left.open_directory(left.open_path(str(ROOT)), "phase_3")
        handle = left.open_file(folder, "journal_000001.jsonl", "update")
        data = bytes(left.files()[name])
        for offset in SLOT_OFFSETS:
            mark = read_mark(data, offset)
            assert mark is not None
            left.write(handle, slot_bytes(Mark(mark.position, mark.checkpoint)), offset)
        left.close(handle)
        with milepost.open("phase_3", store=ROOT) as reader:
            assert list(reader.results()) == ["a", "b"]
        with phase() as opened:
            handed = []
            for item in opened.each(["a", "b", "c"]):
                handed.append(item)
                opened.record(item)
        assert handed == ["c"]
        lines, marks = journal(left)
        totals = max((mark.position.sequence, mark.totals) for mark, _ in marks)[1]
        assert totals is not None
        assert totals._replace(expected=None) == scanned(lines)
        assert (totals.done, totals.done_before, totals.expected) == (3, 2, 3)


@given(
    numbers=st.lists(st.integers(0, 2**63 - 1), min_size=6, max_size=6),
    times=st.lists(st.floats(0, 2**40), min_size=3, max_size=3),
    is_complete=st.booleans(),
)
def test_a_watermark_fits_its_sector(numbers: list[int], times: list[float], *, is_complete: bool) -> None:
    """Whatever the totals, a slot is one sector long and is read back as it was."""
    done, failed, expected, before, attempt, ambiguous = numbers
    totals = Totals(done, failed, expected, before, attempt, times[0], times[1], times[2], ambiguous, is_complete)
    mark = Mark(Position(done, "f" * 32), failed, expected, totals)
    data = b" " * SLOT_OFFSETS[0] + slot_bytes(mark)
    assert len(slot_bytes(mark)) == SLOT_BYTES
    found: Any = read_mark(data, SLOT_OFFSETS[0])
    assert found == mark
