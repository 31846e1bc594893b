"""The standard library's sqlite3, as one writes it by hand: one table, WAL, synchronous=FULL, fast JSON."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from benchmarks.keepers.base import Keeper, Pair

_INSERT = "INSERT INTO results (run, key, value) VALUES (?, ?, ?)"


class Sqlite(Keeper):
    """One database for all runs, or with the setting *own_file* one for each."""

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Connect, and make the tables."""
        del keys
        self.run = run
        path = self.folder / (f"{run}.sqlite" if self.settings.get("own_file") else "progress.sqlite")
        self.db = sqlite3.connect(path, isolation_level=None, timeout=60)
        self.db.execute(f"PRAGMA journal_mode={self.settings.get('journal_mode', 'WAL')}")
        self.db.execute(f"PRAGMA synchronous={self.settings.get('synchronous', 'FULL')}")
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS results (run TEXT, key TEXT, value BLOB, PRIMARY KEY (run, key))",
        )
        self.db.execute("CREATE TABLE IF NOT EXISTS states (run TEXT PRIMARY KEY, value BLOB)")

    def record(self, pairs: Iterable[Pair]) -> None:
        """Insert and commit each."""
        for key, value in pairs:
            self.db.execute(_INSERT, (self.run, key, orjson.dumps(value)))

    def record_batches(self, batches: Iterable[Sequence[Pair]]) -> None:
        """Insert each batch in one transaction."""
        for batch in batches:
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany(_INSERT, [(self.run, key, orjson.dumps(value)) for key, value in batch])
            self.db.execute("COMMIT")

    def save(self, state: Any) -> None:
        """Put the whole state in place of the old."""
        self.db.execute("INSERT OR REPLACE INTO states VALUES (?, ?)", (self.run, orjson.dumps(state)))

    def close(self) -> None:
        """Disconnect."""
        self.db.close()

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Insert all in one transaction."""
        del count
        self.open(run)
        self.db.execute("BEGIN")
        self.db.executemany(_INSERT, ((run, key, orjson.dumps(value)) for key, value in pairs))
        self.db.execute("COMMIT")
        self.close()

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Ask for the keys: its index holds them, no value is read."""
        self.open(run)
        done = {key for (key,) in self.db.execute("SELECT key FROM results WHERE run = ?", (run,))}
        return next(key for key in keys if key not in done)


class SelectAll(Sqlite):
    """The same, its results read into memory whole."""

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Select and decode everything, and keep it."""
        self.open(run)
        rows = self.db.execute("SELECT key, value FROM results WHERE run = ?", (run,))
        done = {key: orjson.loads(value) for key, value in rows}
        return next(key for key in keys if key not in done)
