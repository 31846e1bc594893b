"""A journal on a disk that fails, is killed and loses power, against a list."""

from __future__ import annotations

import errno
from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as check_machine

from milepost.errors import DurabilityUnknown, StorageError
from milepost.fs import FileSystem
from milepost.stores import Durability, RunFiles
from milepost.testing import ErrorAt, ShortWrites, legal_states
from tests.support.journals import Clock, disk, look, numbers, record, recovered, store

CODES = st.sampled_from([errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE])
SEGMENT_BYTES = st.sampled_from([4400, 5000, 9000, 1 << 26])
LEVELS = st.sampled_from(Durability)
RECORD_BYTES = st.sampled_from([1, 60, 700, 5000])
BATCHES = st.lists(RECORD_BYTES, min_size=1, max_size=3)
STATES_TRIED = 40


class JournalMachine(RuleBasedStateMachine):
    """What the list says must be in the journal; only the batch in flight may be there beyond it.

    *durable* are the records that no crash takes back, *soft* those acknowledged without a sync, *doubt* those of
    the batch that failed last.
    """

    journal: RunFiles | None

    @initialize(segment_bytes=SEGMENT_BYTES)
    def begin(self, segment_bytes: int) -> None:
        self.disk = disk()
        self.names = count(1)
        self.durable: list[int] = []
        self.soft: list[int] = []
        self.doubt: list[int] = []
        self.soft_is_safe = True
        self.journal = None
        self.recover(segment_bytes, short=False)

    # --- the writer

    @property
    def live(self) -> RunFiles:
        assert self.journal is not None
        return self.journal

    def use(self, files: FileSystem) -> None:
        """Let the open journal work on *files*."""
        if self.journal is not None:
            self.journal.folder.files = files
            if self.journal._appender is not None:
                self.journal._appender.files = files

    def batch(self, sizes: list[int]) -> tuple[list[int], list[Any]]:
        names = [next(self.names) for _ in sizes]
        return names, [record(name, size) for name, size in zip(names, sizes, strict=True)]

    @precondition(lambda self: self.journal is not None and not self.journal.poisoned)
    @rule(sizes=BATCHES, durability=LEVELS)
    def append(self, sizes: list[int], durability: Durability) -> None:
        names, records = self.batch(sizes)
        self.live.append(records, expected=self.expected, durability=durability)
        self.soft += names
        if durability is not Durability.PROCESS:
            self.settle()

    @precondition(lambda self: self.journal is not None and not self.journal.poisoned)
    @rule(sizes=BATCHES, durability=LEVELS, n=st.integers(1, 25), code=CODES, persistent=st.booleans())
    def append_failing(self, sizes: list[int], durability: Durability, n: int, code: int, persistent: bool) -> None:
        self.attempt_append(ErrorAt(self.disk, n, code, persistent=persistent), sizes, durability)

    @precondition(lambda self: self.journal is not None and not self.journal.poisoned)
    @rule(sizes=BATCHES, landed=st.integers(0, 4))
    def append_on_a_bad_device(self, sizes: list[int], landed: int) -> None:
        self.disk.fail_next_sync(landed=landed)
        self.attempt_append(self.disk, sizes, Durability.POWER)
        self.disk._failing_sync = None

    def attempt_append(self, files: FileSystem, sizes: list[int], durability: Durability) -> None:
        names, records = self.batch(sizes)
        self.use(files)
        try:
            self.live.append(records, expected=self.expected, durability=durability)
        except StorageError:
            self.doubt = names
            self.soft_is_safe = False
        else:
            self.soft += names
            if durability is not Durability.PROCESS:
                self.settle()
        self.use(self.disk)

    @precondition(lambda self: self.journal is not None and self.journal.poisoned)
    @rule()
    def append_to_a_poisoned_journal(self) -> None:
        before = self.disk.files()
        try:
            self.live.append([record(0)], expected=self.expected)
        except DurabilityUnknown:
            assert self.disk.files() == before
        else:
            raise AssertionError("a poisoned journal took a record")

    @precondition(lambda self: self.journal is not None)
    @rule()
    def restart(self) -> None:
        self.live.restart_journal()
        assert not self.live.poisoned
        self.settle()

    @precondition(lambda self: self.journal is not None)
    @rule(n=st.integers(1, 12), code=CODES)
    def restart_failing(self, n: int, code: int) -> None:
        self.use(ErrorAt(self.disk, n, code))
        try:
            self.live.restart_journal()
        except StorageError:
            assert self.live.poisoned
            self.soft_is_safe = False
        else:
            self.settle()
        self.use(self.disk)

    @precondition(lambda self: self.journal is not None and not self.journal.poisoned)
    @rule(number=st.integers(1, 9))
    def note(self, number: int) -> None:
        self.live.note_checkpoint(number)

    # --- the end of a writer

    @precondition(lambda self: self.journal is not None)
    @rule()
    def close(self) -> None:
        poisoned = self.live.poisoned
        self.live.close()
        self.journal = None
        if not poisoned:
            self.settle()

    @precondition(lambda self: self.journal is not None)
    @rule(n=st.integers(1, 8), code=CODES)
    def close_failing(self, n: int, code: int) -> None:
        self.use(ErrorAt(self.disk, n, code))
        try:
            self.live.close()
        except StorageError:
            self.soft_is_safe = False
        self.journal = None
        self.disk = self.disk.killed()

    @rule()
    def kill(self) -> None:
        self.journal = None
        self.disk = self.disk.killed()

    @rule(data=st.data())
    def power_cut(self, data: st.DataObject) -> None:
        self.journal = None
        states = list(legal_states(self.disk, STATES_TRIED))
        self.disk = self.disk.crash(states[data.draw(st.integers(0, len(states) - 1))])
        self.soft_is_safe = False

    # --- the next one

    @precondition(lambda self: self.journal is None)
    @rule(segment_bytes=SEGMENT_BYTES, short=st.booleans())
    def recover(self, segment_bytes: int, short: bool) -> None:
        files = ShortWrites(self.disk) if short else self.disk
        journal = store(files, segment_bytes)
        journal.lock(Clock())
        reading = recovered(journal)
        assert reading.damage == []
        self.served(numbers(reading))
        self.journal = journal
        assert not journal.poisoned

    @precondition(lambda self: self.journal is None)
    @rule(n=st.integers(1, 40), code=CODES)
    def recover_failing(self, n: int, code: int) -> None:
        files = ErrorAt(self.disk, n, code)
        try:
            journal = store(files)
            journal.lock(Clock())
            reading = recovered(journal)
        except StorageError:
            self.soft_is_safe = False
        else:
            assert reading.damage == []
            self.served(numbers(reading))
        self.disk = self.disk.killed()

    @rule()
    def read(self) -> None:
        reading = look(store(self.disk))
        assert reading is None or reading.damage == []
        if self.journal is None:
            self.served(numbers(reading))
        else:
            self.check(numbers(reading))

    # --- the law

    @property
    def expected(self) -> int:
        return len(self.durable) + len(self.soft)

    def settle(self) -> None:
        """All that was acknowledged is durable now, and the batch that failed does not count."""
        self.durable += self.soft
        self.soft, self.doubt, self.soft_is_safe = [], [], True

    def check(self, found: list[int]) -> None:
        certain = self.durable + (self.soft if self.soft_is_safe else [])
        possible = self.durable + self.soft + self.doubt
        assert found[: len(certain)] == certain
        assert found == possible[: len(found)]

    def served(self, found: list[int]) -> None:
        """What nobody else writes and what was given to a reader is durable."""
        self.check(found)
        self.soft = found[len(self.durable) :]
        self.settle()

    def teardown(self) -> None:
        if hasattr(self, "disk"):
            self.journal = None
            self.disk = self.disk.crash()
            self.soft_is_safe = False
            self.recover(1 << 26, short=False)


QUICK = settings(max_examples=120, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))


def test_a_journal_agrees_with_a_list() -> None:
    """Through failures, kills and power cuts a journal holds what was acknowledged, in order, and tells no damage."""
    check_machine(JournalMachine, settings=QUICK)
