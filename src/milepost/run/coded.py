"""A run whose values are compressed and encrypted on their way into its store, and back on their way out.

Everything above sees plain records, documents and checkpoints; the store sees none of them. A run that is encrypted
stays so, whoever writes it: all of its records are, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from milepost import keys
from milepost.checkpoint import is_checkpoint_name
from milepost.codec.coding import Codec
from milepost.codec.files import PACKED, SEALED, coded_name, file_of, plain_of
from milepost.codec.ring import KeyRing
from milepost.codec.sealing import DOCUMENT_START, NO_LINK, Sealing
from milepost.errors import CorruptCheckpoint, CorruptDocument, KeyMissing, NotEncrypted, Tampered, WrongKey
from milepost.fs import Content
from milepost.records import Position, Record, codec_of, stated_and_value, with_value
from milepost.run.lines import Lines
from milepost.run.manifest import read_manifest
from milepost.run.wrapped import WrappedRun
from milepost.stores import MANIFEST, Durability, JournalReading, RunStore
from milepost.stores.base import Damaged, Glance, Visit

_JOURNALS = "journal_"
_PLAIN = Codec()


class CodedRun(WrappedRun):
    """*inner*, written with *codec*: None keeps to what the run has, and to plain where it has nothing yet."""

    def __init__(self, inner: RunStore, codec: Codec | None = None) -> None:
        """Stand around *inner*; keys to read with come from *codec*, or else from the environment."""
        super().__init__(inner)
        self._codec = codec
        self._run: str | None = None
        self._link = NO_LINK
        self._given: KeyRing | None = None
        self._encrypted = False
        self._packed = False
        self._written: Sealing | None = None
        self._opening: Sealing | None = None

    def around(self, inner: RunStore) -> Self:
        """Return the same around another run's store."""
        return type(self)(inner, self._codec)

    def write_like(self, other: RunStore) -> None:
        """Write from here on as *other*, which was read, is written: for a run that is made of it."""
        if isinstance(other, CodedRun):
            self._codec = other.writing()
            self._written = None

    def write_with(self, codec: Codec) -> None:
        """Write from here on with *codec*."""
        self._codec, self._written = codec, None

    def read_with(self, ring: KeyRing | None) -> None:
        """Open with the keys of *ring*; None goes back to the codec's, or those of the environment."""
        self._given, self._opening = ring, None

    @property
    def is_packed(self) -> bool:
        """Whether something was read, or a checkpoint is there, that is compressed."""
        return self._packed or any(PACKED in name for name in self.names("checkpoint_"))

    def writing(self) -> Codec:
        """Return what is written with: the codec that was asked for, encrypting if the run is.

        Raises:
            KeyMissing: The run is encrypted, and there is no key.
        """
        codec = self._codec or (Codec("zstd") if self._packed else _PLAIN)
        if codec.ring is not None or not self._encrypted:
            return codec
        ring = keys.given()
        if ring is None:
            raise KeyMissing(f"{self.path}: this run is encrypted, and no key was given to go on with.")
        return codec.encrypting(ring)

    # --- the journal

    def read_journal(self, visit: Visit | None = None) -> JournalReading | None:
        """Read the journal; a record that was altered, moved or forged is damage, and the lines end before it."""
        if visit is None and self._ring() is None:
            return self.inner.read_journal()
        self._opening = None
        lines = self._lines(self._run_id, visit)
        reading = self.inner.read_journal(lines.see)
        if reading is None:
            return None
        self._take(lines)
        if lines.tampered is not None:
            at = reading.lines[-1].name if reading.lines else _JOURNALS
            reading.damage = [Damaged(at, lines.tampered)]
            reading.end, reading.count = lines.end or reading.start, lines.count
        reading.last = lines.last
        return reading

    def recover(
        self,
        run: str,
        *,
        known: bool = False,
        visit: Visit | None = None,
        refuse_damage: bool = False,
        start: Position | None = None,
    ) -> JournalReading:
        """Bring the journal into a state that can be appended to.

        Raises:
            Tampered: A record was altered, moved or forged; a damaged end was set aside, nothing else was touched.
        """
        lines = self._lines((lambda: run) if known else self._run_id, visit)
        reading = self.inner.recover(run, known=known, visit=lines.see, refuse_damage=refuse_damage, start=start)
        self._take(lines)
        if lines.tampered is not None:
            raise lines.tampered
        self._link = lines.link
        self._run = run if known else reading.run or run
        self._written = self._opening = None
        reading.last = lines.last
        return reading

    def read_line(self, sequence: int) -> bytes:
        """Return the plain line of a record that was read or appended here."""
        line = self.inner.read_line(sequence)
        if codec_of(line) is None:
            return line
        if self._opening is None:
            self._opening = self._reading(self._run_id())
        return self._opened(self._opening, line, sequence)

    def glance(self) -> Glance | None:
        """Return what the newest watermark says; without a key the lines behind it come without values."""
        seen = self.inner.glance()
        if seen is None or not any(map(codec_of, seen.lines)):
            return seen
        sealing = self._reading(self._run_id())
        numbered = enumerate(seen.lines, seen.position.sequence + 1)
        return seen._replace(lines=[self._glanced(sealing, line, number) for number, line in numbered])

    def append(
        self, records: Sequence[Record], *, expected: int, durability: Durability = Durability.POWER
    ) -> Position:
        """Append a batch, compressed and encrypted as the run is written."""
        if self._written is None:
            codec = self.writing()
            if codec.ring is None and not codec.packs:
                return self.inner.append(records, expected=expected, durability=durability)
            self._encrypted = self._encrypted or codec.ring is not None
            self._written = Sealing(codec, codec.ring, self._run_id(), self.path)
        sealed, link = self._written.seal_records(records, expected + 1, self._link)
        end = self.inner.append(sealed, expected=expected, durability=durability)
        self._link = link
        return end

    # --- documents

    def read(self, name: str, most: int | None = None, *, group_may_write: bool = False) -> bytes:
        """Return a document's plain bytes; the first ones of a checkpoint are its head, which is readable anyway."""
        try:
            data = self.inner.read(name, most, group_may_write=group_may_write)
        except CorruptDocument as error:  # a store that knows what it holds says so before we look
            if is_checkpoint_name(name):
                raise CorruptCheckpoint(f"{name}: it is not what was written.") from error
            raise
        if name == MANIFEST or name.startswith(_JOURNALS):
            return data
        if is_checkpoint_name(name):
            if most is None and coded_name(name):
                plain = plain_of(name, data, self._reading(self._run_id()))
                self._packed, self._encrypted = self._packed or PACKED in name, self._encrypted or SEALED in name
                return plain
            if most is None:
                self._refuse_plain(name)
            return data
        if not data.startswith(DOCUMENT_START):
            self._refuse_plain(name)
            return data
        whole = data if most is None else self.inner.read(name, group_may_write=group_may_write)
        plain = self._reading(self._run_id()).open_document(name, whole)
        self._encrypted = True
        return plain[:most]

    def trim(self, upto: Position) -> None:
        """Forget records, but none of an encrypted run: each is bound to the one before it."""
        if not self._encrypted:
            super().trim(upto)

    def create(self, name: str, data: bytes) -> None:
        """Write a document under a free name."""
        self.inner.create(name, self._sealed_document(name, data) or data)

    def replace(self, name: str, data: Content) -> None:
        """Write a document; a checkpoint is written as `coded_checkpoint` made it."""
        sealed = self._sealed_document(name, data)
        self.inner.replace(name, data if sealed is None else sealed)

    def coded_checkpoint(self, name: str, pieces: Sequence[bytes]) -> tuple[str, Content]:
        """Return the name and the bytes of a checkpoint as it is to be written here.

        Args:
            name: The plain file's name.
            pieces: What `checkpoint.encode` made; the first is its head.
        """
        codec = self.writing()
        if not codec.packs and codec.ring is None:
            return name, pieces
        head = pieces[0] + b"}\n"
        sealing = None if codec.ring is None else Sealing(codec, codec.ring, self._run_id(), self.path)
        return file_of(name, head, pieces, codec.packed(*pieces), sealing, codec.ring.first.id if codec.ring else "")

    # --- inside

    def _lines(self, run: Callable[[], str], visit: Visit | None) -> Lines:
        must = self._codec is not None and self._codec.ring is not None
        return Lines(lambda: self._reading(run()), visit, must=must, where=self.path)

    def _take(self, lines: Lines) -> None:
        self._encrypted, self._packed = self._encrypted or lines.encrypted, self._packed or lines.packed

    def _ring(self) -> KeyRing | None:
        if self._given is not None:
            return self._given
        ring = self._codec.ring if self._codec is not None else None
        return keys.given() if ring is None else ring

    def _reading(self, run: str) -> Sealing:
        return Sealing(_PLAIN, self._ring(), run, self.path)

    def _run_id(self) -> str:
        """Return the id that everything in here is bound to; nothing encrypted is without one."""
        if self._run is not None:
            return self._run
        run = self.inner.journal_run()
        if run is None:
            try:
                manifest = read_manifest(self.inner)
            except CorruptDocument:
                manifest = None
            run = manifest.run if manifest else ""
        return run

    def _glanced(self, sealing: Sealing, line: bytes, sequence: int) -> bytes:
        try:
            return self._opened(sealing, line, sequence)
        except (KeyMissing, WrongKey):
            return with_value(line, None)

    def _opened(self, sealing: Sealing, line: bytes, sequence: int) -> bytes:
        named = codec_of(line)
        if named is None:
            return line
        opened = sealing.open_record(named, sequence, *stated_and_value(line), f"record {sequence}")
        return with_value(line, opened.value)

    def _sealed_document(self, name: str, data: Content) -> bytes | None:
        """Return a document as it is to be written if it is to be encrypted; None if it goes as it is."""
        if name == MANIFEST or self.writing().ring is None:
            return None
        if is_checkpoint_name(name):
            assert coded_name(name), "nothing plain is written into an encrypted run"
            return None
        codec = self.writing()
        whole = data if isinstance(data, bytes) else b"".join(data)
        return Sealing(codec, codec.ring, self._run_id(), self.path).seal_document(name, whole)

    def _refuse_plain(self, name: str) -> None:
        if self._encrypted:
            raise Tampered(f"{self.path}/{name}: it is plain, and its run is encrypted: somebody put it there.")
        if self._codec is not None and self._codec.ring is not None:
            raise NotEncrypted(
                f"{self.path}/{name}: it is plain, and the codec encrypts. Nothing was touched. `milepost rekey` "
                "encrypts what stands here."
            )


def bare(store: RunStore) -> RunStore:
    """Return the store itself, where nothing is done to values: for moving a run as it is."""
    return store.inner if isinstance(store, WrappedRun) else store


def coded_checkpoint(store: RunStore, name: str, pieces: Sequence[bytes]) -> tuple[str, Content]:
    """Return the name and bytes of a checkpoint as *store* is to be given it; see `CodedRun.coded_checkpoint`."""
    return store.coded_checkpoint(name, pieces) if isinstance(store, CodedRun) else (name, pieces)


def write_like(store: RunStore, other: RunStore) -> None:
    """Write into *store* as *other*, which was read, is written."""
    if isinstance(store, CodedRun):
        store.write_like(other)
