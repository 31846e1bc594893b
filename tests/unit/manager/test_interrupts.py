"""Ctrl-C on any line of a save, and signal handlers that save: the manager goes on, and nothing acknowledged is lost."""

from __future__ import annotations

import linecache
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import milepost
from milepost.errors import Reentered
from milepost.fs import use
from tests.unit.manager.world import UnsyncedFiles

SOURCES = str(Path(milepost.__file__).parent)
STATES: list[dict[str, Any]] = [
    {"n": 1, "log": ["a"]},
    {"n": 2, "log": ["a", "b"]},
    {"n": 3, "log": ["a", "b", "c"]},
    {"n": 4},
]
FORCED = {2}


class Struck(BaseException):
    """What a signal's handler raises, as KeyboardInterrupt is."""


def _strike_at(n: int, strike: Callable[[], None]) -> Callable[..., Any]:
    """Return a trace function that calls *strike* at the n-th line executed inside Milepost.

    A block's `with` line is passed over when it comes up again at the block's end: the interpreter looks for signals
    in the block and after its exit, and never in between, where nobody could let go of what the block holds.
    """
    lines = 0
    entered: set[tuple[FrameType, int]] = set()

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.startswith(SOURCES):
            return None
        if event == "line" and not _is_leaving(frame, entered) and not _is_finalizing(frame):
            lines += 1
            if lines == n:
                sys.settrace(None)
                strike()
        return trace

    return trace


def _is_leaving(frame: FrameType, entered: set[tuple[FrameType, int]]) -> bool:
    """Tell whether this line is a `with` that its frame entered before; a loop's second turn counts as that too."""
    place = frame, frame.f_lineno
    if not linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with "):
        return False
    if place in entered:
        return True
    entered.add(place)
    return False


def _is_finalizing(frame: FrameType | None) -> bool:
    """Tell whether a finalizer runs: what is raised there reaches nobody, and Python prints it."""
    while frame is not None:
        if frame.f_code.co_name in {"__del__", "_close_quietly"}:
            return True
        frame = frame.f_back
    return False


def _latest(root: Path) -> dict[str, Any] | None:
    return milepost.CheckpointManager("phase_3", root).get_latest_checkpoint()


def _interrupted_at(n: int, root: Path, *, warm: bool) -> bool:
    """Save all states, interrupted at the n-th line; return whether there was an n-th line."""
    struck = False

    def strike() -> None:
        nonlocal struck
        struck = True
        raise Struck

    manager = milepost.CheckpointManager("phase_3", root)
    before: dict[str, Any] | None = None
    if warm:
        before = {"warm": 1}
        manager.save_checkpoint(0, before)
    trace = _strike_at(n, strike)
    for iteration, state in enumerate(STATES, start=1):
        tracing = sys.gettrace()
        sys.settrace(None if struck else trace)
        try:
            manager.save_checkpoint(iteration, state, force=iteration in FORCED)
        except Struck:
            sys.settrace(tracing)
            found = _latest(root)
            assert (found and found["state"]) in (before, state), f"line {n}"
            manager.save_checkpoint(iteration, state, force=True)
        finally:
            sys.settrace(tracing)
        found = _latest(root)
        assert found is not None
        assert found["state"] == state, f"line {n}"
        before = state
    return struck


@pytest.mark.parametrize(("warm", "stride"), [(True, 7), (False, 11)], ids=["a later save", "the first save"])
def test_an_interrupt_on_any_line_is_overcome(tmp_path: Path, warm: bool, stride: int) -> None:
    """Interrupted on any line of a save, the same manager saves on, and what was acknowledged before is there."""
    tried = 0
    with use(UnsyncedFiles()):
        n = 1
        while _interrupted_at(n, tmp_path / str(n), warm=warm):
            tried += 1
            n += stride
    assert tried > 20


@pytest.mark.parametrize("first", [True, False], ids=["the first save", "a later save"])
def test_a_handler_may_not_save_inside_a_save(tmp_path: Path, first: bool) -> None:
    """A save that a signal handler makes in the middle of a save is refused, and the manager saves on."""

    class Signalling(UnsyncedFiles):
        armed = False

        def write(self, file: int, data: bytes | memoryview, offset: int) -> int:
            if self.armed:
                self.armed = False
                os.kill(os.getpid(), signal.SIGUSR1)
            return super().write(file, data, offset)

    files = Signalling()
    with use(files):
        manager = milepost.CheckpointManager("phase_3", tmp_path)
        if not first:
            manager.save_checkpoint(1, {"n": 1})
        files.armed = True
        before = signal.signal(signal.SIGUSR1, lambda *_: manager.save_checkpoint(9, {"n": 9}, force=True))
        try:
            with pytest.raises(Reentered):
                manager.save_checkpoint(2, {"n": 2}, force=True)
        finally:
            signal.signal(signal.SIGUSR1, before)
        manager.save_checkpoint(3, {"n": 3})
        found = _latest(tmp_path)
    assert found is not None
    assert found["state"] == {"n": 3}
