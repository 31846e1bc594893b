"""The store in PostgreSQL, on a real server: what a crash, a lost reply and a partition leave."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import psycopg
import pytest

from milepost.errors import DurabilityUnknown, Fenced, NotDecodable, StoreUnavailable, UnsafeStore
from milepost.stores.opening import open_store
from milepost.stores.sql import open_sql
from milepost.stores.sql.store import SqlStore
from tests.support.postgres import Server, server
from tests.support.proxy import Proxy

T = TypeVar("T")


def _rows(server: Server, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        return connection.execute(query).fetchall()


def _numbers(server: Server, journal: str) -> list[int]:
    """Return the numbers of a journal's records, by a client of its own."""
    rows = _rows(
        server,
        "SELECT r.number FROM milepost_records r JOIN milepost_journals j ON j.id = r.journal "
        f"WHERE j.name = '{journal}' ORDER BY 1",
    )
    return [row[0] for row in rows]  # type: ignore[misc]


def test_what_is_written_is_in_the_tables(postgres: Server) -> None:
    """Documents and records are rows that another client reads."""
    store, name = open_store(postgres.fresh()), uuid.uuid4().hex
    store.create(name, b"\0one")
    store.append(name, 1, [b"a", b"b"])
    assert _rows(postgres, f"SELECT data FROM milepost_documents WHERE key = '{name}'") == [(b"\0one",)]
    assert _numbers(postgres, name) == [1, 2]


@pytest.mark.parametrize("rounds", [30, pytest.param(1000, marks=[pytest.mark.soak, pytest.mark.timeout(0)])])
def test_a_reply_that_is_lost_behind_a_commit_loses_and_doubles_nothing(postgres: Server, rounds: int) -> None:
    """A connection cut after the commit was sent leaves each record there once, and the writer knows it."""
    name = uuid.uuid4().hex
    with Proxy(postgres.port) as proxy:
        store = open_store(f"{postgres.url(port=proxy.port)}?namespace={name}")
        store.append(name, 1, [b"0"])  # the journal is known from here on
        for number in range(rounds):
            lines = [b"round %d" % number] * (1 + number % 3)
            first = len(_numbers(postgres, name)) + 1
            _cut_once(proxy, partial(store.append, name, first, lines))
            assert _numbers(postgres, name) == list(range(1, first + len(lines)))
        assert proxy.cuts >= rounds
        with pytest.raises(Fenced):
            store.append(name, 1, [b"another"])


def _cut_once(proxy: Proxy, act: Callable[[], T]) -> T:
    """Let the reply to the first request of *act* get lost, and no other."""
    done = threading.Event()

    def once(_: bytes) -> bool:
        is_first = not done.is_set()
        done.set()
        return is_first

    proxy.judge = once
    return act()


def test_documents_outlive_lost_replies(postgres: Server) -> None:
    """A create or a replace whose reply was lost counts once, and its version is the writer's."""
    with Proxy(postgres.port) as proxy:
        store = open_store(f"{postgres.url(port=proxy.port)}?namespace={uuid.uuid4().hex}")
        _cut_once(proxy, partial(store.create, "a", b"1"))
        found = store.read("a")
        version = _cut_once(proxy, partial(store.replace, "a", b"2", found.version))
        assert store.read("a")[:2] == (b"2", version)
        with pytest.raises(FileExistsError):
            store.create("a", b"x")


def test_a_partition_ends_in_a_typed_error_in_time(postgres: Server) -> None:
    """When packets are dropped, reads say that the store is out of reach and writes that nobody knows, in bounded time."""
    with Proxy(postgres.port) as proxy:
        url = f"{postgres.url(port=proxy.port)}?namespace={uuid.uuid4().hex}&timeout_seconds=2"
        store = open_store(f"{url}&tcp_user_timeout=1000&connect_timeout=2&keepalives_idle=1&keepalives_interval=1")
        store.append("j", 1, [b"a"])
        proxy.blackhole()
        began = time.monotonic()
        threading.Timer(1.5, proxy.cut).start()  # loopback acknowledges for a peer that reads nothing
        with pytest.raises(DurabilityUnknown, match="nobody knows"):
            store.append("j", 2, [b"b"])
        with pytest.raises(StoreUnavailable, match="could not be reached"):
            store.read("x")
        assert time.monotonic() - began < 30
        proxy.blackhole(on=False)
        assert [lines for _, lines in store.lines("j")] == [[b"a"]]


def test_a_server_that_is_killed_loses_nothing_acknowledged() -> None:
    """After kill -9 of the server under load and a restart, each acknowledged record is there, and the writer goes on."""
    with server() as one:
        store = open_store(one.fresh())
        acknowledged: list[int] = []
        until = time.monotonic() + 2.0
        killer = threading.Timer(0.5, one.crash)
        killer.start()
        number = 1
        while time.monotonic() < until or killer.is_alive():
            store.append("load", number, [b"x" * 500])
            acknowledged.append(number)
            number += 1
        assert _numbers(one, "load") == acknowledged


@pytest.mark.parametrize("setting", ["synchronous_commit", "fsync"])
def test_a_server_that_forgets_is_refused(postgres: Server, setting: str) -> None:
    """A role or server for which commits are not durable is refused by name."""
    if setting == "fsync":
        _rows_none(postgres, "ALTER SYSTEM SET fsync = off")
        _rows_none(postgres, "SELECT pg_reload_conf()")
        time.sleep(0.3)
    try:
        options = {"options": "-c%20synchronous_commit=off"} if setting == "synchronous_commit" else {}
        with pytest.raises(UnsafeStore, match=setting):
            open_store(postgres.fresh(**options))
    finally:
        _rows_none(postgres, "ALTER SYSTEM RESET fsync")
        _rows_none(postgres, "SELECT pg_reload_conf()")
        time.sleep(0.3)


def _rows_none(server: Server, statement: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement)


def test_a_role_with_few_rights_is_enough(postgres: Server) -> None:
    """A role that may only read and change rows works on tables that the owner made; one that may only read, reads."""
    open_store(postgres.fresh()).create("made", b"")  # as the owner
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        for role, rights in (("writer", "SELECT, INSERT, UPDATE, DELETE"), ("reader", "SELECT")):
            connection.execute(f"CREATE ROLE {role} LOGIN")
            connection.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {role}")
        connection.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO writer")
    namespace = uuid.uuid4().hex
    writer = open_store(f"{postgres.url(user='writer')}?namespace={namespace}")
    writer.create("a", b"1")
    writer.append("j", 1, [b"line"])
    reader = open_store(f"{postgres.url(user='reader')}?namespace={namespace}")
    assert reader.read("a").data == b"1"
    assert [lines for _, lines in reader.lines("j")] == [[b"line"]]
    with pytest.raises(StoreUnavailable, match="role may not"):
        reader.create("b", b"1")


def test_a_password_is_never_told() -> None:
    """Errors name the server and never the password."""
    with pytest.raises(StoreUnavailable) as caught:
        open_store("postgresql://me:hush-hush@127.0.0.1:1/x?timeout_seconds=0.2")
    chain: list[BaseException] = []
    error: BaseException | None = caught.value
    while error is not None:
        chain.append(error)
        error = error.__cause__
    assert "hush" not in "".join(map(str, chain)) + "".join(map(repr, chain))


def test_a_newer_database_is_refused(postgres: Server) -> None:
    """Tables of a version that is not known here are left alone."""
    schema = f"s{uuid.uuid4().hex}"
    _rows_none(postgres, f"CREATE SCHEMA {schema}")
    open_store(f"{postgres.url()}?schema={schema}").create("a", b"1")
    _rows_none(postgres, f"UPDATE {schema}.milepost_schema SET version = 99")
    with pytest.raises(NotDecodable, match="newer"):
        open_store(f"{postgres.url()}?schema={schema}&namespace=other")


def test_an_append_is_one_round_trip(postgres: Server) -> None:
    """Once a journal is known, an append of one record or of many is one request and one answer."""
    with Proxy(postgres.port) as proxy:
        store = open_store(f"{postgres.url(port=proxy.port)}?namespace={uuid.uuid4().hex}")
        assert isinstance(store, SqlStore)
        for first in range(1, 21, 2):  # the driver prepares a statement it has seen often
            store.append("j", first, [b"a"])
            store.append("j", first + 1, [b"b"])
        for first in range(100, 200, 10):
            store.append("j", first, [b"a"] * 10)
        asked: list[bytes] = []

        def listen(data: bytes) -> bool:
            asked.append(data)
            return False

        proxy.judge = listen
        store.append("j", 300, [b"one"])
        store.append("j", 400, [b"many"] * 10)
        assert len(asked) == 2


def test_many_that_open_a_new_database_at_once_make_its_tables_once(postgres: Server) -> None:
    """Whoever comes first makes the tables, and the others wait and use them."""
    schema = f"s{uuid.uuid4().hex}"
    _rows_none(postgres, f"CREATE SCHEMA {schema}")
    urls = [f"{postgres.url()}?schema={schema}&namespace={number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(open_sql, urls))
    for store in stores:
        store.create("a", b"1")
        store.close()
    assert _rows(postgres, f"SELECT count(*) FROM {schema}.milepost_documents") == [(8,)]
    assert _rows(postgres, f"SELECT version FROM {schema}.milepost_schema") == [(2,)]
