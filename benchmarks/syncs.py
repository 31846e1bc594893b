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
_OPENS = ("open", "openat", "openat2")
_WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2")
_CALL = re.compile(r"^(\d+)\s+(<\.\.\. )?(\w+)(?: resumed>|\((\d+<[^>]*>)?)")
_OPENED = re.compile(r"= (\d+<[^>]*>)")
_SYNCED_WRITES = re.compile(r"\b(?:O_D?SYNC|RWF_D?SYNC)\b")
_TURNS = 2


def counter() -> str | None:
    """Return the path of a strace that works here, or None."""
    path = shutil.which("strace")
    if path is None:
        return None
    tried = subprocess.run([path, "-o", "/dev/null", "true"], capture_output=True, check=False)
    return path if tried.returncode == 0 else None


def count(strace: str, workload: Workload, contender: Contender, folder: Path, shared: Path) -> float:
    """Return the syncs per operation, over a few turns that are not timed. Raises ContenderFailed."""
    with tempfile.TemporaryDirectory() as elsewhere:
        log = Path(elsewhere, "strace.log")
        traced = ",".join(f"?{call}" for call in (*_SYNCS, *_MARKS, *_OPENS, *_WRITES))
        before = [strace, "-f", "-qq", "-y", "-s", "0", "-e", f"trace={traced}", "-o", str(log)]
        with Resident(workload, contender, folder, shared=shared, before=before) as one:
            for number in range(_TURNS + 1):
                one.turn(number)
        return counted(log.read_text(errors="replace"), _TURNS) / (_TURNS * workload.operations)


def counted(log: str, turns: int) -> int:
    """Count the syncs between the marks of *turns* turns, the warm-up's left out.

    A write to a file that was opened so that each write is synced is a sync as well: lmdb writes its head so.
    """
    total, turn, is_inside = 0, -1, False
    synced: set[str] = set()
    opening: set[str] = set()
    for line in log.splitlines():
        if BEGIN in line:
            is_inside, turn = True, turn + 1
        elif END in line:
            is_inside = False
        elif call := _CALL.match(line):
            process, resumed, name, handle = call.groups()
            if name in _OPENS:
                _note_opened(line, process, opening, synced)
            elif is_inside and turn > 0 and not resumed:
                is_synced_write = name in _WRITES and (handle in synced or bool(_SYNCED_WRITES.search(line)))
                total += name in _SYNCS or is_synced_write
    if turn != turns:
        raise ContenderFailed("the trace shows no turns")
    return total


def _note_opened(line: str, process: str, opening: set[str], synced: set[str]) -> None:
    """Remember a file whose writes are synced; the call may be told in two lines, and a number may be used again."""
    if _SYNCED_WRITES.search(line):
        opening.add(process)
    if found := _OPENED.search(line):
        (synced.add if process in opening else synced.discard)(found[1])
        opening.discard(process)
