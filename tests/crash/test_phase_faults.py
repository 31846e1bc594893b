"""A medium that refuses at any operation of a `Phase`: the error is typed, nothing acknowledged is lost, work goes on."""

from __future__ import annotations

import errno
from typing import Any, Literal

import pytest

import milepost
from milepost.errors import DiskFull, StorageError
from milepost.fs import FileSystem, use
from milepost.testing import ErrorAt, Recorded, ShortWrites, SimulatedDisk
from tests.support.manager_law import disk, no_damage_told
from tests.support.phase_law import phase, value_of

CODES = [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EMFILE]
FULL = (errno.ENOSPC, errno.EDQUOT)
SINGLE = ["a", "large", "c"]
PAIRS = ["p", "q", "r", "s"]
TRIES = 3


class Told:
    """What the job did, and what it was promised."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.safe: list[str] = []
        self.errors: list[StorageError] = []

    def compute(self, name: str) -> Any:
        """Compute a step or the result."""
        self.done.append(name)
        return {"name": name, "pair": (1, 2)}

    def pay(self, *, call_id: str) -> str:
        """Make the paid call."""
        self.done.append("call")
        assert call_id
        return "answer"

    def patiently(self, what: str, act: Any, *, again: bool) -> Any:
        """Do something; where it is refused, leave, or do it *again* in the same process."""
        for _ in range(TRIES):
            try:
                result = act()
            except StorageError as error:
                self.errors.append(error)
                if not again:
                    raise
            else:
                self.safe.append(what)
                return result
        raise AssertionError(f"{what} was refused {TRIES} times, though only one operation failed")


def job(told: Told, *, again: bool = False) -> tuple[Any, Any, Any]:
    """Do all that a phase offers, and return the results and the result."""
    with phase(params={"x": 1}) as opened:
        for item in opened.each(SINGLE):
            told.done.append(item)
            told.patiently(item, lambda item=item: opened.record(value_of(item)), again=again)
        for pair in opened.each(PAIRS, name="pairs", batch=2):
            told.done += pair
            told.patiently(pair[0], lambda pair=pair: opened.record([value_of(one) for one in pair]), again=again)
        told.patiently("step", lambda: opened.step("one", told.compute, "step"), again=again)
        told.patiently("call", lambda: opened.call("c", told.pay, cost_usd=0.5), again=again)
        opened.state["cursor"] = [1, (2,)]
        told.patiently("state", opened.save, again=again)
        result = told.patiently("result", lambda: opened.complete(told.compute, "result"), again=again)
        return list(opened.results().items()), list(opened.results("pairs").items()), result


def whole() -> tuple[Any, Any, Any]:
    """Return what the uninterrupted job gives."""
    with use(disk()):
        return job(Told())


def assert_goes_on(left: SimulatedDisk, told: Told, expected: Any) -> None:
    """Run the same command again, in the same process: it does nothing acknowledged again and gives the same."""
    after = Told()
    with no_damage_told(), use(left):
        if "state" in told.safe:
            with milepost.open("phase_3", store="/checkpoints") as reader:
                assert reader.state == {"cursor": [1, (2,)]}
        assert job(after) == expected
        assert not set(after.done) & set(told.safe), "what was acknowledged is done again"
        rest = Told()
        assert job(rest) == expected
        assert rest.done == []


def refused_at_each_operation(code: int, *, again: bool, persistent: bool = False) -> list[StorageError]:
    """Let each operation of the job fail in turn, and hold the law after each; return the errors that came up."""
    expected, errors = whole(), list[StorageError]()
    for n in range(1, 1000):
        left, told = disk(), Told()
        faulty = ErrorAt(left, n, code, persistent=persistent)
        try:
            with use(faulty):
                assert job(told, again=again) == expected
        except StorageError as error:
            errors.append(error)
        errors += told.errors
        if not faulty.fired:
            return errors
        try:
            assert_goes_on(left, told, expected)  # not killed first: whoever left has let go of the lock
        except BaseException as error:
            error.add_note(f"operation {n} failed with {errno.errorcode[code]}")
            raise
    raise AssertionError("the job never came to its end")


@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
def test_a_refusal_at_any_operation_is_typed_and_harmless(code: int) -> None:
    """Whichever operation is refused, the error is one of storage, and the same command goes on once it is over."""
    errors = refused_at_each_operation(code, again=False)
    assert len(errors) > 30
    if code in FULL:
        assert sum(isinstance(error, DiskFull) for error in errors) > 15


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
def test_a_refused_record_can_be_made_again_in_the_same_process(code: int) -> None:
    """After a refusal the same open phase records, computes, pays and completes as soon as the medium takes it."""
    assert len(refused_at_each_operation(code, again=True)) > 30


def test_a_medium_that_refuses_for_good_is_typed_and_harmless() -> None:
    """Where every operation fails from some moment on, leaving the phase is typed as well, and nothing is lost."""
    assert len(refused_at_each_operation(errno.EIO, again=False, persistent=True)) > 30


@pytest.mark.parametrize("takes", ["byte", "half"])
def test_short_writes_change_nothing(takes: Literal["byte", "half"]) -> None:
    """A filesystem that takes only a part of each write gives the same results, durably."""
    left, told = disk(), Told()
    with use(ShortWrites(left, takes)):
        expected = job(told)
    assert expected == whole()
    assert_goes_on(left.crash(), told, expected)


def test_a_disk_of_any_size_is_left_whole() -> None:
    """However many bytes the disk has, the same process goes on once there is more, and nothing is lost."""
    expected, refused = whole(), 0
    for capacity in range(4096, 100_000, 4096):
        left, told = disk(), Told()
        left.capacity = capacity
        try:
            with use(left):
                assert job(told) == expected
        except DiskFull:
            refused += 1
        left.capacity = None
        assert_goes_on(left, told, expected)
    assert refused > 3


def test_the_open_phase_records_again_once_there_is_space() -> None:
    """After DiskFull the item in hand waits, and is recorded by the same open phase when space is there."""
    left = disk()
    with use(left), phase() as opened:
        handed = []
        for item in opened.each(["a", "b", "c"]):
            handed.append(item)
            if item == "b":
                left.capacity = 1
                big = {"fill": "x" * 200_000}  # more than the reserve holds
                with pytest.raises(DiskFull) as refusal:
                    opened.record(big)
                assert refusal.value.needed_bytes
                with pytest.raises(DiskFull):
                    opened.record(big)
                left.capacity = None
            opened.record(item)
        assert handed == ["a", "b", "c"]
        assert dict(opened.results()) == {"a": "a", "b": "b", "c": "c"}
    with use(left.crash()), milepost.open("phase_3", store="/checkpoints") as reader:
        assert dict(reader.results()) == {"a": "a", "b": "b", "c": "c"}


def _joined(word: str, words: list[str]) -> str:
    return word.join(words)


def _made(name: str) -> Any:
    return {"object": object()} if name == "bad" else name


@pytest.mark.parametrize("trouble", ["full", "not encodable"])
def test_a_function_whose_first_record_was_refused_is_declared_by_the_next(trouble: str) -> None:
    """A record never names a function that the journal does not describe, whatever became of the one before it."""
    left = disk()
    with use(left), phase() as opened:
        if trouble == "full":
            left.capacity = 1
            with pytest.raises(DiskFull):
                opened.step("one", _joined, "x" * 40_000, ["a", "b", "c", "d", "e"] * 2)
            left.capacity = None
            opened.step("two", _joined, "x", ["a"])
        else:
            with pytest.raises(milepost.MilepostError, match="result"):
                opened.complete(_made, "bad")
            opened.complete(_made, "good")
    with use(left), milepost.open("phase_3", store="/checkpoints") as reader:
        index = reader._session.index
        named = index.group("step").made_by() | {
            code for code in [reader._session.record(index.completed).code if index.completed else None] if code
        }
        assert named
        assert named <= set(index.codes)


def seam_of(files: FileSystem) -> list[str]:
    """Return the operations of the whole job."""
    recorded = Recorded(files)
    with use(recorded):
        job(Told())
    return recorded.story()


def test_the_job_uses_the_seam_for_everything_it_promises() -> None:
    """The job that faults are injected into writes, syncs, renames and truncates, so that each of them was refused."""
    words = {line.split()[0] for line in seam_of(disk())}
    assert {"write", "sync", "sync_data", "rename", "truncate", "make_directory"} <= words
