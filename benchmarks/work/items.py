"""Items recorded one by one or in batches, in a run that is opened outside the time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import states
from benchmarks.keepers.base import Keeper, Pair
from benchmarks.subject import Facts, Subject, named

ADDED = "µs added to each item"
_SCALE = 2.15
"""Makes a result of about 2 KB."""


def key(number: int) -> str:
    """Return the key of item *number*."""
    return f"book-{number:07d}"


def results(count: int) -> list[Pair]:
    """Return items with results of about 2 KB."""
    return [(key(number), states.recommendation(number, _SCALE)) for number in range(count)]


class Items(Subject):
    """Records all *items* in one turn; the first, on which a run may open itself, stays outside the time."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Make the results."""
        super().__init__(folder, settings)
        self.pairs = results(settings["items"] + 1)
        self.keeper: Keeper = named(settings["keeper"])(folder, settings)

    def prepare(self, number: int) -> None:
        """Open a new run."""
        self.keeper.open(f"{self.settings.get('name', 'turn')}-{number}", [key for key, _ in self.pairs])
        self.keeper.record(self.pairs[:1])

    def run(self) -> None:
        """Record them."""
        self.keeper.record(self.pairs[1:])

    def settle(self) -> Facts:
        """End the run."""
        facts = self.keeper.settle()
        self.keeper.close()
        return facts


class Batches(Items):
    """Records all *items* in batches of *batch*."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Cut the results into batches."""
        super().__init__(folder, settings)
        size = settings["batch"]
        self.pairs = results(settings["items"] + size)
        self.batches = [self.pairs[start : start + size] for start in range(0, len(self.pairs), size)]

    def prepare(self, number: int) -> None:
        """Open a new run."""
        self.keeper.open(f"turn-{number}", [key for key, _ in self.pairs])
        self.keeper.record_batches(self.batches[:1])

    def run(self) -> None:
        """Record them."""
        self.keeper.record_batches(self.batches[1:])


class Loop(Items):
    """Items that each compute for *item_seconds*: a processor is kept busy until then. No keeper: a bare loop.

    What is added to an item is all the time that no item computed. Taken so, what the system steals from an
    item's computing burdens nobody.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Take no keeper where none is asked for."""
        super().__init__(folder, {"keeper": "benchmarks.keepers.base:Keeper", **settings})
        self.is_bare = "keeper" not in settings
        self.whole = self.computing = 0.0

    def prepare(self, number: int) -> None:
        """Open a new run."""
        if not self.is_bare:
            super().prepare(number)

    def run(self) -> None:
        """Compute, and record what came out."""
        self.computing = 0.0
        begun = time.perf_counter()
        computed = self._computed(self.pairs[1:])
        if self.is_bare:
            for _ in computed:
                pass
        else:
            self.keeper.record(computed)
        self.whole = time.perf_counter() - begun

    def settle(self) -> Facts:
        """Tell what was added."""
        return {**super().settle(), ADDED: 1e6 * (self.whole - self.computing) / self.settings["items"]}

    def _computed(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        clock = time.perf_counter
        for pair in pairs:
            begun = clock()
            until = begun + self.settings["item_seconds"]
            while (now := clock()) < until:
                pass
            self.computing += now - begun
            yield pair
