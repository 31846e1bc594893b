"""Reading in a process of its own, with a limit of memory and time: a hostile book cannot take the run with it.

The parsers of PDF, HTML and XML are native code. What crashes, hangs or grows in there ends that process alone, and
is a problem of that one book.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict

from booksynth.json_reader import FileError
from booksynth.reading.kinds import Kind, Limits, Reading

# A process that waits uses no processor time; this bounds what it may wait, as a multiple of the limit.
PATIENCE = 4
# What the kernel or an operator does to a process says nothing about the book.
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE}


class ReadingFailedError(Exception):
    """The book could not be read now; it may be another time. *code* is stable, *reason* is for people."""

    def __init__(self, code: str, reason: str) -> None:
        """Hold *code* and *reason*."""
        super().__init__(reason)
        self.code = code
        self.reason = reason


def read(kind: Kind, data: bytes, limits: Limits) -> Reading:
    """Return a book as its reader gives it, read in a process of its own.

    Raises:
        FileError: The book cannot be read as it is.
        ReadingFailedError: Reading took too long, or something ended it from outside.
    """
    # -P: nothing in the current folder is taken for a module. A session of its own: Ctrl-C is for us, and the book in
    # hand is finished.
    command = [sys.executable, "-P", "-m", "booksynth.reading.child", kind, json.dumps(asdict(limits))]
    try:
        done = subprocess.run(
            command,
            input=data,
            capture_output=True,
            timeout=PATIENCE * limits.seconds + 10,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _too_slow(limits) from error
    except OSError as error:
        raise ReadingFailedError("unreadable", f"no process to read it: {error.strerror}") from error
    if done.returncode:
        raise _ended(done.returncode, done.stderr, limits)
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise FileError(*answer["error"])
    return Reading.load(answer)


def _ended(code: int, errors: bytes, limits: Limits) -> Exception:
    if code > 0:
        last = (errors.decode("utf-8", "backslashreplace").strip().splitlines() or ["no word of why"])[-1]
        return FileError("reader-failed", f"the reader failed: {last[:300]}")
    if -code == signal.SIGXCPU:
        return _too_slow(limits)
    if -code in _FROM_OUTSIDE:
        return ReadingFailedError("unreadable", f"reading it was ended from outside by signal {-code}")
    limit = f"{limits.memory_mb:,.0f} MB"
    return FileError("reader-crashed", f"the reader crashed on it (signal {-code}, within max_memory_mb = {limit})")


def _too_slow(limits: Limits) -> ReadingFailedError:
    return ReadingFailedError("too-slow", f"not read within {limits.seconds:g} seconds (max_seconds)")
