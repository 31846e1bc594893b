"""Documents and journals in tables. One statement for each write, which says by an id which operation it was.

A reply that was lost is decided by doing the same again: the statement meets its own row, or writes it now. A session
of the server that may still be committing the first one is no danger, because both need the same row of a unique index:
the second waits for the first and then sees it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Engine,
    LargeBinary,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from milepost.errors import Fenced, VersionConflict
from milepost.stores.sql.schema import Tables
from milepost.stores.sql.trouble import insistently, watched
from milepost.stores.store import Found, Numbered

T = TypeVar("T")

_BEHIND = "\x7f"  # sorts behind every character that a key may hold
_LEAST_AT_ONCE, _MOST_AT_ONCE = 64, 4096
_MOST_BYTES_AT_ONCE = 4 * 1024 * 1024


class SqlStore:
    """A store in a database. See `Store` for what each verb promises."""

    def __init__(self, engine: Engine, tables: Tables, url: str, namespace: str, timeout_seconds: float) -> None:
        """Work in the *namespace* of *tables*; what takes longer than *timeout_seconds* is given up."""
        self._engine = engine
        self._url = url
        self._namespace = namespace
        self._seconds = timeout_seconds
        self._documents = tables.documents
        self._journals = tables.journals
        self._records = tables.records
        self._is_server = engine.dialect.name == "postgresql"
        self._ids: dict[str, int] = {}
        clock = (
            "extract(epoch from clock_timestamp())" if self._is_server else "(julianday('now') - 2440587.5) * 86400.0"
        )
        self._now: ColumnElement[float] = literal_column(clock)
        # A record is one statement that is always the same, so it is compiled once, for the driver's own placeholders.
        compiled = insert(self._records).compile(engine, column_keys=["journal", "number", "line", "operation"])
        self._insert_one = str(compiled)
        self._places = compiled.positiontup
        self._insert_many = insert(self._records).from_select(
            ["journal", "number", "line", "operation"],
            select(
                bindparam("journal", type_=BigInteger),
                func.unnest(bindparam("numbers", type_=ARRAY(BigInteger))),
                func.unnest(bindparam("lines", type_=ARRAY(LargeBinary))),
                bindparam("operation"),
            ),
        )

    @property
    def url(self) -> str:
        """Where this is, without credentials."""
        return self._url

    @property
    def window_seconds(self) -> float:
        """Nothing is worth waiting for: what finished together is one statement anyway."""
        return 0.0

    def now(self) -> float:
        """Return the database's time."""
        return self._read(
            "ask for the time", lambda connection: float(connection.execute(select(self._now)).scalar_one())
        )

    # --- documents

    def create(self, key: str, data: bytes) -> str:
        """Write a document under a free key."""
        version = _operation()
        row = {"namespace": self._namespace, "key": key, "data": data, "version": version}
        statement = insert(self._documents).values(modified=self._now)

        def write(connection: Any) -> str:
            connection.execute(statement, row)
            return version

        def decide() -> str:
            if self.read(key).version != version:
                raise FileExistsError(f"{self._url}/{key}")
            return version

        return self._write("write a document", write, decide)

    def read(self, key: str) -> Found:
        """Return a document."""
        table = self._documents
        query = select(table.c.data, table.c.version, table.c.modified).where(*self._at(key))
        row = self._read("read a document", lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise FileNotFoundError(f"{self._url}/{key}")
        return Found(bytes(row.data), row.version, row.modified)

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Write a document if its version is still *version*."""
        new = _operation()
        table = self._documents
        statement = (
            update(table)
            .where(*self._at(key), table.c.version == bindparam("expected"))
            .values(data=bindparam("new_data"), version=bindparam("new_version"), modified=self._now)
        )
        values = {"expected": version, "new_data": data, "new_version": new}

        def write(connection: Any) -> str:
            if connection.execute(statement, values).rowcount != 1:
                query = select(table.c.version).where(*self._at(key))
                if connection.execute(query).scalar() != new:  # else a try before this one wrote it
                    raise VersionConflict(f"{self._url}/{key}: somebody else wrote it meanwhile; nothing was changed.")
            return new

        return self._write("write a document", write)

    def keys(self, prefix: str) -> list[str]:
        """List the keys that begin with *prefix*."""
        query = select(self._documents.c.key).where(*self._below(prefix)).order_by(self._documents.c.key)
        return self._read("list documents", lambda connection: list(connection.execute(query).scalars()))

    def branches(self, prefix: str) -> list[str]:
        """List what follows *prefix* up to the next slash, by a look into the index for each."""
        key = self._documents.c.key
        query = select(func.min(key)).where(*self._below(prefix), key > bindparam("behind"))

        def look(connection: Any) -> list[str]:
            found, behind = [], prefix
            while (first := connection.execute(query, {"behind": behind}).scalar()) is not None:
                part, slash, _ = first[len(prefix) :].partition("/")
                if slash:
                    found.append(part)
                behind = f"{prefix}{part}/{_BEHIND}" if slash else first
            return sorted(set(found))

        return self._read("list documents", look)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete documents."""
        table = self._documents
        for some in _portions(keys, 500):
            statement = delete(table).where(table.c.namespace == self._namespace, table.c.key.in_(some))
            self._write("delete documents", partial(_execute, statement))

    # --- journals

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        """Write lines under numbers that are free, in one statement."""
        number, operation = self._id(journal, make=True), _operation()
        assert number is not None, "it was made"

        def write(connection: Any) -> None:
            if self._is_server and len(lines) > 1:
                numbers = list(range(first, first + len(lines)))
                values = {"journal": number, "numbers": numbers, "lines": list(lines), "operation": operation}
                connection.execute(self._insert_many, values)
                return
            for place, line in enumerate(lines, first):
                row: Any = {"journal": number, "number": place, "line": line, "operation": operation}
                if self._places is not None:
                    row = tuple(row[name] for name in self._places)
                connection.exec_driver_sql(self._insert_one, row)

        def decide() -> None:
            table = self._records
            query = select(table.c.operation).where(table.c.journal == number, table.c.number == first)
            if self._read("read a record", lambda connection: connection.execute(query).scalar()) != operation:
                raise Fenced(f"{self._url}: record {first} of {journal} is taken: another writer took this run over.")

        self._write("append to a journal", write, decide)

    def lines(self, journal: str, after: int = 0, most: int | None = None) -> Iterator[Numbered]:
        """Yield lines in runs without gaps, a few megabytes at a time."""
        number = self._id(journal, make=False)
        table, at_once = self._records, _LEAST_AT_ONCE
        while number is not None and (most is None or most > 0):
            limit = at_once if most is None else min(at_once, most)
            query = select(table.c.number, table.c.line).where(table.c.journal == number, table.c.number > after)
            page = query.order_by(table.c.number).limit(limit)
            rows = self._read("read a journal", partial(_rows, page))
            yield from _runs(rows)
            if len(rows) < limit:
                return
            after, most = rows[-1].number, None if most is None else most - len(rows)
            size = sum(len(row.line) for row in rows)
            at_once = min(_MOST_AT_ONCE, max(1, at_once * 2 if size * 2 < _MOST_BYTES_AT_ONCE else at_once // 2))

    def trim(self, journal: str, upto: int, keep: Sequence[int] = ()) -> None:
        """Forget lines but those in *keep*."""
        number = self._id(journal, make=False)
        if number is None:
            return
        table, begin = self._records, 0
        for end in [*sorted(place for place in set(keep) if place <= upto), upto + 1]:
            if end > begin + 1:
                going = delete(table).where(table.c.journal == number, table.c.number > begin, table.c.number < end)
                self._write("trim a journal", partial(_execute, going))
            begin = end

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    # --- inside

    def _at(self, key: str) -> tuple[ColumnElement[bool], ...]:
        return self._documents.c.namespace == self._namespace, self._documents.c.key == key

    def _below(self, prefix: str) -> tuple[ColumnElement[bool], ...]:
        key = self._documents.c.key
        return self._documents.c.namespace == self._namespace, key >= prefix, key < prefix + _BEHIND

    def _id(self, journal: str, *, make: bool) -> int | None:
        """Return the number of a journal, which goes with each of its rows in place of its name."""
        if journal in self._ids:
            return self._ids[journal]
        table = self._journals
        query = select(table.c.id).where(table.c.namespace == self._namespace, table.c.name == journal)

        def look() -> int | None:
            found: int | None = self._read("look for a journal", lambda connection: connection.execute(query).scalar())
            return found

        found = look()
        if found is None and make:
            row = {"namespace": self._namespace, "name": journal}
            self._write("begin a journal", lambda connection: connection.execute(insert(table), row), lambda: None)
            found = look()
        if found is not None:
            self._ids[journal] = found
        return found

    def _read(self, doing: str, query: Callable[[Any], T]) -> T:
        def once() -> T:
            with watched(self._url, doing), self._engine.connect() as connection:
                return query(connection)

        return insistently(once, self._url, doing, seconds=self._seconds, writes=False)

    def _write(self, doing: str, statement: Callable[[Any], T], decide: Callable[[], T] | None = None) -> T:
        """Make a *statement*, again where its reply was lost; *decide* says what it means that its row is there."""
        sent = False

        def once() -> T:
            nonlocal sent
            with watched(self._url, doing, sent=lambda: sent):
                try:
                    with self._engine.connect() if self._is_server else self._engine.begin() as connection:
                        sent = True
                        return statement(connection)
                except IntegrityError:
                    if decide is None:
                        raise
            return decide()

        return insistently(once, self._url, doing, seconds=self._seconds, writes=True)


def _execute(statement: Any, connection: Any) -> None:
    connection.execute(statement)


def _rows(query: Any, connection: Any) -> Sequence[Any]:
    rows: Sequence[Any] = connection.execute(query).all()
    return rows


def _operation() -> str:
    """Return an id that no other write has."""
    return os.urandom(12).hex()


def _portions(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for begin in range(0, len(keys), size):
        yield keys[begin : begin + size]


def _runs(rows: Sequence[Any]) -> Iterator[Numbered]:
    """Yield rows as runs of numbers without gaps."""
    run: Numbered | None = None
    for number, line in rows:
        if run is not None and number != run.first + len(run.lines):
            yield run
            run = None
        run = run or Numbered(number, [])
        run.lines.append(bytes(line))
    if run is not None:
        yield run
