"""Journal lines, documents and checkpoints of one run, as its codec writes them, and back. No I/O.

What an encrypted line says beside its value is authenticated with it, byte for byte, together with the run and the
tag of the encrypted line before it. So none can be edited, moved, swapped, left out in the middle, or taken from
another run; only the loss of a whole end cannot be seen from what is left.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence

from milepost.codec import packing
from milepost.codec.cipher import OVERHEAD_BYTES, TAG_BYTES, NotAuthentic, Sealer, tag_of, unseal_text
from milepost.codec.coding import Codec, Steps
from milepost.codec.ring import KeyRing, no_key
from milepost.errors import CorruptDocument, NotDecodable, Tampered
from milepost.records import Record, stated

NO_LINK = b"\0" * TAG_BYTES
"""Stands for the tag before the first encrypted line."""

_RECORD, _DOCUMENT, _CHECKPOINT = b"record", b"document", b"checkpoint"


class Opened:
    """An encrypted line's value, the *link* it states to the one before it, and its own *tag*."""

    __slots__ = ("link", "tag", "value")

    def __init__(self, value: bytes | None, link: bytes | None, tag: bytes | None) -> None:
        """Hold them; a line that is only compressed has neither *link* nor *tag*."""
        self.value = value
        self.link = link
        self.tag = tag


class Sealing:
    """Writes and reads what belongs to *run*, under *codec*; what is read may be under any key of *ring*."""

    def __init__(self, codec: Codec, ring: KeyRing | None, run: str, where: str) -> None:
        """Draw subkeys for this run; *where* is for messages."""
        self._codec = codec
        self._ring = ring
        self._run = run.encode()
        self._where = where
        self._sealers: dict[bytes, Sealer] = {}

    # --- journal lines

    def seal_records(self, records: Sequence[Record], first: int, link: bytes) -> tuple[list[Record], bytes]:
        """Return *records* as they are to be written from number *first* on, and the tag of the last.

        Args:
            records: What to record.
            first: The number of the first of them.
            link: The tag of the encrypted record before them, or `NO_LINK`.
        """
        sealed = []
        for sequence, record in enumerate(records, first):
            one, link = self._seal_record(record, sequence, link)
            sealed.append(one)
        return sealed, link

    def _seal_record(self, record: Record, sequence: int, link: bytes) -> tuple[Record, bytes]:
        packed = None if record.value is None else self._codec.packed(record.value)
        text = packed or record.value or b""
        if self._codec.ring is None:
            if packed is None:
                return record, link
            steps = Steps(is_packed=True, key_id=None)
            return record._replace(codec=str(steps), value=_quoted(packed)), link
        steps = Steps(is_packed=packed is not None, key_id=self._codec.ring.first.id)
        named = record._replace(codec=str(steps))
        blob = self._sealer(_RECORD).seal(text, self._bound(_RECORD, link, stated(named, sequence)))
        return named._replace(value=_quoted(link + blob)), tag_of(blob)

    def open_record(self, named: str, sequence: int, said: bytes, value: bytes | None, what: str) -> Opened:
        """Return the value of a coded line.

        Args:
            named: What it names as its codec.
            sequence: The number that it stands at.
            said: Its bytes before the value.
            value: Its value as it stands, in quotes.
            what: What it is, for messages.

        Raises:
            Tampered: It, or what it says beside, is not what was encrypted as this record of this run.
            NotDecodable: Its codec is not known here, or it does not unfold within the cap.
            KeyMissing: It is encrypted, and there is no key.
            WrongKey: It is encrypted under a key that is not in the ring.
        """
        steps = self._steps(named, what)
        blob = _unquoted(value)
        if steps.key_id is None:
            if blob is None:
                raise NotDecodable(f"{self._where}: {what}: its value is no base64.")
            return Opened(self._unpacked(blob, what), None, None)
        at_its_place = said.startswith(b'{"sequence":%d,' % sequence)
        if blob is None or len(blob) < TAG_BYTES + OVERHEAD_BYTES or not at_its_place:
            raise self._tampered(what)
        link, blob = blob[:TAG_BYTES], blob[TAG_BYTES:]
        text = self._unsealed(steps.key_id, blob, self._bound(_RECORD, link, said), _RECORD, what)
        if steps.is_packed:
            text = self._unpacked(text, what)
        return Opened(text or None, link, tag_of(blob))

    # --- documents

    def seal_document(self, name: str, data: bytes) -> bytes:
        """Return a small document encrypted: a line of JSON."""
        ring = self._codec.ring
        assert ring is not None, "only a codec that encrypts seals documents"
        named = str(Steps(is_packed=False, key_id=ring.first.id)).encode()
        blob = self._sealer(_DOCUMENT).seal(data, self._bound(_DOCUMENT, name.encode(), named))
        return DOCUMENT_START + named + b'","value":' + _quoted(blob) + b"}\n"

    def open_document(self, name: str, data: bytes) -> bytes:
        """Return what `seal_document` was given.

        Raises:
            CorruptDocument: It is not of that form.
            Tampered, KeyMissing, WrongKey: See `open_record`.
        """
        named, found, value = data.removeprefix(DOCUMENT_START).rstrip(b"\n").partition(b'","value":')
        blob = _unquoted(value.removesuffix(b"}"))
        steps = Steps.named(named.decode("ascii", "replace")) if found else None
        if steps is None or steps.key_id is None or blob is None:
            raise CorruptDocument(f"{self._where}/{name}: it is not what was written.")
        return self._unsealed(steps.key_id, blob, self._bound(_DOCUMENT, name.encode(), named), _DOCUMENT, name)

    # --- checkpoints

    def seal_file(self, name: str, head: bytes, named: str, text: bytes) -> bytes:
        """Return a checkpoint's *text* encrypted, bound to its *name*, its readable *head* and its codec's name."""
        return self._sealer(_CHECKPOINT).seal(text, self._bound(_CHECKPOINT, name.encode(), named.encode(), head))

    def open_file(self, name: str, head: bytes, named: str, blob: bytes) -> bytes:
        """Return what `seal_file` was given.

        Raises:
            NotDecodable, Tampered, KeyMissing, WrongKey: See `open_record`.
        """
        steps = self._steps(named, name)
        if steps.key_id is None:
            raise self._tampered(name)
        bound = self._bound(_CHECKPOINT, name.encode(), named.encode(), head)
        return self._unsealed(steps.key_id, blob, bound, _CHECKPOINT, name)

    # --- inside

    def _steps(self, named: str, what: str) -> Steps:
        steps = Steps.named(named)
        if steps is None:
            raise NotDecodable(f"{self._where}: {what}: its codec is not known here; was a newer Milepost at work?")
        return steps

    def _sealer(self, kind: bytes) -> Sealer:
        if kind not in self._sealers:
            assert self._codec.ring is not None, "asked for only where it encrypts"
            self._sealers[kind] = Sealer(self._codec.ring.first.secret, self._purpose(kind))
        return self._sealers[kind]

    def _purpose(self, kind: bytes) -> bytes:
        return kind + b" " + self._run

    def _bound(self, kind: bytes, *parts: bytes) -> bytes:
        """Return the associated data: each part with its length, so that none runs into the next."""
        return b"".join(b"%d:%b," % (len(part), part) for part in (b"milepost 1", kind, self._run, *parts))

    def _unsealed(self, key_id: str, blob: bytes, bound: bytes, kind: bytes, what: str) -> bytes:
        where = f"{self._where}: {what}"
        if self._ring is None:
            raise no_key(key_id, where)
        try:
            return unseal_text(self._ring.find(key_id, where), blob, bound, self._purpose(kind))
        except NotAuthentic:
            raise self._tampered(what) from None

    def _unpacked(self, packed: bytes, what: str) -> bytes:
        try:
            return packing.unpack(packed)
        except packing.NotPacked as error:
            raise NotDecodable(f"{self._where}: {what}: {error}.") from None

    def _tampered(self, what: str) -> Tampered:
        return Tampered(
            f"{self._where}: {what}: it is not what was encrypted for this place: it was altered, moved or forged. "
            "Nothing of it was used. Bring the run back from a copy that you trust."
        )


DOCUMENT_START = b'{"codec":"'
"""How an encrypted document begins, and no plain one does."""


def _quoted(blob: bytes) -> bytes:
    return b'"' + binascii.b2a_base64(blob, newline=False) + b'"'


def _unquoted(value: bytes | None) -> bytes | None:
    """Return the bytes of a base64 text in quotes; None if it is none, or not in the one form that is written."""
    if value is None or len(value) < 2 or not value.startswith(b'"') or not value.endswith(b'"'):
        return None
    try:
        blob = binascii.a2b_base64(memoryview(value)[1:-1], strict_mode=True)
    except binascii.Error:
        return None
    return blob if _quoted(blob) == value else None
