"""The session of a `Phase` that is switched off: the same rules, nothing on the disk, values as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from milepost.clock import Clock
from milepost.records import Record
from milepost.run.index import Index
from milepost.run.session import Draft


class MemorySession:
    """Keeps values in a list for the life of the process."""

    def __init__(self, phase: str, clock: Clock) -> None:
        """Begin empty."""
        self.run = phase
        self.index = Index()
        self.path = f"{phase} (in memory)"
        self._clock = clock
        self._drafts: list[Draft] = []

    def begin(self, description: object | None) -> None:
        """Do nothing: there is one attempt."""

    def append(self, drafts: Sequence[Draft]) -> int:
        """Keep a batch; return the number of its first record."""
        first = len(self._drafts) + 1
        for sequence, draft in enumerate(drafts, first):
            self._drafts.append(draft)
            self.index.note(sequence, self.record(sequence))
        return first

    def encoded(self, draft: Draft) -> Draft:
        """Return the draft: values stay as they are."""
        return draft

    def value(self, sequence: int) -> Any:
        """Return the very value that was recorded."""
        return self._drafts[sequence - 1].value

    def record(self, sequence: int) -> Record:
        """Return a record without its value."""
        one = self._drafts[sequence - 1]
        return Record(one.kind, self._clock.now(), 1, one.key, one.seconds, one.input, group=one.group, code=one.code)

    def restart(self) -> None:
        """Forget everything."""
        self._drafts.clear()
        self.index = Index()

    def document(self, name: str) -> bytes | None:  # noqa: ARG002
        """Return None: there are no documents."""
        return None

    def keep_document(self, name: str, data: bytes | None) -> None:
        """Do nothing: there are none."""

    def close(self) -> None:
        """Do nothing."""
