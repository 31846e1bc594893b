"""Which filesystem is in use: the real one, or what a drill or a test put in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from milepost.events import Event
from milepost.fs.seam import FileSystem
from milepost.fs.system import SystemFiles

_installed: list[FileSystem] = [SystemFiles()]


def current() -> FileSystem:
    """Return the filesystem in use: the real one, unless `use` put another in its place."""
    return _installed[-1]


def drill_listener() -> Callable[[Event], None] | None:
    """Return what a drill wants to hear of events, or None where no drill is on."""
    return None


@contextmanager
def use(files: FileSystem) -> Iterator[None]:
    """Put *files* in the real filesystem's place, in every thread, while the block runs. For drills and tests."""
    _installed.append(files)
    try:
        yield
    finally:
        _installed.remove(files)
