"""Signals to real processes that run a workflow: stopped between items and phases, resumable, told in one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE_SECONDS = 60

JOB = """
import os, signal, sys, threading, time
import milepost
from milepost.phase import signals

class Wish:  # an object that a function asks is no constant of its fingerprint
    def __init__(self, words):
        self.where, self.number, self.jobs = words[2], int(words[3]), int(words[4])
        self.times = int(words[5]) if len(words) > 5 else 1

wish = Wish(sys.argv)
flow = milepost.Workflow("flow", store=sys.argv[1], grace_seconds=60)
meeting = threading.Barrier(2)

def say(word):
    os.write(1, (word + "\\n").encode())

def here(place):
    if place == wish.where:
        for _ in range(wish.times):
            os.kill(os.getpid(), wish.number)
            while signals._process.received is None:  # the handler runs in the main thread
                time.sleep(0.005)
        if wish.times > 1:
            time.sleep(50)  # whoever waits for this item waits long

def items():
    here("deciding")
    return ["a", "b", "c"]

def body(phase, items, *outputs):
    for item in phase.each(items):
        say(f"begun {phase.name} {item}")
        if wish.jobs > 1 and wish.where == "together" and item == "a":
            meeting.wait()
            if phase.name == "one":
                here("together")
            meeting.wait()
        here(f"{phase.name} {item}")
        phase.record(item.upper())
        say(f"done {phase.name} {item}")
    here(f"{phase.name} end")
    return [list(phase.results().values()), *outputs]

def two(phase, items, *outputs):
    try:
        return body(phase, items)
    except BaseException as error:
        say("swallowed " + type(error).__name__)
        if not os.environ.get("SWALLOW"):
            raise
    return len(phase.results())

def told(event):
    here(f"{event.kind} {event.phase}")

flow.phase(name="one", items=items)(body)
flow.phase(name="two", items=["a", "b", "c"])(two)
flow.phase(name="three", items=["a"], after=["one", "two"])(body)
outputs = flow.run(jobs=wish.jobs, on_event=told)
say(repr(outputs["three"]))
"""

RESULT = "[['A'], [['A', 'B', 'C']], [['A', 'B', 'C']]]"


def run(tmp_path: Path, *words: object, swallow: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the job in a process of its own."""
    script = tmp_path / "job.py"
    script.write_text(JOB)
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), str(tmp_path / "store"), *map(str, words)],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        env=os.environ | {"SWALLOW": "1" if swallow else ""},
    )  # fmt: skip


def finishes(tmp_path: Path, before: subprocess.CompletedProcess[str], *, unsaid: int = 0) -> list[str]:
    """Run the job again to its end, and return the items begun; nothing that was done is among them.

    As many as *unsaid* may be recorded whose threads ended before they could say so.
    """
    again = run(tmp_path, "nowhere", 0, 1)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[-1] == RESULT
    begun = [line.removeprefix("begun ") for line in again.stdout.splitlines() if line.startswith("begun ")]
    done = [line.removeprefix("done ") for line in before.stdout.splitlines() if line.startswith("done ")]
    assert not set(begun) & set(done)
    assert len(begun) + len(done) in range(7 - unsaid, 8)
    return begun


@pytest.mark.parametrize(
    ("number", "where", "line", "left"),
    [
        (signal.SIGINT, "one b", r"one: stopped by SIG\w+; 2 results are recorded and safe\. Go on with: python.*", 5),
        (
            signal.SIGINT,
            "two end",
            r"two: stopped by SIG\w+; 3 results are recorded and safe\. Go on with: python.*",
            1,
        ),
        (signal.SIGTERM, "closed one", r"(flow|one|two): stopped by SIG\w+.*safe\. Go on with: python.*", 4),
        (signal.SIGINT, "deciding", r"(flow|one): stopped by SIG\w+.*safe\. Go on with: python.*", 7),
        (
            signal.SIGTERM,
            "three end",
            r"three: stopped by SIG\w+; 1 results are recorded and safe\. Go on with: python.*",
            0,
        ),
    ],
)
def test_a_signal_stops_behind_the_item_in_hand(
    tmp_path: Path, number: signal.Signals, where: str, line: str, left: int
) -> None:
    """In a phase, between two phases, and while a phase is decided on: one line, the exit code, and it goes on."""
    ended = run(tmp_path, where, int(number), 1)
    assert ended.returncode == 128 + number
    assert re.fullmatch(line + "\n", ended.stderr), ended.stderr
    assert len(finishes(tmp_path, ended)) == left


def test_a_signal_behind_the_last_phase_is_told(tmp_path: Path) -> None:
    """A signal that arrives when nothing is left to do still ends the process as it asked to."""
    assert run(tmp_path, "nowhere", 0, 1).returncode == 0
    ended = run(tmp_path, "reused three", int(signal.SIGTERM), 1)
    assert ended.returncode == 143
    assert re.fullmatch(r"flow: stopped by SIGTERM between two phases; everything .* with: python.*\n", ended.stderr)


def test_a_signal_with_two_phases_at_work_stops_both_behind_their_items(tmp_path: Path) -> None:
    """Both threads record the item in hand, begin no other, and the run goes on from there."""
    ended = run(tmp_path, "together", int(signal.SIGTERM), 2)
    assert ended.returncode == 143
    said = [line for line in ended.stdout.splitlines() if not line.startswith("swallowed")]
    assert sorted(said) == ["begun one a", "begun two a", "done one a", "done two a"]
    lines = ended.stderr.splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["one", "two"]
    assert all("Go on with: python" in line for line in lines)
    assert len(finishes(tmp_path, ended)) == 5


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_second_signal_leaves_at_once(tmp_path: Path, jobs: int) -> None:
    """The second signal does not wait for the item in hand, and the run goes on from what was recorded."""
    ended = run(tmp_path, "one b", int(signal.SIGINT), jobs, 2)
    assert ended.returncode == 130
    assert "done one b" not in ended.stdout
    begun = finishes(tmp_path, ended, unsaid=jobs - 1)
    assert "one b" in begun
    assert jobs == 2 or len(begun) == 6


def test_a_body_that_swallows_the_word_to_stop_is_not_finished(tmp_path: Path) -> None:
    """A body that catches everything cannot make a part of its items the result of all of them."""
    ended = run(tmp_path, "two b", int(signal.SIGTERM), 1, swallow=True)
    assert ended.returncode == 143
    assert "swallowed Interrupted" in ended.stdout
    assert len(finishes(tmp_path, ended)) == 2
