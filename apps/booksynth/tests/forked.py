"""Runs booksynth once per line of standard input, each time in a forked child of its own.

Everything is imported once, so a run costs a fork and not a second of imports. A line is a JSON object: `arguments`,
`env`, the files `out` and `err`, `log` for the names of the trackers that are opened, `stop_at`, `stop_by` and `kill`.
The answer is the exit code, as `subprocess` gives it.

An audit hook, which production code can neither see nor fool, writes down every open of a tracker. At the open of the
tracker number `stop_at` the process is stopped by the signal `stop_by`, or by an exception where that is ``raise``. SIGKILL
comes at the n-th operation that changes the disk where `kill` is ``[n, "before" | "after"]``, and from outside after
that many seconds where it is a number, or once there is a file of that name where it is a text. `preload` names modules
that are loaded here before the fork. `module` names a module beside this one whose `main` is run instead of the command.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

# Loaded for the children, which would load them one by one: what a command imports where it is used.
import jinja2
import markdown_it
import pydantic_settings
import ruamel.yaml
import scipy.cluster.hierarchy
import scipy.sparse.csgraph
import snowballstemmer.english_stemmer

import milepost.fingerprint
from booksynth import (
    advice,
    catalogue,
    chapters,
    commands,
    consolidate,
    ending,
    following,
    lineage,
    outcome,
    page,
    phase_3,
    phases,
    results,
    summary,
    synthesis,
)
from booksynth.cli import main
from booksynth.page import rendering
from booksynth.trackers import SUFFIX
from milepost.fs import SystemFiles, use
from milepost.testing import KillAt

PRELOADED = (
    *(advice, catalogue, chapters, commands, consolidate, ending, following, lineage, outcome, page, phase_3, phases),
    *(rendering, results, summary, synthesis, milepost.fingerprint),
    *(jinja2, markdown_it, pydantic_settings, ruamel.yaml, scipy, snowballstemmer),
)


def watch(job: dict[str, Any]) -> None:
    """Write down the trackers that are opened, and stop where the job says."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    count = 0

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal count
        if event != "open" or not isinstance(args[0], str | bytes | os.PathLike):
            return
        name = os.path.basename(os.fsdecode(args[0]))
        if not name.endswith(SUFFIX):
            return
        count += 1
        if count == job["stop_at"]:
            if job["stop_by"] == "raise":
                raise RuntimeError("a bug, for the test")
            os.kill(os.getpid(), signal.Signals[f"SIG{job['stop_by']}"])
        os.write(log, name.encode() + b"\n")

    sys.addaudithook(hook)


def child(job: dict[str, Any]) -> int:
    """Run the command with its own environment and output, and return its exit code."""
    for stream, path in ((1, job["out"]), (2, job["err"])):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, stream)
        os.close(handle)
    os.environ.clear()
    os.environ.update(job["env"])
    sys.argv = ["booksynth", *job["arguments"]]
    watch(job)
    # An exception goes on up and ends the child, as it would end the real command.
    command: Callable[[], int] = importlib.import_module(job["module"]).main if job["module"] else main
    if isinstance(job["kill"], list):
        with use(KillAt(SystemFiles(), *job["kill"])):
            return command()
    return command()


def waited(process: int, path: str) -> int:
    """Kill *process* once *path* is there, and return the status that it ended with, killed or not."""
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return status
        if os.path.exists(path):
            os.kill(process, signal.SIGKILL)
            return os.waitpid(process, 0)[1]
        time.sleep(0.005)


def serve() -> None:
    """Run every job that comes, and answer with its exit code."""
    for line in sys.stdin:
        job = json.loads(line)
        for name in job["preload"]:
            importlib.import_module(name)
        process = os.fork()
        if process == 0:
            code = child(job)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        if isinstance(job["kill"], float):
            time.sleep(job["kill"])
            os.kill(process, signal.SIGKILL)
        status = waited(process, job["kill"]) if isinstance(job["kill"], str) else os.waitpid(process, 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
