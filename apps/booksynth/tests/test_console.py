"""The laws of what a person sees."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from booksynth.console import Terminal
from booksynth.inputs import Found
from booksynth.progress import Plan, Progress
from booksynth.shards import Problem

COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9]m")


def on_a_terminal(analysis: Path, output: Path, **env: str) -> str:
    """Run the command on a pseudo-terminal and return everything it showed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "booksynth", "phase-3"]
    command += ["--analysis-dir", str(analysis), "--output-dir", str(output)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **env},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def test_terminal_has_a_bar(settled_shelf: Path, output: Path) -> None:
    """On a terminal a bar stands below the lines of the books, and goes away at the end."""
    shown = on_a_terminal(settled_shelf, output)
    assert "Reading" in shown
    assert "/6 books" in shown
    assert "[6/6] 3 recommendations: book_5" in shown
    assert "PHASE3_SUMMARY.md" in shown


@pytest.mark.parametrize(("env", "has_colour"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color(settled_shelf: Path, output: Path, env: dict[str, str], has_colour: bool) -> None:
    """NO_COLOR takes the colours away."""
    shown = on_a_terminal(settled_shelf, output, **env)
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)) is has_colour


def test_dumb_terminal_gets_lines(settled_shelf: Path, output: Path) -> None:
    """A terminal that cannot move its cursor gets plain lines."""
    shown = on_a_terminal(settled_shelf, output, TERM="dumb")
    assert "[1/6]" in shown
    assert "\x1b" not in shown


def found(name: str, size: int) -> Found:
    return Found(name, Path(name), size, [])


def terminal() -> Terminal:
    made = Terminal(io.StringIO())
    made.is_live = True
    return made


def test_estimate_is_honest_after_a_resume() -> None:
    """The bar's rate counts only bytes that this run reads, however much was restored."""
    one = terminal()
    plan = Plan(to_read=[found("a", 700), found("b", 300)], restored=[str(n) for n in range(1000)])
    one.begin(plan, 1002, Progress(iteration=1000))
    assert one._bar is not None
    (task,) = one._bar.tasks
    assert (task.completed, task.total) == (0, 1000)
    assert task.fields["books"] == "1000/1002"
    one.book(plan.to_read[0], None)
    assert task.completed == 700
    assert task.fields["books"] == "1001/1002"
    one.end()


def test_changes_are_told() -> None:
    """Changed, new and removed books are named before the reading begins."""
    stream = io.StringIO()
    plan = Plan(changed=["c"], new=["n"], removed=["r"], restored=["x"], verified=["x"])
    Terminal(stream).begin(plan, 3, Progress(iteration=1))
    shown = stream.getvalue()
    for line in ("Changed since then: c", "New since then: n", "Removed since then: r"):
        assert line in shown
    assert "1 of them after a look at the content" in shown


def test_many_problems_are_cut_with_a_word() -> None:
    """A long list of problems is cut, and the rest is counted."""
    stream = io.StringIO()
    Terminal(stream).tell_problems([Problem(f"f{n}", "", "x", "bad") for n in range(100)])
    assert "100 problems in 100 files" in stream.getvalue()
    assert "and 60 more" in stream.getvalue()
