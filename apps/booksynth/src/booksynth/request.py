"""What a run of phase 3 is asked for, and who hears how it goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from booksynth.inputs import Found
    from booksynth.progress import Plan, Progress
    from booksynth.settings import Settings
    from booksynth.shards import Entry

CONSOLIDATED = "consolidated_recommendations.json"
SUMMARY = "PHASE3_SUMMARY.md"
PAGE = "report.html"
TABLE = "consolidated_recommendations.csv"
REPORT = "run_report.json"


@dataclass(frozen=True)
class Request:
    """What one run is asked to do."""

    analysis_dir: Path
    output_dir: Path
    settings: Settings
    dry_run: bool = False
    fresh: bool = False
    strict: bool = False

    @property
    def checkpoint_dir(self) -> Path | str:
        """Where progress is kept: in the store that is set, or a folder that begins at the output folder."""
        checkpoints = self.settings.checkpoints
        return checkpoints.store or self.output_dir / checkpoints.checkpoint_dir


class InputError(Exception):
    """There is nothing to work on; the message says what to give instead."""


class Listener(Protocol):
    """Who wants to hear how the run goes."""

    def note(self, text: str) -> None:
        """Hear one sentence."""

    def begin(self, plan: Plan, total: int, saved: Progress) -> None:
        """Hear what is to be read, before the first book is."""

    def book(self, found: Found, entry: Entry | None) -> None:
        """Hear that a book is finished; without an entry, it could not be read."""

    def end(self) -> None:
        """Hear that the last book is finished."""
