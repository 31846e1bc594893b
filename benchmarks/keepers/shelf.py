"""The standard library's shelve: a dictionary on whatever dbm this Python was built with."""

from __future__ import annotations

import dbm
import os
import shelve
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.keepers.base import Keeper, Pair
from benchmarks.subject import Facts


class Shelf(Keeper):
    """A shelf for each run, with ``sync()`` after every item, which is all that it offers."""

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Open the shelf."""
        del keys
        self.path = self.folder / run
        self.shelf = shelve.open(str(self.path))  # noqa: SIM115  # closed by `close`

    def record(self, pairs: Iterable[Pair]) -> None:
        """Set and sync each."""
        for key, value in pairs:
            self.shelf[key] = value
            self.shelf.sync()

    def record_batches(self, batches: Iterable[Sequence[Pair]]) -> None:
        """Set each batch, then sync."""
        for batch in batches:
            for key, value in batch:
                self.shelf[key] = value
            self.shelf.sync()

    def save(self, state: Any) -> None:
        """Set the whole state in place of the old."""
        self.shelf["state"] = state
        self.shelf.sync()

    def settle(self) -> Facts:
        """Say which dbm it is; let the system write what was left."""
        os.sync()
        return {"kind": dbm.whichdb(str(self.path)) or "unknown"}

    def close(self) -> None:
        """Close the shelf."""
        self.shelf.close()

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Set all, close once."""
        del count
        self.open(run)
        self.shelf.update(pairs)
        self.close()

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Look into it for each key: it holds no more than a dictionary."""
        self.open(run)
        return next(key for key in keys if key not in self.shelf)
