"""Worker processes of our own: what happens to one touches nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from milepost.errors import InvalidArgument, WorkerDied, WorkersLost
from milepost.phase.mapping import run_all
from milepost.phase.pools.travel import RemoteError
from milepost.phase.work import Pending
from tests.unit.phase import jobs
from tests.unit.phase.jobs import Recorder

ROOT = Path(__file__).parents[3]


def _workers() -> list[psutil.Process]:
    """List the spawned processes below this one, without those that the standard library keeps for itself."""
    return jobs.children_like("spawn_main")


def _gone(processes: list[psutil.Process], seconds: float) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


def _map(function: Any, items: list[Any], **options: Any) -> Recorder:
    record = Recorder()
    pending = (Pending(str(number), item) for number, item in enumerate(items))
    run_all(function, pending, record, executor="processes", **{"workers": 2, **options})
    return record


def test_processes_are_reused_and_gone_afterwards() -> None:
    """Every item is worked on in one of the few processes, and none is left when the loop returns."""
    record = _map(jobs.where, list(range(12)))
    assert len({pid for pid, _ in record.values.values()} - {os.getpid()}) == 2
    assert _workers() == []


def test_options_and_errors_travel() -> None:
    """Options reach the function, and its error comes back as its own class, with the traceback of the worker."""
    record = Recorder()
    run_all(jobs.plus, iter([Pending("a", 1, {"more": 4})]), record, executor="processes", workers=1)
    assert record.values == {"a": 5}
    with pytest.raises(ValueError, match="three") as caught:
        _map(jobs.fail_at_three, [1, 3])
    assert "fail_at_three" in caught.value.__notes__[0]


@pytest.mark.parametrize("how", ["exit", "kill", "pickle", "fork"])
def test_a_death_costs_only_its_own_item(how: str, tmp_path: Path) -> None:
    """An item that ends its worker, whenever and however, is tried as often as allowed and fails alone."""
    counter = tmp_path / "counter"
    record = _map(jobs.trouble, [("a", ""), (how, str(counter)), ("b", ""), ("c", "")], on_error="skip")
    assert record.values == {"0": "a", "2": "b", "3": "c"}
    assert isinstance(record.errors["1"], WorkerDied)
    assert counter.read_text() == "xxx"
    assert _workers() == []


def test_a_death_that_does_not_repeat_is_made_good(tmp_path: Path) -> None:
    """An item whose worker was killed once is done by the next one, and the record counts both tries."""
    record = _map(jobs.trouble, [("once", str(tmp_path / "counter"))])
    assert [(one.value, one.attempts) for one in record.all] == [("once", 2)]


def test_deaths_can_be_limited(tmp_path: Path) -> None:
    """With one death allowed, the item fails at the first."""
    counter = tmp_path / "counter"
    with pytest.raises(WorkerDied, match="exit code 7"):
        _map(jobs.trouble, [("exit", str(counter))], max_worker_deaths=1)
    assert counter.read_text() == "x"


def test_a_killed_worker_is_named_by_its_signal() -> None:
    """The error says which signal ended the worker."""
    with pytest.raises(WorkerDied, match="SIGKILL"):
        _map(jobs.trouble, [("kill", "")], max_worker_deaths=1)


@pytest.mark.parametrize("how", ["lambda", "load"])
def test_a_result_that_cannot_travel_is_a_failure(how: str) -> None:
    """A result that cannot be sent or loaded fails its item, is not tried again, and harms no other."""
    record = _map(jobs.trouble, [("a", ""), (how, ""), ("b", "")], on_error="skip", retries=3, retry_wait_seconds=0)
    assert record.values == {"0": "a", "2": "b"}
    assert [one.attempts for one in record.all if one.error] == [1]


def test_an_error_that_cannot_travel_is_replaced() -> None:
    """An error that cannot be loaded in another process is replaced by one that keeps its name and text."""
    record = _map(jobs.raise_hostile, [1], on_error="skip")
    assert isinstance(record.errors["0"], RemoteError)
    assert str(record.errors["0"]) == "Hostile: this and that"


def test_huge_results_arrive() -> None:
    """A result of fifty megabytes arrives whole."""
    record = _map(jobs.trouble, [("huge", ""), ("huge", "")])
    assert {len(value) for value in record.values.values()} == {50_000_000}


def test_a_late_item_is_ended_and_may_be_tried_again(tmp_path: Path) -> None:
    """A process whose time is over is ended for real; its item may have another try, and the others go on."""
    counter = tmp_path / "counter"
    record = _map(
        jobs.trouble, [("a", ""), ("hang", str(counter)), ("b", ""), ("c", "")],
        timeout_seconds=0.5, retries=1, retry_wait_seconds=0, on_error="skip",
    )  # fmt: skip
    assert sorted(record.values.values()) == ["a", "b", "c"]
    assert isinstance(record.errors["1"], TimeoutError)
    assert counter.read_text() == "xx"
    assert _workers() == []


def test_what_a_worker_started_is_ended_with_it(tmp_path: Path) -> None:
    """When a worker is ended, so is what its function had started."""
    told = tmp_path / "pid"
    record = _map(jobs.start_a_child_and_hang, [str(told)], timeout_seconds=1, on_error="skip")
    assert isinstance(record.errors["0"], TimeoutError)
    assert _has_ended(int(told.read_text()))


def _has_ended(pid: int) -> bool:
    """Tell whether a process that was killed is gone, or dead and not yet buried; killing is no matter of an instant."""
    for _ in range(200):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_the_limit_does_not_count_the_start_of_a_process() -> None:
    """The time a process needs to start is not counted against its item."""
    assert _map(jobs.double, [1, 2, 3], timeout_seconds=0.1).values == {"0": 2, "1": 4, "2": 6}


def test_an_exit_is_raised_here() -> None:
    """An exit that the function raises ends the loop, whatever `on_error` says."""
    with pytest.raises(SystemExit):
        _map(jobs.trouble, [("sys.exit", "")], on_error="skip", retries=2)


def test_what_cannot_be_sent_is_refused() -> None:
    """A function that cannot be sent is refused before anything is begun; an item that cannot fails by its name."""
    taken = Recorder()
    with pytest.raises(InvalidArgument, match="lambda"):
        run_all(lambda item: item, taken.pending([1]), taken, executor="processes")
    assert taken.taken == 0
    record = _map(jobs.double, [1, threading.Lock(), 3], on_error="skip")
    assert "item '1'" in str(record.errors["1"])
    assert record.values == {"0": 2, "2": 6}


def test_an_interrupt_ends_the_processes_and_records_what_had_finished() -> None:
    """An interrupt in the middle leaves at once: what had finished is recorded, and the processes are gone."""
    record = Recorder()
    began = time.monotonic()
    workers: list[psutil.Process] = []

    def interrupt(_number: int, _frame: object) -> None:
        workers.extend(_workers())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_all(jobs.nap, record.pending([0, 300, 301]), record, executor="processes", workers=2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert record.keys == ["0"]
    assert time.monotonic() - began < 10
    assert workers
    assert _gone(workers, 1)


def test_workers_leave_signals_to_the_program() -> None:
    """The signals that tell a program to stop do not end its workers, not even while they start."""
    record = Recorder()
    sent = []

    def signal_them() -> None:
        for _ in range(40):
            for worker in _workers():
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
                    worker.send_signal(number)
                    sent.append(worker.pid)
            time.sleep(0.02)

    sender = threading.Thread(target=signal_them)
    sender.start()
    run_all(jobs.nap, record.pending([0.9, 1.0]), record, executor="processes", workers=2)
    sender.join()
    assert len(set(sent)) == 2
    assert {one.attempts for one in record.all} == {1}


PROGRAM = """
import sys, time
from milepost.phase.mapping import run_all
from milepost.phase.work import Pending

def work(item):
    print("begun", item, flush=True)
    time.sleep(item)
    return item

def record(batch):
    print("recorded", *[finished.key for finished in batch], flush=True)

def main():
    pending = (Pending(str(item), item) for item in {items})
    run_all(work, pending, record, executor="processes", workers=2)

{call}
"""


def _program(folder: Path, items: list[float], call: str) -> subprocess.Popen[str]:
    script = folder / "job.py"
    script.write_text(PROGRAM.format(items=items, call=call))
    return subprocess.Popen(
        [sys.executable, str(script)], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_function_of_the_main_program_works_with_the_guard(tmp_path: Path) -> None:
    """A function defined in the program itself works when the call is under the usual guard."""
    program = _program(tmp_path, [0.0, 0.1], 'if __name__ == "__main__": main()')
    out, err = program.communicate(timeout=60)
    assert (program.returncode, err) == (0, "")
    assert sorted(set(out.split())) == ["0.0", "0.1", "begun", "recorded"]


def test_a_missing_guard_is_explained(tmp_path: Path) -> None:
    """Without the guard the error names it."""
    program = _program(tmp_path, [0.0], "main()")
    _, err = program.communicate(timeout=60)
    assert program.returncode == 1
    assert "if __name__ == '__main__'" in err


def test_workers_end_when_the_program_is_killed(tmp_path: Path) -> None:
    """After SIGKILL of the program its workers, busy or not, end within a few seconds."""
    with _program(tmp_path, [0.0, 600.0], 'if __name__ == "__main__": main()') as program:
        assert program.stdout is not None
        begun = {program.stdout.readline(), program.stdout.readline(), program.stdout.readline()}
        below = psutil.Process(program.pid).children(recursive=True)
        program.kill()
    assert "begun 600.0\n" in begun
    assert len(below) >= 2
    assert _gone(below, 5)


def test_a_program_that_cannot_be_imported_anew_is_explained(tmp_path: Path) -> None:
    """A function that a worker cannot load is explained, and no item is blamed."""
    lines = PROGRAM.format(items=[0.0], call='if __name__ == "__main__": main()')
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert "cannot load the function" in done.stderr
    assert "recorded" not in done.stdout


def test_workers_that_cannot_start_are_no_fault_of_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """When no process can be started, the error says so, and no item is recorded as failed."""
    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", _no_more_processes)
    record = Recorder()
    with pytest.raises(WorkersLost, match="too many"):
        run_all(jobs.double, record.pending([1, 2]), record, executor="processes", workers=1, on_error="skip")
    assert record.all == []


def _no_more_processes(_process: object) -> None:
    raise OSError("too many processes")
