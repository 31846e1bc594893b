"""Items and states that are kept compressed or encrypted: how long it takes, and what they weigh."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.subject import Facts
from benchmarks.work.items import Items
from benchmarks.work.saving import Saving

SIZE = "bytes kept / payload"


class CodedItems(Items):
    """Records all *items* in one turn, then weighs the run."""

    def prepare(self, number: int) -> None:
        """Open a new run in a folder of its own."""
        self.keeper.folder = self.folder / f"series-{number}"
        super().prepare(number)

    def settle(self) -> Facts:
        """End the run and weigh it."""
        facts = super().settle()
        return {**facts, SIZE: _bytes(self.keeper.folder, "journal*") / sum(_compact(value) for _, value in self.pairs)}


class CodedSaving(Saving):
    """Saves a state, then weighs the newest checkpoint."""

    def settle(self) -> Facts:
        """Weigh it."""
        newest = max(self.folder.rglob("checkpoint_*"), key=lambda path: path.stat().st_mtime_ns)
        return {**super().settle(), SIZE: newest.stat().st_size / _compact(self.state)}


def _bytes(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())


def _compact(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
