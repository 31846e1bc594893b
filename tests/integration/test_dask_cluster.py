"""A loop on a real Dask cluster: two worker processes on this machine."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from milepost.errors import WorkerDied, WorkersLost
from milepost.phase.mapping import run_all
from milepost.phase.work import Pending
from tests.unit.phase import jobs
from tests.unit.phase.jobs import Recorder


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1",
            local_directory=str(tmp_path), silence_logs=50,
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):  # fmt: skip
        yield client
        if client.status == "running":
            client.wait_for_workers(2, timeout=60)  # Dask stumbles when it is closed while it restarts a worker


def _executor(client: Client) -> Executor:
    executor: Executor = client.get_executor()  # type: ignore[no-untyped-call]
    return executor


def test_a_killed_worker_of_dask_costs_no_result(client: Client) -> None:
    """When a worker is killed in the middle, every value is right, and each item is recorded once."""
    record = Recorder()
    victims = list(client.run(os.getpid).values())

    def kill_soon() -> None:
        while len(record.all) < 10:
            time.sleep(0.01)
        os.kill(victims[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_soon)
    killer.start()
    run_all(_slow_double, record.pending(range(60)), record, executor=_executor(client))
    killer.join()
    assert record.values == {str(number): 2 * number for number in range(60)}
    assert len(record.keys) == 60
    assert record.most_open <= 4


def _slow_double(number: int) -> int:
    time.sleep(0.03)
    return 2 * number


def test_an_item_that_kills_dasks_workers_fails_alone(client: Client) -> None:
    """An item that kills every worker it is given to fails, and the others are done."""
    record = Recorder()
    items = [("a", ""), ("kill", ""), ("b", "")]
    pending = (Pending(str(number), item) for number, item in enumerate(items))
    run_all(jobs.trouble, pending, record, executor=_executor(client), on_error="skip")
    assert record.values == {"0": "a", "2": "b"}
    assert isinstance(record.errors["1"], WorkerDied)


def test_equal_items_are_worked_on_each_and_tried_again(client: Client, tmp_path: Path) -> None:
    """Items of equal value are separate work, and a further try is made, not remembered."""
    record = Recorder()
    same = str(tmp_path / "same")
    pending = (Pending(str(number), ("count", same)) for number in range(3))
    run_all(jobs.trouble, pending, record, executor=_executor(client))
    assert Path(same).read_text() == "xxx"
    record = Recorder()
    run_all(
        jobs.fail_at_three, record.pending([3]), record,
        executor=_executor(client), retries=2, retry_wait_seconds=0, on_error="skip",
    )  # fmt: skip
    assert [(str(one.error), one.attempts) for one in record.all] == [("three", 3)]


def test_a_client_that_was_closed_is_an_error(client: Client) -> None:
    """A client that is closed is reported as lost workers, and no item is blamed."""
    record = Recorder()
    executor = _executor(client)
    client.close()  # type: ignore[no-untyped-call]
    with pytest.raises(WorkersLost):
        run_all(jobs.double, record.pending([1]), record, executor=executor, workers=2, on_error="skip")
    assert record.all == []
