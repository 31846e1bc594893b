"""The tables, and how an older database is brought forward.

A database says its version in ``milepost_schema``. Opening it as a role that may change tables brings it to the newest,
step by step, each step in a transaction, while a lock keeps others out. A newer one is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import ProgrammingError

from milepost.errors import NotDecodable, StoreUnavailable

VERSION = 2
_LOCK = 0x6D696C65  # "mile"


class Tables:
    """The tables, in a *schema* of PostgreSQL or in none."""

    def __init__(self, schema: str | None = None, version: int = VERSION) -> None:
        """Describe them as they are in *version*."""
        self.meta = MetaData(schema=schema)
        text_key = String().with_variant(String(collation="C"), "postgresql")
        number = BigInteger().with_variant(Integer(), "sqlite")
        self.schema = Table("milepost_schema", self.meta, Column("version", Integer, nullable=False))
        self.documents = Table(
            "milepost_documents",
            self.meta,
            Column("namespace", text_key, primary_key=True),
            Column("key", text_key, primary_key=True),
            Column("data", LargeBinary, nullable=False),
            Column("version", String, nullable=False),
            Column("modified", Float, nullable=False),
        )
        self.journals = Table(
            "milepost_journals",
            self.meta,
            Column("id", number, primary_key=True, autoincrement=True),
            Column("namespace", text_key, nullable=False),
            Column("name", text_key, nullable=False),
        )
        self.records = Table(
            "milepost_records",
            self.meta,
            Column("journal", number, primary_key=True, autoincrement=False),
            Column("number", number, primary_key=True, autoincrement=False),
            Column("line", LargeBinary, nullable=False),
            *([Column("operation", String)] if version > 1 else []),
        )


def bring_forward(connection: Connection, tables: Tables, where: str) -> None:
    """Bring the tables to `VERSION`, in a transaction of *connection* that the caller began.

    Raises:
        NotDecodable: The database is of a newer version.
        StoreUnavailable: This role may not change tables, and they are not as they must be.
    """
    version = _version(connection, tables)
    if version == VERSION:
        return
    if version > VERSION:
        raise NotDecodable(
            f"{where}: its tables are of version {version}, and this Milepost knows {VERSION}: a newer Milepost "
            "brought it forward. Nothing was touched; use that one."
        )
    try:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        version = _version(connection, tables)
        for step in range(version, VERSION):
            _STEPS[step](connection, tables)
        if version == 0:
            connection.execute(insert(tables.schema).values(version=VERSION))
        elif version < VERSION:
            connection.execute(update(tables.schema).values(version=VERSION))
    except ProgrammingError as error:
        raise StoreUnavailable(
            f"{where}: its tables are of version {version} and must be brought to {VERSION}, which this role may not "
            "do. Open the store once as the role that owns the tables, for example with `milepost list`."
        ) from error


def _version(connection: Connection, tables: Tables) -> int:
    if not inspect(connection).has_table(tables.schema.name, schema=tables.meta.schema):
        return 0
    return connection.execute(select(tables.schema.c.version)).scalar() or 0


def _first(connection: Connection, tables: Tables) -> None:
    """Make the tables of version 1: records did not say yet which operation wrote them."""
    Tables(tables.meta.schema, version=1).meta.create_all(connection, checkfirst=False)
    name = f"{tables.meta.schema}.{tables.journals.name}" if tables.meta.schema else tables.journals.name
    connection.execute(text(f"CREATE UNIQUE INDEX milepost_journals_by_name ON {name} (namespace, name)"))


def _second(connection: Connection, tables: Tables) -> None:
    """Let each record say which operation wrote it, so that a commit whose reply was lost can be told."""
    name = f"{tables.meta.schema}.{tables.records.name}" if tables.meta.schema else tables.records.name
    connection.execute(text(f"ALTER TABLE {name} ADD COLUMN operation VARCHAR"))


_STEPS: tuple[Callable[[Connection, Tables], None], ...] = (_first, _second)
