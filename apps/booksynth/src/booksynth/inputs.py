"""The folder of trackers: which there are, whether they changed, and reading one without surprises."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from booksynth.shards import Problem
from booksynth.trackers import SUFFIX

# Within this time of its last change a file may change again without a trace in its signature.
RACY_SECONDS = 2.0


@dataclass(frozen=True)
class Found:
    """A file in the folder, by its name, or a folder of pages. What cannot be used carries its problem.

    `digest` is that of the content when the folder was looked through, where somebody asked for it.
    """

    name: str
    path: Path
    size: int
    signature: list[int]
    problem: Problem | None = None
    is_folder: bool = False
    digest: str | None = None


@dataclass(frozen=True)
class Content:
    """All bytes of a file, and what to know it by later."""

    data: bytes
    digest: str
    signature: list[int]
    is_racy: bool


class UnreadableError(Exception):
    """A tracker could not be read; the problem says why."""

    def __init__(self, problem: Problem) -> None:
        """Hold the *problem*."""
        super().__init__(problem.reason)
        self.problem = problem


def is_tracker(name: str) -> bool:
    """Tell whether a file of that name is a tracker."""
    return name.endswith(SUFFIX)


def discover(folder: Path, max_file_mb: float, is_wanted: Callable[[str], bool] = is_tracker) -> list[Found]:
    """Return every tracker directly in *folder*, in the byte order of the names; reads no content.

    *is_wanted* tells by name what else is asked for.

    Raises:
        OSError: The folder is not there or cannot be listed.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if is_wanted(entry.name)]
    return [look(folder, name, max_file_mb * 1_000_000) for name in sorted(names, key=os.fsencode)]


def look(folder: Path, name: str, max_bytes: float) -> Found:
    """Return what is known of one file without reading it."""
    path = folder / name
    shown = as_text(name)
    code, reason, size, known = "", "", 0, []
    try:
        info = path.stat()
    except OSError as error:
        code, reason = "unreadable", f"cannot be read: {error.strerror}"
    else:
        size, known = info.st_size, signature(info)
        if not stat.S_ISREG(info.st_mode):
            code, reason = "not-a-file", "not a regular file"
        elif size > max_bytes:
            code, reason = "too-large", f"{size} bytes; max_file_mb allows {max_bytes:.0f}"
    if shown != name:
        code, reason = "bad-name", "the file's name is not UTF-8"
    problem = Problem(shown, "", code, reason) if code else None
    return Found(shown, path, size, known, problem)


def as_text(name: str) -> str:
    """Return a name of the file system as text that any file can hold: what is not UTF-8 in it is escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def signature(info: os.stat_result) -> list[int]:
    """Return what changes when a file does: size, mtime, ctime (ns), inode, device."""
    return [info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_dev]


def read(found: Found, max_file_mb: float) -> Content:
    """Return the bytes of a tracker, all of one moment.

    Raises:
        UnreadableError: It cannot be read, is no regular file (any more), has grown too large, or
            changed while it was read.
    """
    try:
        # Something may have put a FIFO here since the folder was listed; opening must not wait.
        with open(os.open(found.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise UnreadableError(Problem(found.name, "", "not-a-file", "not a regular file"))
            data = file.read(int(max_file_mb * 1_000_000) + 1)
            after = os.fstat(file.fileno())
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise UnreadableError(Problem(found.name, "", "unreadable", reason)) from error
    if signature(before) != signature(after) or len(data) != after.st_size:
        reason = "changed while it was read; run again when it is at rest"
        raise UnreadableError(Problem(found.name, "", "changed-while-read", reason))
    is_racy = time.time() - after.st_ctime < RACY_SECONDS
    return Content(data, hashlib.sha256(data).hexdigest(), signature(after), is_racy)
