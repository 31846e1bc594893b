"""A phase that is asked to stop by a signal, in a process of its own each time."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.phase_jobs import ITEMS, goes_on, marked, run, said, started, told

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129, "SIGUSR1": 138}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where a job keeps its phases."""
    return tmp_path / "checkpoints"


@pytest.mark.parametrize("name", CODES)
def test_a_first_signal_lets_the_item_in_hand_finish(store: Path, name: str) -> None:
    """After a first signal the item in hand is recorded, none begins, and the exit code is 128 + signal."""
    done = run(store, f"with opened() as phase: work(phase, 'item 2', lambda: send(signal.{name}))")
    assert done.returncode == CODES[name], done.stderr
    assert told(done.stderr, name, 3), done.stderr
    assert marked(done.stdout, "begun") == marked(done.stdout, "done") == ITEMS[:3]
    assert goes_on(store, ITEMS[:3]) == ITEMS[3:]


@pytest.mark.parametrize("name", CODES)
def test_a_second_signal_leaves_at_once(store: Path, name: str) -> None:
    """A second signal, whichever it is, leaves the item where it stands; only that item runs again."""
    body = f"""
with opened() as phase:
    try:
        work(phase, 'item 2', lambda: (send(signal.{name}), say("goes on"), send(signal.SIGTERM), say("never")))
    except Exception:
        say("swallowed")
"""
    done = run(store, body)
    assert done.returncode == CODES[name], done.stderr
    assert told(done.stderr, name, 2), done.stderr
    assert done.stdout.splitlines()[-2:] == ["begun item 2", "goes on"]
    assert goes_on(store, ITEMS[:2], ITEMS[:3]) == ITEMS[2:]


def test_signals_from_outside_reach_a_job_that_waits(store: Path) -> None:
    """A signal from another process is noticed while the item sleeps, and a second one wakes it."""
    with started(store, "with opened() as phase: work(phase, 'item 2', lambda: time.sleep(600))") as process:
        said(process, "begun item 2")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode in {130, 143}  # two signals that wait are delivered in the system's order
    assert told(stderr, signal.Signals(process.returncode - 128).name, 2), stderr
    assert goes_on(store, ITEMS[:2], ITEMS[:3]) == ITEMS[2:]


ALARMS = {
    "free": "",
    "handled": "signal.signal(signal.SIGALRM, lambda *_: say('alarm'))",
    "ticking": "signal.signal(signal.SIGALRM, lambda *_: say('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)",
    "ignored": "signal.signal(signal.SIGALRM, signal.SIG_IGN)",
}


@pytest.mark.parametrize("alarm", ALARMS)
def test_grace_runs_out(store: Path, alarm: str) -> None:
    """An item that never ends is left when its grace is over, whatever the program does with its alarm clock."""
    body = f"""
{ALARMS[alarm]}
before = handlers()[0]
def for_ever():
    send(signal.SIGTERM)
    begun = time.monotonic()
    try:
        while True: time.sleep(600)
    finally:
        assert 0.25 <= time.monotonic() - begun < 30
try:
    with opened(grace_seconds=0.3) as phase:
        work(phase, "item 1", for_ever)
finally:
    assert handlers()[0] == before
    ticks = signal.setitimer(signal.ITIMER_REAL, 0)[1]
    assert ticks == {0.05 if alarm == "ticking" else 0.0}, ticks
"""
    done = run(store, body)
    assert done.returncode == 143, done.stderr
    assert told(done.stderr, "SIGTERM", 1), done.stderr
    assert ("alarm" in done.stdout) == (alarm == "ticking")
    assert goes_on(store, ITEMS[:1], ITEMS[:2]) == ITEMS[1:]


def test_no_grace_leaves_at_once(store: Path) -> None:
    """With grace_seconds=0 the first signal leaves at once."""
    done = run(store, "with opened(grace_seconds=0) as phase: work(phase, 'item 1', lambda: send(signal.SIGUSR1))")
    assert done.returncode == 138, done.stderr
    assert told(done.stderr, "SIGUSR1", 1), done.stderr
    assert goes_on(store, ITEMS[:1], ITEMS[:2]) == ITEMS[1:]


def test_grace_that_is_not_used_up_sends_nothing_later(store: Path) -> None:
    """Once the phase is left, its grace does not strike the program that caught the interrupt."""
    body = """
for wait in (0, 0.2):
    try:
        with opened(grace_seconds=0.1) as phase:
            work(phase, ITEMS[0 if wait == 0 else 1], lambda: send(signal.SIGTERM))
    except milepost.Interrupted as stopped:
        assert (stopped.code, stopped.signal_number) == (143, signal.SIGTERM)
        assert str(stopped) == "phase_3: stopped by SIGTERM."
        time.sleep(0.3)  # far longer than the grace: nothing may come of it
        say("survived")
"""
    done = run(store, body)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines().count("survived") == 2
    assert goes_on(store, ITEMS[:2]) == ITEMS[2:]


def test_a_grace_of_ages_is_one(store: Path) -> None:
    """The longest grace a number can say is granted."""
    done = run(store, "with opened(grace_seconds=1e300) as phase: work(phase, 'item 1', lambda: send(signal.SIGTERM))")
    assert done.returncode == 143, done.stderr
    assert told(done.stderr, "SIGTERM", 2), done.stderr


def test_ignored_signals_stay_ignored(store: Path) -> None:
    """Under nohup a SIGHUP stops nothing, and SIGTERM still does."""
    body = """
def strike():
    send(signal.SIGHUP, signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    if len(sys.argv) > 2: send(signal.SIGTERM)
with opened() as phase: work(phase, "item 2", strike)
assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
"""
    stopped = run(store, body, "stop", before=["nohup"])
    assert stopped.returncode == 143, stopped.stderr
    assert told(stopped.stderr.replace("nohup: ignoring input\n", ""), "SIGTERM", 3), stopped.stderr
    done = run(store, body, before=["nohup"])
    assert (done.returncode, marked(done.stdout, "done")) == (0, ITEMS[3:])
    assert goes_on(store, ITEMS) == []


def test_the_handlers_of_the_program_come_back(store: Path) -> None:
    """However a phase is left, the program's own handlers, default and ignored ones are as they were, and work."""
    body = """
signal.signal(signal.SIGTERM, lambda *_: say("own"))
signal.signal(signal.SIGHUP, signal.SIG_IGN)
before = handlers()
def leave(end):
    try:
        with opened() as phase:
            assert handlers() != before
            end(phase)
    except BaseException as error:
        say(type(error).__name__)
    assert handlers() == before
    send(signal.SIGTERM)
leave(lambda _: None)
leave(lambda _: 1 / 0)
leave(lambda _: sys.exit(3))
leave(lambda phase: work(phase, "item 1", lambda: send(signal.SIGTERM)))
leave(lambda phase: work(phase, "item 2", lambda: send(signal.SIGTERM, signal.SIGUSR1)))
leave(lambda phase: opened().__enter__())
leave(lambda phase: signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT)))
"""
    done = run(store, body)
    assert done.returncode == 0, done.stderr
    words = [line for line in done.stdout.splitlines() if not line.startswith(("begun", "done"))]
    assert words == [
        *("own", "ZeroDivisionError", "own", "SystemExit", "own", "Interrupted", "own", "Interrupted", "own"),
        *("RunLocked", "own", "own"),
    ]


def test_a_handler_set_inside_the_block_is_left_alone(store: Path) -> None:
    """What the program installs while the phase is open is its own, also afterwards, and its timer runs on."""
    body = """
mine = lambda *_: say("mine")
with opened() as phase:
    signal.signal(signal.SIGTERM, mine)
    signal.signal(signal.SIGALRM, mine)
    signal.setitimer(signal.ITIMER_REAL, 500)
    send(signal.SIGTERM)
    work(phase)
assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGALRM) is mine
assert signal.getitimer(signal.ITIMER_REAL)[0] > 100
"""
    done = run(store, body)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mine\n")


def test_a_phase_in_another_thread_takes_no_signals(store: Path) -> None:
    """In another thread than the main one a phase installs nothing, works, and signals stay the program's."""
    body = """
before = handlers()
def job():
    with opened() as phase:
        assert handlers() == before
        work(phase)
thread = threading.Thread(target=job)
thread.start()
thread.join()
assert handlers() == before
"""
    done = run(store, body)
    assert (done.returncode, done.stderr) == (0, "")
    assert goes_on(store, ITEMS) == []


def test_a_loop_in_another_thread_stops_and_the_main_thread_is_told(store: Path) -> None:
    """Where another thread goes through the items of the main thread's phase, a signal stops it and the process."""
    body = """
from milepost.phase.signals import _process
def ask():
    send(signal.SIGTERM)
    while _process.received is None:  # the main thread takes it when it comes to that
        time.sleep(0.01)
with opened() as phase:
    thread = threading.Thread(target=work, args=(phase, "item 2", ask))
    thread.start()
    thread.join()
say("never")
"""
    done = run(store, body)
    assert done.returncode == 143, done.stderr
    last = done.stderr.splitlines(keepends=True)[-1]  # behind what `threading` prints of the thread's end
    assert told(last, "SIGTERM", 3), done.stderr
    assert "never" not in done.stdout
    assert goes_on(store, ITEMS[:3]) == ITEMS[3:]


def test_a_signal_behind_the_last_item_is_told(store: Path) -> None:
    """A signal that comes after the last item stops the program at the end of the block, and complete() before."""
    end = "with opened() as phase:\n    work(phase)\n    send(signal.SIGTERM)\n    say('end')\nsay('never')"
    done = run(store, end)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (143, "end")
    assert told(done.stderr, "SIGTERM", 6), done.stderr
    completing = end.replace("say('end')", "phase.complete(lambda: say('computed'))")
    done = run(store, completing)
    assert (done.returncode, "computed" in done.stdout) == (143, False)
    assert goes_on(store, ITEMS) == []


def test_an_error_does_not_hide_the_signal(store: Path) -> None:
    """An item that fails after the signal, as its own child may have been stopped too, does not hide that the process
    is to stop.
    """
    body = """
def fail():
    send(signal.SIGINT)
    raise ValueError("the child died")
try:
    with opened() as phase: work(phase, "item 2", fail)
except Exception:
    say("swallowed")
"""
    done = run(store, body)
    assert done.returncode == 130, done.stderr
    assert "swallowed" not in done.stdout
    assert done.stderr.startswith("phase_3: stopped by SIGINT; 2 results are recorded and safe. Go on with: python")
    assert done.stderr.endswith("ValueError: the child died\n")
    assert goes_on(store, ITEMS[:2], ITEMS[:3]) == ITEMS[2:]


def test_the_printed_command_goes_on(store: Path) -> None:
    """The command that is printed is the one that goes on, word for word."""
    words = ["a word", "$x", "it's"]
    body = (
        f"assert sys.argv[2:] == {words!r}\nwith opened() as phase: work(phase, os.environ.get('AT'), lambda: send(15))"
    )
    first = run(store, body, *words, before=["env", "AT=item 2"])
    assert first.returncode == 143
    printed = shlex.split(first.stderr.partition("Go on with: ")[2])
    assert Path(sys.executable).name == printed[0]
    again = subprocess.run([sys.executable, *printed[1:]], capture_output=True, text=True, timeout=60, check=False)
    assert (again.returncode, again.stderr, marked(again.stdout, "done")) == (0, "", ITEMS[3:])
