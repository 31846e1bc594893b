"""The session of a `Phase` that is switched off: the same rules, nothing on the disk, values as they are."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from milepost.clock import Clock
from milepost.fs import Content
from milepost.records import Kind, Record
from milepost.run.index import Index
from milepost.run.session import NOTHING


class MemorySession:
    """Keeps values in a list for the life of the process."""

    def __init__(self, phase: str, clock: Clock) -> None:
        """Begin empty."""
        self.run = phase
        self.index = Index()
        self.path = f"{phase} (in memory)"
        self._clock = clock
        self._records: list[Record] = []
        self._mutex = threading.Lock()

    @property
    def window_seconds(self) -> float:
        """Nothing is worth waiting for."""
        return 0.0

    def begin(self, description: object | None) -> None:
        """Do nothing: there is one attempt."""

    def made(
        self,
        kind: Kind,
        key: str | None = None,
        value: Any = NOTHING,
        *,
        name: str = "value",  # noqa: ARG002
        group: str | None = None,
        seconds: float | None = None,
        input: str | None = None,  # noqa: A002
        code: str | None = None,
    ) -> Record:
        """Return a record that holds the very value."""
        return Record(kind, self._clock.now(), 1, key, seconds, input, value, group, code)

    def append(self, records: Sequence[Record]) -> int:
        """Keep a batch; return the number of its first record."""
        with self._mutex:
            first = len(self._records) + 1
            self._records += records
            for sequence, record in enumerate(records, first):
                self.index.note(sequence, record)
        return first

    def value(self, sequence: int) -> Any:
        """Return the very value that was recorded."""
        return self._records[sequence - 1].value

    def record(self, sequence: int) -> Record:
        """Return a record."""
        return self._records[sequence - 1]

    def restart(self) -> None:
        """Forget everything."""
        self._records.clear()
        self.index = Index()

    def document(self, name: str) -> bytes | None:  # noqa: ARG002
        """Return None: there are no documents."""
        return None

    def begins_with(self, name: str, data: bytes) -> bool:  # noqa: ARG002
        """Return False: there are no documents."""
        return False

    def keep_document(self, name: str, data: Content | None) -> None:
        """Do nothing: there are none."""

    def chain(self, sequence: int) -> str:  # noqa: ARG002
        """Return nothing: there is no chain."""
        return ""

    def close(self) -> None:
        """Do nothing."""
