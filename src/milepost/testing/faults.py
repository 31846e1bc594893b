"""Wrappers around a filesystem that count, record, fail, cut short, or die at a chosen operation.

Each wraps any `FileSystem`, the simulated disk or the real one, and they nest:
``ErrorAt(ShortWrites(disk), 3, errno.EIO)``.

What code behind the seam sees of EINTR: nothing, as such. Python repeats an interrupted call by
itself; what is left to see is a write that took only a part (`ShortWrites`), or the exception that the
signal's handler raised (`Interrupted`), before the call or after it took effect.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection
from typing import Literal, NoReturn

from milepost.fs.intercepted import ALL, MUTATING, Intercepted, Operation
from milepost.fs.seam import FileSystem
from milepost.testing.disk import SimulatedDisk

When = Literal["before", "after"]


class SimulatedCrash(BaseException):
    """The process died here. Not an `Exception`, so that nothing catches it by the way."""


class At(Intercepted):
    """Does something (`_strike`) at the n-th operation of some kinds.

    Args:
        inner: The filesystem below.
        n: Which operation, counted from 1.
        when: Whether it strikes before the operation or after it took effect.
        among: The names of the operations that count.
        persistent: Whether it strikes at every counted operation from the n-th on.
    """

    def __init__(
        self,
        inner: FileSystem,
        n: int,
        when: When = "before",
        *,
        among: Collection[str] = MUTATING,
        persistent: bool = False,
    ) -> None:
        """Wrap *inner*."""
        super().__init__(inner, before=self._before, after=self._after)
        self.n = n
        self.when = when
        self.among = frozenset(among)
        self.persistent = persistent
        self.fired = False
        self._counted = 0

    def _before(self, operation: Operation) -> None:
        if operation.name in self.among:
            self._counted += 1
            self._perhaps(operation, "before")

    def _after(self, operation: Operation) -> None:
        if operation.name in self.among:
            self._perhaps(operation, "after")

    def _perhaps(self, operation: Operation, when: When) -> None:
        due = self._counted >= self.n if self.persistent else self._counted == self.n
        if due and when == self._when(operation):
            self.fired = True
            self._strike(operation)

    def _when(self, operation: Operation) -> When:  # noqa: ARG002 - a subclass asks
        return self.when

    def _strike(self, operation: Operation) -> None:
        raise NotImplementedError


class CrashAt(At):
    """Raises `SimulatedCrash` at the n-th operation and at every one after it: a dead process does nothing more."""

    def _before(self, operation: Operation) -> None:
        if self.fired:
            raise SimulatedCrash(f"already dead: {operation}")
        super()._before(operation)

    def _strike(self, operation: Operation) -> NoReturn:
        raise SimulatedCrash(f"{self.when} {operation}")


class KillAt(At):
    """Kills its own process with SIGKILL at the n-th operation. For processes that a test forked or started."""

    def _strike(self, operation: Operation) -> None:  # noqa: ARG002 - the same whatever it is
        os.kill(os.getpid(), signal.SIGKILL)


class ErrorAt(At):
    """Raises an `OSError` at the n-th operation, once or from then on.

    A failed close has closed the handle all the same, as on Linux. A failed sync on a simulated disk has
    lost what it should have made durable: a retry that works proves nothing.

    Args:
        inner: The filesystem below.
        n: Which operation, counted from 1.
        code: The errno.
        when: ``"after"`` for an error in spite of which the operation took effect.
        among: The names of the operations that count.
        persistent: Whether every counted operation fails from the n-th on.
    """

    def __init__(
        self,
        inner: FileSystem,
        n: int,
        code: int,
        when: When = "before",
        *,
        among: Collection[str] = ALL,
        persistent: bool = False,
    ) -> None:
        """Wrap *inner*."""
        super().__init__(inner, n, when, among=among, persistent=persistent)
        self.code = code

    def _when(self, operation: Operation) -> When:
        return "after" if operation.name == "close" else self.when

    def _strike(self, operation: Operation) -> NoReturn:
        if operation.name in {"sync", "sync_data"} and operation.handle is not None:
            below = self.innermost()
            if isinstance(below, SimulatedDisk):
                below.lose_pending(operation.handle)
        raise OSError(self.code, os.strerror(self.code), operation.file)


class Interrupted(At):
    """Raises what a signal's handler raised at the n-th operation; the process lives on and may clean up.

    Args:
        inner: The filesystem below.
        n: Which operation, counted from 1.
        when: Whether the operation took effect.
        error: What the handler raised.
        among: The names of the operations that count.
    """

    def __init__(
        self,
        inner: FileSystem,
        n: int,
        when: When = "before",
        *,
        error: Callable[[], BaseException] = KeyboardInterrupt,
        among: Collection[str] = ALL,
    ) -> None:
        """Wrap *inner*."""
        super().__init__(inner, n, when, among=among)
        self.error = error

    def _strike(self, operation: Operation) -> NoReturn:  # noqa: ARG002 - the same whatever it is
        raise self.error()


class ShortWrites(Intercepted):
    """Lets each write take only its first byte, or half of it (at least one byte)."""

    def __init__(self, inner: FileSystem, takes: Literal["byte", "half"] = "half") -> None:
        """Wrap *inner*."""
        super().__init__(inner)
        self.takes = takes

    def write(self, file: int, data: bytes | memoryview, offset: int) -> int:
        """Write the beginning of *data*."""
        size = 1 if self.takes == "byte" else max(1, len(data) // 2)
        return super().write(file, data[:size], offset)


class Recorded(Intercepted):
    """Keeps every operation, so that a test can tell in which order things were done."""

    def __init__(self, inner: FileSystem) -> None:
        """Wrap *inner*."""
        super().__init__(inner, before=self._note)
        self.operations: list[Operation] = []

    def _note(self, operation: Operation) -> None:
        self.operations.append(operation)

    def story(self, among: Collection[str] = MUTATING) -> list[str]:
        """Return what was done in words, such as ``rename .a.tmp -> a``, keeping the operations in *among*."""
        return [str(operation) for operation in self.operations if operation.name in among]
