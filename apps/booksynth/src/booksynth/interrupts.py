"""Ctrl-C and SIGTERM: they stop the run between two writes, never inside one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """The run was asked to stop; everything finished is kept."""

    def __init__(self, number: int) -> None:
        """Hold the *number* of the signal."""
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What shells expect: 128 and the number of the signal."""
        return 128 + self.number


class Interrupts:
    """Turns the first signal into `Interrupted`, held back while something is written.

    A second signal does not wait: what is being written is then lost as in a crash, and nothing else.
    """

    def __init__(self) -> None:
        self._is_held = False
        self._pending: int | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals within the block; put the old handlers back behind it."""
        before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold a signal back until the end of the block.

        Raises:
            Interrupted: One came meanwhile, and the block ended well.
        """
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._pending is not None:
            raise Interrupted(self._pending)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._is_held and self._pending is None:
            self._pending = number
            return
        raise Interrupted(number)
