"""Runs with a codec for the tests, and journals re-forged by somebody who knows the format and has no key."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path

from milepost import Codec
from milepost.clock import SystemClock
from milepost.codec.ring import KeyRing, Source
from milepost.codec.secret import Secret
from milepost.fs import SystemFiles
from milepost.records import Kind, Position, Record, decode_line
from milepost.run.coded import CodedRun
from milepost.stores import RunFiles
from milepost.stores.folder import Folder

OLD = urlsafe_b64encode(b"a key of a test, for tests only.").decode()
NEW = urlsafe_b64encode(b"another key, also for tests only").decode()
SECRET_VALUE = "the plain text that nobody may see"
MARK = SECRET_VALUE.encode()


def ring(*texts: str, labels: Sequence[str] = ()) -> KeyRing:
    """Return a ring of keys given as text."""
    named = [*labels, *[""] * (len(texts) - len(labels))]
    return KeyRing(
        [
            Source(label, lambda text=text: Secret(urlsafe_b64decode(text)))  # type: ignore[misc]
            for label, text in zip(named, texts, strict=True)
        ]
    )


PLAIN = Codec()
PACKED = Codec("zstd")
SEALED = Codec(encrypt=ring(OLD))
BOTH = Codec("zstd", encrypt=ring(OLD))
CODECS = {"plain": PLAIN, "zstd": PACKED, "aes": SEALED, "zstd+aes": BOTH}


def store_at(path: Path, codec: Codec | None = SEALED) -> CodedRun:
    """Open a run's folder, made where it is missing."""
    return CodedRun(RunFiles(Folder.make(SystemFiles(), path)), codec)


def write_run(path: Path, records: Sequence[Record], codec: Codec | None = SEALED, run: str = "run-one") -> None:
    """Write a run's journal, each record by an append of its own."""
    with store_at(path, codec) as store:
        store.lock(SystemClock())
        end = store.recover(run, known=True).end
        for record in records:
            end = store.append([record], expected=end.sequence)


def some_records(count: int) -> list[Record]:
    """Return records of several kinds, with and without values."""
    made = [Record(Kind.OPENED, 1.0, 1)]
    for number in range(1, count):
        value = f'{{"text":"{SECRET_VALUE}","n":{number}}}'.encode() if number % 3 else None
        made.append(Record(Kind.DONE, 1.0 + number, 1, f"key-{number}", 0.5, "ab" * 16, value, "loop:a", "cd" * 16))
    return made


def read_run(path: Path, codec: Codec | None = SEALED) -> list[Record]:
    """Read a run as a job would: any damage is raised, and each record is read singly as well."""
    found: list[Record] = []
    with store_at(path, codec) as store:
        reading = store.read_journal(lambda _, lines: found.extend(map(decode_line, lines)))
        assert reading is not None
        if reading.damage:
            raise reading.damage[0].error
        assert [decode_line(store.read_line(number)) for number in range(1, len(found) + 1)] == found
    return found


def raw_lines(path: Path) -> list[bytes]:
    """Return the lines of a run's records as they are stored."""
    found: list[bytes] = []
    with RunFiles(Folder.make(SystemFiles(), path)) as store:
        store.read_journal(lambda _, lines: found.extend(lines))
    return found


def forged(path: Path, records: Sequence[Record], run: str = "run-one") -> None:
    """Write a journal of *records* as they are, with a chain and watermarks that hold: what a forger can do."""
    with RunFiles(Folder.make(SystemFiles(), path)) as store:
        store.lock(SystemClock())
        end: Position = store.recover(run, known=True).end
        for record in records:
            end = store.append([record], expected=end.sequence)


def as_records(lines: Sequence[bytes]) -> list[Record]:
    """Return stored lines as records, their values as they are stored."""
    return [decode_line(line) for line in lines]
