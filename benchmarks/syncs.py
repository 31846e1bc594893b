"""How many syncs an operation asks the system for, counted from outside, where strace is installed and allowed."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.model import Contender, Workload
from benchmarks.resident import ContenderFailed, Resident
from benchmarks.worker import BEGIN, END

_SYNCS = ("fsync", "fdatasync", "msync", "sync", "syncfs", "sync_file_range")
_MARKS = ("access", "faccessat", "faccessat2")
_CALL = re.compile(r"^\d+\s+(?:<\.\.\. )?(\w+)")
_TURNS = 2


def counter() -> str | None:
    """Return the path of a strace that works here, or None."""
    path = shutil.which("strace")
    if path is None:
        return None
    tried = subprocess.run([path, "-o", "/dev/null", "true"], capture_output=True, check=False)
    return path if tried.returncode == 0 else None


def count(strace: str, workload: Workload, contender: Contender, folder: Path) -> float:
    """Return the syncs per operation, over a few turns that are not timed. Raises ContenderFailed."""
    with tempfile.TemporaryDirectory() as elsewhere:
        log = Path(elsewhere, "strace.log")
        traced = ",".join((*_SYNCS, *_MARKS))
        with Resident(
            workload, contender, folder, [strace, "-f", "-qq", "-e", f"trace={traced}", "-o", str(log)]
        ) as one:
            for number in range(_TURNS + 1):
                one.turn(number)
        return _counted(log.read_text(errors="replace")) / (_TURNS * workload.operations)


def _counted(log: str) -> int:
    """Count the syncs between the marks, the warm-up's left out."""
    total, turn, is_inside = 0, -1, False
    for line in log.splitlines():
        if BEGIN in line:
            is_inside, turn = True, turn + 1
        elif END in line:
            is_inside = False
        elif is_inside and turn > 0 and "resumed>" not in line:
            call = _CALL.match(line)
            total += bool(call and call[1] in _SYNCS)
    if turn != _TURNS:
        raise ContenderFailed("the trace shows no turns")
    return total
