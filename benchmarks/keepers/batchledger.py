"""batchledger: `ledger.map` over the items, on SQLite (it asks for WAL and FULL itself)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from batchledger import Ledger

from benchmarks.keepers.base import Keeper, Pair


class Batchledger(Keeper):
    """A ledger for each run, because one ledger takes one writer. It commits twice for each item."""

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Open the ledger."""
        del keys
        self.ledger = Ledger(self._path(run), namespace="bench", version="1")
        self.ledger.__enter__()

    def record(self, pairs: Iterable[Pair]) -> None:
        """Map over the items; the function has the results at hand."""
        results: dict[str, Any] = {}

        def arriving() -> Iterator[str]:
            for key, value in pairs:
                results[key] = value
                yield key

        for _ in self.ledger.map(results.pop, arriving(), key=str):
            pass

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Let it make its table, then write the rows that it would have written."""
        del count
        self.open(run)
        self.close()
        with sqlite3.connect(self._path(run)) as db:
            db.executemany(
                "INSERT INTO jobs VALUES ('bench', '1', ?, ?, 'done', ?, NULL, 1, 0)",
                ((key, _encoded(key), _encoded(value)) for key, value in pairs),
            )
        db.close()

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Map over all items until one is not remembered."""
        self.open(run)
        try:
            for _ in self.ledger.map(_stop, keys, key=str):
                pass
        except _Pending as pending:
            return str(pending)
        raise AssertionError("nothing was pending")

    def _path(self, run: str) -> str:
        return str(self.folder / f"{run}.sqlite")


class _Pending(BaseException):
    """Leaves the map at the first item that is not remembered; an Exception would be recorded as a failure."""


def _stop(key: str) -> Any:
    raise _Pending(key)


def _encoded(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
