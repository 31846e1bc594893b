"""Executors of the standard library, given by the user: used, never taken over."""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from milepost.errors import InvalidArgument, WorkerDied, WorkersLost
from milepost.phase.mapping import run_all
from milepost.phase.work import Pending
from tests.unit.phase import jobs
from tests.unit.phase.jobs import Recorder


def spawning(workers: int = 2) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def forkserving(workers: int = 2) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("forkserver"))


def _pending(items: list[Any]) -> Iterator[Pending]:
    return (Pending(str(number), item) for number, item in enumerate(items))


@pytest.mark.parametrize("make", [spawning, forkserving, functools.partial(ThreadPoolExecutor, 2)])
def test_a_users_executor_is_used_and_left_open(make: Callable[[], Executor]) -> None:
    """All work is done by the user's executor, which goes on to work for the user."""
    record = Recorder()
    with make() as executor:
        run_all(jobs.plus, record.pending(range(40)), record, executor=executor)
        assert executor.submit(jobs.double, 4).result() == 8
    assert record.values == {str(number): number for number in range(40)}
    assert record.most_open <= 4


def test_a_factorys_executor_is_shut_down() -> None:
    """What a factory made is shut down when the loop returns."""
    made: list[ThreadPoolExecutor] = []

    def make() -> ThreadPoolExecutor:
        made.append(ThreadPoolExecutor(2))
        return made[-1]

    run_all(jobs.double, Recorder().pending(range(5)), Recorder(), executor=make)
    with pytest.raises(RuntimeError):
        made[0].submit(jobs.double, 1)
    assert len(made) == 1


def test_errors_travel_from_any_process() -> None:
    """An error that cannot be loaded again fails its item, and does not break a pool of the standard library."""
    record = Recorder()
    run_all(jobs.raise_hostile, record.pending([1, 2]), record, executor=spawning, on_error="skip")
    assert {str(error) for error in record.errors.values()} == {"Hostile: this and that"}


def test_in_threads_the_error_itself_is_raised() -> None:
    """In one process an error keeps its identity and its traceback."""
    error = ValueError("mine")

    def fail(_item: object) -> None:
        raise error

    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="mine") as caught:
        run_all(fail, _pending([1]), Recorder(), executor=executor)
    assert caught.value is error


@pytest.mark.parametrize(("how", "place"), [("exit", 5), ("kill", 5), ("kill", 3), ("pickle", 5), ("load", 5)])
def test_a_factory_makes_a_broken_pool_anew_and_finds_the_guilty_item(how: str, place: int, tmp_path: Path) -> None:
    """When a pool breaks, those in it are tried alone, the last of them too; the guilty one fails, the others are done."""
    record, counter = Recorder(), tmp_path / "counter"
    items = [(str(number), "") for number in range(9)]
    items[place] = (how, str(counter))
    run_all(jobs.trouble, _pending(items), record, executor=spawning, on_error="skip", max_worker_deaths=2)
    assert record.values == {str(number): str(number) for number in range(9) if number != place}
    assert isinstance(record.errors[str(place)], WorkerDied)
    assert len(record.keys) == 9
    assert len(counter.read_text()) <= 3


class Gathering(Executor):
    """Begins what it is given only when no more comes; it breaks, with all that it holds, where the bad item is in."""

    def __init__(self, company: list[list[str]]) -> None:
        """Write to *company* what was held together."""
        self._company = company
        self._held: list[tuple[Any, Future[Any]]] = []
        self._lock = threading.Lock()
        self._begin = threading.Timer(0.2, self._work)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            self._held.append((fn, future))
        self._begin.cancel()
        self._begin = threading.Timer(0.2, self._work)
        self._begin.start()
        return future

    def _work(self) -> None:
        with self._lock:
            held, self._held = self._held, []
        items = [getattr(fn, "item", "") for fn, _ in held]
        self._company.append(items)
        for fn, future in held:
            if "bad" in items:
                future.set_exception(BrokenExecutor())
            else:
                future.set_result(fn())


@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_suspect_is_in_no_company(place: int) -> None:
    """Once the executor broke, the one that broke it breaks nobody else's try, whichever suspect it is."""
    record, company = Recorder(), list[list[str]]()
    items = [str(number) for number in range(8)]
    items[place] = "bad"
    run_all(
        str, _pending(items), record,
        executor=functools.partial(Gathering, company), workers=2, on_error="skip", max_worker_deaths=2,
    )  # fmt: skip
    assert len(record.values) == 7
    assert [held for held in company if "bad" in held][1:] == [["bad"], ["bad"]]


def test_an_innocent_item_is_cleared(tmp_path: Path) -> None:
    """An item whose worker was killed once, by whatever, is done in the new pool."""
    record = Recorder()
    items = [("once", str(tmp_path / "counter")), ("a", ""), ("b", "")]
    run_all(jobs.trouble, _pending(items), record, executor=spawning)
    assert sorted(record.values.values()) == ["a", "b", "once"]


def test_a_broken_executor_of_the_user_is_an_error_that_names_the_items() -> None:
    """A user's executor is not made anew: what had finished is recorded, and the error names what was in flight."""
    record = Recorder()
    items = [("a", ""), ("b", ""), ("exit", ""), *(("c", "") for _ in range(20))]
    with spawning(1) as executor, pytest.raises(WorkersLost, match="'2'"):
        run_all(jobs.trouble, _pending(items), record, executor=executor, on_error="skip")
    assert {"0", "1"} <= set(record.keys)
    assert record.errors == {}


def test_an_executor_that_was_shut_down_is_an_error() -> None:
    """An executor that takes no more work is reported as lost, and no item is blamed."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    record = Recorder()
    with pytest.raises(WorkersLost):
        run_all(jobs.double, record.pending([1]), record, executor=executor, on_error="skip")
    assert record.all == []


class NeverWorks(Executor):
    """Breaks whatever it is given, as a pool whose initializer fails."""

    _max_workers = 2

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor("the initializer failed"))
        return future


def test_a_factory_of_broken_pools_is_found_out() -> None:
    """When even a new pool breaks without any item, the pool is at fault, and no item is recorded as failed."""
    record = Recorder()
    with pytest.raises(WorkersLost):
        run_all(jobs.double, record.pending(range(10)), record, executor=NeverWorks, on_error="skip")
    assert record.all == []


def test_a_cancelled_future_is_a_failure_of_its_item() -> None:
    """An item that its executor cancels fails, and the others go on."""

    class Cancels(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future = super().submit(fn, *args, **kwargs)
            if getattr(fn, "item", None) == 2:
                future = Future()
                future.cancel()
            return future

    record = Recorder()
    with Cancels(2) as executor:
        run_all(jobs.double, record.pending(range(5)), record, executor=executor, on_error="skip")
    assert isinstance(record.errors["2"], WorkerDied)
    assert len(record.values) == 4


def test_an_item_that_cannot_be_sent_fails_alone() -> None:
    """An item that cannot be pickled fails, and the others go on."""
    record = Recorder()
    run_all(jobs.double, _pending([1, threading.Lock(), 3]), record, executor=spawning, on_error="skip")
    assert list(record.errors) == ["1"]
    assert record.values == {"0": 2, "2": 6}


class Sizeless(Executor):
    def __init__(self) -> None:
        self.inner = ThreadPoolExecutor(3)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self.inner.submit(fn, *args, **kwargs)


def test_a_limit_of_time_needs_a_known_size() -> None:
    """A limit is refused for an executor of unknown size, since its clock would count time in the queue."""
    executor = Sizeless()
    record = Recorder()
    with pytest.raises(InvalidArgument, match="workers="):
        run_all(jobs.double, record.pending([1]), record, executor=executor, timeout_seconds=1)
    run_all(jobs.double, record.pending([1]), record, executor=executor, timeout_seconds=5, workers=3)
    executor.inner.shutdown()
    assert record.keys == ["1"]


@pytest.mark.parametrize("own", [True, False])
def test_an_executor_full_of_hung_items(own: bool) -> None:
    """When hung items hold every worker, a factory makes new ones, and a user's executor is reported as lost."""
    record, release = Recorder(), threading.Event()
    executors: list[ThreadPoolExecutor] = []

    def make() -> ThreadPoolExecutor:
        executors.append(ThreadPoolExecutor(2))
        return executors[-1]

    def hang_if_small(number: int) -> int:
        if number < 2:
            release.wait(60)
        return number

    options: dict[str, Any] = {"timeout_seconds": 0.2, "on_error": "skip"}
    try:
        if own:
            run_all(hang_if_small, record.pending(range(6)), record, executor=make, **options)
        else:
            with pytest.raises(WorkersLost, match="held"):
                run_all(hang_if_small, record.pending(range(6)), record, executor=make(), **options)
    finally:
        release.set()
        for executor in executors:
            executor.shutdown()
    assert sorted(record.errors) == ["0", "1"]
    assert len(record.values) == (4 if own else 0)


def test_an_interrupt_cancels_what_waits_in_a_users_executor() -> None:
    """An interrupt records what had finished, cancels what waits in the user's executor, and leaves that open."""
    record, release, begun = Recorder(), threading.Event(), []

    def work(number: int) -> int:
        begun.append(number)
        if number:
            release.wait(60)
        return number

    ticks = itertools.count()

    def stopping() -> bool:
        if record.all and next(ticks) > 3:
            raise KeyboardInterrupt
        return False

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(KeyboardInterrupt):
            run_all(work, record.pending(range(50)), record, executor=executor, stopping=stopping)
        release.set()
        assert executor.submit(jobs.double, 2).result() == 4
    assert record.keys == ["0"]
    assert begun == [0, 1]
