"""Reading in a process of its own, with a limit of memory and time: a hostile book cannot take the run with it.

The parsers of PDF, HTML and XML are native code. What crashes, hangs or grows in there ends that process alone, and
is a problem of that one book.
"""

from __future__ import annotations

import json
import resource
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
        ReadingFailedError: Reading took too long, its process could not be started, confined or given what it needs,
            or something ended it from outside.
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
    if "failed" in answer:
        raise ReadingFailedError("unreadable", answer["failed"])
    if "error" in answer:
        code, reason = answer["error"]
        short = _short_of_memory(limits) if code == "needs-memory" else None
        raise short or FileError(code, reason)
    return Reading.load(answer)


def _ended(code: int, errors: bytes, limits: Limits) -> Exception:
    if code > 0:
        # What a reader has to say about a book, it answers; this one did not come so far.
        last = (errors.decode("utf-8", "backslashreplace").strip().splitlines() or ["no word of why"])[-1]
        return ReadingFailedError("unreadable", f"its reader did not start, or gave no answer: {last[:300]}")
    if -code == signal.SIGXCPU:
        return _too_slow(limits)
    if -code in _FROM_OUTSIDE:
        return ReadingFailedError("unreadable", f"reading it was ended from outside by signal {-code}")
    limit = f"{limits.memory_mb:,.0f} MB"
    reason = f"the reader crashed on it (signal {-code}, within max_memory_mb = {limit})"
    return _short_of_memory(limits) or FileError("reader-crashed", reason)


def _short_of_memory(limits: Limits) -> ReadingFailedError | None:
    """Return what to say where we are allowed less memory than a book is: what was lacking is no fault of the book."""
    present = (resource.getrlimit(resource.RLIMIT_AS)[1], resource.getrlimit(resource.RLIMIT_DATA)[0])
    allowed = min((limit for limit in present if limit != resource.RLIM_INFINITY), default=limits.memory_bytes)
    if allowed >= limits.memory_bytes:
        return None
    reason = f"not read within {allowed / 1_000_000:,.0f} MB of memory, which is all that is allowed here"
    return ReadingFailedError("unreadable", f"{reason} (max_memory_mb = {limits.memory_mb:,.0f})")


def _too_slow(limits: Limits) -> ReadingFailedError:
    return ReadingFailedError("too-slow", f"not read within {limits.seconds:g} seconds (max_seconds)")
