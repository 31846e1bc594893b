"""What the laws are put to: several handles on one place, and a back door that bypasses the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from milepost.stores.store import Store

Opener = Callable[[], Store]
"""Opens one more handle on the same place: with a connection of its own, where the store has connections."""


class BackDoor(Protocol):
    """Looks at what a store keeps, and damages it, without the store: through another library, or the bare bytes."""

    def document(self, key: str) -> bytes | None:
        """Return what is kept under *key*; None for nothing."""

    def put_document(self, key: str, data: bytes | None) -> None:
        """Put other bytes under *key*, which is taken; None takes it away."""

    def lines(self, journal: str) -> dict[int, bytes]:
        """Return the lines of a journal by their numbers."""

    def put_line(self, journal: str, number: int, line: bytes | None) -> None:
        """Put another line under *number*, which is taken; None takes it away."""


class Handles:
    """Handles on one place, which was empty at first: *one*, *other*, and as many more as are opened."""

    def __init__(self, opener: Opener) -> None:
        """Open nothing yet."""
        self.opener = opener
        self._open: list[Store] = []

    @property
    def one(self) -> Store:
        """A handle."""
        return self._nth(0)

    @property
    def other(self) -> Store:
        """Another one."""
        return self._nth(1)

    def open(self) -> Store:
        """Open one more."""
        self._open.append(self.opener())
        return self._open[-1]

    def close(self) -> None:
        """Close all of them."""
        while self._open:
            self._open.pop().close()

    def _nth(self, index: int) -> Store:
        while len(self._open) <= index:
            self.open()
        return self._open[index]


def held(store: Store, journal: str, after: int = 0, most: int | None = None) -> list[tuple[int, bytes]]:
    """Return the lines of a journal with their numbers; each piece is checked to be one."""
    found: list[tuple[int, bytes]] = []
    for first, lines in store.lines(journal, after, most):
        assert lines, "a piece without lines"
        assert all(type(line) is bytes for line in lines), "a line is not bytes"
        found += enumerate(lines, first)
    numbers = [number for number, _ in found]
    assert numbers == sorted(set(numbers)), f"lines out of order, or twice: {numbers[:50]}"
    return found


@contextmanager
def refused(*kinds: type[Exception]) -> Iterator[None]:
    """Demand that the block raises one of *kinds*, with a message."""
    try:
        yield
    except kinds as error:
        told, name = str(error).strip(), type(error).__name__
    else:
        raise AssertionError(f"nothing was raised; {' or '.join(kind.__name__ for kind in kinds)} was expected")
    assert told, f"{name} without a message"
