"""The clock seam: everything that asks for the time asks a `Clock`, so that tests can bend it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one that people read, and one that never jumps."""

    def now(self) -> float:
        """Return wall-clock seconds since 1970-01-01 UTC; it may jump either way."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Return wall-clock seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()
