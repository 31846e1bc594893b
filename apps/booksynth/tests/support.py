"""What the tests of booksynth share: trackers made to measure, and runs of the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from booksynth.trackers import SUFFIX

RESULTS = ("consolidated_recommendations.json", "PHASE3_SUMMARY.md")

# Every open of a tracker is written down by an audit hook, which production code cannot see or
# fool. At the open of the STOP_AT-th tracker the process is stopped as STOP_BY says.
_AUDITED = f"""
import os, signal, sys
log = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
stop_at, stop_by = int(os.environ.get("STOP_AT", "0")), os.environ.get("STOP_BY", "KILL")
count = 0
def hook(event, args):
    global count
    if event != "open" or isinstance(args[0], int):
        return
    name = os.path.basename(os.fsdecode(args[0]))
    if not name.endswith("{SUFFIX}"):
        return
    count += 1
    if count == stop_at:
        if stop_by == "raise":
            raise RuntimeError("a bug, for the test")
        os.kill(os.getpid(), getattr(signal, "SIG" + stop_by))
        if stop_by == "KILL":
            return
    os.write(log, name.encode() + b"\\n")
sys.addaudithook(hook)
from booksynth.cli import main
sys.argv[0] = "booksynth"
sys.exit(main())
"""


@dataclass(frozen=True)
class Done:
    """A finished run of the command."""

    code: int
    out: str
    err: str
    opened: list[str]

    @property
    def report(self) -> dict[str, Any]:
        """What ``--json`` printed."""
        report: dict[str, Any] = json.loads(self.out)
        return report


def booksynth(
    *arguments: str | Path,
    env: dict[str, str] | None = None,
    stop_at: int = 0,
    stop_by: str = "KILL",
    log: Path | None = None,
) -> Done:
    """Run the command in a process of its own."""
    audit = log or Path(os.devnull)
    if log is not None:
        log.unlink(missing_ok=True)
    variables = {name: value for name, value in os.environ.items() if "BOOKSYNTH" not in name}
    variables |= {"AUDIT_LOG": str(audit), "STOP_AT": str(stop_at), "STOP_BY": stop_by}
    done = subprocess.run(
        [sys.executable, "-c", _AUDITED, *map(str, arguments)],
        env={**variables, **(env or {})},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    opened = log.read_text().splitlines() if log is not None and log.exists() else []
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode(), opened)


def phase_3(analysis: Path, output: Path, *more: str | Path, **options: Any) -> Done:
    """Run phase 3 from one folder to another, with the report on standard output."""
    arguments = ["--analysis-dir", analysis, "--output-dir", output, "--json", *more]
    return booksynth("phase-3", *arguments, **options)


def record(title: Any = "Cache the index", **fields: Any) -> dict[str, Any]:
    """Return a recommendation with every usual field."""
    return {
        "title": title,
        "description": f"Why and how: {title}.",
        "technical_details": "Plain files.",
        "implementation_steps": ["Step 1: Look", "Do it"],
        "expected_impact": "Less waiting",
        "priority": "IMPORTANT",
        "time_estimate": "8 hours",
        "dependencies": [],
        "source_chapter": "Chapter 3",
        "category": "Speed",
        **fields,
    }


def tracker(title: str, *iterations: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return a tracker document with the given buckets in each iteration."""
    numbered: Iterable[tuple[int, Mapping[str, Sequence[Any]]]] = enumerate(iterations, 1)
    return {
        "book_title": title,
        "start_time": "2025-10-25T06:01:56",
        "iterations": [
            {"iteration": n, "timestamp": "2025-10-25", "recommendations": buckets} for n, buckets in numbered
        ],
        "total_recommendations": {"critical": 0},
    }


def write(folder: Path, name: str, content: Any) -> Path:
    """Write a tracker (a document, text or bytes) and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{SUFFIX}"
    if isinstance(content, dict):
        content = json.dumps(content, ensure_ascii=False, indent=1)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def results(output: Path) -> dict[str, bytes]:
    """Return the bytes of the results that are there."""
    return {name: (output / name).read_bytes() for name in RESULTS if (output / name).exists()}


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Return everything below a folder, such that any write shows."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.lstat().st_ino)
        for path in sorted(folder.rglob("*"))
    }
