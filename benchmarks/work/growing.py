"""A state that only grows, saved after each step of 2 KB."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.keepers.base import Keeper
from benchmarks.subject import Facts, Subject, named
from benchmarks.work.items import results

WRITTEN = "bytes given to write / change"
KEPT = "bytes kept / change"


class Growing(Subject):
    """Does all *steps* in one turn, each turn in a run of its own."""

    keeper: Keeper

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Make what the state grows by."""
        super().__init__(folder, settings)
        self.additions = [value for _, value in results(settings["steps"])]
        self.change_bytes = sum(len(_compact(one)) + 1 for one in self.additions)
        self.state: dict[str, list[Any]] = {}
        self.target = folder
        self.written_before = 0

    def prepare(self, number: int) -> None:
        """Begin with nothing."""
        self.target = self.folder / f"series-{number}"
        self.target.mkdir()
        self.state = {"results": []}
        # One that is bound to its process for good is made once, and shares its folder.
        if not (self.settings.get("one_for_all") and number):
            self.keeper = named(self.settings["keeper"])(self.target, self.settings)
        self.keeper.open(f"turn-{number}")
        self.written_before = _bytes_given_to_write()

    def run(self) -> None:
        """Grow and save, step by step."""
        self.keeper.grow(self.state, self.additions)

    def settle(self) -> Facts:
        """Count bytes, then delete the files."""
        written = _bytes_given_to_write() - self.written_before
        facts = self.keeper.settle()
        self.keeper.close()
        facts |= {WRITTEN: written / self.change_bytes}
        if not self.settings.get("one_for_all"):
            kept = sum(path.stat().st_size for path in self.target.rglob("*") if path.is_file())
            facts |= {KEPT: kept / self.change_bytes}
            shutil.rmtree(self.target)
        return facts


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _bytes_given_to_write() -> int:
    with open("/proc/self/io", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))
