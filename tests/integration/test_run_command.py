"""``milepost run`` as a process: signals, kills, budgets, a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

JOB = """
import pathlib, time
import milepost

HERE = pathlib.Path(__file__).parent
workflow = milepost.Workflow("slow", store=HERE / "checkpoints", grace_seconds=5)

@workflow.phase(items=lambda: [f"book{n}" for n in range(6)], max_cost_usd=BUDGET)
def read(phase, books):
    for book in phase.each(books):
        with open(HERE / "log.txt", "a") as log:
            log.write(book + "\\n")
        time.sleep(PAUSE)
        phase.record(phase.call("ask:" + book, lambda call_id: book.upper(), cost_usd=0.1))
    return list(phase.results().values())

@workflow.phase(after="read")
def merge(phase, texts):
    return " ".join(texts)
"""


def job(folder: Path, *, pause: float = 0.15, budget: float | None = None) -> Path:
    """Write the job's file."""
    file = folder / "job.py"
    file.write_text(JOB.replace("PAUSE", repr(pause)).replace("BUDGET", repr(budget)))
    return file


def command(*words: str) -> list[str]:
    """Return the installed command with its words."""
    return [str(Path(sys.executable).with_name("milepost")), *words]


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment with the command on the path."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | more


def log_of(folder: Path) -> list[str]:
    """Return the items that bodies worked on, in order."""
    file = folder / "log.txt"
    return file.read_text().split() if file.exists() else []


def wait_for(folder: Path, count: int) -> None:
    """Wait until bodies have worked on *count* items."""
    end = time.monotonic() + 60
    while len(log_of(folder)) < count and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_resumable_run_and_says_how_to_resume(tmp_path: Path, number: signal.Signals) -> None:
    """A first signal lets the item in hand finish, ends with 128 + signal, and prints the command that goes on."""
    job(tmp_path)
    words = command("run", "job.py:workflow")
    with subprocess.Popen(words, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        wait_for(tmp_path, 2)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Go on with: milepost run job.py:workflow" in told
    assert "Traceback" not in told
    before = log_of(tmp_path)
    again = subprocess.run(
        [*words, "--json"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert log_of(tmp_path) == [f"book{n}" for n in range(6)]
    assert json.loads(again.stdout)["phases"][0]["new"] == 6 - len(before)


def test_after_kill_9_the_same_command_gives_the_uninterrupted_result(tmp_path: Path) -> None:
    """Killed with SIGKILL again and again, the same command ends with the result of an undisturbed run."""
    job(tmp_path)
    words = command("run", "job.py:workflow", "--quiet")
    for count in (2, 4):
        with subprocess.Popen(words, cwd=tmp_path, env=environment()) as process:
            wait_for(tmp_path, count)
            process.kill()
    assert subprocess.run(words, cwd=tmp_path, env=environment(), check=False).returncode == 0
    shown = subprocess.run(
        command("show", "merge", ".result", "--json"),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(shown.stdout) == " ".join(f"BOOK{n}" for n in range(6))
    runs = log_of(tmp_path)
    assert len(runs) <= 6 + 2
    assert set(runs) == {f"book{n}" for n in range(6)}


def test_a_spent_budget_leaves_with_4_and_more_goes_on(tmp_path: Path) -> None:
    """A run stops with 4 before the call that would exceed its budget, and goes on once more is allowed."""
    job(tmp_path, pause=0, budget=0.35)
    words = command("run", "job.py:workflow", "--quiet")
    stopped = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert stopped.returncode == 4
    assert "max_cost_usd=0.35" in stopped.stderr
    assert len(log_of(tmp_path)) == 4
    job(tmp_path, pause=0, budget=1.0)
    done = subprocess.run(
        [*words, "--json"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["phases"][0]["cost_usd"] == pytest.approx(0.3)


def test_on_a_terminal_a_bar_is_drawn_and_without_colours_no_colour(tmp_path: Path) -> None:
    """On a terminal each phase has a bar with its count; with NO_COLOR no colour is sent."""
    job(tmp_path, pause=0.05)
    shown = _on_terminal(command("run", "job.py:workflow"), tmp_path, environment(TERM="xterm-256color", NO_COLOR="1"))
    assert "6/6" in shown
    assert "read" in shown
    assert "━" in shown
    assert re.search(r"\x1b\[[0-9;]*3[0-9](;|m)", shown) is None


def _on_terminal(words: list[str], folder: Path, variables: dict[str, str]) -> str:
    """Run a command with a terminal as its input and output, and return all it wrote."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, cwd=folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    pieces = []
    try:
        while True:
            ready, _, _ = select.select([ours], [], [], 60)
            if not ready:
                break
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            pieces.append(piece)
    finally:
        assert process.wait(60) == 0
        os.close(ours)
    return b"".join(pieces).decode()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_the_command(shell: str) -> None:
    """Each shell's completion script is printed, and asking it for commands that begin with a letter gives them."""
    variables = environment(_MILEPOST_COMPLETE=f"source_{shell}")
    script = subprocess.run(command(), env=variables, capture_output=True, text=True, check=False)
    assert "milepost" in script.stdout
    asked = environment(_MILEPOST_COMPLETE="complete_bash", COMP_WORDS="milepost dr", COMP_CWORD="1")
    assert subprocess.run(command(), env=asked, capture_output=True, text=True, check=False).stdout.split() == ["drill"]
