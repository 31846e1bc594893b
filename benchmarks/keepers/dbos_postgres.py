"""DBOS Transact with its system database on a PostgreSQL server, as its documentation recommends for production."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

from benchmarks.keepers.dbos import Dbos, copying

_TABLE = "dbos.operation_outputs"


class DbosPostgres(Dbos):
    """A database of its own on the server of the workload."""

    def url(self) -> str:
        """Return the URL of a database, which DBOS makes: one for each kind of work, for it recovers all it finds."""
        return f"{self.settings['server'].rpartition('/')[0]}/dbos_{self.settings.get('done', 0)}"

    def copy_step(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Do it on the server."""
        with psycopg.connect(self.url()) as db, db.cursor() as cursor:
            cursor.execute("SELECT * FROM dbos.operation_outputs LIMIT 0")
            assert cursor.description is not None
            columns = [column.name for column in cursor.description]
            cursor.executemany(copying(_TABLE, columns, "%({})s"), rows)
