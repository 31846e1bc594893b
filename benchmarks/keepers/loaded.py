"""The stores of `benchmarks.keepers.shared`, with every module loaded beforehand that opening one would load."""

import importlib

from benchmarks.keepers.shared import Objects, Postgres, Sqlite

__all__ = ["Objects", "Postgres", "Sqlite"]

for _name in (
    "milepost.phase.phase",
    "milepost.stores.objects",
    "milepost.stores.sql",
    "milepost.stores.stored",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "psycopg",
):
    importlib.import_module(_name)
