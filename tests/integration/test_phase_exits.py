"""Every way in which a process can end, or be divided, while its phase is open."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import RunLocked
from tests.support.phase_jobs import ITEMS, goes_on, marked, run, said, started, told, value_of


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where a job keeps its phases."""
    return tmp_path / "checkpoints"


ENDINGS: dict[str, tuple[str, int, str]] = {
    "sys.exit": ("sys.exit(3)", 3, ""),
    "sys.exit with a word": ("sys.exit('bad input')", 1, "bad input\n"),
    "an error": ("raise ValueError('end')", 1, "ValueError: end\n"),
    "os._exit": ("os._exit(4)", 4, ""),
    "SIGKILL": ("send(signal.SIGKILL)", -signal.SIGKILL, ""),
    "SIGQUIT": ("send(signal.SIGQUIT)", -signal.SIGQUIT, ""),
    "abort": ("os.abort()", -signal.SIGABRT, ""),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", -signal.SIGINT, "KeyboardInterrupt\n"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_after_any_end_the_run_goes_on(store: Path, ending: str) -> None:
    """However a process ends in the middle of an item, its exit code is its own, it says nothing of ours, and only
    that item runs again.
    """
    body, code, last = ENDINGS[ending]
    done = run(store, f"def end(): {body}\nwith opened() as phase: work(phase, 'item 2', end)")
    assert done.returncode == code, done.stderr
    assert done.stderr.endswith(last) if last else done.stderr == ""
    assert "During handling" not in done.stderr
    assert goes_on(store, ITEMS[:2], ITEMS[:3]) == ITEMS[2:]


LEFT_OPEN = {
    "a phase kept alive": "kept = opened()\nphase = kept.__enter__()\nwork(phase)",
    "a generator in the middle": (
        "def job():\n    with opened() as phase:\n        for item in phase.each(ITEMS):\n"
        "            phase.record(value_of(item))\n            yield say('done ' + item)\n"
        "kept = job()\nnext(kept), next(kept)"
    ),
    "a generator in a cycle": (
        "def job():\n    with opened() as phase:\n        cycle.append(phase)\n        for item in phase.each(ITEMS):\n"
        "            phase.record(value_of(item))\n            yield say('done ' + item)\n"
        "cycle = []\ncycle += [cycle, job()]\nnext(cycle[1])"
    ),
    "a phase left at exit": (
        "import atexit\nphase = opened()\nphase.__enter__()\natexit.register(phase.__exit__, None, None, None)\nwork(phase)"
    ),
}


@pytest.mark.parametrize("way", LEFT_OPEN)
def test_a_phase_that_is_open_at_the_end_of_the_interpreter(store: Path, way: str) -> None:
    """A phase that nobody left when the interpreter shuts down costs nothing, and nothing is said."""
    done = run(store, LEFT_OPEN[way])
    assert (done.returncode, done.stderr) == (0, "")
    finished = marked(done.stdout, "done")
    assert finished
    assert goes_on(store, finished) == [item for item in ITEMS if item not in finished]


@pytest.mark.parametrize("end", ["sys.exit(5)", "pass"])
def test_a_daemon_thread_records_until_the_program_ends(store: Path, end: str) -> None:
    """What a daemon thread recorded by key is there when the main thread has left, in the block and behind it."""
    body = f"""
def record_all(phase, items):
    for item in items:
        try:
            phase.record(value_of(item), key=item)
        except PhaseClosed:
            return
        say("done " + item)
        reached.set()
reached = threading.Event()
with opened() as phase:
    items = list(phase.each(ITEMS))
    threading.Thread(target=record_all, args=(phase, items), daemon=True).start()
    assert reached.wait(50)
    {end}
"""
    done = run(store, body)
    assert (done.returncode, done.stderr) == (5 if end != "pass" else 0, "")
    finished = marked(done.stdout, "done")
    assert finished
    again = goes_on(store, finished)
    assert len(ITEMS) - len(again) - len(finished) in {0, 1}  # the last may be recorded and not told


FORKS = {
    "returns": "",
    "exits": "sys.exit(0)",
    "fails": "raise ValueError",
    "ends at once": "os._exit(0)",
}


@pytest.mark.parametrize("end", FORKS)
def test_a_forked_child_is_refused_and_harms_nothing(store: Path, end: str, tmp_path: Path) -> None:
    """A forked child gets `Forked` for whatever it would record, and however it leaves the block its parent goes on."""
    big = tmp_path / "big"
    big.write_bytes(b"x" * 100_000)
    body = f"""
from pathlib import Path
default = handlers()
with opened(inputs=[Path({str(big)!r})]) as phase:
    for item in phase.each(ITEMS):
        if item == "item 2":
            child = os.fork()
            if not child:
                assert handlers() == default
                for call in (
                    lambda: phase.record(1), lambda: phase.record(1, key=item), lambda: phase.fail("no"),
                    lambda: phase.step("one", value_of, 1), lambda: phase.complete(1), lambda: dict(phase.results()),
                    lambda: phase.state.update(a=1) or phase.save(), lambda: phase.call("a", lambda call_id: 1),
                ):
                    try:
                        call()
                    except Forked as error:
                        say("refused")
                    except milepost.MilepostError as error:
                        say(repr(error))
                os.close(2)  # what an interpreter prints of an error is not ours
                {FORKS[end] or "break"}
            os.waitpid(child, 0)
        phase.record(value_of(item))
        say("done " + item)
"""
    done = run(store, body)
    assert (done.returncode, done.stderr) == (0, "")
    refusals = [line for line in done.stdout.splitlines() if not line.startswith("done")]
    assert refusals.count("refused") >= 7, refusals
    assert marked(done.stdout, "done") == ITEMS
    with milepost.open("phase_3", store=store) as reader:
        assert dict(reader.results()) == {item: value_of(item) for item in ITEMS}


def test_an_orphan_does_not_hold_the_phase(store: Path) -> None:
    """When the parent is killed while its forked child lives on, a new process opens the phase at once."""
    body = """
with opened() as phase:
    items = phase.each(ITEMS)
    next(items)
    phase.record(value_of(ITEMS[0]))
    child = os.fork()
    if not child:
        for handle in (1, 2): os.close(handle)
        while True: time.sleep(600)
    say(child)
    send(signal.SIGKILL)
"""
    done = run(store, body)
    assert done.returncode == -signal.SIGKILL
    orphan = int(done.stdout)
    try:
        assert goes_on(store, ITEMS[:1], ITEMS[:1]) == ITEMS[1:]
        os.kill(orphan, 0)
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_forked_workers_can_be_ended(store: Path) -> None:
    """Workers that the program forks inside the block have the signals' usual meaning, so its pools end as always."""
    body = """
import multiprocessing
context = multiprocessing.get_context("fork")
with opened() as phase:
    sleeper = context.Process(target=time.sleep, args=(600,))
    sleeper.start()
    sleeper.terminate()
    sleeper.join(50)
    assert sleeper.exitcode == -signal.SIGTERM, sleeper.exitcode
    with context.Pool(2) as pool:
        for item, value in zip(phase.each(ITEMS), pool.map(value_of, ITEMS)):
            phase.record(value)
            say("done " + item)
"""
    done = run(store, body)
    assert (done.returncode, done.stderr) == (0, "")
    assert goes_on(store, ITEMS) == []


def test_a_child_forked_after_the_signal_is_not_stopped_by_it(store: Path) -> None:
    """A child that the item forks after a first signal, to clean up, may open a phase of its own and end it."""
    body = """
def clean_up():
    send(signal.SIGTERM)
    child = os.fork()
    if not child:
        with opened("cleaning") as phase:
            for item in phase.each(["one"]): phase.record(1)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
with opened() as phase: work(phase, "item 2", clean_up)
"""
    done = run(store, body)
    assert done.returncode == 143, done.stderr
    assert told(done.stderr, "SIGTERM", 3), done.stderr
    with milepost.open("cleaning", store=store) as reader:
        assert dict(reader.results()) == {"one": 1}


NESTED = """
def inner(phase, **settings):
    with opened("inner", **settings) as nested:
        for item in nested.each(["a", "b"]):
            say("inner " + item)
            if item == "a": DO
            nested.record(item)
    return 1
with opened(grace_seconds=20) as phase:
    for item in phase.each(ITEMS):
        if item == "item 2": WHERE
        phase.record(value_of(item))
        say("done " + item)
"""


@pytest.mark.parametrize(("do", "reached"), [("send(15)", ["a"]), ("send(15, 2)", []), ("send(1); send(15)", [])])
def test_a_signal_stops_nested_phases(store: Path, do: str, reached: list[str]) -> None:
    """A signal that comes inside an inner phase stops it and those around it, each telling what it has."""
    done = run(store, NESTED.replace("DO", do).replace("WHERE", "inner(phase)"))
    name, code = ("SIGHUP", 129) if "send(1)" in do else ("SIGTERM", 143)
    assert done.returncode == code, done.stderr
    inner, outer = done.stderr.splitlines(keepends=True)
    assert told(inner, name, len(reached), phase="inner")
    assert told(outer, name, 2)
    with milepost.open("inner", store=store) as reader:
        assert list(reader.results()) == reached
    assert goes_on(store, ITEMS[:2], ITEMS[:3]) == ITEMS[2:]


def test_no_phase_begins_after_a_signal(store: Path) -> None:
    """A phase that an item opens after the signal is not begun."""
    done = run(store, NESTED.replace("DO", "pass").replace("WHERE", "send(15); inner(phase)"))
    assert done.returncode == 143, done.stderr
    assert "inner a" not in done.stdout
    assert goes_on(store, ITEMS[:2], ITEMS[:3]) == ITEMS[2:]


def test_phases_may_be_left_in_any_order(store: Path) -> None:
    """Whatever the order in which phases are left, signals stop what is open, and then belong to the program again."""
    body = """
mine = lambda *_: say("mine")
signal.signal(signal.SIGTERM, mine)
before = handlers()
for order in ("ab", "ba"):
    phases = {name: opened(name) for name in "ab"}
    for one in phases.values(): one.__enter__()
    first, last = (phases[name] for name in order)
    first.__exit__(None, None, None)
    assert handlers() != before
    send(signal.SIGTERM)
    try:
        next(last.each(["x"]))
    except milepost.Interrupted as error:
        last.__exit__(type(error), error, None)
        say("stopped")
    assert handlers() == before, order
    send(signal.SIGTERM)
"""
    done = run(store, body)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["stopped", "mine"] * 2


RACE = """
sys.stdin.readline()
try:
    with opened() as phase:
        say("won")
        sys.stdin.readline()
except RunLocked as error:
    say(f"lost {error.host} {error.pid} {error.age_seconds} {error}")
"""


def assert_one_wins(store: Path) -> None:
    """Let two processes open one phase at once, and look at both."""
    with started(store, RACE) as one, started(store, RACE) as other:
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.write("go\n")
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.flush()
        words: dict[str, Any] = {}
        for process in (one, other):
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            assert line, process.stderr.read()
            words[line.partition(" ")[0].strip()] = process
        assert set(words) == {"won", "lost"}, words
        winner = words["won"]
        assert winner.poll() is None
        with pytest.raises(RunLocked) as caught, milepost.Phase("phase_3", store=store):
            pass
        assert (caught.value.host, caught.value.pid) == (socket.gethostname(), winner.pid)
        assert caught.value.age_seconds is not None
        assert 0 <= caught.value.age_seconds < 60
        assert f"process {winner.pid} on host {socket.gethostname()}" in str(caught.value)
        winner.communicate("end\n", timeout=60)
        assert winner.returncode == 0
        assert words["lost"].wait(60) == 0
    with milepost.Phase("phase_3", store=store) as phase:
        assert list(phase.each([])) == []


def test_one_of_two_that_open_at_once_wins(tmp_path: Path) -> None:
    """Two processes that open one phase at the same moment: one wins, the other is told its host, pid and age."""
    for number in range(20):
        assert_one_wins(tmp_path / str(number))


@pytest.mark.soak
def test_one_of_two_that_open_at_once_wins_every_time(tmp_path: Path) -> None:
    """In two thousand races for one phase there is always one winner."""
    for number in range(2000):
        assert_one_wins(tmp_path / str(number % 2))


def test_a_stopped_process_keeps_its_phase(store: Path) -> None:
    """SIGSTOP and SIGCONT change nothing: the stopped process is still the writer, and goes on."""
    body = "with opened() as phase: work(phase, 'item 2', lambda: sys.stdin.readline())"
    with started(store, body) as process:
        said(process, "begun item 2")
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(RunLocked), milepost.Phase("phase_3", store=store):
            pass
        process.send_signal(signal.SIGCONT)
        _, stderr = process.communicate("go\n", timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert goes_on(store, ITEMS) == []
