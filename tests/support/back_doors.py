"""Back doors: what stores keep, looked at and damaged without them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from milepost.stores.memory import MemoryStore
from milepost.stores.segment import HEAD_BYTES


class MemoryDoor:
    """The dicts of a store in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def document(self, key: str) -> bytes | None:
        found = self.store._documents.get(key)
        return None if found is None else found.data

    def put_document(self, key: str, data: bytes | None) -> None:
        found = self.store._documents.pop(key)
        if data is not None:
            self.store._documents[key] = found._replace(data=data)

    def lines(self, journal: str) -> dict[int, bytes]:
        return dict(self.store._journals.get(journal, {}))

    def put_line(self, journal: str, number: int, line: bytes | None) -> None:
        held = self.store._journals[journal]
        del held[number]
        if line is not None:
            held[number] = line


class SqlDoor:
    """The tables of a database, through its driver. *connection* is one that commits each statement by itself."""

    def __init__(self, connection: Any, namespace: str, mark: str) -> None:
        self.connection = connection
        self.namespace = namespace
        self.mark = mark

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(statement.replace("?", self.mark), values)
        return list(cursor.fetchall()) if cursor.description else []

    def document(self, key: str) -> bytes | None:
        where = "SELECT data FROM milepost_documents WHERE namespace = ? AND key = ?"
        found = self.ask(where, self.namespace, key)
        return bytes(found[0][0]) if found else None

    def put_document(self, key: str, data: bytes | None) -> None:
        if data is None:
            self.ask("DELETE FROM milepost_documents WHERE namespace = ? AND key = ?", self.namespace, key)
        else:
            self.ask(
                "UPDATE milepost_documents SET data = ? WHERE namespace = ? AND key = ?", data, self.namespace, key
            )

    def journal(self, name: str) -> int | None:
        found = self.ask("SELECT id FROM milepost_journals WHERE namespace = ? AND name = ?", self.namespace, name)
        return found[0][0] if found else None

    def lines(self, journal: str) -> dict[int, bytes]:
        found = self.ask("SELECT number, line FROM milepost_records WHERE journal = ?", self.journal(journal))
        return {number: bytes(line) for number, line in found}

    def put_line(self, journal: str, number: int, line: bytes | None) -> None:
        which = self.journal(journal), number
        if line is None:
            self.ask("DELETE FROM milepost_records WHERE journal = ? AND number = ?", *which)
        else:
            self.ask("UPDATE milepost_records SET line = ? WHERE journal = ? AND number = ?", line, *which)


@contextmanager
def sqlite_door(path: Path, namespace: str) -> Iterator[SqlDoor]:
    """Open the file with Python's own module."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        yield SqlDoor(connection, namespace, "?")


@contextmanager
def postgres_door(url: str, namespace: str) -> Iterator[SqlDoor]:
    """Connect to the server with psycopg."""
    import psycopg

    with closing(psycopg.connect(url, autocommit=True)) as connection:
        yield SqlDoor(connection, namespace, "%s")


class FolderDoor:
    """The files of one phase: its documents, and the lines of its only journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def _journal(self) -> Path:
        return self.folder / "journal_000001.jsonl"

    def document(self, key: str) -> bytes | None:
        path = self.folder / key
        return path.read_bytes() if path.exists() else None

    def put_document(self, key: str, data: bytes | None) -> None:
        (self.folder / key).unlink()
        if data is not None:
            (self.folder / key).write_bytes(data)
            (self.folder / key).chmod(0o600)

    def lines(self, journal: str) -> dict[int, bytes]:
        lines = self._journal.read_bytes()[HEAD_BYTES:].rstrip(b"\n").split(b"\n")
        return dict(enumerate(lines, 1))

    def put_line(self, journal: str, number: int, line: bytes | None) -> None:
        head = self._journal.read_bytes()[:HEAD_BYTES]
        held: dict[int, bytes | None] = {**self.lines(journal), number: line}
        rest = b"".join(one + b"\n" for one in held.values() if one is not None)
        with self._journal.open("r+b") as file:
            file.write(head + rest)
            file.truncate()


class S3Door:
    """The objects of a store's prefix, through Amazon's own client."""

    def __init__(self, client: Any, url: str) -> None:
        parts = urlsplit(url)
        self.client = client
        self.bucket = parts.netloc
        self.prefix = parts.path.strip("/")

    def _get(self, key: str) -> bytes | None:
        try:
            whole: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None
        return whole.partition(b"\n")[2]  # behind the line with the nonce

    def _put(self, key: str, data: bytes | None) -> None:
        if data is None:
            self.client.delete_object(Bucket=self.bucket, Key=key)
        else:
            from milepost.stores.objects.framing import framed, nonce

            self.client.put_object(Bucket=self.bucket, Key=key, Body=framed(nonce(), data))

    def document(self, key: str) -> bytes | None:
        return self._get(f"{self.prefix}/d/{key}")

    def put_document(self, key: str, data: bytes | None) -> None:
        self._put(f"{self.prefix}/d/{key}", data)

    def _batches(self, journal: str) -> dict[int, list[bytes]]:
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.prefix}/j/{journal}/")
        keys = [one["Key"] for one in found.get("Contents", [])]
        return {int(key.rpartition("/")[2]): (self._get(key) or b"").split(b"\n")[:-1] for key in keys}

    def lines(self, journal: str) -> dict[int, bytes]:
        batches = self._batches(journal)
        return {number: line for first, lines in batches.items() for number, line in enumerate(lines, first)}

    def put_line(self, journal: str, number: int, line: bytes | None) -> None:
        first, lines = next((at, some) for at, some in self._batches(journal).items() if at <= number < at + len(some))
        assert line is not None or len(lines) == 1, "lines of one batch go together"
        lines[number - first] = line or b""
        self._put(
            f"{self.prefix}/j/{journal}/{first:016d}", None if line is None else b"".join(one + b"\n" for one in lines)
        )
