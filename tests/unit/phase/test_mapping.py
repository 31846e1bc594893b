"""The loop behind ``phase.map``, with threads, which share everything a test wants to look at."""

from __future__ import annotations

import gc
import itertools
import logging
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from milepost.errors import InvalidArgument
from milepost.phase.mapping import run_all
from milepost.phase.work import Finished, Pending
from tests.unit.phase.jobs import Recorder, double, fail_at_three, plus


def _alone(items: Any) -> Iterator[Pending]:
    return (Pending(str(item), item) for item in items)


def test_every_item_is_recorded_once() -> None:
    """Every pending item is worked on and recorded once."""
    record = Recorder()
    run_all(double, record.pending(range(200)), record, workers=4)
    assert record.values == {str(number): 2 * number for number in range(200)}
    assert len(record.keys) == 200


def test_nothing_pending() -> None:
    """Nothing to do records nothing."""
    record = Recorder()
    run_all(double, iter(()), record)
    assert record.batches == []


@pytest.mark.parametrize("executor", [None, "own", "factory"])
def test_a_generator_is_never_drained_ahead(executor: str | None) -> None:
    """However many are pending, at most a window of them is taken and not yet recorded."""
    record = Recorder()
    with ThreadPoolExecutor(3) as own:
        chosen = {"own": own, "factory": lambda: ThreadPoolExecutor(3), None: None}[executor]
        run_all(double, record.pending(range(500)), record, executor=chosen, workers=3 if executor is None else None)
    assert len(record.all) == 500
    assert 3 <= record.most_open <= 6


def test_an_endless_generator_can_be_stopped() -> None:
    """Once told to stop, nothing new is begun, and all that workers were at is recorded."""
    record, begun = Recorder(), []

    def work(number: int) -> int:
        begun.append(str(number))
        time.sleep(0.002)
        return number

    run_all(work, record.pending(itertools.count()), record, stopping=lambda: len(record.all) >= 50)
    assert sorted(begun) == sorted(record.keys)
    assert len(begun) >= 50


@pytest.mark.parametrize("own", [True, False])
def test_a_stop_takes_back_what_only_queues(own: bool) -> None:
    """Once told to stop, the loop waits for what workers are at, and not for what queues behind it."""
    record, begun, stop = Recorder(), [], threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        stop.set()
        time.sleep(0.3)
        return number

    with ThreadPoolExecutor(1) as executor:
        run_all(
            work, record.pending(range(50)), record, workers=1, executor=None if own else executor,
            stopping=stop.is_set,
        )  # fmt: skip
    assert begun == [0]
    assert record.keys == ["0"]


def test_what_finished_together_is_one_batch() -> None:
    """All that finishes while a batch is being recorded forms the next batch."""
    record = Recorder(seconds=0.05)
    run_all(double, record.pending(range(64)), record, workers=8)
    assert len(record.batches) <= 10
    assert sum(map(len, record.batches)) == 64


def test_the_record_is_called_in_the_thread_of_the_caller() -> None:
    """Batches are recorded in the thread that called."""
    record = Recorder()
    run_all(double, record.pending(range(20)), record)
    assert record.threads == {threading.get_ident()}


def test_finished_work_is_recorded_while_the_next_item_is_awaited() -> None:
    """A slow source does not hold back the record of what is finished already."""
    record = Recorder()
    seen: list[int] = []

    def slowly() -> Iterator[Pending]:
        for number in range(4):
            time.sleep(0.1)
            seen.append(len(record.all))
            yield Pending(str(number), number)

    run_all(double, slowly(), record)
    assert seen[-1] >= 2


def test_values_are_let_go_once_recorded() -> None:
    """No value is kept once it is recorded, neither by the loop nor by a worker that has nothing to do."""

    class Big:
        pass

    alive: weakref.WeakSet[Big] = weakref.WeakSet()
    recorded: list[str] = []
    kept: list[int] = []

    def make(_item: int) -> Big:
        big = Big()
        alive.add(big)
        return big

    def record(batch: Sequence[Finished]) -> None:
        recorded.extend(finished.key for finished in batch)

    def slowly() -> Iterator[Pending]:
        for number in range(6):
            yield Pending(str(number), number)
            time.sleep(0.05)
            gc.collect()
            kept.append(len(alive) - (number + 1 - len(recorded)))

    run_all(make, slowly(), record, workers=2)
    assert len(recorded) == 6
    assert max(kept) == 0


def test_options_become_keyword_arguments() -> None:
    """The options of an item reach the function as keyword arguments."""
    record = Recorder()
    run_all(plus, iter([Pending("a", 1, {"more": 10}), Pending("b", 2)]), record)
    assert record.values == {"a": 11, "b": 2}


def test_each_start_is_told_once() -> None:
    """`on_start` hears of each item once, however often it is tried."""
    record, started = Recorder(), []
    run_all(
        fail_at_three, record.pending(range(5)), record,
        retries=2, retry_wait_seconds=0, on_error="skip", on_start=lambda pending: started.append(pending.key),
    )  # fmt: skip
    assert started == ["0", "1", "2", "3", "4"]


def test_an_interrupt_records_what_had_finished() -> None:
    """An interrupt before the loop came to take in what finished leaves none of that unrecorded."""
    record, worked = Recorder(), threading.Event()

    def work(number: int) -> int:
        worked.set()
        return number

    def interrupt() -> bool:
        if worked.wait(0):
            time.sleep(0.1)
            raise KeyboardInterrupt
        return False

    def source() -> Iterator[Pending]:
        yield Pending("a", 1)
        worked.wait(10)
        yield Pending("b", 2)

    with pytest.raises(KeyboardInterrupt):
        run_all(work, source(), record, stopping=interrupt)
    assert "a" in record.keys


# --- failures ---


def test_stop_records_what_was_begun_and_raises_the_failure() -> None:
    """The first failure ends the loop once all that was begun is recorded, and is raised with the item's name."""
    record, begun = Recorder(), []

    def work(number: int) -> int:
        begun.append(str(number))
        return fail_at_three(number)

    with pytest.raises(ValueError, match="three") as caught:
        run_all(work, record.pending(itertools.count()), record, workers=2)
    assert caught.value.__notes__ == ["This was raised at item '3'."]
    assert record.errors == {"3": caught.value}
    assert sorted(record.keys) == sorted(begun)
    assert record.taken < 20


def test_skip_records_failures_and_goes_on() -> None:
    """With "skip" a failure is recorded as one, and every other item is worked on."""
    record = Recorder()
    run_all(fail_at_three, record.pending(range(10)), record, on_error="skip")
    assert list(record.errors) == ["3"]
    assert len(record.values) == 9


def test_an_exit_is_never_skipped() -> None:
    """An exit or interrupt that the function raises ends the loop, and is not tried again."""
    record = Recorder()

    def leave(_item: int) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run_all(leave, record.pending(range(3)), record, workers=1, on_error="skip", retries=5)
    assert {finished.attempts for finished in record.all} == {1}


def test_an_error_of_the_source_is_raised_after_the_record() -> None:
    """When the pending items cannot be listed further, what was begun is recorded before the error is raised."""
    record, begun = Recorder(), threading.Barrier(4, timeout=10)

    def work(number: int) -> int:
        begun.wait()
        return number

    def broken() -> Iterator[Pending]:
        yield from _alone(range(3))
        begun.wait()
        raise OSError("the listing broke")

    with pytest.raises(OSError, match="listing broke"):
        run_all(work, broken(), record, workers=3)
    assert sorted(record.keys) == ["0", "1", "2"]


def test_an_error_of_the_record_is_raised_at_once() -> None:
    """When a batch cannot be recorded, nothing else is, and the error is raised."""
    calls = []

    def record(batch: list[Finished]) -> None:
        calls.append(batch)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_all(double, _alone(range(100)), record)  # type: ignore[arg-type]
    assert len(calls) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_error": "ignore"}, {"workers": 0}, {"retries": -1}, {"timeout_seconds": 0}, {"retry_wait_seconds": -1},
        {"executor": "thread"}, {"executor": 5}, {"max_worker_deaths": 0}, {"executor": lambda: 5},
    ],
)  # fmt: skip
def test_meaningless_arguments_are_refused(wrong: dict[str, Any]) -> None:
    """An argument without a meaning is refused before anything is begun."""
    record = Recorder()
    with pytest.raises(InvalidArgument):
        run_all(double, record.pending(range(3)), record, **wrong)
    assert record.taken == 0


# --- retries ---


def test_an_item_is_tried_again() -> None:
    """An item that fails gets its further tries, and the record says how many it took."""
    record, tries = Recorder(), itertools.count(1)

    def third_time(_item: int) -> str:
        if next(tries) < 3:
            raise OSError("not yet")
        return "done"

    run_all(third_time, record.pending([1]), record, retries=3, retry_wait_seconds=0.01)
    assert [(one.value, one.attempts) for one in record.all] == [("done", 3)]


def test_tries_come_to_an_end() -> None:
    """After its last try an item fails with its last error."""
    record = Recorder()
    run_all(fail_at_three, record.pending([3]), record, retries=3, retry_wait_seconds=0, on_error="skip")
    assert [(str(one.error), one.attempts) for one in record.all] == [("three", 4)]


def test_a_waiting_item_leaves_its_worker_to_others() -> None:
    """While an item waits for its next try, its worker works on other items."""
    record = Recorder()
    run_all(
        fail_at_three, record.pending(range(3, 13)), record, workers=1, retries=1, retry_wait_seconds=0.3,
        on_error="skip",
    )  # fmt: skip
    assert record.keys[-1] == "3"


def test_waiting_items_count_in_the_window() -> None:
    """Items that wait for another try are among those taken and not recorded."""
    record = Recorder()

    def fail(_item: int) -> None:
        raise OSError

    run_all(fail, record.pending(range(30)), record, workers=2, retries=1, retry_wait_seconds=0.01, on_error="skip")
    assert record.most_open <= 4
    assert len(record.errors) == 30


def test_a_stop_ends_the_wait_for_another_try() -> None:
    """A run that is stopped does not sit out the waits, and leaves those items unrecorded."""
    record, stop = Recorder(), threading.Event()

    def fail(_item: int) -> None:
        stop.set()
        raise OSError

    began = time.monotonic()
    run_all(fail, record.pending([1]), record, retries=3, retry_wait_seconds=60, stopping=stop.is_set)
    assert record.all == []
    assert time.monotonic() - began < 5


# --- limits of time, for work that cannot be ended ---


@pytest.mark.parametrize("own", [True, False])
def test_a_late_item_fails_and_the_loop_goes_on(own: bool, caplog: pytest.LogCaptureFixture) -> None:
    """An item whose time is over fails at once, with a warning, and the others are worked on."""
    record, release = Recorder(), threading.Event()

    def hang_at_three(number: int) -> int:
        if number == 3:
            release.wait(60)
        return number

    executor = None if own else ThreadPoolExecutor(2)
    with caplog.at_level(logging.WARNING):
        run_all(
            hang_at_three, record.pending(range(8)), record, executor=executor, workers=2, timeout_seconds=0.3,
            retries=3, on_error="skip",
        )  # fmt: skip
    release.set()
    assert {key: type(error) for key, error in record.errors.items()} == {"3": TimeoutError}
    assert len(record.keys) == len(set(record.keys)) == 8
    assert len([entry for entry in caplog.records if "item '3' took longer" in entry.getMessage()]) == 1


def test_hung_threads_are_replaced() -> None:
    """However many threads hang, as many as were asked for go on working."""
    record, release = Recorder(), threading.Event()

    def hang_if_odd(number: int) -> int:
        if number % 2:
            release.wait(60)
        return number

    run_all(hang_if_odd, record.pending(range(10)), record, workers=2, timeout_seconds=0.1, on_error="skip")
    release.set()
    assert sorted(record.errors) == ["1", "3", "5", "7", "9"]


def test_a_late_result_is_dropped() -> None:
    """The result of a thread that finishes after its time is never recorded."""
    record = Recorder()

    def late_if_one(number: int) -> int:
        time.sleep(0.4 if number == 1 else 0.15)
        return number

    run_all(late_if_one, record.pending([1, 2, 3, 4, 5, 6]), record, workers=2, timeout_seconds=0.3, on_error="skip")
    assert list(record.errors) == ["1"]
    assert len(record.keys) == 6


def test_worker_threads_are_reused_and_are_daemons() -> None:
    """One thread serves many items, and none of them can hold up the end of the program."""
    record = Recorder()
    run_all(
        lambda _: (threading.get_ident(), threading.current_thread().daemon),
        record.pending(range(40)),
        record,
        workers=2,
    )
    assert len({ident for ident, _ in record.values.values()}) <= 2
    assert {daemon for _, daemon in record.values.values()} == {True}


def test_no_thread_is_left_behind() -> None:
    """When the loop returns, the threads it started are gone."""
    before = set(threading.enumerate())
    run_all(double, Recorder().pending(range(20)), Recorder())
    assert set(threading.enumerate()) <= before


def test_what_finishes_within_a_window_is_one_batch() -> None:
    """With a window, items that finish a little apart are recorded together; without one, each as it comes."""

    def late(number: int) -> int:
        time.sleep(0.01 + 0.06 * number)
        return number

    apart, together = Recorder(), Recorder()
    run_all(late, apart.pending(range(4)), apart, workers=4)
    run_all(late, together.pending(range(4)), together, workers=4, window_seconds=30.0)
    assert len(together.batches) == 1
    assert len(apart.batches) > 1
    assert together.values == apart.values
