"""Which filesystem is in use: the real one, or what a drill or a test put in its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from milepost.events import Event
from milepost.fs.seam import FileSystem
from milepost.fs.system import SystemFiles

if TYPE_CHECKING:
    from milepost.fs.drilled import Drilled

DRILL_VARIABLE = "MILEPOST_DRILL"
"""Names the control folder where this process belongs to a job under a drill."""


NAMESPACE_VARIABLE = "MILEPOST_DRILL_NAMESPACE"
"""Names the part of a shared store in which this run of a drill works."""


def _first() -> FileSystem:
    control = os.environ.get(DRILL_VARIABLE)
    if not control:
        return SystemFiles()
    from milepost.fs.drilled import Drilled  # a program that runs by itself pays nothing for it

    return Drilled(SystemFiles(), Path(control))


_installed: list[FileSystem] = [_first()]


def current() -> FileSystem:
    """Return the filesystem in use: the real one, unless a drill or `use` put another in its place."""
    return _installed[-1]


def drill_agent() -> Drilled | None:
    """Return the drill's hand in this process, or None where there is no drill."""
    if not os.environ.get(DRILL_VARIABLE):
        return None
    from milepost.fs.drilled import Drilled

    first = _installed[0]
    return first if isinstance(first, Drilled) else None


def drill_listener() -> Callable[[Event], None] | None:
    """Return what a drill of this process wants to hear events with, or None where there is no drill."""
    control = os.environ.get(DRILL_VARIABLE)
    if not control:
        return None
    from milepost.fs.drilled import listener

    return listener(Path(control))


@contextmanager
def use(files: FileSystem) -> Iterator[None]:
    """Put *files* in the real filesystem's place, in every thread, while the block runs. For drills and tests."""
    _installed.append(files)
    try:
        yield
    finally:
        _installed.remove(files)
