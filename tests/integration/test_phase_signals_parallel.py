"""Signals while items are worked on in parallel: by threads, processes, and tasks of an event loop."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

import milepost
from tests.support.phase_jobs import ITEMS, PATIENCE_SECONDS, goes_on, marked, run, started, told, value_of

# The items of a window wait for a file that lets them go, and say so; processes spawn, so the job is guarded.
MAPPING = """
import multiprocessing
go = store + ".go"
def patient(item):
    say(f"begun {item} {os.getpid()}")
    while not os.path.exists(go): time.sleep(0.01)
    return value_of(item)
if __name__ == "__main__":
    with opened(grace_seconds=GRACE) as phase:
        phase.map(patient, ITEMS, workers=2, executor="EXECUTOR")
        say("never")
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where a job keeps its phases."""
    return tmp_path / "checkpoints"


def mapping(executor: str, grace_seconds: float = 60) -> str:
    """Return the job that maps with *executor*."""
    return MAPPING.replace("EXECUTOR", executor).replace("GRACE", str(grace_seconds))


def gone(pid: int) -> bool:
    """Wait until a process is gone, for a while; tell whether it is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], PATIENCE_SECONDS)[0])
    finally:
        os.close(handle)


EXECUTORS = ["threads", "processes"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_first_signal_lets_what_is_in_flight_finish(store: Path, executor: str) -> None:
    """After a first signal what workers have begun is finished and recorded, nothing else is begun, and `Interrupted`
    comes after.
    """
    with started(store, mapping(executor)) as process:
        assert process.stdout is not None
        begun = [process.stdout.readline().split()[1:] for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        Path(f"{store}.go").touch()
        out, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    begun += [line.split()[1:] for line in out.splitlines()]
    assert process.returncode == 143, stderr
    items = sorted(f"{word} {number}" for word, number, _ in begun)  # threads may say it in another order
    assert items == ITEMS[: len(items)]
    assert told(stderr, "SIGTERM", len(items)), stderr
    assert all(gone(int(pid)) for _, _, pid in begun)
    assert goes_on_mapping(store, items) == ITEMS[len(items) :]


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("way", ["a second signal", "no grace", "the whole group"])
def test_a_second_signal_leaves_at_once(store: Path, executor: str, way: str) -> None:
    """A second signal, or the end of the grace, waits for no worker, and no worker process outlives the program."""
    with started(store, mapping(executor, 0 if way == "no grace" else 60)) as process:
        assert process.stdout is not None
        pids = {int(process.stdout.readline().split()[-1]) for _ in range(2)}
        process.send_signal(signal.SIGINT)
        if way == "the whole group":  # as a terminal does it
            for pid in pids - {process.pid}:
                os.kill(pid, signal.SIGINT)
        if way != "no grace":
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
        out, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode in {130, 143}, stderr
    assert told(stderr, signal.Signals(process.returncode - 128).name, 0), stderr
    assert "never" not in out
    assert all(gone(pid) for pid in pids)
    assert goes_on_mapping(store, []) == ITEMS


def goes_on_mapping(store: Path, done: list[str]) -> list[str]:
    """Finish the run with the same function; return what it worked on."""
    Path(f"{store}.go").touch()
    again = run(store, mapping("threads"))
    assert again.returncode == 0, again.stderr
    with milepost.open("phase_3", store=store) as reader:
        assert dict(reader.results()) == {item: value_of(item) for item in ITEMS}
    worked = [" ".join(line.split()[:2]) for line in marked(again.stdout, "begun")]
    assert not set(worked) & set(done)
    return sorted(worked)


TASKS = """
import asyncio
async def patient(item):
    say("begun " + item)
    await asyncio.wait_for(go.wait(), 50)
    return value_of(item)
async def main():
    global go
    go = asyncio.Event()
    with opened() as phase:
        asyncio.get_running_loop().call_later(0.1, strike)
        async for key, value in phase.amap(patient, ITEMS, limit=2):
            say("done " + key)
    say("never")
def strike():
    STRIKE
def others():
    return [signal.getsignal(one) for one in sorted(signal.valid_signals()) if one != signal.SIGINT]
before = others()
try:
    asyncio.run(main())
finally:
    assert others() == before
    try:
        send(signal.SIGINT)  # asyncio takes it too, and may not give it back when its loop is left like that
    except KeyboardInterrupt:
        say("interrupted")
"""


def test_a_first_signal_lets_tasks_finish(store: Path) -> None:
    """After a first signal the tasks of `amap` that have begun are finished and recorded, and none begins."""
    done = run(store, TASKS.replace("STRIKE", "send(signal.SIGTERM); go.set()"))
    assert done.returncode == 143, done.stderr
    begun = marked(done.stdout, "begun")
    assert told(done.stderr, "SIGTERM", len(begun)), done.stderr
    assert "never" not in done.stdout
    assert goes_on(store, begun) == ITEMS[len(begun) :]


def test_a_second_signal_leaves_the_event_loop(store: Path) -> None:
    """A second signal ends the event loop at once: its tasks are cancelled, and the run goes on the next time."""
    done = run(store, TASKS.replace("STRIKE", "send(signal.SIGINT, signal.SIGTERM)"))
    assert done.returncode == 130, done.stderr
    assert told(done.stderr, "SIGINT", 0), done.stderr
    assert "never" not in done.stdout
    assert done.stdout.endswith("interrupted\n")
    assert goes_on(store, []) == ITEMS


def test_recording_in_a_loop_of_tasks_stops_between_items(store: Path) -> None:
    """In a coroutine that goes through `each`, a signal lets the item in hand finish too, inside or around the loop."""
    body = """
import asyncio
async def main():
    for item in phase.each(ITEMS):
        if item == "item 2": send(signal.SIGINT)
        await asyncio.sleep(0)
        phase.record(value_of(item))
with opened() as phase:
    asyncio.run(main())
"""
    done = run(store, body)
    assert done.returncode == 130, done.stderr
    assert told(done.stderr, "SIGINT", 3), done.stderr
    assert goes_on(store, ITEMS[:3]) == ITEMS[3:]
