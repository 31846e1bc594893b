"""The laws of what a person sees of a run of the workflow: a bar while it goes on, a summary at its end."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apps.booksynth.tests.support import booksynth, record, run, tracker, write
from booksynth.console import PlainConsole, Terminal
from booksynth.ending import spent, tell
from booksynth.following import Follower

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TITLE = "Measure before you change anything that somebody depends on"


@dataclass
class Happened:
    """An event of a run."""

    kind: str
    phase: str = "phase_2"
    key: str | None = None
    loop: str | None = None
    error: str | None = None
    loop_done: int | None = None
    loop_total: int | None = None


def terminal(columns: int, *, is_live: bool = True) -> tuple[Terminal, io.StringIO]:
    """Return a terminal of so many columns, and what it shows."""
    shown = io.StringIO()
    made = Terminal()
    made.console = PlainConsole(file=shown, force_terminal=is_live, width=columns, highlight=False, color_system=None)
    made.is_live = is_live
    return made, shown


@pytest.fixture
def agreeing(tmp_path: Path) -> Path:
    """Return a shelf of two trackers that agree, a stub, and a file that is no book."""
    shelf = tmp_path / "shelf"
    for name in "ab":
        write(shelf, name, tracker(name.upper(), {"critical": [record(TITLE), record(f"Only {name}")]}))
    write(shelf, "stub", {"book_title": "Stub", "iterations": []})
    (shelf / "cover.jpg").write_bytes(b"\xff\xd8")
    return shelf


def on_a_terminal(shelf: Path, output: Path, columns: int, **env: str) -> str:
    """Run the command on a pseudo-terminal of so many columns, and return everything it showed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "booksynth", "run", str(shelf), "-o", str(output)]
    variables = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "PYTHONUTF8": "1", **env}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=variables)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65_536):
            shown += piece
    except OSError:
        pass  # the other end is gone: that is how a pseudo-terminal ends
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def test_the_end_tells_the_run(agreeing: Path, output: Path) -> None:
    """The end says what came in, was merged and planned, what most books say, what was not used and why, and where."""
    text = booksynth("run", agreeing, "--output", output).out
    end = text[text.index("\nDone.\n") :]
    assert "Came in   4 files: 2 books, 2 files not used\n" in end
    assert "Merged    3 recommendations, 1 of several books\n" in end
    assert "Planned   3 plans\n" in end
    assert re.search(r"Took +\d[^\n]+ \(reading [^,]+, consolidating [^,]+, planning [^)]+\)\n", end)
    assert f"Said by most books\n    2 {TITLE} (critical)\n" in end
    assert "cover.jpg" in end
    assert "stub_convergence_tracker.json" in end
    assert f"Open this first:\n  {output}/" in end
    assert f"  {output}/plans/INDEX.md\n" in end
    assert "\x1b" not in text
    assert "█" not in text


def test_what_was_restored(agreeing: Path, output: Path) -> None:
    """A run that goes on says what it restored, and one with nothing to do says that."""
    assert run(agreeing, output, stop_at=6, stop_by="INT").code == 130
    told = booksynth("run", agreeing, "-o", output).out
    assert re.search(r"Phase 2, reading the books \(\d items? restored\)\n", told)
    assert re.search(r"Restored  \d books? of an earlier run\n", told)
    again = booksynth("run", agreeing, "-o", output).out
    assert "\nNothing has changed since the last run: this is its result.\n" in again
    assert "Took" not in again
    assert TITLE in again


def test_for_machines(agreeing: Path, output: Path) -> None:
    """The report for machines holds what the end tells."""
    report = run(agreeing, output).report
    assert [(one["title"], one["book_count"]) for one in report["most_said"]] == [(TITLE, 2)]
    assert [one["file"] for one in report["files_not_used"]] == ["cover.jpg", "stub_convergence_tracker.json"]
    assert report["seconds"] >= report["phases"]["phase_2"]["seconds"] >= 0
    assert report["phases"]["phase_2"]["restored"] == 0


def test_former_names_of_the_folders(agreeing: Path, output: Path) -> None:
    """The folders can be given under the names that they had before, and both names at once must agree."""
    assert booksynth("run", "--shelf-dir", agreeing, "--output-dir", output, "--json").code == 0
    both = booksynth("run", agreeing, "--shelf-dir", agreeing, "-o", output, "--output-dir", output, "--json")
    assert {one["state"] for one in both.report["phases"].values()} == {"reused"}
    assert booksynth("run", agreeing, "-o", output, "--output-dir", output / "other").code == 2
    assert "--shelf-dir" not in booksynth("run", "--help").out


@pytest.mark.parametrize(("env", "has_colour"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_on_a_narrow_terminal(agreeing: Path, output: Path, env: dict[str, str], has_colour: bool) -> None:
    """In 40 columns every line but a path and a file is cut or folded at the edge, with colours and without."""
    shown = on_a_terminal(agreeing, output, 40, **env)
    assert bool(COLOUR.search(shown)) == has_colour
    end = ESCAPES.sub("", shown[shown.index("Done.") :]).replace("\r", "")
    head = end[: end.index("problems in")].splitlines()
    assert all(len(line) <= 40 for line in head), head
    assert any(line.startswith("    2 Measure before you change") and line.endswith("…") for line in head)
    assert "█" not in end


def test_on_a_wide_terminal(agreeing: Path, output: Path) -> None:
    """On a terminal of 100 columns numbers have a bar, and what is common stands whole."""
    shown = ESCAPES.sub("", on_a_terminal(agreeing, output, 100, NO_COLOR="1"))
    assert f"  ████████████   2 {TITLE} (critical)" in shown


def report(**fields: Any) -> dict[str, Any]:
    """Return a report of a run that did nothing but what *fields* say."""
    told = {"state": "done", "restored": 0, "seconds": 0.0}
    empty: dict[str, Any] = {
        "phases": dict.fromkeys(("phase_2", "phase_3", "phase_4"), told),
        "seconds": 0.0,
        "analyses": 0,
        "plans": 0,
        "totals": {},
        "models": None,
        "outputs": {},
    }
    lists: dict[str, Any] = {name: [] for name in ("problems", "edited", "orphans", "most_said", "themes")}
    return {**empty, **lists, "files_not_used": [], **fields}


def test_themes_and_the_page_are_told() -> None:
    """Themes are told with their books and recommendations, the page is what to open, and signs are made harmless."""
    made, shown = terminal(100, is_live=False)
    theme = {"id": "t", "title": "Restoring \x1b[31m[bold]", "book_count": 5, "recommendations": 12}
    tell(report(themes=[theme], outputs={"report.html": "out/report.html", "PHASE3_SUMMARY.md": "out/S.md"}), made)
    assert "    5 Restoring \\x1b[31m[bold] (12)\n" in shown.getvalue()
    assert "Open this first:\n  out/report.html\nThe rest:\n  out/S.md\n" in shown.getvalue()


def test_the_bar_does_not_count_what_was_restored() -> None:
    """After a resume the bar stands where the run stands, and its speed is that of the new items alone."""
    made, _ = terminal(120)
    follower = Follower(made)
    follower(Happened("opened", loop_done=90))
    assert follower._bar is not None
    clock = iter(range(1_000))
    follower._bar.get_time = lambda: float(next(clock))
    (task,) = follower._bar.tasks
    follower(Happened("started", key="91", loop_done=90, loop_total=100))
    assert (task.completed, task.total) == (90, 100)
    for number in range(91, 95):
        follower(Happened("done", key=f"{number}", loop_done=number, loop_total=100))
    assert task.completed == 94
    assert task.speed is not None
    assert task.speed <= 1
    assert task.time_remaining is not None
    assert task.time_remaining >= 6
    follower(Happened("done", key="c", loop="chapters", loop_done=3, loop_total=7))
    assert (task.completed, task.fields["part"]) == (94, "part 3 of 7")
    follower(Happened("closed"))
    assert follower._bar is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (59.7, "1 min 0 s"), (200, "3 min 20 s"), (7_500, "2 h 5 min")],
)
def test_times_in_words(seconds: float, text: str) -> None:
    """A time is told in the units that a person would use."""
    assert spent(seconds) == text
