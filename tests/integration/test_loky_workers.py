"""A loop on loky, whose executors break as a whole when one worker dies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loky  # type: ignore[import-untyped]
import psutil
import pytest

from milepost.errors import WorkerDied, WorkersLost
from milepost.phase.mapping import run_all
from milepost.phase.work import Pending
from tests.unit.phase import jobs
from tests.unit.phase.jobs import Recorder


def _make() -> Any:
    return loky.ProcessPoolExecutor(max_workers=2)


def _pending(items: list[Any]) -> Iterator[Pending]:
    return (Pending(str(number), item) for number, item in enumerate(items))


def test_loky_runs_what_cannot_be_pickled_otherwise() -> None:
    """On loky a function of a test, a notebook or a terminal works, and each item is recorded once."""
    record = Recorder()
    factor = 3
    run_all(lambda item: factor * item, record.pending(range(20)), record, executor=_make)
    assert record.values == {str(number): 3 * number for number in range(20)}
    assert len(record.keys) == 20


@pytest.mark.filterwarnings("ignore:A worker stopped while some jobs were given:UserWarning")
@pytest.mark.parametrize("how", ["kill", "pickle"])
def test_a_factory_makes_loky_anew(how: str, tmp_path: Path) -> None:
    """When a worker of loky dies, the guilty item is found and fails, and all others are done."""
    record = Recorder()
    items = [("a", ""), (how, str(tmp_path / "counter")), ("b", ""), ("c", "")]
    run_all(jobs.trouble, _pending(items), record, executor=_make, on_error="skip", max_worker_deaths=2)
    assert record.values == {"0": "a", "2": "b", "3": "c"}
    assert isinstance(record.errors["1"], WorkerDied)


def test_an_interrupt_ends_what_a_factory_made() -> None:
    """An interrupt leaves at once, and the processes of an executor that a factory made are gone."""
    record = Recorder()

    def interrupt() -> bool:
        if record.all:
            raise KeyboardInterrupt
        return False

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all(jobs.nap, record.pending([0, 300, 301]), record, executor=_make, stopping=interrupt)
    assert time.monotonic() - began < 20
    assert psutil.wait_procs(jobs.children_like("LokyProcess"), timeout=5)[1] == []


def test_lokys_shared_executor_can_be_given() -> None:
    """An executor of loky that breaks is reported as lost, with the items in flight."""
    record = Recorder()
    executor = _make()
    with pytest.raises(WorkersLost, match="'0'"):
        run_all(jobs.trouble, _pending([("kill", "")]), record, executor=executor)
    executor.shutdown(kill_workers=True)
    assert record.all == []
