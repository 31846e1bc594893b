"""Runs phase 3 of booksynth once per line of standard input, in a forked child that a real SIGKILL may end.

Everything is imported once; each run is a fork. A line is a JSON object: ``arguments`` for the command,
``log`` for the names of the trackers that are opened, and ``kill``: null, a number of seconds after which SIGKILL
comes from outside, or ``[n, "before" | "after"]`` for the n-th operation that changes the disk. The answer is a
line too: the exit code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from typing import Any

from booksynth.cli import main
from booksynth.trackers import SUFFIX
from milepost.fs import SystemFiles, use
from milepost.testing import KillAt


def child(job: dict[str, Any]) -> int:
    """Run the command, killed where the job says."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[0], str | bytes | os.PathLike):
            name = os.path.basename(os.fsdecode(args[0]))
            if name.endswith(SUFFIX):
                os.write(log, name.encode() + b"\n")

    sys.addaudithook(note)
    sys.argv = ["booksynth", *job["arguments"]]
    if not isinstance(job["kill"], list):
        return main()
    n, when = job["kill"]
    with use(KillAt(SystemFiles(), n, when)):
        return main()


def serve() -> None:
    """Answer every job."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.dup2(quiet, 1)
            code = 99
            try:
                code = child(job)
            except BaseException:  # noqa: BLE001 - whatever it was, it is told, and this child must not go on as a server
                traceback.print_exc()
            os._exit(code)
        if isinstance(job["kill"], float):
            time.sleep(job["kill"])
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
