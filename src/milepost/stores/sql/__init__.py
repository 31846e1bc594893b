"""Stores in SQL databases: SQLite and PostgreSQL, one implementation on SQLAlchemy."""

from milepost.stores.sql.connecting import open_sql

__all__ = ["open_sql"]
