"""Records after very many others."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.keepers.base import Keeper
from benchmarks.subject import Subject, named
from benchmarks.work import stores
from benchmarks.work.items import key, results

_TURNS = 50


class Later(Subject):
    """Records *items* in each turn, in one run that goes on; it begins with *done* finished items, or with none."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Open a copy of the store that others made, or a new one."""
        super().__init__(folder, settings)
        self.items: int = settings["items"]
        self.values = [value for _, value in results(self.items)]
        self.done: int = settings["done"]
        place = folder
        if self.done:
            place = folder / "store"
            shutil.copytree(stores.filled(settings, self.done), place)
        self.keeper: Keeper = named(settings["keeper"])(place, settings)
        self.keeper.open(stores.RUN, [key(number) for number in range(self.done + _TURNS * self.items)])

    def prepare(self, number: int) -> None:
        """Name the items of this turn."""
        first = self.done + number * self.items
        self.pairs = [(key(first + offset), value) for offset, value in enumerate(self.values)]

    def run(self) -> None:
        """Record them."""
        self.keeper.record(self.pairs)

    def close(self) -> None:
        """End the run."""
        self.keeper.close()


class LaterAfresh(Later):
    """The same, each turn in a new run: always the first of their kind."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Open nothing yet."""
        Subject.__init__(self, folder, settings)
        self.items = settings["items"]
        self.done = 0
        self.values = [value for _, value in results(self.items)]
        self.keeper = named(settings["keeper"])(folder, settings)

    def prepare(self, number: int) -> None:
        """Open a new run."""
        if number:
            self.keeper.close()
        super().prepare(0)
        self.keeper.open(f"turn-{number}", [name for name, _ in self.pairs])
