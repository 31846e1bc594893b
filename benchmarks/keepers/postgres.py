"""The floor of a PostgreSQL server: psycopg, a table, a statement that commits by itself for each item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
import psycopg

from benchmarks.keepers.base import Keeper, Pair

_INSERT = "INSERT INTO bare (run, key, value) VALUES (%s, %s, %s)"


class Postgres(Keeper):
    """One table for all runs. The driver prepares the statement by itself, as it does for everybody."""

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Connect, and make the table."""
        del keys
        self.run = run
        self.db = psycopg.connect(self.settings["server"], autocommit=True)
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS bare (run TEXT, key TEXT, value BYTEA NOT NULL, PRIMARY KEY (run, key))"
        )

    def record(self, pairs: Iterable[Pair]) -> None:
        """Insert and commit each: one round trip."""
        for key, value in pairs:
            self.db.execute(_INSERT, (self.run, key, orjson.dumps(value)))

    def close(self) -> None:
        """Disconnect."""
        self.db.close()

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Insert all in one transaction."""
        self.open(f"{run}-{count}")
        with self.db.transaction(), self.db.cursor() as cursor:
            cursor.executemany(_INSERT, ((self.run, key, orjson.dumps(value)) for key, value in pairs))
        self.close()

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Select and decode everything, and keep it."""
        self.open(f"{run}-{self.settings['done']}")
        with self.db.cursor(binary=True) as cursor:
            rows = cursor.execute("SELECT key, value FROM bare WHERE run = %s", (self.run,))
            done = {key: orjson.loads(value) for key, value in rows}
        return next(key for key in keys if key not in done)
