"""The floors: the least that the disk asks for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks.keepers.base import Keeper, Pair
from benchmarks.subject import Facts

_ZEROS = bytes(1 << 20)


class Append(Keeper):
    """A: append the encoded line to a file, fdatasync."""

    is_synced = True
    handle = -1

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Make the file."""
        del keys
        path = self.folder / f"{run}.jsonl"
        self.handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def record(self, pairs: Iterable[Pair]) -> None:
        """Append and sync each."""
        for pair in pairs:
            self._append(orjson.dumps(pair) + b"\n")

    def record_batches(self, batches: Iterable[Sequence[Pair]]) -> None:
        """Append and sync each batch at once."""
        for batch in batches:
            self._append(b"".join(orjson.dumps(pair) + b"\n" for pair in batch))

    def close(self) -> None:
        """Close the file."""
        os.close(self.handle)

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Write all lines and sync once."""
        del count
        with (self.folder / f"{run}.jsonl").open("wb", buffering=1 << 20) as file:
            file.writelines(orjson.dumps(pair) + b"\n" for pair in pairs)
            file.flush()
            os.fsync(file.fileno())

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Decode every line, keep the keys."""
        with (self.folder / f"{run}.jsonl").open("rb") as lines:
            done = {orjson.loads(line)[0] for line in lines}
        return next(key for key in keys if key not in done)

    def _append(self, data: bytes) -> None:
        os.write(self.handle, data)
        if self.is_synced:
            os.fdatasync(self.handle)


class DecodeAll(Append):
    """The same file, read into memory whole: what a script does that needs its results again."""

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Decode every line, keep everything."""
        with (self.folder / f"{run}.jsonl").open("rb") as lines:
            done = dict(map(orjson.loads, lines))
        return next(key for key in keys if key not in done)


class AppendUnsynced(Append):
    """Append and leave it to the system: safe from SIGKILL, not from a power cut."""

    is_synced = False

    def settle(self) -> Facts:
        """Sync what was left dirty."""
        os.fdatasync(self.handle)
        return {}


class ZeroAhead(Append):
    """Z: the same into a file whose next megabyte was written as zeros, and synced, beforehand."""

    position = 0

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Write the zeros."""
        del keys
        self.handle = os.open(self.folder / f"{run}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.pwrite(self.handle, _ZEROS, 0)
        os.fsync(self.handle)
        self.position = 0

    def _append(self, data: bytes) -> None:
        assert self.position + len(data) <= len(_ZEROS)
        self.position += os.pwrite(self.handle, data, self.position)
        os.fdatasync(self.handle)


class Replace(Keeper):
    """F: encode, new file, write, fsync, rename, fsync the directory."""

    directory = -1

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Open the directory."""
        del run, keys
        self.directory = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)

    def save(self, state: Any) -> None:
        """Write the whole state."""
        temporary = ".state.json.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        handle = os.open(temporary, flags, 0o600, dir_fd=self.directory)
        try:
            view = memoryview(orjson.dumps(state))
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, "state.json", src_dir_fd=self.directory, dst_dir_fd=self.directory)
        os.fsync(self.directory)

    def load(self) -> Any:
        """Read and decode."""
        return orjson.loads((self.folder / "state.json").read_bytes())

    def close(self) -> None:
        """Close the directory."""
        os.close(self.directory)


class Manager2025(Keeper):
    """The manager that Milepost replaces: indented JSON in a new file, never synced, the whole state each time."""

    number = 0

    def save(self, state: Any) -> None:
        """Write the whole state."""
        self.number += 1
        self._path(self.number).write_text(json.dumps(state, indent=2))

    def load(self) -> Any:
        """Read and decode; nothing is verified."""
        return json.loads(self._path(self.number).read_text())

    def settle(self) -> Facts:
        """Sync the newest file, delete the older ones."""
        settle_file(self._path(self.number))
        for path in self.folder.glob("checkpoint_*.json"):
            if path != self._path(self.number):
                path.unlink()
        return {}

    def _path(self, number: int) -> Path:
        return self.folder / f"checkpoint_{number}.json"


def settle_file(path: Path) -> None:
    """Sync a file that was written without: left dirty, it would burden the next contender's sync."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
