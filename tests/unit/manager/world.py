"""A small world for the manager's tests: a clock to bend, listings to compare, and children to kill."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milepost import CheckpointManager
from milepost.fs import SystemFiles

PHASE = "phase_3"
START = 1_790_000_000.0
HOUR = 3600.0
YEAR = 365.25 * 24 * HOUR


class BentClock:
    """A clock that moves when told to."""

    def __init__(self, at: float = START) -> None:
        self.at = at
        self.steady = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.steady

    def sleep(self, seconds: float) -> None:
        """Let time pass for both clocks."""
        self.at += seconds
        self.steady += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock without time passing."""
        self.at += seconds


class World:
    """One root folder, one clock, and managers on them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = BentClock()
        self.folder = root / PHASE
        self.kept: list[object] = []  # what a child to be killed must not let go of

    def manager(self, phase: str = PHASE, **settings: Any) -> CheckpointManager:
        """Return a new manager; it has loaded and opened nothing."""
        return CheckpointManager(phase, self.root, **({"clock": self.clock} | settings))

    def load(self, **settings: Any) -> dict[str, Any] | None:
        """Load with a new manager, as a new process would."""
        return self.manager(**settings).get_latest_checkpoint()

    def state(self, **settings: Any) -> Any:
        """Return the state that a new process would find."""
        loaded = self.load(**settings)
        assert loaded is not None
        return loaded["state"]

    def files(self, pattern: str = "checkpoint_*.json") -> list[str]:
        """Name the files of the phase."""
        return sorted(path.name for path in self.folder.glob(pattern))

    def records(self) -> bytes:
        """Return the bytes of all journal records, without first pages and padding."""
        journals = sorted(self.folder.glob("journal_*.jsonl"))
        return b"".join(path.read_bytes()[4096:].rstrip(b"\n\0") for path in journals)


def snapshot(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return everything there is to know of a folder: names, inodes, times, modes and bytes."""
    known: dict[str, tuple[Any, ...]] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        about = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(about.st_mode) else None
        known[str(path)] = (about.st_ino, about.st_mtime_ns, about.st_ctime_ns, about.st_mode, content)
    return known


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder, to be put back with `restore`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def restore(folder: Path, files: dict[str, bytes]) -> None:
    """Make *folder* hold these files and no others; no sync, a test needs none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        if str(path.relative_to(folder)) not in files:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)


def forked(work: Callable[[], Any], *, kill: bool = False) -> Any:
    """Run *work* in a forked child and return what it returned (as JSON); the child ends by SIGKILL if told to."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the test runner may have a thread
        child = os.fork()
    if child == 0:
        status = 1
        try:
            answer = json.dumps(work())
            os.write(writing, answer.encode())
            status = 0
            if kill:
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read().decode()
    _, ended = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(ended) == (-signal.SIGKILL if kill else 0), answer
    return json.loads(answer)


def said(caplog: pytest.LogCaptureFixture, least: int = logging.WARNING) -> list[str]:
    """Return what Milepost said at *least* at this level."""
    told = [one for one in caplog.records if one.name.startswith("milepost") and one.levelno >= least]
    return [one.getMessage() for one in told]


class UnsyncedFiles(SystemFiles):
    """The real files without waiting for the disk, for tests that save thousands of times."""

    def sync(self, handle: int) -> None:
        """Promise nothing."""

    def sync_data(self, file: int) -> None:
        """Promise nothing."""
