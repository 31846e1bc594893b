"""The manager across real processes: killed, forked, refused, and ended in every way a process can end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost import CheckpointManager
from milepost.errors import RunLocked
from tests.unit.manager.world import World, forked

PRELUDE = """
import os, signal, sys, time
from milepost import CheckpointManager
manager = CheckpointManager("phase_3", sys.argv[1])
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world on the real files, synced and all."""
    return World(tmp_path / "checkpoints")


def state(world: World) -> Any:
    """Load by the clock of the machine, as the processes here save."""
    loaded = CheckpointManager("phase_3", world.root).get_latest_checkpoint()
    return loaded and loaded["state"]


def run(world: World, body: str) -> subprocess.CompletedProcess[str]:
    """Run a script with a manager in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + body, str(world.root)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def holder(world: World) -> Iterator[subprocess.Popen[str]]:
    """Start another process that saved, and that saves once more on each line it is sent."""
    body = """
manager.save_checkpoint(1, {"n": 1})
print("ready", flush=True)
for n, line in enumerate(sys.stdin, start=2):
    manager.save_checkpoint(n, {"n": n})
    print("saved", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + body, str(world.root)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def send(holder: subprocess.Popen[str]) -> None:
    """Let the other process save once more."""
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write("save\n")
    holder.stdin.flush()
    assert holder.stdout.readline() == "saved\n"


def test_a_second_writer_is_told_who_holds_the_phase(world: World, holder: subprocess.Popen[str]) -> None:
    """A writer in a second process is refused by an error that names host, pid and age of the first."""
    for call in (
        lambda: world.manager(clock=None).save_checkpoint(2, {"n": -2}),
        lambda: world.manager(clock=None).clear_all_checkpoints(),
        lambda: world.manager(clock=None).delete_checkpoint(world.folder / world.files()[0]),
    ):
        with pytest.raises(RunLocked) as caught:
            call()
        assert caught.value.pid == holder.pid
        assert caught.value.host == socket.gethostname()
        assert caught.value.age_seconds is not None
        assert 0 <= caught.value.age_seconds < 60
        assert re.search(rf"\b{holder.pid}\b", str(caught.value))
        assert socket.gethostname() in str(caught.value)
    assert state(world) == {"n": 1}


def test_readers_work_beside_a_writer(world: World, holder: subprocess.Popen[str]) -> None:
    """Readers in other processes see each save at once, and hinder none."""
    for n in range(2, 12):
        send(holder)
        assert state(world) == {"n": n}
        assert len(world.manager(clock=None).list_checkpoints()) == 1


def test_another_phase_is_free(world: World, holder: subprocess.Popen[str]) -> None:
    """A writer of one phase does not hinder a writer of another."""
    assert world.manager("phase_4", clock=None).save_checkpoint(1, {"n": 4}) is not None
    assert holder.poll() is None


def test_a_killed_writer_leaves_its_last_save_and_no_lock(world: World, holder: subprocess.Popen[str]) -> None:
    """After SIGKILL a new process finds the very last state saved, throttled or not, and can write."""
    for _ in range(5):
        send(holder)
    holder.kill()
    holder.wait()
    assert state(world) == {"n": 6}
    assert world.manager(clock=None).save_checkpoint(7, {"n": 7}) is not None
    assert state(world) == {"n": 7}


def test_a_kill_at_any_moment_loses_nothing(world: World) -> None:
    """Killed at random moments of saving, over and over, each process finds at least what was acknowledged."""
    body = """
loaded = manager.get_latest_checkpoint()
n = loaded["iteration"] if loaded else 0
assert loaded is None or loaded["state"]["list"] == list(range(1, n + 1)), n
state = loaded["state"] if loaded else {"list": []}
while True:
    n += 1
    state["list"].append(n)
    manager.save_checkpoint(n, state, force=n % 7 == 0)
    os.write(1, b"%d\\n" % n)
"""
    reached = 0
    for moment in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", PRELUDE + body, str(world.root)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(0.013 * moment)
            process.kill()
            acknowledged = [int(line) for line in (first + process.stdout.read()).split(b"\n")[:-1]]
        assert acknowledged[0] in {reached + 1, reached + 2}
        reached = acknowledged[-1]
        found = state(world)["list"]
        assert found == list(range(1, len(found) + 1))
        assert len(found) in {reached, reached + 1}
    assert reached > 20


ENDINGS = {
    "falls off the end": "",
    "sys.exit": "sys.exit(3)",
    "os._exit": "os._exit(0)",
    "an error": "raise ValueError('end')",
    "a global kept": "import builtins; builtins.kept = manager",
    "a cycle kept": "a = [manager]; a.append(a)",
    "a thread": "import threading; threading.Thread(target=lambda: manager.save_checkpoint(3, {'n': 2})).start()",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)",
    "at exit": "import atexit; atexit.register(lambda: manager.save_checkpoint(3, {'n': 2}))",
    "a fork that ends": "os.fork() or sys.exit(0); os.wait()",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_closing_is_needed(world: World, ending: str) -> None:
    """However a process ends, without closing, what it saved is there, it says nothing, and the phase is free."""
    saves = 'manager.save_checkpoint(1, {"n": 1})\nmanager.save_checkpoint(2, {"n": 2})\n'
    done = run(world, saves + ENDINGS[ending])
    assert done.returncode == {"sys.exit": 3, "an error": 1, "SIGTERM": -signal.SIGTERM}.get(ending, 0), done.stderr
    assert done.stderr == "" or ending == "an error"
    assert "milepost" not in done.stderr
    assert state(world) == {"n": 2}
    assert world.manager(clock=None).save_checkpoint(4, {"n": 4}) is not None


def test_no_signal_handlers_are_installed(world: World) -> None:
    """Neither the import nor a save changes the handler of any signal, its mask, or its wakeup descriptor."""
    body = """
def handlers():
    return [signal.getsignal(one) for one in sorted(signal.valid_signals())], signal.pthread_sigmask(0, [])
def wakeup():
    before = signal.set_wakeup_fd(-1)
    return before
before = handlers()
with manager:
    manager.save_checkpoint(1, {"n": 1})
    manager.save_checkpoint(2, {"n": 2})
    manager.get_latest_checkpoint()
    assert handlers() == before
assert handlers() == before and wakeup() == -1
del sys.modules["milepost"]
import milepost
assert handlers() == before
"""
    done = run(world, body)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_forked_child_is_refused_and_told_its_parent(world: World) -> None:
    """The manager of a forked child refuses to write, names the parent, still reads, and harms nothing."""
    manager = world.manager()
    manager.save_checkpoint(1, {"n": 1})
    manager.save_checkpoint(2, {"n": 2})

    def child() -> Any:
        answers = []
        for one in (manager, world.manager()):
            try:
                one.save_checkpoint(3, {"n": -3}, force=True)
            except RunLocked as error:
                answers.append(error.pid)
            answers.append(one.get_latest_checkpoint()["state"])  # type: ignore[index]
            one.close()
        return answers

    assert forked(child) == [os.getpid(), {"n": 2}, os.getpid(), {"n": 2}]
    manager.save_checkpoint(4, {"n": 4})
    assert world.state() == {"n": 4}
    assert forked(child) == [os.getpid(), {"n": 4}, os.getpid(), {"n": 4}]


def test_an_orphan_does_not_lock_the_next_run_out(world: World) -> None:
    """When a parent is killed while its forked child lives on, the next run reads and writes at once."""
    body = """
manager.save_checkpoint(1, {"n": 1})
manager.save_checkpoint(2, {"n": 2})
child = os.fork()
if child == 0:
    os.close(1), os.close(2)  # the pipes that this test reads to their end
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run(world, body)
    assert done.returncode == -signal.SIGKILL
    orphan = int(done.stdout)
    try:
        os.kill(orphan, 0)
        assert state(world) == {"n": 2}
        assert world.manager(clock=None).save_checkpoint(3, {"n": 3}) is not None
        os.kill(orphan, 0)
    finally:
        os.kill(orphan, signal.SIGKILL)
    assert state(world) == {"n": 3}


def test_worker_processes_do_not_hold_the_phase(world: World) -> None:
    """Forked pool workers that outlive their parent's manager do not keep the phase from others."""
    body = """
import multiprocessing
manager.save_checkpoint(1, {"n": 1})
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(abs, [-1, -2]) == [1, 2]
    manager.save_checkpoint(2, {"n": 2})
    manager.close()
    other = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", '''
import sys
from milepost import CheckpointManager
manager = CheckpointManager("phase_3", sys.argv[1])
manager.save_checkpoint(3, {"n": 3})
''', sys.argv[1]])
    assert other == 0, other
"""
    done = run(world, body)
    assert (done.returncode, done.stderr) == (0, "")
    assert state(world) == {"n": 3}


def test_a_load_in_the_shell_needs_no_milepost(world: World) -> None:
    """The newest checkpoint of plain values is JSON that any reader understands, and so is each journal line."""
    manager = world.manager()
    path = manager.save_checkpoint(1, {"done": ["a"], "score": 0.5}, {"who": "me"})
    manager.save_checkpoint(2, {"done": ["a", "b"], "score": 0.5}, {"who": "me"})
    assert path is not None
    assert json.loads(path.read_text())["state"] == {"done": ["a"], "score": 0.5}
    lines = (world.folder / "journal_000001.jsonl").read_text().split("\n")
    values = [json.loads(line) for line in lines if line]
    assert [one["value"] for one in values if one["kind"] == "state"] == [
        {"base": 1, "iteration": 2, "extend": {"done": ["b"]}}
    ]
