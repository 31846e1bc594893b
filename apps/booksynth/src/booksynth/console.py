"""What a person sees: a line for each book, and on a terminal a progress bar below them."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from booksynth.request import CONSOLIDATED, PAGE, REPORT, SUMMARY
from booksynth.summary import count
from booksynth.texts import printable
from booksynth.trackers import SUFFIX

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from booksynth.inputs import Found
    from booksynth.progress import Plan, Progress
    from booksynth.report import Report
    from booksynth.shards import Entry, Problem

PROBLEMS_SHOWN = 40
NARROW = 60


class PlainConsole(Console):
    """A console that leaves the exit code to the command line when its reader goes away."""

    def on_broken_pipe(self) -> None:
        """Raise the system's error instead of ending the process with code 1.

        Raises:
            BrokenPipeError: Always.
        """
        raise BrokenPipeError


class Terminal:
    """Tells how a run goes; on a terminal with a bar whose end is estimated from bytes to read.

    Restored books are behind the bar's start, so they do not make the rest look quick.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to *stream*, or to standard output."""
        self.console = PlainConsole(file=stream or sys.stdout, highlight=False)
        self.is_live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._done = 0
        self._total = 0

    def note(self, text: str) -> None:
        """Print one sentence."""
        self.print(printable(text))

    def begin(self, plan: Plan, total: int, saved: Progress) -> None:
        """Say what was found and what is to be read; start the bar."""
        self._total = total
        self._done = total - len(plan.to_read)
        self.print(f"{count(total, 'tracker')}: {len(plan.to_read):,} to read", "bold")
        if plan.restored:
            looked = f", {len(plan.verified):,} of them after a look at the content"
            self.print(
                f"Restored {count(len(plan.restored), 'finished book')} from the saved progress "
                f"(iteration {saved.iteration}){looked if plan.verified else ''}."
            )
        for word, names in (("Changed", plan.changed), ("New", plan.new), ("Removed", plan.removed)):
            for name in names:
                self.print(f"{word} since then: {printable(name)}", "yellow")
        if self.is_live and plan.to_read:
            self._start(plan)

    def _start(self, plan: Plan) -> None:
        # Only a terminal has a bar, and everybody else need not wait for its code.
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[books]} books"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        size = sum(found.size for found in plan.to_read)
        self._task = self._bar.add_task("Reading", total=max(size, 1), books=self._count())
        self._bar.start()

    def book(self, found: Found, entry: Entry | None) -> None:
        """Print a line, and move the bar below it."""
        self._done += 1
        self.print(f"[{self._count()}] {_outcome(entry)}: {_short(found.name)}", cut=True)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=found.size, books=self._count())

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def finish(self, report: Report) -> None:
        """Say what came of it, what is wrong with which file, and what to do next."""
        totals = report.totals
        self.print("")
        self.print(_headline(report), "bold")
        self.print(
            f"{totals['raw']:,} recommendations of {count(totals['books_with_content'], 'book')}, "
            f"{totals['unique']:,} different within their book, come down to "
            f"{totals['recommendations']:,}; {totals['in_several_books']:,} stand in several books."
        )
        if totals["below_min_confidence"]:
            self.print(f"{totals['below_min_confidence']:,} more are below the asked confidence.")
        self.tell_problems(report.problems)
        self._tell_next(report)

    def tell_problems(self, problems: list[Problem], where: str = REPORT) -> None:
        """Say what is wrong with which file, by reason; *where* holds those that are too many to print."""
        if not problems:
            return
        files = len({problem.file for problem in problems})
        self.print("")
        self.print(f"{count(len(problems), 'problem')} in {count(files, 'file')}:", "yellow")
        by_reason: dict[str, list[Problem]] = {}
        for problem in problems[:PROBLEMS_SHOWN]:
            by_reason.setdefault(problem.reason, []).append(problem)
        for reason, group in by_reason.items():
            self.print(f"  {printable(reason)}")
            for problem in group:
                self.print(f"    {printable(f'{problem.file} {problem.where}'.strip())}")
        if len(problems) > PROBLEMS_SHOWN:
            self.print(f"  and {len(problems) - PROBLEMS_SHOWN:,} more, in {where}")

    def _tell_next(self, report: Report) -> None:
        self.print("")
        if report.status == "dry-run":
            self.print("A dry run: nothing was written. Without --dry-run this is written:")
        elif report.status == "refused":
            self.print("Refused because of --strict: no result was written. All details:", "red")
            self.print(f"  {report.outputs[REPORT]}")
            return
        else:
            self.print("The results:", "green")
        for name in (PAGE, SUMMARY, CONSOLIDATED, REPORT):
            self.print(f"  {report.outputs[name]}")
        if report.status == "done" and not report.cached:
            self.print("")
            self.print(
                "Try next: run it again, and the finished result comes back at once. Or run it with "
                "--fresh, kill it half way, and run it again: only unfinished books are read."
            )

    def _count(self) -> str:
        return f"{self._done}/{self._total}"

    def print(self, text: str, style: str = "", *, cut: bool = False) -> None:
        """Print a line; with *cut* it ends at the edge of the terminal."""
        # Names of files and titles may hold what rich would take for markup. What goes to a pipe keeps its
        # lines whole, to be searched; so does what is indented on the terminal: paths, to be copied.
        self.show(Text(text, style=style), cut=cut)

    def show(self, text: Text, *, cut: bool = False) -> None:
        """Print a line of several styles; with *cut* it ends at the edge of the terminal."""
        if cut and self.console.is_terminal:
            self.console.print(text, overflow="ellipsis", no_wrap=True)
        else:
            self.console.print(text, soft_wrap=not self.console.is_terminal or text.plain.startswith("  "))

    @property
    def is_narrow(self) -> bool:
        """Tell whether lines are cut at a terminal of few columns."""
        return self.console.is_terminal and self.console.width < NARROW


def _short(name: str) -> str:
    return printable(name.removesuffix(SUFFIX))


def _headline(report: Report) -> str:
    if report.cached:
        return "Nothing has changed since the last run: this is its result. No book was read."
    read = "would be read" if report.dry_run else "read"
    text = f"{count(report.books_read, 'book')} {read}, {report.books_restored:,} restored."
    if report.resumed_from is not None:
        text += f" Resumed at iteration {report.resumed_from}."
    return text


def _outcome(entry: Entry | None) -> str:
    if entry is None:
        return "not readable"
    if entry.shard is None:
        return "; ".join(printable(problem.reason) for problem in entry.problems)
    if entry.shard.is_stub:
        return "a stub"
    wrong = f", {count(len(entry.problems), 'problem')}" if entry.problems else ""
    return count(len(entry.shard.recommendations), "recommendation") + wrong


def log_handler(console: Console) -> logging.Handler:
    """Return a handler that writes to the terminal without breaking the bar, else to stderr."""
    if console.is_terminal:
        from rich.logging import RichHandler

        return RichHandler(console=console, show_path=False, markup=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    return handler


def file_handler(path: os.PathLike[str]) -> logging.Handler:
    """Return a handler that adds to a log file.

    Raises:
        OSError: The file cannot be opened.
    """
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler
