"""What the tests of booksynth share: trackers made to measure, and runs of the real command."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from booksynth.trackers import SUFFIX

RESULTS = (
    "consolidated_recommendations.json",
    "PHASE3_SUMMARY.md",
    "consolidated_recommendations.csv",
    "report.html",
)


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


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("forked.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    # Without this its pipes would be reported as left open at the end of the tests.
    atexit.register(server.communicate)
    return server


def booksynth(
    *arguments: str | Path,
    env: dict[str, str] | None = None,
    stop_at: int = 0,
    stop_by: str = "KILL",
    kill: tuple[int, str] | float | str | None = None,
    preload: Sequence[str] = (),
    module: str = "",
) -> Done:
    """Run the command in a process of its own; see ``forked.py`` for what can be done to it."""
    variables = {name: value for name, value in os.environ.items() if "BOOKSYNTH" not in name}
    with tempfile.TemporaryDirectory() as folder:
        out, err, opened = (Path(folder) / name for name in ("out", "err", "opened"))
        job = {
            "arguments": [str(one) for one in arguments],
            "env": {**variables, **(env or {})},
            "out": str(out),
            "err": str(err),
            "log": str(opened),
            "stop_at": stop_at,
            "stop_by": stop_by,
            "kill": kill,
            "preload": list(preload),
            "module": module,
        }
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps(job), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        return Done(code, _text(out), _text(err), _text(opened).splitlines())


def _text(path: Path) -> str:
    """Return what a run wrote; one that was killed at once wrote nothing."""
    return path.read_text("utf-8") if path.exists() else ""


def phase_3(analysis: Path, output: Path, *more: str | Path, **options: Any) -> Done:
    """Run phase 3 from one folder to another, with the report on standard output."""
    arguments = ["--analysis-dir", analysis, "--output-dir", output, "--json", *more]
    return booksynth("phase-3", *arguments, **options)


def run(shelf: Path, output: Path, *more: str | Path, **options: Any) -> Done:
    """Run the workflow from a shelf to a folder, with the report on standard output."""
    return booksynth("run", shelf, "--output", output, "--json", *more, **options)


def standing(output: Path) -> dict[str, str]:
    """Return every file of the results by the digest of its content; progress and lineage, its history, left out."""
    found = {path.relative_to(output).as_posix(): path for path in sorted(output.rglob("*")) if path.is_file()}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in found.items()
        if not name.startswith("checkpoints/") and name != "lineage.json"
    }


def record(title: Any = "Cache the index", **fields: Any) -> dict[str, Any]:
    """Return a recommendation with every usual field."""
    return {
        "title": title,
        "description": f"Why and how: {title}.",
        "technical_details": f"{title}.",
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
