"""A job with everything a `Phase` offers, really killed at random moments: nothing acknowledged is lost or done twice.

Run as a script, this module is the server that forks the job for each line it reads, so that a run costs a fork and
not a second of imports.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

import milepost

KILLED = -signal.SIGKILL
ITEMS = [f"item {n:02d}" for n in range(20)]
KILLS = 50
"""For each of two levels of durability."""
SOAK_KILLS = 500


def value_of(item: str) -> Any:
    """Return what the work on an item gives."""
    return {"item": item, "pair": (1, item), "text": item * (200 if item.endswith("7") else 2)}


class Diary:
    """What the job did and what it was promised, one line each; a line that was written survives the kill."""

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, what: str, name: str) -> None:
        """Write a line down."""
        os.write(self._handle, f"{what}:{name}\n".encode())

    def prepare(self, parts: int) -> Any:
        """Compute the step."""
        self.note("computed", "step")
        return [parts, (parts,)]

    def ask(self, item: str, *, call_id: str) -> str:
        """Make the paid call."""
        self.note("sent", f"{item} {call_id}")
        return f"reply to {item}"

    def total(self, results: Any, prepared: Any) -> Any:
        """Compute the result."""
        self.note("computed", "result")
        return {"items": list(results.items()), "prepared": prepared}


def job(folder: str, durability: str, diary: Diary) -> Any:
    """Do all of the work that is not done."""
    with milepost.Phase("phase_3", store=folder, durability=durability) as phase:
        prepared = phase.step("prepare", diary.prepare, 3)
        diary.note("safe", "step")
        for item in phase.each(ITEMS):
            diary.note("begun", item)
            time.sleep(0.0005)  # work that takes a while, so that most kills come in the middle of it
            if item.endswith(("3", "6", "9")):
                phase.call(f"ask {item}", diary.ask, item, cost_usd=0.01)
                diary.note("answered", item)
            phase.record(value_of(item))
            diary.note("safe", item)
            phase.state["cursor"] = item
            phase.save()
            diary.note("saved", item)
        result = phase.complete(diary.total, phase.results(), prepared)
        diary.note("safe", "result")
    return result


def serve() -> None:
    """Run the job for every line that comes, kill it after so many seconds, and answer with its exit code."""
    for line in sys.stdin:
        told = json.loads(line)
        process = os.fork()
        if process == 0:
            result = job(told["folder"], told["durability"], Diary(told["diary"]))
            Path(told["output"]).write_text(repr(result))
            os._exit(0)
        if told["kill"] is not None:
            while not os.path.exists(told["diary"]):
                time.sleep(0.0002)  # how long a fork takes is not what is looked at
            time.sleep(told["kill"])
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


@contextmanager
def server() -> Iterator[subprocess.Popen[str]]:
    """Start the forking server."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


class Chain:
    """One folder in which the same job is begun again and again, until it comes to its end."""

    def __init__(self, process: subprocess.Popen[str], root: Path, durability: str) -> None:
        self.process = process
        self.root = root
        self.told = {"folder": str(root / "store"), "durability": durability, "output": str(root / "output")}
        self.diaries: list[list[str]] = []

    def run(self, kill: float | None) -> int:
        """Run the job, kill it after *kill* seconds, and return its exit code."""
        self.root.mkdir(exist_ok=True)
        diary = self.root / f"diary {len(self.diaries)}"
        to: IO[str] | None = self.process.stdin
        back: IO[str] | None = self.process.stdout
        assert to is not None
        assert back is not None
        to.write(json.dumps(self.told | {"diary": str(diary), "kill": kill}) + "\n")
        to.flush()
        code = int(back.readline())
        self.diaries.append(diary.read_text().splitlines() if diary.exists() else [])
        return code

    def assert_nothing_lost_or_twice(self) -> None:
        """Hold the law against all diaries of this chain."""
        safe: set[str] = set()
        ids: dict[str, str] = {}
        for diary in self.diaries:
            words = [tuple(line.split(":", 1)) for line in diary]
            begun = [name for word, name in words if word == "begun"]
            computed = [name for word, name in words if word == "computed"]
            assert not safe & {*begun, *computed}, "what was acknowledged is done again"
            answered_before = {name for name in safe if name.startswith("call ")}
            for name in (name for word, name in words if word == "sent"):
                item, call_id = name.rsplit(" ", 1)
                assert f"call {item}" not in answered_before, "a finished call is made again"
                assert ids.setdefault(item, call_id) == call_id, "the same call has another id"
            safe |= {name for word, name in words if word == "safe"}
            safe |= {f"call {name}" for word, name in words if word == "answered"}
            assert len(set(begun) - safe) <= 1, "more than one item was in flight"
        begun_in_all = sum(line.startswith("begun:") for diary in self.diaries for line in diary)
        deaths = len(self.diaries) - 1
        assert begun_in_all <= len(ITEMS) + deaths, "more than the items in flight ran again"

    def assert_does_nothing_again(self) -> None:
        """Hold that the last run found everything done."""
        assert [line for line in self.diaries[-1] if not line.startswith("safe:")] == []

    def assert_state_is_kept(self) -> None:
        """Hold that the saved state is the acknowledged one or the one in flight; read beside no writer."""
        saved = [line.partition(":")[2] for diary in self.diaries for line in diary if line.startswith("saved:")]
        safe = {line.partition(":")[2] for diary in self.diaries for line in diary if line.startswith("safe:")}
        if not saved:
            return
        with milepost.open("phase_3", store=self.told["folder"]) as reader:
            found, results = reader.state["cursor"], dict(reader.results())
        assert found >= saved[-1]
        assert {name for name in safe if name in ITEMS} <= set(results)
        assert all(value == value_of(item) for item, value in results.items())


def assert_survives_kills(tmp_path: Path, durability: str, kills: int) -> None:
    """Kill the job *kills* times at random moments; every chain of runs must end in the uninterrupted output."""
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    with server() as process:
        whole = Chain(process, tmp_path / "whole", durability)
        assert whole.run(None) == 0  # the first one also loads what is loaded late
        begun = time.monotonic()
        timed = Chain(process, tmp_path / "timed", durability)
        assert timed.run(None) == 0
        longest = time.monotonic() - begun
        expected = Path(whole.told["output"]).read_text()
        landed = in_the_middle = number = 0
        while landed < kills:
            number += 1
            chain = Chain(process, tmp_path / f"chain {number}", durability)
            code = KILLED
            while code == KILLED:
                code = chain.run(moments.uniform(0, longest) if moments.random() < 0.9 else None)
                landed += code == KILLED
                in_the_middle += code == KILLED and any(line.startswith("safe:item") for line in chain.diaries[-1])
                chain.assert_state_is_kept()
            assert code == 0, f"seed {seed}"
            assert Path(chain.told["output"]).read_text() == expected, f"seed {seed}"
            chain.assert_nothing_lost_or_twice()
            if number % 4 == 0:
                assert chain.run(None) == 0
                chain.assert_does_nothing_again()
            shutil.rmtree(chain.root)
    assert in_the_middle > kills // 20, "too few kills came in the middle of the work"


@pytest.mark.parametrize("durability", ["power", "process"])
def test_killed_at_random_moments_nothing_is_lost_or_done_twice(tmp_path: Path, durability: str) -> None:
    """However often SIGKILL ends the job, the same command goes on, and its output is the uninterrupted one."""
    assert_survives_kills(tmp_path, durability, KILLS)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("durability", ["power", "process"])
def test_killed_a_thousand_times_nothing_is_lost_or_done_twice(tmp_path: Path, durability: str) -> None:
    """A thousand real kills at random moments lose nothing."""
    assert_survives_kills(tmp_path, durability, SOAK_KILLS)


ORPHANS = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import milepost

def slow(item):
    if item != "0":
        time.sleep(60)
    return item

if __name__ == "__main__":
    kinds = {"ours": "processes", "forked": lambda: ProcessPoolExecutor(2, mp_context=get_context("fork"))}
    with milepost.Phase("phase_3", store=sys.argv[1]) as phase:
        phase.map(slow, [str(n) for n in range(4)], workers=2, executor=kinds[sys.argv[2]])
"""


@pytest.mark.parametrize("kind", ["ours", "forked"])
def test_orphaned_workers_lock_nobody_out(tmp_path: Path, kind: str) -> None:
    """When a parent is killed, its workers may live on for a while, and the next process takes the phase at once."""
    script, store = tmp_path / "job.py", tmp_path / "store"
    script.write_text(ORPHANS)
    journal = store / "phase_3" / "journal_000001.jsonl"
    with subprocess.Popen([sys.executable, str(script), str(store), kind], start_new_session=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not (journal.exists() and b'"kind":"done"' in journal.read_bytes()):
                assert process.poll() is None, "the job ended by itself"
                assert time.monotonic() < deadline, "no item was done in time"
                time.sleep(0.02)
            process.kill()
            process.wait()
            with milepost.Phase("phase_3", store=store) as phase:
                again = []
                for item in phase.each([str(n) for n in range(4)]):
                    again.append(item)
                    phase.record(item)
                assert again == ["1", "2", "3"]
                assert dict(phase.results()) == {str(n): str(n) for n in range(4)}
        finally:
            os.killpg(process.pid, signal.SIGKILL) if _is_alive(process.pid) else None


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    serve()
