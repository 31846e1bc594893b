"""Jobs in processes of their own, and what must hold after each of their ends."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import milepost

ITEMS = [f"item {n}" for n in range(6)]
PATIENCE_SECONDS = 60.0

PRELUDE = """
import os, signal, sys, threading, time
import milepost
from milepost.errors import Forked, PhaseClosed, RunLocked
ITEMS = [f"item {n}" for n in range(6)]
store = sys.argv[1]
def send(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)
def value_of(item):
    return {"item": item, "pair": (1, 2)}
def say(word):
    os.write(1, f"{word}\\n".encode())
def opened(name="phase_3", **settings):
    return milepost.Phase(name, store=store, **settings)
def handlers():
    return [signal.getsignal(one) for one in sorted(signal.valid_signals())], signal.getitimer(signal.ITIMER_REAL)[0]
def work(phase, at=None, do=None):
    for item in phase.each(ITEMS):
        say("begun " + item)
        if item == at:
            do()
        phase.record(value_of(item))
        say("done " + item)
"""


def value_of(item: str) -> Any:
    """Return what the job records for an item."""
    return {"item": item, "pair": (1, 2)}


def command(store: Path, body: str, *words: str) -> list[str]:
    """Write a job down beside *store*, and return the command that runs it."""
    job = store.parent / "job.py"
    if not job.exists() or job.read_text() != PRELUDE + body:  # another process may be reading it just now
        job.write_text(PRELUDE + body)
    return [sys.executable, "-W", "error", str(job), str(store), *words]


def run(store: Path, body: str, *words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a job in a fresh interpreter to its end; *before* stands in front of its command."""
    return subprocess.run(
        [*before, *command(store, body, *words)],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


@contextmanager
def started(store: Path, body: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start a job; it is killed at the end of the block if it still runs."""
    with subprocess.Popen(
        command(store, body, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], word: str) -> list[str]:
    """Wait until the process says *word*; return what it said before."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        if line == word + "\n":
            return lines
        lines.append(line.removesuffix("\n"))
    raise AssertionError(f"it ended before it said {word!r}: {lines}")


def marked(output: str, word: str) -> list[str]:
    """Return the items that a job named behind *word*: begun, or done."""
    return [line.removeprefix(word + " ") for line in output.splitlines() if line.startswith(word + " ")]


def told(stderr: str, signal_name: str, done: int | None = None, *, phase: str = "phase_3") -> bool:
    """Tell whether *stderr* is the one line that says what is safe and how to go on, and nothing else."""
    safe = "everything recorded is safe" if done is None else f"{done} results are recorded and safe"
    line = re.escape(f"{phase}: stopped by {signal_name}; {safe}. Go on with: python")
    return re.fullmatch(line + r"[\w.]* -W error \S+/job\.py .*\n", stderr) is not None


def goes_on(store: Path, done: Sequence[str], begun: Sequence[str] = ()) -> list[str]:
    """Finish the run, and return the items that it worked on.

    What an undisturbed run gives comes of it, nothing that was *done* is worked on again, and of what was *begun*
    at most one item is.
    """
    with milepost.open("phase_3", store=store) as reader:
        recorded = dict(reader.results())
    assert set(recorded) >= set(done), "an acknowledged record is lost"
    assert recorded == {item: value_of(item) for item in recorded}
    with milepost.Phase("phase_3", store=store) as phase:
        again = []
        for item in phase.each(ITEMS):
            again.append(item)
            phase.record(value_of(item))
        assert list(phase.results().items()) == [(item, value_of(item)) for item in ITEMS]
        assert phase.complete(lambda results: dict(results), phase.results()) == {one: value_of(one) for one in ITEMS}
    assert not set(again) & set(done), "an acknowledged item ran again"
    assert len(set(again) & set(begun)) <= 1, "more than the item in hand ran again"
    return again
