"""What very many records take on the disk, written one by one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.keepers.base import Keeper
from benchmarks.subject import Facts, Subject, named
from benchmarks.work import stores
from benchmarks.work.items import key
from benchmarks.work.resuming import ON_DISK


class Directory(Subject):
    """Records all *items* in one turn, each turn in a folder of its own."""

    keeper: Keeper

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Name the items."""
        super().__init__(folder, settings)
        self.count: int = settings["items"]
        self.keys = [key(number) for number in range(self.count)]
        self.target = folder

    def prepare(self, number: int) -> None:
        """Open a new run."""
        self.target = self.folder / f"turn-{number}"
        self.target.mkdir()
        self.keeper = named(self.settings["keeper"])(self.target, self.settings)
        self.keeper.open("phase", self.keys)

    def run(self) -> None:
        """Record them."""
        self.keeper.record(stores.pairs(self.count))

    def settle(self) -> Facts:
        """End the run and see what it left."""
        self.keeper.close()
        os.sync()
        taken = stores.disk_bytes(self.target)
        shutil.rmtree(self.target)
        return {ON_DISK: taken / stores.payload_bytes(self.count)}
