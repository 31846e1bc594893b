"""lmdb: a memory-mapped B+tree; values are bytes, encoded with the floor's encoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import lmdb
import orjson

from benchmarks.keepers.base import Keeper, Pair

_MAP_BYTES = 16 << 30


class Lmdb(Keeper):
    """One environment for all runs, a transaction for each record; synced, which is its default."""

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Open the environment."""
        del keys
        self.run = run
        self.env = lmdb.open(str(self.folder / "lmdb"), map_size=_MAP_BYTES, sync=self.settings.get("sync", True))

    def record(self, pairs: Iterable[Pair]) -> None:
        """Put each in a transaction of its own."""
        for key, value in pairs:
            with self.env.begin(write=True) as txn:
                txn.put(self._key(key), orjson.dumps(value))

    def record_batches(self, batches: Iterable[Sequence[Pair]]) -> None:
        """Put each batch in one transaction."""
        for batch in batches:
            with self.env.begin(write=True) as txn:
                for key, value in batch:
                    txn.put(self._key(key), orjson.dumps(value))

    def save(self, state: Any) -> None:
        """Put the whole state in place of the old."""
        with self.env.begin(write=True) as txn:
            txn.put(self._key("state"), orjson.dumps(state))

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Put ten thousand at a time."""
        del count
        self.open(run)
        self.record_batches(_chunks(pairs))
        self.close()

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Walk over the keys of the run."""
        self.open(run)
        done = set()
        prefix = self._key("")
        with self.env.begin() as txn, txn.cursor() as cursor:
            if cursor.set_range(prefix):
                for key in cursor.iternext(values=False):
                    if not key.startswith(prefix):
                        break
                    done.add(key[len(prefix) :].decode())
        return next(key for key in keys if key not in done)

    def _key(self, key: str) -> bytes:
        return f"{self.run}/{key}".encode()


def _chunks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    iterator = iter(pairs)
    while chunk := list(islice(iterator, 10_000)):
        yield chunk
