"""The run report: what one run did. The clock and the host appear here, never in the results."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from booksynth import __version__
from booksynth.shards import Problem

REPORT_FORMAT = 1


@dataclass
class Report:
    """What one run did.

    `status`: ``done``, ``dry-run``, or ``refused`` (there are problems, and --strict was given).
    Counts of books count trackers. `books_read` had their content analysed in this run;
    `books_restored` came from saved progress, `books_verified` of them after a look at their digest.
    `written` names the results that this run wrote: a cached run writes only what is not there.
    """

    status: str = "done"
    dry_run: bool = False
    strict: bool = False
    cached: bool = False
    books_total: int = 0
    books_read: int = 0
    books_restored: int = 0
    books_verified: int = 0
    changed: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    resumed_from: int | None = None
    fresh: bool = False
    totals: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    timings: dict[str, float | str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        head = {"format": "booksynth/run-report", "format_version": REPORT_FORMAT, "phase": "phase_3"}
        return {**head, **asdict(self), "versions": _versions(), "host": platform.node()}

    def encode(self) -> bytes:
        """Return the report as the bytes of ``run_report.json``."""
        return (json.dumps(self.document(), ensure_ascii=False, indent=2) + "\n").encode()


def shown(path: Path) -> str:
    """Return a path as text that can be written anywhere, its bytes whatever they are."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def now() -> str:
    """Return the wall-clock time (UTC, ISO 8601)."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    python = ".".join(map(str, sys.version_info[:3]))
    return {"booksynth": __version__, "milepost": version("milepost"), "python": python}
