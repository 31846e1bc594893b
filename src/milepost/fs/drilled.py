"""A drill's hand inside the job's processes: it counts commits over the whole process tree, and strikes at one.

`milepost.fs.installed` loads this module where the variable ``MILEPOST_DRILL`` names a control folder, and nowhere
else. The folder holds ``plan.json`` (what to do at which commit) and, where two processes must wait for each other,
two pipes. This module adds ``commits.jsonl`` (one line for each commit, in the order of the whole tree),
``struck.json`` and ``events.jsonl`` (what phases told).

A *commit* is an operation that makes a record or a document visible: a write of record lines to a journal file, a
rename, a link; in a shared store each verb that changes it. SIGKILL takes nothing from the page cache, so a sync is
none: nothing that a killed process leaves depends on it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from milepost.events import Event
from milepost.fs.intercepted import NEEDING_SPACE, Intercepted, Operation
from milepost.fs.seam import FileSystem

PLAN, COMMITS, STRUCK, STORES, EVENTS, PAUSED, GO_ON = (
    *("plan.json", "commits.jsonl", "struck.json", "stores.jsonl"),
    *("events.jsonl", "paused", "go_on"),
)
"""The names in a control folder."""

FIRST_PAGE_BYTES = 4096
"""Where the records of a journal file begin: `milepost.stores.segment.HEAD_BYTES`, which this layer may not import."""

_JOURNAL = re.compile(r"journal_\d+\.jsonl")
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_Result = TypeVar("_Result")


class Plan(NamedTuple):
    """What to do: *fault* at commit number *at* (0 for nothing), *when* it has not happened yet or has."""

    at: int = 0
    when: str = "before"
    fault: str = "kill"


class Drilled(Intercepted):
    """The filesystem of a process under a drill."""

    def __init__(self, inner: FileSystem, control: Path) -> None:
        """Wrap *inner* and do as the plan in the folder *control* says.

        Raises:
            OSError: There is no plan in that folder.
        """
        super().__init__(inner, before=self._refuse_on_full_disk)
        self._control = control
        self._plan = Plan(**json.loads((control / PLAN).read_bytes()))
        self._full = False
        os.register_at_fork(after_in_child=self._begin_child)

    def _begin_child(self) -> None:
        """Forget a turn that a thread of the parent held while it forked."""
        self._turn = threading.RLock()

    def write(self, file: int, data: bytes | memoryview, offset: int) -> int:
        """Write at an offset; a commit where records arrive in a journal."""
        whole = super().write
        name = self._names.get(file, "")
        if offset < FIRST_PAGE_BYTES or data[:1] in {b"", b"\n"} or not _JOURNAL.fullmatch(name):
            return whole(file, data, offset)
        half = data[: max(1, len(data) // 2)]
        return self._commit("write", name, lambda: whole(file, data, offset), lambda: whole(file, half, offset))

    def rename(self, source: int, old: str, target: int, new: str) -> None:
        """Move an entry: a commit."""
        whole = super().rename
        self._commit("rename", new, lambda: whole(source, old, target, new))

    def link(self, source: int, old: str, target: int, new: str) -> None:
        """Add a name: a commit."""
        whole = super().link
        self._commit("link", new, lambda: whole(source, old, target, new))

    @property
    def is_full(self) -> bool:
        """Whether the drill lets nothing be written any more."""
        return self._full

    def note_store(self, url: str) -> None:
        """Let the drill know a shared store that this run writes into; only this user may read the note."""
        _append(self._control / STORES, {"url": url})

    def commit(self, verb: str, name: str, call: Callable[[], _Result]) -> _Result:
        """Do *call*, which changes a shared store in one step: a commit, of which no half can be written."""
        return self._commit(verb, name, call)

    def _commit(
        self, verb: str, file: str, call: Callable[[], _Result], torn: Callable[[], object] = lambda: None
    ) -> _Result:
        with self._turn:
            number = self._counted(verb, file)
            if number != self._plan.at:
                return call()
            if self._plan.fault == "torn":
                torn()
            if self._plan.when == "before" or self._plan.fault == "torn":
                self._strike(number, verb, file)
            result = call()
            if self._plan.when == "after":
                self._strike(number, verb, file)
            return result

    def _counted(self, verb: str, file: str) -> int:
        """Note a commit, and return its number among those of all processes of the job."""
        log = os.open(self._control / COMMITS, _APPEND, 0o600)
        try:
            fcntl.flock(log, fcntl.LOCK_EX)
            number = os.pread(log, os.fstat(log).st_size, 0).count(b"\n") + 1
            os.write(log, _line({"commit": number, "verb": verb, "file": file, "pid": os.getpid()}))
        finally:
            os.close(log)
        return number

    def _strike(self, number: int, verb: str, file: str) -> None:
        plan = self._plan
        note = {"commit": number, "verb": verb, "file": file, "pid": os.getpid(), "fault": plan.fault}
        _append(self._control / STRUCK, note)
        if plan.fault in {"kill", "torn"}:
            os.kill(os.getpid(), signal.SIGKILL)
        elif plan.fault == "term":
            os.kill(os.getpid(), signal.SIGTERM)
        elif plan.fault == "second-writer":
            self._pause()
        elif plan.fault == "enospc":
            self._full = True
            if plan.when == "before":
                self._refuse_on_full_disk(Operation(number, verb, file))

    def _refuse_on_full_disk(self, operation: Operation) -> None:
        if self._full and operation.name in NEEDING_SPACE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), operation.file)

    def _pause(self) -> None:
        """Tell the drill, and wait until it lets this process go on."""
        for name, flags in ((PAUSED, os.O_WRONLY), (GO_ON, os.O_RDONLY)):
            pipe = os.open(self._control / name, flags | os.O_CLOEXEC)
            try:
                os.write(pipe, b"\n") if name == PAUSED else os.read(pipe, 1)
            finally:
                os.close(pipe)


def listener(control: Path) -> Callable[[Event], None]:
    """Return what notes each event of a phase, one line for each; times are of a clock that no drill moves."""
    log = os.open(control / EVENTS, _APPEND, 0o600)

    def note(event: Event) -> None:
        told = {
            "kind": str(event.kind),
            **{name: getattr(event, name) for name in ("phase", "loop", "key", "attempt", "call_id", "cost_usd")},
            "pid": os.getpid(),
            "time": time.monotonic(),
        }
        os.write(log, _line(told))

    return note


def _append(path: Path, note: dict[str, Any]) -> None:
    handle = os.open(path, _APPEND, 0o600)
    try:
        os.write(handle, _line(note))
    finally:
        os.close(handle)


def _line(note: dict[str, Any]) -> bytes:
    return json.dumps(note).encode() + b"\n"
