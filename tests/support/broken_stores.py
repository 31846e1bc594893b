"""Stores that break one promise each, to prove that the suite notices."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from milepost.errors import DurabilityUnknown, Fenced, VersionConflict
from milepost.stores.memory import MemoryStore
from milepost.stores.store import Found, Numbered


class Overwriting(MemoryStore):
    """Create writes over what is there."""

    def create(self, key: str, data: bytes) -> str:
        return self._put(key, data)


class Unconditional(MemoryStore):
    """Replace takes any version."""

    def replace(self, key: str, data: bytes, version: str) -> str:
        return super().replace(key, data, self.read(key).version)


class CheckingTooEarly(MemoryStore):
    """Replace compares, and swaps a moment later."""

    def replace(self, key: str, data: bytes, version: str) -> str:
        if self._documents[key].version != version:
            raise VersionConflict(key)
        time.sleep(0.002)
        return self._put(key, data)


class CreatingWhatIsGone(MemoryStore):
    """Replace brings back what was deleted."""

    def replace(self, key: str, data: bytes, version: str) -> str:
        return super().replace(key, data, version) if key in self._documents else self._put(key, data)


class VersionByContent(MemoryStore):
    """The version is made of the bytes, as an ETag may be."""

    def _put(self, key: str, data: bytes) -> str:
        version = str(hash(bytes(data)))
        self._documents[key] = Found(bytes(data), version, self.now())
        return version


class CountingAnew(MemoryStore):
    """Versions count from one again when a document was deleted."""

    def _put(self, key: str, data: bytes) -> str:
        old = self._documents.get(key)
        version = str(int(old.version) + 1) if old else "1"
        self._documents[key] = Found(bytes(data), version, self.now())
        return version


class HalfAppending(MemoryStore):
    """Of a batch that meets a taken number the lines before it are written."""

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        for number, line in enumerate(lines, first):
            super().append(journal, number, [line])


class Unfenced(MemoryStore):
    """Append writes over what is there."""

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        self._journals.setdefault(journal, {}).update(enumerate(map(bytes, lines), first))


class TakingTheSameForAReply(MemoryStore):
    """An append of the very lines that stand there is taken for one whose reply was lost."""

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        held = self._journals.get(journal, {})
        if [held.get(number) for number in range(first, first + len(lines))] != list(lines):
            super().append(journal, first, lines)


class TrimmingAll(MemoryStore):
    """Trim forgets what was to be kept."""

    def trim(self, journal: str, upto: int, keep: Sequence[int] = ()) -> None:
        super().trim(journal, upto)


class FreeingKept(MemoryStore):
    """A kept line can be read, but its number is given again."""

    def __init__(self) -> None:
        super().__init__()
        self.freed: set[int] = set()

    def trim(self, journal: str, upto: int, keep: Sequence[int] = ()) -> None:
        super().trim(journal, upto, keep)
        self.freed.update(keep)

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        if first in self.freed:
            self._journals[journal].update(enumerate(lines, first))
        else:
            super().append(journal, first, lines)


class TrimmingOneMore(MemoryStore):
    """Trim takes one line too many."""

    def trim(self, journal: str, upto: int, keep: Sequence[int] = ()) -> None:
        super().trim(journal, upto + 1, keep)


class SortedAsPeopleDo(MemoryStore):
    """Keys are sorted without regard to case, as many collations do."""

    def keys(self, prefix: str) -> list[str]:
        return sorted(super().keys(prefix), key=str.casefold)


class PrefixByFolder(MemoryStore):
    """A prefix is taken for a folder, so that half a name finds nothing."""

    def keys(self, prefix: str) -> list[str]:
        folder = prefix.rstrip("/")
        return [key for key in super().keys("") if not folder or key == folder or key.startswith(folder + "/")]


class PrefixAsPattern(MemoryStore):
    """An underscore in a prefix stands for any character."""

    def keys(self, prefix: str) -> list[str]:
        found = super().keys("")
        return [key for key in found if all(a in ("_", b) for a, b in zip(prefix, key.ljust(99), strict=False))]


class CuttingLists(MemoryStore):
    """A list stops after its first page."""

    def keys(self, prefix: str) -> list[str]:
        return super().keys(prefix)[:100]


class ListingJournals(MemoryStore):
    """Journals are listed among the keys."""

    def keys(self, prefix: str) -> list[str]:
        return sorted({*super().keys(prefix), *(name for name in self._journals if name.startswith(prefix))})


class LosingWrites(MemoryStore):
    """Every seventh document is acknowledged and not written."""

    def _put(self, key: str, data: bytes) -> str:
        old = self._documents.get(key)
        version = super()._put(key, data)
        if self._writes % 7 == 0:
            self._documents.pop(key)
            if old is not None:
                self._documents[key] = old
        return version


class LosingLines(MemoryStore):
    """The last line of a long batch is acknowledged and not written."""

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        super().append(journal, first, lines if len(lines) < 3 else lines[:-1])


class ReadingText(MemoryStore):
    """Carriage returns are made newlines on the way."""

    def read(self, key: str) -> Found:
        found = super().read(key)
        return found._replace(data=found.data.replace(b"\r\n", b"\n"))


class SplittingLines(MemoryStore):
    """Lines are kept joined and split by what Python takes for line ends."""

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        super().append(journal, first, b"\n".join(lines).splitlines())


class IgnoringMost(MemoryStore):
    """How many lines are wanted is not looked at."""

    def lines(self, journal: str, after: int = 0, most: int | None = None) -> Iterator[Numbered]:
        return super().lines(journal, after)


class OffByOne(MemoryStore):
    """Reading begins at the number, not behind it."""

    def lines(self, journal: str, after: int = 0, most: int | None = None) -> Iterator[Numbered]:
        return super().lines(journal, max(0, after - 1), most)


class RaisingItsOwn(MemoryStore):
    """What is missing is told by another error."""

    def read(self, key: str) -> Found:
        return self._documents[key]


class TimelessDocuments(MemoryStore):
    """The time of a document is when it was read."""

    def read(self, key: str) -> Found:
        return super().read(key)._replace(modified=time.time())


class DeletingByPrefix(MemoryStore):
    """Delete takes all that begins with a key."""

    def delete(self, keys: Sequence[str]) -> None:
        super().delete([one for key in keys for one in self.keys(key)])


class Doubting(MemoryStore):
    """A taken number is told as doubt, which the caller would try again."""

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        try:
            super().append(journal, first, lines)
        except Fenced as error:
            raise DurabilityUnknown("nobody knows") from error


class Caching:
    """A handle that remembers what it read, on a store that others write."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner = inner
        self.seen: dict[str, Found] = {}

    def read(self, key: str) -> Found:
        if key not in self.seen:
            self.seen[key] = self.inner.read(key)
        return self.seen[key]

    def create(self, key: str, data: bytes) -> str:
        self.seen.pop(key, None)
        return self.inner.create(key, data)

    def replace(self, key: str, data: bytes, version: str) -> str:
        self.seen.pop(key, None)
        return self.inner.replace(key, data, version)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.seen.pop(key, None)
        self.inner.delete(keys)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


class WritingLate(MemoryStore):
    """Lines are acknowledged when they are in a buffer, which only this handle reads."""

    def __init__(self, inner: MemoryStore) -> None:
        super().__init__()
        self.inner = inner
        self._documents = inner._documents
        self._journals = inner._journals
        self.buffer: list[tuple[str, int, list[bytes]]] = []

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        self.flush()
        self.buffer.append((journal, first, list(lines)))

    def lines(self, journal: str, after: int = 0, most: int | None = None) -> Iterator[Numbered]:
        self.flush()
        return super().lines(journal, after, most)

    def flush(self) -> None:
        while self.buffer:
            self.inner.append(*self.buffer.pop(0))
