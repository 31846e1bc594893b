"""Reading an archive from its first byte to its last, never trusting a word of it: sizes are capped, names only told.

The headers are read here, block by block, so that nothing but regular files is ever let through: links, devices,
folders and the extensions in which sizes and names may hide are refused.
"""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from milepost.errors import CorruptDocument, InvalidArgument
from milepost.stores.translate import error_for
from milepost.upkeep.archive import BLOCK_BYTES, padding

MOST_LINE_BYTES = 256 * 1024 * 1024
MOST_MEMBER_BYTES = 1024 * 1024 * 1024
MOST_MEMBERS = 1_000_000
_CHUNK_BYTES = 256 * 1024
_GZIP_MAGIC, _GZIP = b"\x1f\x8b", 31
_FREE_BYTES = 64 * 1024 * 1024
_MOST_RATIO = 300  # of what an archive unfolds to; records of one form take about a tenth, zeros a thousandth


class Entry(NamedTuple):
    """A member as its header describes it."""

    name: str
    size: int


class Tape:
    """An archive's bytes, unfolded, one after the other. Not to be read twice."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        """Read an open *file*; *path* is for messages."""
        self.path = path
        self.digests: dict[str, tuple[int, str]] = {}
        self._file = file
        self._raw = 0
        self._given = 0
        self._rest = b""
        first = self._file.read(_CHUNK_BYTES)
        self._raw = len(first)
        self._unfold = zlib.decompressobj(_GZIP) if first.startswith(_GZIP_MAGIC) else None
        self._fed = first

    def entries(self) -> Iterator[Entry]:
        """Yield the members in order; each must be read whole before the next is asked for.

        Raises:
            CorruptDocument: It is no archive of ours, is cut off, or holds something other than regular files.
        """
        for _ in range(MOST_MEMBERS):
            block = self._exactly(BLOCK_BYTES)
            if not block.strip(b"\0"):
                self._refuse_more()
                return
            yield self._entry(block)
        raise self.wrong("it has more members than any archive of ours")

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        """Yield a member's bytes; its size and SHA-256 are then in *digests*."""
        sha = hashlib.sha256()
        left = entry.size
        while left:
            piece = self._exactly(min(left, _CHUNK_BYTES))
            sha.update(piece)
            left -= len(piece)
            yield piece
        if self._exactly(len(padding(entry.size))).strip(b"\0"):
            raise self.wrong(f"there are bytes behind {entry.name}")
        self.digests[entry.name] = entry.size, sha.hexdigest()

    def whole(self, entry: Entry) -> bytes:
        """Return all of a member's bytes.

        Raises:
            CorruptDocument: It is larger than any file of ours, or cut off.
        """
        if entry.size > MOST_MEMBER_BYTES:
            raise self.wrong(f"{entry.name} is larger than {MOST_MEMBER_BYTES:,} bytes")
        return b"".join(self.pieces(entry))

    def lines(self, entry: Entry) -> Iterator[list[bytes]]:
        """Yield a member's lines without their newlines, many at a time.

        Raises:
            CorruptDocument: The last one has no newline, or one is longer than any record of ours.
        """
        rest = b""
        for piece in self.pieces(entry):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > MOST_LINE_BYTES:
                raise self.wrong(f"{entry.name}: a line is longer than {MOST_LINE_BYTES:,} bytes")
            if lines:
                yield lines
        if rest:
            raise self.wrong(f"{entry.name}: its last line is cut off")

    def wrong(self, what: str) -> CorruptDocument:
        """Return the error of an archive that is not what was written."""
        return CorruptDocument(f"{self.path}: {what}. Nothing was imported from it.")

    def _entry(self, block: bytes) -> Entry:
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise self.wrong("this is no archive of Milepost, or it was altered") from error
        if info.type != tarfile.REGTYPE or info.linkname or info.size < 0:
            raise self.wrong("it holds something that is no regular file (a link, a device, a folder)")
        if info.name in self.digests:
            raise self.wrong("it holds a member twice")
        return Entry(info.name, info.size)

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            more = self._more()
            if not more:
                raise self.wrong("it is cut off")
            self._rest += more
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _refuse_more(self) -> None:
        """Pass if nothing but zeros comes behind the end."""
        data, self._rest = self._rest, b""
        while data or (data := self._more()):
            if data.strip(b"\0"):
                raise self.wrong("there are bytes behind its end")
            data = b""
        if self._unfold is not None and not self._unfold.eof:
            raise self.wrong("it is cut off")

    def _more(self) -> bytes:
        """Return the next bytes, unfolded; none at the end."""
        if self._unfold is None:
            data, self._fed = self._fed or self._read(), b""
        else:
            data = b""
            while not data and not self._unfold.eof:
                fed = self._unfold.unconsumed_tail or self._fed or self._read()
                self._fed = b""
                if not fed:
                    break
                try:
                    data = self._unfold.decompress(fed, _CHUNK_BYTES)
                except zlib.error as error:
                    raise self.wrong("it cannot be unfolded: it was altered") from error
            if self._unfold.eof and (self._unfold.unused_data or self._fed or self._read()):
                raise self.wrong("there are bytes behind its end")
        self._given += len(data)
        if self._given > max(_FREE_BYTES, _MOST_RATIO * self._raw):
            raise self.wrong(f"it unfolds to more than {_MOST_RATIO} times its size")
        return data

    def _read(self) -> bytes:
        data = self._file.read(_CHUNK_BYTES)
        self._raw += len(data)
        return data


def opened(path: Path) -> BinaryIO:
    """Open an archive for reading.

    Raises:
        InvalidArgument: There is no such file.
        StorageError: The system refused.
    """
    try:
        if not path.is_file():
            raise InvalidArgument(f"{path}: there is no such file.")
        return path.open("rb")
    except OSError as error:
        raise error_for(error, path, "open the file") from error
