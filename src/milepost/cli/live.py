"""What a person sees while a workflow runs: a bar for each phase on a terminal, lines elsewhere. On standard error."""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from milepost.cli.common import escaped
from milepost.events import Event, EventKind

_LINE_EVERY_SECONDS = 10.0


@dataclass
class Seen:
    """What was heard of one phase. *done_before* items were done when its attempt began, at *began*."""

    phase: str
    state: str = "running"
    done: int = 0
    total: int | None = None
    done_before: int = 0
    began: float = 0.0
    ended: float | None = None
    failed: int = 0
    retried: int = 0
    steps: int = 0
    calls: int = 0
    cost_usd: float = 0.0
    errors: list[str] = field(default_factory=list)

    def take(self, event: Event, now: float) -> None:
        """Count one event."""
        if event.kind is EventKind.OPENED:
            self.state, self.began, self.done_before, self.ended = "running", now, event.done or 0, None
        elif event.kind in {EventKind.COMPLETED, EventKind.REUSED}:
            self.state, self.ended = ("finished" if event.kind is EventKind.COMPLETED else "reused"), now
        elif event.kind is EventKind.CLOSED:
            ended = "finished" if event.error is None else "stopped"  # a result that still stands is not told anew
            self.state, self.ended = (ended if self.state == "running" else self.state), now
        self.failed += event.kind is EventKind.FAILED
        self.retried += event.kind is EventKind.RETRIED
        self.steps += event.kind is EventKind.STEPPED
        self.calls += event.kind is EventKind.SENT
        if event.kind is EventKind.SENT:
            self.cost_usd += event.cost_usd or 0.0
        if event.kind is EventKind.FAILED and event.error:
            self.errors.append(f"{event.key}: {event.error}")
        self.done = self.done if event.done is None else event.done
        self.total = self.total if event.total is None else event.total

    def per_minute(self, now: float) -> float | None:
        """Return the items a minute of this attempt alone; None before its first."""
        seconds = (self.ended or now) - self.began
        fresh = self.done - self.done_before
        return fresh * 60 / seconds if fresh > 0 and seconds > 0 else None

    def eta_seconds(self, now: float) -> float | None:
        """Return the seconds that are left at the rate of this attempt; None where that cannot be known."""
        rate = self.per_minute(now)
        if rate is None or self.total is None or self.state != "running":
            return None
        return max(0, self.total - self.done) * 60 / rate


def details(seen: Seen, now: float) -> str:
    """Return rate, ETA, failures, retries and dollars, as far as there are any."""
    parts = []
    rate = seen.per_minute(now)
    if rate is not None:
        parts.append(f"{rate:,.1f}/min" if rate < 100 else f"{rate / 60:,.1f}/s")
    eta = seen.eta_seconds(now)
    if eta is not None:
        parts.append(f"ETA {duration(eta)}")
    for number, word in ((seen.failed, "failed"), (seen.retried, "retried"), (seen.steps, "steps")):
        if number:
            parts.append(f"{number:,} {word}")
    if seen.cost_usd:
        parts.append(f"${seen.cost_usd:,.2f}")
    return ", ".join(parts)


def counted(seen: Seen) -> str:
    """Return how many items are done, of how many where that is known; nothing where there are none."""
    if seen.total is not None:
        return f"{seen.done:,}/{seen.total:,}"
    return f"{seen.done:,}" if seen.done else ""


def duration(seconds: float) -> str:
    """Return a duration as people read it: ``42 s``, ``3:20``, ``2:05:00``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Console(Console):
    """A console that says when its pipe is closed; the inherited one ends the program then."""

    def on_broken_pipe(self) -> None:
        """Raise what was caught."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads the progress any more")


class Watcher:
    """Hears the events of a run and shows them. Threads of several phases may speak at once."""

    def __init__(self, *, quiet: bool = False, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Show nothing at all where *quiet*."""
        self.phases: dict[str, Seen] = {}
        self.console = _Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._now = monotonic
        self._mutex = threading.RLock()
        self._spoken = 0.0
        self._tasks: dict[str, TaskID] = {}
        self._bars: Progress | None = None
        if not quiet and self.console.is_terminal and not self.console.is_dumb_terminal:
            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[items]}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[details]}", markup=False),
                console=self.console,
            )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            with suppress(OSError):  # as for every event
                self._bars.stop()

    def __call__(self, event: Event) -> None:
        """Hear one event."""
        with self._mutex:
            seen = self.phases.setdefault(event.phase, Seen(event.phase, began=self._now()))
            seen.take(event, self._now())
            if self._quiet:
                return
            try:
                self._show(event, seen)
            except OSError:  # the terminal or the log is gone or full: no reason for the work to end
                self._quiet = True

    def _show(self, event: Event, seen: Seen) -> None:
        if event.kind is EventKind.FAILED or (event.kind is EventKind.RETRIED and event.key is None):
            self._say(f"{event.phase}: {event.key or 'the phase'} {event.kind}: {event.error}", "yellow")
        if self._bars is not None:
            self._draw(self._bars, seen)
        else:
            self._line(event, seen)

    def _draw(self, bars: Progress, seen: Seen) -> None:
        if seen.phase not in self._tasks:
            self._tasks[seen.phase] = bars.add_task(escaped(seen.phase), total=None, details="", items="")
        text = details(seen, self._now()) if seen.state in {"running", "finished"} else seen.state
        is_whole = seen.state in {"finished", "reused"}
        total = seen.total or (1 if is_whole else None)  # a bar without an end moves
        task = self._tasks[seen.phase]
        done = total if is_whole and not seen.failed else seen.done
        bars.update(task, completed=done, total=total, details=text, items=counted(seen))
        if seen.ended is not None:
            bars.stop_task(task)

    def _line(self, event: Event, seen: Seen) -> None:
        """Say a line when a phase begins or ends, and now and then between."""
        now = self._now()
        if event.kind is EventKind.OPENED:
            self._say(f"{event.phase}: attempt {event.attempt} begins, {seen.done_before:,} items done")
        elif event.kind in {EventKind.COMPLETED, EventKind.REUSED}:
            self._say(f"{event.phase}: {self._summary(seen, now)}")
        elif event.kind is EventKind.DONE and now - self._spoken >= _LINE_EVERY_SECONDS:
            self._spoken = now
            self._say(f"{event.phase}: {self._summary(seen, now)}")

    @staticmethod
    def _summary(seen: Seen, now: float) -> str:
        if seen.state == "reused":
            return "finished before, reused"
        items = counted(seen)
        return ", ".join(filter(None, [seen.state, f"{items} items" if items else "", details(seen, now)]))

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(Text(escaped(text), style=style))
