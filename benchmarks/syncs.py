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
_CLONES = ("clone", "clone3")
_WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2")
_CALL = re.compile(r"^(\d+)\s+(<\.\.\. )?(\w+)(?: resumed>|\((\d+<[^>]*>)?)")
_OPENED = re.compile(r"= (\d+<[^>]*>)")
_CLONED = re.compile(r"^(\d+)\s.* = (\d+)$")
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
        traced = ",".join(f"?{call}" for call in (*_SYNCS, *_MARKS, *_OPENS, *_CLONES, *_WRITES))
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
    process_of = _processes(log)
    files = _SyncedFiles()
    for line in log.splitlines():
        if BEGIN in line:
            is_inside, turn = True, turn + 1
        elif END in line:
            is_inside = False
        elif call := _CALL.match(line):
            thread, resumed, name, handle = call.groups()
            process = process_of.get(thread, thread)
            if name in _OPENS:
                files.note(line, thread, process)
            elif is_inside and turn > 0 and not resumed:
                is_synced = (process, handle) in files.known or bool(_SYNCED_WRITES.search(line))
                total += name in _SYNCS or (name in _WRITES and is_synced)
    if turn != turns:
        raise ContenderFailed("the trace shows no turns")
    return total


class _SyncedFiles:
    """The files of each process whose every write is synced."""

    def __init__(self) -> None:
        self.known: set[tuple[str, str]] = set()
        self._asked: set[str] = set()

    def note(self, line: str, thread: str, process: str) -> None:
        """Look at an opening; it may be told in two lines, and a number may be used again."""
        if _SYNCED_WRITES.search(line):
            self._asked.add(thread)
        if found := _OPENED.search(line):
            change = self.known.add if thread in self._asked else self.known.discard
            change((process, found[1]))
            self._asked.discard(thread)


def _processes(log: str) -> dict[str, str]:
    """Return the process of each thread: strace tells threads only."""
    process_of: dict[str, str] = {}
    is_thread: set[str] = set()
    for line in log.splitlines():
        call = _CALL.match(line)
        if call is None or call[3] not in _CLONES:
            continue
        if "CLONE_THREAD" in line:
            is_thread.add(call[1])
        if made := _CLONED.match(line):
            if call[1] in is_thread:
                process_of[made[2]] = process_of.get(call[1], call[1])
            is_thread.discard(call[1])
    return process_of
