"""Documents and journals as objects: immutable batches under the number of their first line, documents by version.

A batch is created under its first number alone. That is enough to keep two writers apart, because each goes on right
behind what it knows to be there: whoever wants the next number wants the same key, and one gets it. A put of a writer
that is long dead may still arrive; it finds its key taken, or it takes it before anybody else has looked.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from milepost.errors import CorruptDocument, CorruptJournal, Fenced, InvalidArgument, UnsafeStore, VersionConflict
from milepost.stores.objects.bucket import Bucket, Changed, Taken
from milepost.stores.objects.framing import nonce
from milepost.stores.store import MOST_LINES, Found, Numbered

_AT_ONCE = 16
_DIGITS = 16


class ObjectStore:
    """A store in a bucket, below a *root*. See `Store` for what each verb promises."""

    def __init__(self, bucket: Bucket, root: str, url: str, window_seconds: float) -> None:
        """Work below *root* of *bucket*; nothing is asked of it yet."""
        self._bucket = bucket
        self._root = f"{root}/" if root else ""
        self._url = url
        self._window_seconds = window_seconds
        self._mutex = threading.Lock()
        self._is_proven = False

    @property
    def url(self) -> str:
        """Where this is."""
        return self._url

    @property
    def window_seconds(self) -> float:
        """How long it is worth waiting for more records: a put costs tens of milliseconds and some money."""
        return self._window_seconds

    def now(self) -> float:
        """Return the service's time: that of an object written for it."""
        key = f"{self._root}clock/{nonce()}"
        self._bucket.create(key, b"")
        try:
            return self._bucket.read(key).modified
        finally:
            self._bucket.delete([key])

    # --- documents

    def create(self, key: str, data: bytes) -> str:
        """Write a document under a free key."""
        self._prove()
        try:
            return self._bucket.create(self._document(key), data)
        except Taken as error:
            raise FileExistsError(f"{self._url}/{key}") from error

    def read(self, key: str) -> Found:
        """Return a document."""
        found = self._bucket.read(self._document(key))
        return Found(found.data, found.version, found.modified)

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Write a document if its version is still *version*."""
        self._prove()
        try:
            return self._bucket.replace(self._document(key), data, version)
        except Changed as error:
            raise VersionConflict(f"{self._url}/{key}: somebody else wrote it meanwhile.") from error

    def keys(self, prefix: str) -> list[str]:
        """List the keys that begin with *prefix*."""
        folder, root = prefix.rpartition("/")[0], self._document("")
        names = self._bucket.names(f"{root}{folder}".rstrip("/"))
        return [name[len(root) :] for name in names if name[len(root) :].startswith(prefix)]

    def branches(self, prefix: str) -> list[str]:
        """List what follows *prefix* up to the next slash."""
        return self._bucket.branches(self._document(prefix).rstrip("/"))

    def delete(self, keys: Sequence[str]) -> None:
        """Delete documents."""
        self._bucket.delete([self._document(key) for key in keys])

    # --- journals

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        """Write a batch as one object."""
        if len(lines) > MOST_LINES:
            raise InvalidArgument(f"{len(lines)} lines at once: {MOST_LINES} are the most.")
        self._prove()
        try:
            self._bucket.create(self._batch(journal, first), b"".join(line + b"\n" for line in lines))
        except Taken as error:
            raise Fenced(
                f"{self._url}: record {first} of {journal} is taken: another writer took this run over."
            ) from error

    def lines(self, journal: str, after: int = 0, most: int | None = None) -> Iterator[Numbered]:
        """Yield lines, of batches that are fetched side by side; what is before *after* is not even listed."""
        firsts = self._firsts(journal, after)
        left = most
        with ThreadPoolExecutor(_AT_ONCE, "milepost fetch") as pool:
            ahead: deque[tuple[int, Future[list[bytes]]]] = deque()
            waiting = iter(firsts)
            while left is None or left > 0:
                for first in waiting:
                    ahead.append((first, pool.submit(self._fetched, journal, first)))
                    if len(ahead) >= _AT_ONCE:
                        break
                if not ahead:
                    return
                first, future = ahead.popleft()
                lines = future.result()[max(0, after + 1 - first) :][:left]
                if lines:
                    yield Numbered(max(first, after + 1), lines)
                    left = None if left is None else left - len(lines)
            for _, future in ahead:
                future.cancel()

    def trim(self, journal: str, upto: int, keep: Sequence[int] = ()) -> None:
        """Delete the batches that end at or before *upto* and hold nothing of *keep*."""
        firsts, kept = self._firsts(journal, 0, everything=True), sorted(set(keep))
        going = []
        for place, first in enumerate(firsts):
            if first > upto:
                break
            is_last = place + 1 == len(firsts)
            end = first + len(self._fetched(journal, first)) if is_last else firsts[place + 1]
            if end - 1 <= upto and not any(first <= number < end for number in kept):
                going.append(self._batch(journal, first))
        self._bucket.delete(going)

    def close(self) -> None:
        """Do nothing: the connections go with the object."""

    # --- inside

    def _document(self, key: str) -> str:
        return f"{self._root}d/{key}"

    def _batch(self, journal: str, first: int) -> str:
        return f"{self._root}j/{journal}/{first:0{_DIGITS}d}"

    def _firsts(self, journal: str, after: int, *, everything: bool = False) -> list[int]:
        """Return the first numbers of the batches that hold lines behind *after*, and perhaps one before them."""
        behind = None if everything else self._batch(journal, max(0, after - MOST_LINES))
        names = self._bucket.names(f"{self._root}j/{journal}", behind)
        firsts = [int(name.rpartition("/")[2]) for name in names]
        before = [place for place, first in enumerate(firsts) if first <= after + 1]
        return firsts if everything or not before else firsts[before[-1] :]

    def _fetched(self, journal: str, first: int) -> list[bytes]:
        """Return the lines of a batch."""
        key = self._batch(journal, first)
        try:
            return self._bucket.read(key).data.split(b"\n")[:-1]
        except CorruptDocument as error:
            raise CorruptJournal(
                f"{self._url}: the records of {journal} from {first} on are not what was written."
            ) from error
        except FileNotFoundError:
            return []  # it was trimmed since it was listed

    def _prove(self) -> None:
        """See once, before the first write, that the service keeps the conditions that all else stands on.

        Raises:
            UnsafeStore: It overwrites what must not be overwritten.
        """
        with self._mutex:
            if self._is_proven:
                return
            key = f"{self._root}probe/{nonce()}"
            version = self._bucket.create(key, b"1")
            try:
                self._refuses(key, version)
            finally:
                self._bucket.delete([key])
            self._is_proven = True

    def _first_swap(self, key: str, version: str) -> str:
        """Replace the probe by its right version, which a service that compares and swaps must take."""
        try:
            return self._bucket.replace(key, b"3", version)
        except Changed as error:
            raise UnsafeStore(f"{self._url}: this service refuses If-Match with the right version.") from error

    def _refuses(self, key: str, version: str) -> None:
        try:
            self._bucket.create(key, b"2")
        except Taken:
            newer = self._first_swap(key, version)
        else:
            raise UnsafeStore(
                f"{self._url}: this service ignores If-None-Match, so two writers would overwrite each other."
            )
        try:
            self._bucket.replace(key, b"4", version)
        except Changed:
            if self._bucket.read(key).version == newer:
                return
        raise UnsafeStore(f"{self._url}: this service ignores If-Match, so two writers would overwrite each other.")
