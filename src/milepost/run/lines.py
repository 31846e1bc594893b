"""Opening the lines of a journal while it streams by: each is proven, and proven to follow the one before."""

from __future__ import annotations

from collections.abc import Callable

from milepost.codec.sealing import NO_LINK, Sealing
from milepost.errors import NotEncrypted, Tampered
from milepost.records import Kind, Position, chain_of, codec_of, is_kind, stated_and_value, with_value
from milepost.stores.base import Visit

_MOST_AT_ONCE_BYTES = 16 * 1024 * 1024


class Lines:
    """What stands between a store and a *visit* that is to see plain lines.

    *end*, *count* and *last* tell how far they were proven; *tampered* why no further. Where an encrypted run is
    left off, the *link* to go on with is known.
    """

    def __init__(self, sealing: Callable[[], Sealing], visit: Visit | None, *, must: bool, where: str) -> None:
        """Open lines with what *sealing* returns when one needs it; plain ones are refused where they *must* not be."""
        self._made = sealing
        self._sealing: Sealing | None = None
        self._visit = visit
        self._must = must
        self._where = where
        self._plain_seen = False
        self._from_start = False  # else what was trimmed before the first line is not known
        self.encrypted = False
        self.packed = False
        self.link = NO_LINK
        self.end: Position | None = None
        self.count = 0
        self.last: bytes | None = None
        self.tampered: Tampered | None = None

    def see(self, first: int, lines: list[bytes]) -> None:
        """Take the store's lines from number *first* on, in order.

        Raises:
            NotEncrypted: One is plain, and must not be.
            NotDecodable, KeyMissing, WrongKey: See `Sealing.open_record`.
        """
        if self.tampered is not None:
            return
        self._from_start = self._from_start or first == 1
        if not (self._must or self.encrypted) and not any(map(codec_of, lines)):  # the rule, and quickly told
            self._plain_seen = True
            self._show(first, lines)
            return
        shown: list[bytes] = []
        start, size = first, 0
        for sequence, line in enumerate(lines, first):
            try:
                opened = self._opened(sequence, line)
            except Tampered as error:
                self.tampered = error
                break
            shown.append(opened)
            size += len(opened)
            if size > _MOST_AT_ONCE_BYTES:
                self._show(start, shown)
                start, shown, size = sequence + 1, [], 0
        self._show(start, shown)

    def _show(self, first: int, lines: list[bytes]) -> None:
        if not lines:
            return
        if self._visit is not None:
            self._visit(first, lines)
        self.last = lines[-1]
        self.count += len(lines)
        self.end = Position(first + len(lines) - 1, chain_of(self.last))

    def _opened(self, sequence: int, line: bytes) -> bytes:
        named = codec_of(line)
        what = f"record {sequence}"
        said, value = stated_and_value(line)
        if named is None:
            self._take_plain(line, value, what)
            return line
        if self._sealing is None:
            self._sealing = self._made()
        opened = self._sealing.open_record(named, sequence, said, value, what)
        if opened.tag is None:
            self.packed = True
            self._take_plain(line, value, what)
        else:
            self._take_encrypted(opened.link, opened.tag, what)
        return with_value(line, opened.value)

    def _take_plain(self, line: bytes, value: bytes | None, what: str) -> None:
        if value is None and is_kind(line, Kind.TAKEN):  # a store's own, and it says nothing
            return
        if self.encrypted:
            raise self._wrong(what, "it is plain, and those before it are encrypted")
        if self._must:
            raise NotEncrypted(
                f"{self._where}: {what} is plain, and the codec encrypts. Nothing was touched. `milepost rekey` "
                "encrypts what stands here."
            )
        self._plain_seen = True

    def _take_encrypted(self, link: bytes | None, tag: bytes, what: str) -> None:
        if self._plain_seen:
            raise self._wrong(what, "it is encrypted, and those before it are plain")
        if link != self.link and (self.encrypted or self._from_start):
            raise self._wrong(what, "the encrypted record before it is missing, or another one")
        self.encrypted, self.link = True, tag

    def _wrong(self, what: str, why: str) -> Tampered:
        return Tampered(
            f"{self._where}: {what}: {why}: somebody altered this journal. Nothing of it was used. Bring the run "
            "back from a copy that you trust."
        )
