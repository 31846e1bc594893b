"""Opening a database: checked for what would lose acknowledged records, and set up so that nothing waits for ever."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from milepost.errors import InvalidArgument, MissingExtra, UnsafeStore
from milepost.fs import current
from milepost.stores.folder import Folder
from milepost.stores.lock import refuse_unsound
from milepost.stores.opening import redacted, seconds_in

try:
    from sqlalchemy import URL, Engine, create_engine, event, make_url, text
    from sqlalchemy.exc import ArgumentError
except ImportError as error:
    raise MissingExtra("a store in a database needs SQLAlchemy: pip install 'milepost[sql]'") from error

from milepost.stores.sql.schema import Tables, bring_forward
from milepost.stores.sql.store import SqlStore
from milepost.stores.sql.trouble import insistently, watched

_LEAST_SERVER = 130000
_WAL_IS_SOUND = (3, 51, 3)
_JOURNAL_MODES = {"wal": "full", "delete": "extra"}
_USUAL_SECONDS = 30.0
_CONNECT_SECONDS = 10
_SERVER_SETTINGS = {
    "connect_timeout": str(_CONNECT_SECONDS),
    "tcp_user_timeout": "10000",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "application_name": "milepost",
}
_OPTIONS = (
    "-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c idle_in_transaction_session_timeout=60000"
)


def open_sql(url: str) -> SqlStore:
    """Return the store in the database at *url*, its tables brought forward.

    Args:
        url: ``sqlite:///PATH`` (four slashes for an absolute one) or ``postgresql://USER@HOST/DATABASE``. The query may
            name ``namespace`` (several stores in one database), ``timeout_seconds`` (30), ``schema`` (PostgreSQL) and
            ``journal_mode`` (SQLite: ``wal`` or ``delete``); PostgreSQL gets all else of it.

    Raises:
        InvalidArgument: It cannot be a database's URL.
        MissingExtra: The driver is not installed.
        UnsafeStore: The database would lose what it acknowledged, or others may write its file.
        NotDecodable: Its tables are of a newer version.
        StorageError: It cannot be reached.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidArgument(f"store {redacted(url)}: this is no database's URL.") from error
    query = {name: value if isinstance(value, str) else value[-1] for name, value in parsed.query.items()}
    namespace, seconds = query.pop("namespace", ""), seconds_in(query, "timeout_seconds", _USUAL_SECONDS)
    query.pop("timeout_seconds", None)
    schema = query.pop("schema", None)
    if parsed.drivername.startswith("sqlite"):
        where, engine = _sqlite(parsed, query, seconds)
    else:
        where, engine = redacted(url), _postgresql(parsed, query, seconds)
    tables = Tables(schema)

    def prepared() -> None:
        # A transaction of its own, also where the engine commits each statement: a lock keeps other openers out.
        made = {"isolation_level": "READ COMMITTED"} if engine.dialect.name == "postgresql" else {}
        options = engine.execution_options(**made)
        with watched(where, "open the database", sent=lambda: False), options.begin() as connection:
            if engine.dialect.name == "postgresql":
                _refuse_unsafe_server(connection, where)
            bring_forward(connection, tables, where)

    try:
        insistently(prepared, where, "open the database", seconds=seconds, writes=False)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine, tables, where, namespace, seconds)


# --- PostgreSQL


def _postgresql(parsed: URL, query: dict[str, str], seconds: float) -> Engine:
    milliseconds = str(int(seconds * 1000))
    settings = _SERVER_SETTINGS | {"options": _OPTIONS.replace("{milliseconds}", milliseconds)} | query
    target = parsed.set(drivername="postgresql+psycopg", query=settings)
    try:
        return create_engine(
            target, isolation_level="AUTOCOMMIT", hide_parameters=True, pool_size=4, pool_timeout=seconds
        )
    except ImportError as error:
        raise MissingExtra("a store in PostgreSQL needs psycopg: pip install 'milepost[sql]'") from error


def _refuse_unsafe_server(connection: Any, where: str) -> None:
    """Refuse a server that is too old, or that acknowledges what a crash would take back."""
    setting = {
        name: connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar()
        for name in ("server_version_num", "synchronous_commit", "fsync", "full_page_writes")
    }
    version = int(setting["server_version_num"])
    if version < _LEAST_SERVER:
        raise UnsafeStore(f"{where}: this server is PostgreSQL {version // 10000}; 13 is needed.")
    for name in ("synchronous_commit", "fsync", "full_page_writes"):
        if setting[name] == "off":
            raise UnsafeStore(
                f"{where}: {name} is off, so a crash of the server may take back what it acknowledged. Set it on for "
                "this role or database; nothing was written."
            )


# --- SQLite


def _sqlite(parsed: URL, query: dict[str, str], seconds: float) -> tuple[str, Engine]:
    mode = query.pop("journal_mode", "wal" if sqlite3.sqlite_version_info >= _WAL_IS_SOUND else "delete").lower()
    if mode not in _JOURNAL_MODES:
        raise UnsafeStore(f"journal_mode={mode}: a power cut may take back what was acknowledged; use wal or delete.")
    if query:
        raise InvalidArgument(
            f"sqlite: {', '.join(sorted(query))}: known are namespace, timeout_seconds and journal_mode."
        )
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise InvalidArgument("sqlite: the path of a file is needed; what need not outlive the process goes to memory:")
    path = Path(parsed.database).absolute()
    _checked_file(path)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        hide_parameters=True,
        connect_args={"timeout": seconds, "isolation_level": None, "check_same_thread": False},
        pool_timeout=seconds,
    )
    _set_up(engine, path, mode, _JOURNAL_MODES[mode])
    return f"sqlite:///{path}", engine


def _checked_file(path: Path) -> None:
    """Let the file be there, private; refuse one that others may write, or a link.

    It is looked at and never opened: closing it would let go of the locks that SQLite holds in this process.
    """
    with Folder.make(current(), path.parent) as folder:
        refuse_unsound(folder)
        with suppress(FileExistsError):
            folder.put(path.name, b"", replace=False)
        folder.refuse_unsafe(path.name)


def _set_up(engine: Engine, path: Path, mode: str, synchronous: str) -> None:
    """Set each connection's pragmas and read them back; begin transactions ourselves, as writers from the start."""

    @event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA trusted_schema=off")
        connection.execute("PRAGMA fullfsync=on")
        found = (
            connection.execute("PRAGMA journal_mode").fetchone()[0],
            connection.execute("PRAGMA synchronous").fetchone()[0],
        )
        if found != (mode, {"full": 2, "extra": 3}[synchronous]):
            raise UnsafeStore(
                f"{path}: SQLite did not take journal_mode={mode} with synchronous={synchronous}, so a power cut may "
                f"take back what was acknowledged (it says {found[0]}, {found[1]})."
            )

    @event.listens_for(engine, "begin")
    def _(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
