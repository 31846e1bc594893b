"""The store in an SQLite file: its pragmas, its file, its tables, and who else may be at it."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from milepost.errors import DiskFull, Fenced, InvalidArgument, NotDecodable, StoreUnavailable, UnsafeStore
from milepost.stores.opening import close_stores, open_store
from milepost.stores.sql.store import SqlStore

VERSION_1 = """
CREATE TABLE milepost_schema (version INTEGER NOT NULL);
INSERT INTO milepost_schema VALUES (1);
CREATE TABLE milepost_documents (
    namespace VARCHAR NOT NULL, "key" VARCHAR NOT NULL, data BLOB NOT NULL, version VARCHAR NOT NULL,
    modified FLOAT NOT NULL, PRIMARY KEY (namespace, "key"));
INSERT INTO milepost_documents VALUES ('', 'old', x'6f6c64', 'v1', 1795000000.0);
CREATE TABLE milepost_journals (
    id INTEGER NOT NULL PRIMARY KEY, namespace VARCHAR NOT NULL, name VARCHAR NOT NULL);
CREATE UNIQUE INDEX milepost_journals_by_name ON milepost_journals (namespace, name);
INSERT INTO milepost_journals VALUES (1, '', 'j');
CREATE TABLE milepost_records (
    journal INTEGER NOT NULL, number INTEGER NOT NULL, line BLOB NOT NULL, PRIMARY KEY (journal, number));
INSERT INTO milepost_records VALUES (1, 1, x'61');
"""
"""A database as version 1 left it; what it holds must be read for ever."""


def _url(path: Path, **query: str) -> str:
    return f"sqlite:///{path}?" + "&".join(f"{name}={value}" for name, value in query.items())


@pytest.mark.parametrize(("mode", "synchronous"), [("wal", 2), ("delete", 3)])
def test_each_connection_is_durable(tmp_path: Path, mode: str, synchronous: int) -> None:
    """Every connection commits such that a power cut takes nothing back: wal with FULL, delete with EXTRA."""
    store = open_store(_url(tmp_path / "a.db", journal_mode=mode))
    assert isinstance(store, SqlStore)
    with store._engine.connect() as one, store._engine.connect() as other:
        for connection in (one, other):
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == mode
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == synchronous
            connection.rollback()  # the other would wait for this one's transaction


@pytest.mark.parametrize("mode", ["off", "memory", "truncated"])
def test_unsafe_modes_are_refused(tmp_path: Path, mode: str) -> None:
    """A journal mode that a power cut breaks is refused by name."""
    with pytest.raises(UnsafeStore, match="power cut"):
        open_store(_url(tmp_path / "a.db", journal_mode=mode))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///a.db?cache=shared"])
def test_what_is_no_file_is_refused(url: str) -> None:
    """A database in memory, or with options that are not known, is refused."""
    with pytest.raises(InvalidArgument, match="sqlite"):
        open_store(url)


def test_the_file_is_private(tmp_path: Path) -> None:
    """The file can be read and written by its owner only."""
    open_store(_url(tmp_path / "a.db"))
    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("trap", ["link", "fifo", "writable", "foreign", "folder"])
def test_a_file_that_cannot_be_trusted_is_refused(tmp_path: Path, trap: str) -> None:
    """A link, a FIFO, a folder, a file of another user or one that others may write is refused and left alone."""
    path = tmp_path / "a.db"
    if trap == "link":
        (tmp_path / "b.db").touch()
        path.symlink_to(tmp_path / "b.db")
    elif trap == "fifo":
        os.mkfifo(path)
    elif trap == "folder":
        path.mkdir()
    else:
        path.touch()
        path.chmod(0o666 if trap == "writable" else 0o600)
        if trap == "foreign":
            if os.geteuid() != 0:
                pytest.skip("only root can give a file away")
            os.chown(path, 12345, 12345)
    with pytest.raises(UnsafeStore, match="Nothing was touched"):
        open_store(_url(path))


def test_a_relative_path_is_the_one_of_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same relative URL in another folder is another store."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        open_store("sqlite:///a.db").create("x", name.encode())
    assert open_store("sqlite:///a.db").read("x").data == b"two"
    monkeypatch.chdir(tmp_path / "one")
    assert open_store("sqlite:///a.db").read("x").data == b"one"


def test_version_1_is_brought_forward(tmp_path: Path) -> None:
    """Tables of version 1 are read, written on, and are of the newest version afterwards."""
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as old:
        old.executescript(VERSION_1)
    old.close()
    path.chmod(0o600)
    store = open_store(_url(path))
    assert store.read("old").data == b"old"
    store.append("j", 2, [b"b"])
    with pytest.raises(Fenced):
        store.append("j", 1, [b"other"])
    assert [line for _, lines in store.lines("j") for line in lines] == [b"a", b"b"]
    close_stores()
    with sqlite3.connect(path) as now:
        assert now.execute("SELECT version FROM milepost_schema").fetchall() == [(2,)]
    now.close()


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    """Tables of a version that is not known here are left alone."""
    path = tmp_path / "a.db"
    open_store(_url(path))
    close_stores()
    with sqlite3.connect(path) as later:
        later.execute("UPDATE milepost_schema SET version = 9")
    later.close()
    with pytest.raises(NotDecodable, match="newer"):
        open_store(_url(path))


def test_a_full_disk_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """When there is no room, the error is that of a full disk, nothing is half written, and there is room again later."""
    store = open_store(_url(tmp_path / "a.db"))
    assert isinstance(store, SqlStore)
    store.append("j", 1, [b"a"])
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        connection.rollback()
    with pytest.raises(DiskFull, match="acknowledged before is whole"):
        store.append("j", 2, [b"b" * 4000] * 50)
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
        connection.rollback()
    store.append("j", 2, [b"c"])
    assert [line for _, lines in store.lines("j") for line in lines] == [b"a", b"c"]


def test_a_file_that_is_held_for_too_long_is_told(tmp_path: Path) -> None:
    """While another program holds the file, a write ends with a typed error and changes nothing."""
    path = tmp_path / "a.db"
    store = open_store(_url(path, timeout_seconds="0.3"))
    store.append("j", 1, [b"a"])
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another process holds the file"):
            store.append("j", 2, [b"b"])
    finally:
        other.close()
    store.append("j", 2, [b"b"])


def _child(url: str) -> None:
    open_store(url).append("j", 2, [b"child"])


def test_a_forked_child_opens_its_own(tmp_path: Path) -> None:
    """A forked child and its parent both go on with the store after the fork."""
    url = _url(tmp_path / "a.db")
    store = open_store(url)
    store.append("j", 1, [b"parent"])
    child = multiprocessing.get_context("fork").Process(target=_child, args=(url,))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    store.append("j", 3, [b"parent"])
    assert [line for _, lines in store.lines("j") for line in lines] == [b"parent", b"child", b"parent"]
