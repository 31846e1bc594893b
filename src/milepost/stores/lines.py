"""Single lines of a journal, fetched again from where they stand and checked again."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable

from milepost.errors import CorruptJournal, InvalidArgument, StoreUnavailable
from milepost.fs import read_all
from milepost.records import Position, follow
from milepost.stores.base import OFFSETS, Lines
from milepost.stores.folder import Folder
from milepost.stores.segment import HEAD_BYTES
from milepost.stores.translate import translated

_CHAIN_BYTES = 35  # what a line ends with: its chain, `"}` and the newline


class LineReader:
    """Knows where each line stands that was read or appended; keeps at most one file open.

    It has a lock of its own, so that reading a line waits for no sync of another thread's append.
    """

    def __init__(self, folder: Folder) -> None:
        """Read below *folder*; nothing is known yet."""
        self._folder = folder
        self._mutex = threading.RLock()
        self._files: list[Lines] = []
        self._open_name = ""
        self._handle = -1

    def take(self, files: list[Lines]) -> None:
        """Know the lines of *files* and no others."""
        with self._mutex:
            self.close()
            self._files = files

    def begin(self, name: str, start: Position) -> None:
        """Go on in file *name*, which begins behind *start* and holds what was known behind it so far."""
        with self._mutex:
            self.close()  # the file may have appeared anew
            old = self._files[-1] if self._files else None
            if old is None:
                self._files.append(Lines(name, start, array(OFFSETS, [HEAD_BYTES])))
            elif old.name != name:
                index = start.sequence - old.start.sequence
                moved = [HEAD_BYTES + offset - old.offsets[index] for offset in old.offsets[index:]]
                del old.offsets[index + 1 :]
                self._files.append(Lines(name, start, array(OFFSETS, moved)))

    def extend(self, lines: Iterable[bytes]) -> None:
        """Note that *lines*, newlines included, were appended."""
        offsets = self._files[-1].offsets
        for line in lines:
            offsets.append(offsets[-1] + len(line))

    def read(self, sequence: int) -> bytes:
        """Return the line of record *sequence*, without its newline.

        Raises:
            InvalidArgument: It was neither read nor appended here.
            CorruptJournal: It is not any more what was written.
            StoreUnavailable: The medium refused.
        """
        with self._mutex:
            return self._read(sequence)

    def _read(self, sequence: int) -> bytes:
        number = bisect_left(self._files, sequence, key=_before) - 1
        file = self._files[max(0, number)] if self._files else None
        index = sequence - file.start.sequence - 1 if file else -1
        if file is None or not 0 <= index < len(file.offsets) - 1:
            raise InvalidArgument(f"{self._folder.path}: record {sequence} was neither read nor appended here.")
        start, end = file.offsets[index], file.offsets[index + 1]
        before = _CHAIN_BYTES if index else 0
        data = self._bytes(file.name, start - before, end - start + before)
        chain = data[: before - 3].decode(errors="replace") if index else file.start.chain
        line = data[before:-1]
        if data[-1:] != b"\n" or follow(line, Position(sequence - 1, chain)) is None:
            raise CorruptJournal(
                f"{self._folder.path / file.name}: record {sequence}, at byte {start}, is not what was written."
            )
        return line

    def close(self) -> None:
        """Let go of the file that is open."""
        with self._mutex:
            if self._handle >= 0:
                handle, self._handle = self._handle, -1
                with translated(self._folder.path / self._open_name, "close the file"):
                    self._folder.files.close(handle)

    def abandon(self) -> None:
        """Let go in a forked child, where another thread of the parent may have held the lock, for ever here."""
        self._mutex = threading.RLock()
        self.close()

    def _bytes(self, name: str, offset: int, size: int) -> bytes:
        path = self._folder.path / name
        if self._handle < 0 or self._open_name != name:
            self.close()
            try:
                self._handle = self._folder.open_file(name, "read")
            except FileNotFoundError as error:
                raise StoreUnavailable(f"{path}: this journal was deleted since it was read; load again.") from error
            self._open_name = name
        with translated(path, "read the journal"):
            return read_all(self._folder.files, self._handle, offset, size)


def _before(lines: Lines) -> int:
    return lines.start.sequence
