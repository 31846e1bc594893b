"""The sizes at which states are saved and loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """A state's size: its *label*, *bytes*, and turns per repeat."""

    label: str
    bytes: int
    burst: int
    is_slow: bool = False

    @property
    def name(self) -> str:
        """Return the label as a part of a workload's name."""
        return self.label.replace(" ", "")


# Many turns where one takes a millisecond, so that a repeat is about a second whatever the size.
SIZES = (
    Size("10 KB", 10_000, burst=40),
    Size("100 KB", 100_000, burst=30),
    Size("1 MB", 1_000_000, burst=12),
    Size("10 MB", 10_000_000, burst=4, is_slow=True),
    Size("100 MB", 100_000_000, burst=1, is_slow=True),
)
