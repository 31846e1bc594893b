"""diskcache: a dictionary on SQLite, values pickled as it does by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import diskcache

from benchmarks.keepers.base import Keeper, Pair

_LARGEST_IN_DATABASE = 1 << 30


class Diskcache(Keeper):
    """One cache for all runs.

    By default it does not sync (``sqlite_synchronous=1``) and puts values above 32 KB into files that it never
    syncs; the setting *is_synced* asks for ``sqlite_synchronous=2`` and for values that stay in the database.
    Nothing is ever evicted.
    """

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Open the cache."""
        del keys
        self.run = run
        more = {"sqlite_synchronous": 2, "disk_min_file_size": _LARGEST_IN_DATABASE}
        self.cache = diskcache.Cache(
            str(self.folder / "cache"),
            eviction_policy="none",
            timeout=60,
            **(more if self.settings.get("is_synced") else {}),
        )

    def record(self, pairs: Iterable[Pair]) -> None:
        """Set each."""
        for key, value in pairs:
            self.cache[self.run, key] = value

    def record_batches(self, batches: Iterable[Sequence[Pair]]) -> None:
        """Set each batch in one transaction."""
        for batch in batches:
            with self.cache.transact():
                for key, value in batch:
                    self.cache[self.run, key] = value

    def save(self, state: Any) -> None:
        """Set the whole state in place of the old."""
        self.cache[self.run, "state"] = state

    def close(self) -> None:
        """Close the cache."""
        self.cache.close()

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Set all in one transaction."""
        del count
        self.open(run)
        self.record_batches([pairs])  # type: ignore[list-item]  # any iterable serves
        self.close()

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Walk over the keys."""
        self.open(run)
        done = {key for owner, key in self.cache.iterkeys() if owner == run}
        return next(key for key in keys if key not in done)
