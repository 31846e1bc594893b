"""Appending to one journal file: padding ahead, one sync per append, and no second chance after a failure."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from milepost.errors import DurabilityUnknown, MilepostError
from milepost.fs import FileSystem, write_all
from milepost.records import Position, Totals
from milepost.stores.base import Durability
from milepost.stores.segment import SLOT_OFFSETS, Mark, slot_bytes
from milepost.stores.translate import FULL, full, unknown

RESERVE_BYTES = 16 * 1024
"""Padding kept behind the records while there is space, so that a last record fits on a full disk."""

_FIRST_PADDING_BYTES = 64 * 1024
_MOST_PADDING_BYTES = 1024 * 1024
_MOST_LOOSE_BYTES = 1024 * 1024

log = logging.getLogger(__name__)


class Appender:
    """The open end of a journal. *position* is what was acknowledged last, *offset* where the next byte goes.

    *synced* is the last position that no power cut takes back, *loose* a copy of the lines between it and
    *position*, or None once they are too many to be kept. *totals* tells what the records up to *position* come to,
    and is asked when a watermark of that position is written; None where nobody knows.
    """

    def __init__(
        self, files: FileSystem, handle: int, path: Path, position: Position, offset: int, checkpoint: int
    ) -> None:
        """Take over an open file *handle* whose records end at *offset* and that holds nothing behind."""
        self.files = files
        self.path = path
        self.position = position
        self.offset = offset
        self.checkpoint = checkpoint
        self.poisoned = False
        self.synced = position
        self.loose: bytearray | None = bytearray()
        self.totals: Callable[[], Totals] | None = None
        self._marked: Position | None = None
        self._handle = handle
        self._allocated = offset
        self._padding = _FIRST_PADDING_BYTES
        self._slot = 0
        self._starved = False

    def append(self, lines: bytes, end: Position, durability: Durability = Durability.POWER) -> None:
        """Write *lines* behind the last record; acknowledged when this returns.

        Args:
            lines: Whole lines.
            end: The position behind them.
            durability: What they survive once this returns.

        Raises:
            DiskFull: There is no room.
            DurabilityUnknown: The write or sync failed part way, or did so before.
        """
        self.refuse_poisoned()
        sync = durability is not Durability.PROCESS
        try:
            self._pad(len(lines))
            if sync or self._marked is not self.synced:
                self._mark_synced()  # a watermark must not land where the records it vouches for may not
            write_all(self.files, self._handle, lines, self.offset)
            if sync:
                self.files.sync_data(self._handle)
            if durability is Durability.STRICT:
                self._mark(Mark(end, self.checkpoint))
                self.files.sync_data(self._handle)
        except OSError as error:
            self.poisoned = True
            raise self._failure(error, len(lines)) from error
        except BaseException:  # an interrupt: what of it has arrived is as unknown
            self.poisoned = True
            raise
        self.offset += len(lines)
        self._allocated = max(self._allocated, self.offset)
        self.position = end
        if not sync:
            self._keep_loose(lines)
            return
        self.synced = end
        if self.loose is None or self.loose:
            self.loose = bytearray()

    def note_checkpoint(self, number: int) -> None:
        """Leave a note, not synced, that checkpoint *number* exists, so that its loss is noticed.

        Raises:
            DurabilityUnknown: The write failed; the checkpoint itself is safe.
        """
        self.refuse_poisoned()
        self.checkpoint = number
        try:
            self._mark_synced()
        except OSError as error:
            self.poisoned = True
            raise unknown(self.path, "note the checkpoint in the journal", error) from error

    def close(self, *, clean: bool = True) -> None:
        """Let go of the file; a clean close cuts the padding and writes the last watermark, durably.

        Raises:
            DurabilityUnknown: The medium refused one of them; every acknowledged record is where it was.
        """
        if self._handle < 0:
            return
        handle, self._handle = self._handle, -1
        try:
            try:
                if clean and not self.poisoned:
                    if self.synced != self.position:
                        self.files.sync_data(handle)
                    mark = slot_bytes(self._mark_here())
                    write_all(self.files, handle, mark, SLOT_OFFSETS[self._slot])
                    self.files.truncate(handle, self.offset)
                    self.files.sync(handle)
            finally:
                self.files.close(handle)
        except OSError as error:
            self.poisoned = True
            raise unknown(self.path, "close the journal", error) from error

    def refuse_poisoned(self) -> None:
        """Raise `DurabilityUnknown` if an earlier write failed, or if the file is closed."""
        if self.poisoned or self._handle < 0:
            raise DurabilityUnknown(
                f"{self.path}: an earlier write to this file failed, so it takes no more. Save a whole state, or "
                "start again."
            )

    def _mark_synced(self) -> None:
        is_here = self.synced is self.position  # else nobody knows any more what the records up to there come to
        self._mark(self._mark_here() if is_here else Mark(self.synced, self.checkpoint))

    def _mark_here(self) -> Mark:
        return Mark(self.position, self.checkpoint, self.offset, self.totals() if self.totals is not None else None)

    def _mark(self, mark: Mark) -> None:
        write_all(self.files, self._handle, slot_bytes(mark), SLOT_OFFSETS[self._slot])
        self._slot = 1 - self._slot
        self._marked = mark.position

    def _keep_loose(self, lines: bytes) -> None:
        """Keep what a failed sync could take along, as long as it is little."""
        if self.loose is not None:
            self.loose += lines
            if len(self.loose) > _MOST_LOOSE_BYTES:
                self.loose = None

    def _pad(self, needed: int) -> None:
        """Have newlines on the disk behind the next record: overwriting them makes its sync about twice as fast."""
        if self.offset + needed + RESERVE_BYTES <= self._allocated:
            return
        goal = self.offset + needed + max(self._padding, RESERVE_BYTES)
        try:
            write_all(self.files, self._handle, b"\n" * (goal - self._allocated), self._allocated)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._allocated = max(self._allocated, self.files.stat(self._handle).size)
            if not self._starved:
                left = self._allocated - self.offset
                log.warning("%s: the disk is full; the journal lives on its reserve of %d bytes.", self.path, left)
            self._starved = True
        else:
            self._allocated = goal
            self._padding = min(2 * self._padding, _MOST_PADDING_BYTES)
            self._starved = False

    def _failure(self, error: OSError, needed: int) -> MilepostError:
        if error.errno in FULL:
            free = None
            with suppress(OSError):
                free = self.files.free_bytes(self._handle)
            return full(self.path, "append to the journal", needed_bytes=needed, free_bytes=free)
        return unknown(self.path, "append to the journal", error)
