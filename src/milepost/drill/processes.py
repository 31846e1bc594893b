"""Running a job: started, watched without polling, interrupted, and ended with all that it started."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from milepost.fs.installed import DRILL_VARIABLE
from milepost.fs.trees import open_to_fill

_TAIL_BYTES = 4000
_PATIENCE_SECONDS = 10.0
"""How long to wait for killed processes to go: one that hangs in the system cannot be killed."""


class Stopped(Exception):
    """The drill was asked to stop while a job ran."""


class Stop:
    """A request to stop that wakes whoever waits for a job."""

    def __init__(self) -> None:
        """Ask for nothing yet."""
        self.handle, self._to = os.pipe()
        self.asked = False

    def ask(self) -> None:
        """Ask everybody to stop."""
        if not self.asked:
            self.asked = True
            os.write(self._to, b"\n")

    def check(self) -> None:
        """Raise `Stopped` if it was asked for."""
        if self.asked:
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait for so long, or raise `Stopped` once it was asked for."""
        select.select([self.handle], [], [], max(0.0, seconds))
        self.check()

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self.handle)
        os.close(self._to)


class Job(NamedTuple):
    """What is run, and where its drill's control folder is."""

    command: Sequence[str]
    folder: Path
    control: Path
    environment: Mapping[str, str]


class Running:
    """A job that was started; its processes share a session."""

    def __init__(self, job: Job) -> None:
        """Start it, with what it prints in files of its control folder.

        Raises:
            OSError: The command cannot be started.
        """
        self.job = job
        self.since = time.monotonic()
        with ExitStack() as outputs:
            handles = []
            for name in ("stdout", "stderr"):
                handles.append(open_to_fill(job.control / name))
                outputs.callback(os.close, handles[-1])
            self._process = subprocess.Popen(
                job.command,
                cwd=job.folder,
                env={**job.environment, DRILL_VARIABLE: str(job.control)},
                stdin=subprocess.DEVNULL,
                stdout=handles[0],
                stderr=handles[1],
                start_new_session=True,
            )
        self.pid = self._process.pid

    def wait(self, stop: Stop, seconds: float, also: int | None = None) -> int | None:
        """Wait until it ends, until *also* can be read, or for so many *seconds*.

        Returns:
            Its exit code, or None where it still runs.

        Raises:
            Stopped: The drill was asked to stop.
        """
        handle = os.pidfd_open(self.pid)
        try:
            poll = select.poll()
            for one in (handle, stop.handle, *(() if also is None else (also,))):
                poll.register(one, select.POLLIN)
            ready = {one for one, _ in poll.poll(max(0.0, seconds) * 1000)}
        finally:
            os.close(handle)
        stop.check()
        return self._process.wait() if handle in ready else None

    def kill(self) -> int:
        """Kill the whole tree, wait for its end, and return the exit code."""
        self._process.kill()
        end_all(self.job.control, self.pid)
        return self._process.wait()


@contextmanager
def running(job: Job) -> Iterator[Running]:
    """Start a job; it is killed with its tree at the end of the block if something went wrong meanwhile."""
    started = Running(job)
    try:
        yield started
    except BaseException:
        started.kill()
        raise


def tail(path: Path) -> str:
    """Return the end of a text file; nothing where there is none."""
    with suppress(OSError), open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        return file.read().decode("utf-8", "replace")
    return ""


def end_all(control: Path, session: int | None = None) -> None:
    """Kill every process that belongs to a drill's *control* folder or one below, or to a *session*.

    Looked for again until none is left: a process may start another while it is looked for.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    variable = os.fsencode(f"{DRILL_VARIABLE}={control}")
    while (found := list(_belonging(variable, session))) and time.monotonic() < until:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)  # they need a moment to go


def _belonging(variable: bytes, session: int | None) -> Iterator[int]:
    """Yield the processes whose environment names the folder, or that are of the session, zombies left out."""
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with suppress(OSError):  # it has ended, or is another user's
            state, _, _, its_session = _read(f"/proc/{name}/stat").rpartition(b") ")[2].split()[:4]
            if state in {b"Z", b"X"}:
                continue
            of_session = session is not None and int(its_session) == session
            if of_session or _names(_read(f"/proc/{name}/environ"), variable):
                yield int(name)


def _names(environment: bytes, variable: bytes) -> bool:
    return any(
        one == variable or one.startswith(variable + b"/")
        for one in environment.split(b"\0")
        if one[:9] == variable[:9]
    )


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
