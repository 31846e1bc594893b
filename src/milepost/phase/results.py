"""The results of a loop: a mapping from key to value that reads a value when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import orjson

from milepost import codec
from milepost.stores import write_durably

_TABLE_CHARACTERS = 256 * 1024


class Source(Protocol):
    """Where results come from: which keys are done, in order, and the number of the record of each."""

    def keys(self) -> Iterator[str]:
        """Yield the keys that are done, in order."""

    def sequence(self, key: str) -> int:
        """Return the number of the record that holds the value of *key*, or 0 if it is not done."""

    def count(self) -> int:
        """Return how many are done."""

    def identity(self) -> str:
        """Return a digest of which records these are, in order."""


class Results(Mapping[str, Any]):
    """The values of the items that are done, by key, in order. It follows the run: what is recorded appears.

    A value is read from the journal when it is asked for, and not kept.
    """

    def __init__(self, source: Source, value: Callable[[int], Any]) -> None:
        """Read the keys from *source*, and the value of a record by its number."""
        self._source = source
        self._value = value

    def __getitem__(self, key: str) -> Any:
        """Return the value of *key*.

        Raises:
            KeyError: There is no such item, or it is not done.
            CorruptJournal: Its record is no longer what was written.
        """
        sequence = self._source.sequence(key)
        if not sequence:
            raise KeyError(key)
        return self._value(sequence)

    def __iter__(self) -> Iterator[str]:
        return self._source.keys()

    def __len__(self) -> int:
        return self._source.count()

    def __contains__(self, key: object) -> bool:
        return type(key) is str and self._source.sequence(key) > 0

    def __repr__(self) -> str:
        return f"<milepost.Results of {len(self)} items>"

    def identity(self) -> str:
        """Return a digest of which records these results are, in which order."""
        return self._source.identity()

    def to_jsonl(self, path: str | os.PathLike[str]) -> None:
        """Write one line per item, ``{"key": …, "value": …}``, in order; the file appears whole or not at all.

        Values are in the stored form: plain JSON, with tags where JSON has no such type.

        Args:
            path: The file; what stood there is replaced.

        Raises:
            StorageError: The medium refused; what stood at *path* is whole.
        """
        write_durably(path, self._lines())

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a table with a row per item, in order; the file appears whole or not at all.

        The first column is ``key``. Where every value is a dict, each of their keys has a column, in the order in
        which they are met first; otherwise there is one column, ``value``. Texts and numbers stand as they are,
        None is empty, everything else is JSON.

        Args:
            path: The file; what stood there is replaced.

        Raises:
            StorageError: The medium refused; what stood at *path* is whole.
        """
        write_durably(path, self._rows(self._columns()))

    def _columns(self) -> list[str] | None:
        """Return the keys of all values in the order in which they are met, or None if not all values are dicts."""
        columns: dict[str, None] = {}
        for value in self.values():
            if type(value) is not dict or not all(type(name) is str for name in value):
                return None
            columns.update(dict.fromkeys(value))
        return list(columns)

    def _lines(self) -> Iterator[bytes]:
        for key, value in self.items():
            yield b'{"key":' + orjson.dumps(key) + b',"value":' + codec.encode(value) + b"}\n"

    def _rows(self, columns: list[str] | None) -> Iterator[bytes]:
        import csv
        import io

        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)
        writer.writerow(["key", *(["value"] if columns is None else columns)])
        for key, value in self.items():
            cells = [value] if columns is None else [value.get(name) for name in columns]
            writer.writerow([key, *map(_cell, cells)])
            if buffer.tell() > _TABLE_CHARACTERS:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode()


def _cell(value: Any) -> str | int | float | None:
    """Return a cell: what a table can hold as it is, else JSON."""
    if value is None or type(value) in (str, int, float):
        return value  # type: ignore[no-any-return]
    if isinstance(value, Path):
        return str(value)
    return codec.encode(value).decode()
