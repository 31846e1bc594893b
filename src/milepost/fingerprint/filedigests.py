"""Digests of the contents of files, which remember those of large files that have not changed."""

from __future__ import annotations

import stat as mode_bits
from os import path as os_path
from os import stat_result
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from milepost.clock import Clock, SystemClock
from milepost.errors import InvalidArgument, StoreUnavailable
from milepost.records import seal, unseal

CACHED_FROM_BYTES = 64 * 1024
"""Files below this size are read each time: that costs no more than looking them up."""

_BLOCK_BYTES = 1024 * 1024
_DOUBT_SECONDS = 2
_TRIES = 4
_FORMAT = 1


class _Look(NamedTuple):
    """What tells one state of a file from another without reading it."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int
    device: int


class _Entry(NamedTuple):
    look: _Look
    taken_ns: int  # when the reading began
    digest: str

    def vouches_for(self, look: _Look) -> bool:
        """Tell whether the digest still holds for a file that looks like *look* now.

        A file that was written twice within one tick of its clock looks the same after both. So a digest taken less
        than two seconds behind the last change says nothing: the rule git calls "racily clean"
        (Documentation/technical/racy-git.txt). Two seconds is the coarsest clock in use, that of FAT.
        """
        latest_ns = max(look.modified_ns, look.changed_ns)
        return look == self.look and latest_ns < self.taken_ns - _DOUBT_SECONDS * 1_000_000_000


class FileDigests:
    """The xxh3-128 of files, by content. Digests of unchanged large files are remembered, also between processes.

    Any doubt is settled by reading: see `_Entry.vouches_for`. One object may serve several threads.
    """

    def __init__(self, cached: bytes | None = None, *, clock: Clock | None = None, most_entries: int = 10_000) -> None:
        """Start with what an earlier `dump` remembered.

        Args:
            cached: the bytes of a dump; None, or anything that is not intact, is an empty cache.
            clock: the clock that says when a digest was taken.
            most_entries: how many files a dump remembers at most.
        """
        self._clock = clock or SystemClock()
        self._most_entries = most_entries
        self._known = _entries(cached or b"")
        self._used: dict[str, _Entry] = {}

    def of(self, path: Path | str) -> str:
        """Return the digest of the content of a file.

        Args:
            path: a regular file; a symbolic link is followed.

        Returns:
            32 hex digits.

        Raises:
            InvalidArgument: there is no such file, it may not be read, or it is no regular file.
            StoreUnavailable: it could not be read, or it changed each time while it was read.
        """
        file = Path(path)
        try:
            return self._of(file)
        except (FileNotFoundError, NotADirectoryError):
            raise InvalidArgument(f"{path}: there is no such file") from None
        except (PermissionError, ValueError) as error:
            raise InvalidArgument(f"{path}: it cannot be read ({_reason(error)})") from error
        except OSError as error:
            raise StoreUnavailable(f"{path}: it cannot be read ({_reason(error)})") from error

    def dump(self) -> bytes:
        """Return what is to be remembered: the large files asked for through this object, the latest last.

        Returns:
            A sealed JSON document.
        """
        kept = list(self._used.items())[-self._most_entries :]
        files = {path: [*entry.look, entry.taken_ns, entry.digest] for path, entry in kept}
        return seal({"format": _FORMAT, "files": files})

    def _of(self, file: Path) -> str:
        look = _look(file, file.stat())
        name = os_path.abspath(file)
        entry = self._known.get(name)
        if entry is None or not entry.vouches_for(look):
            entry = self._read(file)
        if entry.look.size >= CACHED_FROM_BYTES and _is_text(name):
            self._known[name] = entry
            self._used.pop(name, None)
            self._used[name] = entry
        return entry.digest

    def _read(self, file: Path) -> _Entry:
        """Read *file* until it is the same before and after."""
        for _ in range(_TRIES):
            taken_ns = int(self._clock.now() * 1_000_000_000)
            before = _look(file, file.stat())
            running = xxhash.xxh3_128()
            with file.open("rb", buffering=0) as stream:
                while block := stream.read(_BLOCK_BYTES):
                    running.update(block)
            if _look(file, file.stat()) == before:
                return _Entry(before, taken_ns, running.hexdigest())
        raise StoreUnavailable(f"{file}: it changed each of the {_TRIES} times it was read; wait until it is written")


def _look(file: Path, stat: stat_result) -> _Look:
    # Looked at before it is opened: opening a FIFO would wait for a writer.
    if not mode_bits.S_ISREG(stat.st_mode):
        kind = "a folder" if mode_bits.S_ISDIR(stat.st_mode) else "a device, pipe or socket"
        raise InvalidArgument(f"{file}: it is {kind}, not a file with content")
    return _Look(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev)


def _entries(cached: bytes) -> dict[str, _Entry]:
    fields = unseal(cached) or {}
    if fields.get("format") != _FORMAT:
        return {}
    try:
        files: dict[str, list[Any]] = fields["files"]
        entries = {path: _Entry(_Look(*row[:5]), *row[5:]) for path, row in files.items()}
    except (AttributeError, KeyError, TypeError, ValueError):  # sealed, but by somebody else: it is only a cache
        return {}
    return {path: entry for path, entry in entries.items() if _is_sound(entry)}


def _is_sound(entry: _Entry) -> bool:
    return type(entry.digest) is str and all(type(number) is int for number in (*entry.look, entry.taken_ns))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # a name that JSON cannot hold is not worth remembering
        return False
    return True


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
