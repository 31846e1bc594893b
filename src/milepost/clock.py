"""The clock seam: everything that asks for the time asks a `Clock`, so that tests can bend it."""

from __future__ import annotations

import os
import time
from typing import Protocol

OFFSET_VARIABLE = "MILEPOST_DRILL_CLOCK_SECONDS"
"""How far a drill moves the wall clock of `SystemClock`, in seconds, for all of a process's life."""

_OFFSET_SECONDS = float(os.environ.get(OFFSET_VARIABLE) or 0)


class Clock(Protocol):
    """Two clocks: one that people read, and one that never jumps."""

    def now(self) -> float:
        """Return wall-clock seconds since 1970-01-01 UTC; it may jump either way."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Return wall-clock seconds since 1970-01-01 UTC, moved where a drill moves them."""
        return time.time() + _OFFSET_SECONDS

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()
