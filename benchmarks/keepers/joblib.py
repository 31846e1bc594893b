"""joblib.Memory: a function whose results are files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import joblib

from benchmarks.keepers.base import Keeper, Pair
from benchmarks.subject import Facts

_results: dict[str, Any] = {}


def computed(run: str, key: str) -> Any:
    """Stand for the work: the result is there already."""
    del run
    return _results[key]


class Joblib(Keeper):
    """One folder for all runs; it never syncs."""

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Wrap the function."""
        del keys
        self.run = run
        self.remembered = joblib.Memory(self.folder / "memory", verbose=0).cache(computed)

    def record(self, pairs: Iterable[Pair]) -> None:
        """Call the function for each."""
        for key, value in pairs:
            _results[key] = value
            self.remembered(self.run, key)

    def settle(self) -> Facts:
        """Let the system write what was left."""
        os.sync()
        return {}

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Ask for each key whether its call is remembered."""
        self.open(run)
        return next(key for key in keys if not self.remembered.check_call_in_cache(run, key))
