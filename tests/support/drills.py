"""Drills of sample jobs, each in a folder of its own, by the command that users type."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

JOBS = Path(__file__).parent / "drilled"
PATIENCE_SECONDS = 100.0


def prepared(folder: Path, job: str) -> Path:
    """Lay a sample job into *folder* as ``job.py``, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(JOBS / f"{job}.py", folder / "job.py")
    return folder


def command(*words: str) -> list[str]:
    """Return the command that drills ``job.py``."""
    return [sys.executable, "-m", "milepost.cli", "drill", *words, "--", sys.executable, "job.py"]


def drill(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Drill the job of *folder* to the end."""
    return subprocess.run(
        command(*words), cwd=folder, env=_unpinned() | variables,
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


def _unpinned() -> dict[str, str]:
    """Return this process's environment without a hash seed: a library used by another test may have set one."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}


def report_of(folder: Path, *words: str, **variables: str) -> dict[str, Any]:
    """Drill the job of *folder* and return the JSON report; its exit code is that of the command."""
    done = drill(folder, "--json", *words, **variables)
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["exit_code"] == done.returncode
    return report
