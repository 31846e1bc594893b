"""What a person sees of the workflow while it runs: a line for each phase and book, a bar on a terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from booksynth.console import Terminal
from booksynth.summary import count
from booksynth.texts import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

NAMES = {
    "phase_2": "Phase 2, reading the books",
    "phase_3": "Phase 3, consolidating",
    "phase_4": "Phase 4, planning",
}
# The items of the others are many and quick: the bar is enough.
TOLD_ONE_BY_ONE = {"phase_2"}
# A narrower terminal has a bar and its count alone.
WIDE = 70


class Happening(Protocol):
    """What is used of a `milepost` event."""

    @property
    def kind(self) -> str:
        """What happened."""

    @property
    def phase(self) -> str:
        """In which phase."""

    @property
    def key(self) -> str | None:
        """To which item."""

    @property
    def loop(self) -> str | None:
        """In which loop."""

    @property
    def error(self) -> str | None:
        """What went wrong."""

    @property
    def loop_done(self) -> int | None:
        """How many items of its loop are done."""

    @property
    def loop_total(self) -> int | None:
        """How many there are, where that is known."""


@dataclass
class Told:
    """What one phase did in this run; *restored* counts items that an earlier run had done."""

    state: str = "not run"
    restored: int = 0
    seconds: float = 0.0
    items: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


class Follower:
    """Hears the events of a run, shows them, and keeps what each phase did."""

    def __init__(self, terminal: Terminal) -> None:
        """Tell *terminal*."""
        self.phases: dict[str, Told] = {name: Told() for name in NAMES}
        self._terminal = terminal
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._began: dict[str, float] = {}

    def __call__(self, event: Happening) -> None:
        """Hear what happened."""
        told = self.phases.setdefault(event.phase, Told())
        name = NAMES.get(event.phase, event.phase)
        if event.kind == "reused":
            told.state = "reused"
            self._terminal.print(f"{name}: nothing has changed, its result is taken.")
        elif event.kind == "opened":
            told.state, told.restored = "interrupted", event.loop_done or 0
            self._began[event.phase] = time.monotonic()
            kept = f" ({count(told.restored, 'item')} restored)" if told.restored else ""
            self._terminal.print(f"{name}{kept}", "bold")
            self._start(name, told.restored)
        elif event.kind in {"started", "done", "failed"} and event.key is not None:
            if event.loop is None and event.kind != "started":
                self._item(told, event)
            self._move(event)
        elif event.kind == "completed":
            told.state = "done"
        elif event.kind == "closed":
            told.seconds = round(time.monotonic() - self._began.get(event.phase, time.monotonic()), 3)
            self.end()

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _item(self, told: Told, event: Happening) -> None:
        key = str(event.key)
        if event.kind == "failed":
            told.failed[key] = event.error or ""
            self._terminal.print(f"  not read: {printable(key)}: {printable(event.error or '')}", "yellow")
        else:
            told.items.append(key)
            if event.phase in TOLD_ONE_BY_ONE:
                self._terminal.print(f"  read: {printable(key)}", cut=True)

    def _move(self, event: Happening) -> None:
        if self._bar is None or self._task is None:
            return
        done, total = event.loop_done or 0, event.loop_total
        if event.loop is None:
            self._bar.update(self._task, completed=done, total=total, part="")
        elif total:
            # The chapters of a book: it is seen to go on, and counts when it is done.
            self._bar.update(self._task, part=f"part {done} of {total}")

    def _start(self, name: str, done: int) -> None:
        if not self._terminal.is_live:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        wide = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[part]}"),
            *(wide if self._terminal.console.width >= WIDE else ()),
            console=self._terminal.console,
            transient=True,
            expand=True,
        )
        # What is behind the start of the bar has no part in its speed: restored items do not make the rest look quick.
        shown = name if self._terminal.console.width >= WIDE else ""
        self._task = self._bar.add_task(shown, completed=done, total=None, part="")
        self._bar.start()
