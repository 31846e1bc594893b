"""The loop behind ``phase.amap``."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from milepost.errors import InvalidArgument
from milepost.phase.coroutines import arun_all
from milepost.phase.work import Finished, Pending
from tests.unit.phase.jobs import Recorder

EXAMPLE_SECONDS = 20.0


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def fail_at_three(number: int) -> int:
    await asyncio.sleep(0.001)
    if number == 3:
        raise ValueError("three")
    return number


async def collect(function: Any, pending: Iterator[Pending], record: Any, **options: Any) -> list[str]:
    return [key async for key in arun_all(function, pending, record, **options)]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, EXAMPLE_SECONDS))


def test_every_item_is_recorded_once_and_its_key_yielded() -> None:
    """Every pending item is recorded once, and its key comes after its record, in that order."""
    record = Recorder()
    keys = run(collect(double, record.pending(range(300)), record))
    assert record.values == {str(number): 2 * number for number in range(300)}
    assert keys == record.keys
    assert len(keys) == 300


def test_nothing_pending() -> None:
    """Nothing to do yields nothing."""
    assert run(collect(double, iter(()), Recorder())) == []


def test_at_most_limit_items_are_worked_on_at_once() -> None:
    """Never more than `limit` tasks are under way, and that many are."""
    record, now, most = Recorder(), 0, 0

    async def count(_item: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.005)
        now -= 1

    run(collect(count, record.pending(range(50)), record, limit=7))
    assert most == 7


def test_the_source_is_never_drained_ahead() -> None:
    """However slow the record and the reader are, a bounded number of items is taken."""
    record = Recorder(seconds=0.02)

    async def main() -> int:
        async for _ in arun_all(double, record.pending(itertools.count()), record, limit=4):
            await asyncio.sleep(0.05)
            if len(record.all) > 20:
                break
        return record.taken

    assert run(main()) <= 40
    assert record.most_open <= 8


def test_what_finishes_during_a_record_is_the_next_batch() -> None:
    """While a batch is being recorded, what finishes gathers, and is recorded together."""
    record = Recorder(seconds=0.05)
    run(collect(double, record.pending(range(64)), record, limit=32))
    assert len(record.batches) <= 5


def test_a_record_never_holds_up_the_event_loop() -> None:
    """The event loop runs on while a batch is being recorded, in another thread."""
    record, beats = Recorder(seconds=0.3), []

    async def main() -> None:
        async def beat() -> None:
            while True:
                beats.append(time.monotonic())
                await asyncio.sleep(0.01)

        heart = asyncio.create_task(beat())
        await collect(double, record.pending(range(3)), record)
        heart.cancel()

    run(main())
    assert len(beats) >= 10
    assert threading.get_ident() not in record.threads


def test_records_are_made_one_at_a_time() -> None:
    """No two batches are ever recorded at once."""
    inside, overlaps = threading.Lock(), []

    def record(_batch: Any) -> None:
        overlaps.append(not inside.acquire(blocking=False))
        time.sleep(0.01)
        inside.release()

    run(collect(double, Recorder().pending(range(100)), record, limit=8))
    assert not any(overlaps)


def test_finished_work_is_recorded_while_the_reader_is_busy() -> None:
    """What finishes is recorded although the reader does not ask for the next key."""
    record = Recorder()

    async def main() -> int:
        async for _ in arun_all(double, record.pending(range(6)), record, limit=2):
            await asyncio.sleep(0.3)
            return len(record.all)
        return 0

    assert run(main()) >= 4


# --- failures, retries, limits of time ---


def test_stop_records_what_was_begun_and_raises_the_failure() -> None:
    """The first failure ends the loop once all that was begun is recorded, and is raised with the item's name."""
    record = Recorder()
    with pytest.raises(ValueError, match="three") as caught:
        run(collect(fail_at_three, record.pending(itertools.count()), record, limit=2))
    assert caught.value.__notes__ == ["This was raised at item '3'."]
    assert record.errors == {"3": caught.value}
    assert len(record.keys) == record.taken < 12


def test_skip_records_failures_and_goes_on() -> None:
    """With "skip" a failure is recorded as one, and every other item is worked on."""
    record = Recorder()
    keys = run(collect(fail_at_three, record.pending(range(10)), record, on_error="skip"))
    assert list(record.errors) == ["3"]
    assert len(keys) == 10


def test_an_item_is_tried_again_and_the_tries_come_to_an_end() -> None:
    """An item that fails gets its further tries, and then fails with its last error."""
    record = Recorder()
    run(collect(fail_at_three, record.pending([3, 4]), record, retries=3, retry_wait_seconds=0, on_error="skip"))
    assert {one.key: (one.attempts, str(one.error)) for one in record.all} == {"3": (4, "three"), "4": (1, "None")}


def test_a_late_item_is_cancelled_for_real() -> None:
    """An item whose time is over is cancelled, and fails with `TimeoutError`."""
    record, ended = Recorder(), []

    async def hang(_item: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    run(
        collect(
            hang, record.pending([1]), record, timeout_seconds=0.05, retries=1, retry_wait_seconds=0, on_error="skip"
        )
    )
    assert [(type(one.error), one.attempts) for one in record.all] == [(TimeoutError, 2)]
    assert ended == [True, True]


def test_a_timeout_of_the_function_keeps_its_own_text() -> None:
    """A `TimeoutError` that the function raises by itself is not taken for ours."""
    record = Recorder()

    async def time_out(_item: int) -> None:
        raise TimeoutError("from the server")

    run(collect(time_out, record.pending([1]), record, timeout_seconds=5, on_error="skip"))
    assert str(record.errors["1"]) == "from the server"


def test_a_cancellation_from_within_is_a_failure() -> None:
    """A coroutine that cancels itself fails as an item, and is not taken for a cancellation of the reader."""
    record = Recorder()

    async def cancel(_item: int) -> None:
        raise asyncio.CancelledError

    run(collect(cancel, record.pending([1]), record, on_error="skip"))
    assert "cancelled from within" in str(record.errors["1"])


def test_an_exit_is_never_skipped() -> None:
    """An exit that a coroutine raises ends the loop, and is not tried again."""
    record = Recorder()

    async def leave(_item: int) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run(collect(leave, record.pending([1]), record, on_error="skip", retries=3))
    assert [one.attempts for one in record.all] == [1]


def test_a_plain_function_is_refused() -> None:
    """A function that returns no awaitable fails with a word about `map`."""
    with pytest.raises(InvalidArgument, match="async def"):
        run(collect(abs, Recorder().pending([1]), Recorder()))


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"on_error": "no"}, {"retries": -1}, {"timeout_seconds": 0}])
def test_meaningless_arguments_are_refused(wrong: dict[str, Any]) -> None:
    """An argument without a meaning is refused before anything is begun."""
    record = Recorder()
    with pytest.raises(InvalidArgument):
        run(collect(double, record.pending([1]), record, **wrong))
    assert record.taken == 0


def test_an_error_of_the_source_is_raised_after_the_record() -> None:
    """When the pending items cannot be listed further, what was begun is recorded before the error is raised."""
    record = Recorder()

    def broken() -> Iterator[Pending]:
        yield Pending("a", 1)
        raise OSError("the listing broke")

    with pytest.raises(OSError, match="listing broke"):
        run(collect(double, broken(), record))
    assert record.keys == ["a"]


def test_an_error_of_the_record_ends_everything() -> None:
    """When a batch cannot be recorded, its keys are not yielded, nothing else is recorded, and the error is raised."""
    calls: list[Any] = []

    def record(batch: Any) -> None:
        calls.append(batch)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run(collect(double, Recorder().pending(itertools.count()), record))
    assert len(calls) == 1


def test_no_task_outlives_an_error_of_the_record() -> None:
    """When a batch cannot be recorded, the tasks under way are cancelled and awaited before the error is raised."""
    ended = []

    async def hang_if_odd(number: int) -> None:
        try:
            await asyncio.sleep(60 if number % 2 else 0)
        finally:
            await asyncio.sleep(0.05)
            ended.append(number)

    def record(_batch: Any) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run(collect(hang_if_odd, Recorder().pending(range(4)), record, limit=4))
    assert sorted(ended) == [0, 1, 2, 3]


# --- stopping, leaving, cancelling ---


def test_a_stop_begins_nothing_new() -> None:
    """Once told to stop, nothing new is begun, and what was begun is recorded."""
    record = Recorder()
    run(collect(double, record.pending(itertools.count()), record, stopping=lambda: len(record.all) >= 50))
    assert len(record.all) == record.taken >= 50


def test_a_stop_ends_the_wait_for_another_try() -> None:
    """A run that is stopped does not sit out the waits, and leaves those items unrecorded."""
    record, stop = Recorder(), threading.Event()

    async def fail(_item: int) -> None:
        stop.set()
        raise OSError

    run(collect(fail, record.pending([1]), record, retries=3, retry_wait_seconds=60, stopping=stop.is_set))
    assert record.all == []


def test_leaving_early_cancels_and_awaits_the_tasks() -> None:
    """A reader that leaves the loop finds every task ended, and what had finished recorded."""
    record, ended = Recorder(), []

    async def hang_after_two(number: int) -> int:
        if number < 2:
            return number
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)
        return number

    async def main() -> set[asyncio.Task[Any]]:
        before = asyncio.all_tasks()
        keys = arun_all(hang_after_two, record.pending(range(5)), record)
        async for _ in keys:
            break
        await keys.aclose()
        return asyncio.all_tasks() - before

    assert run(main()) == set()
    assert sorted(record.keys) == ["0", "1"]
    assert sorted(ended) == [2, 3, 4]


@pytest.mark.parametrize("cancels", [1, 3])
@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.06, 0.15])
def test_a_cancellation_loses_nothing_that_had_finished(seconds: float, cancels: int) -> None:
    """However often and whenever the surrounding task is cancelled, all that had finished is recorded once."""
    record, finished = Recorder(seconds=0.05), []

    async def work(number: int) -> int:
        await asyncio.sleep(0.001 * (number % 5))
        finished.append(str(number))
        return number

    async def main() -> None:
        reader = asyncio.create_task(collect(work, record.pending(itertools.count()), record, limit=4))
        await asyncio.sleep(seconds)
        for _ in range(cancels):
            reader.cancel()
            await asyncio.sleep(0.005)
        with pytest.raises(asyncio.CancelledError):
            await reader

    run(main())
    assert sorted(record.keys) == sorted(finished)


def test_an_interrupt_of_the_event_loop_loses_nothing_that_had_finished() -> None:
    """When an interrupt tears the event loop down, what had finished is recorded."""
    record, finished = Recorder(seconds=0.05), []

    async def work(number: int) -> int:
        await asyncio.sleep(0.01)
        finished.append(str(number))
        return number

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.1, _interrupt)
        await collect(work, record.pending(itertools.count()), record, limit=4)

    def _interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert sorted(record.keys) == sorted(finished)


def test_a_record_that_fails_on_the_way_out_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A cancellation stays one although the last record failed, and the failure is logged."""

    def record(_batch: list[Finished]) -> None:
        time.sleep(0.1)
        raise OSError("disk full")

    async def main() -> None:
        reader = asyncio.create_task(collect(double, Recorder().pending(range(9)), record))
        await asyncio.sleep(0.05)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader

    with caplog.at_level(logging.ERROR):
        run(main())
    assert "could not be recorded" in caplog.text
