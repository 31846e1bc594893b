"""What a store that several machines share must promise: a few verbs about documents and journals, nothing more.

Everything else stands on these: leases, fencing, runs that change places, retention. Each verb is atomic by itself
and safe to call from several threads, processes and machines at once.

A *key* names a document, a *journal* a list of numbered lines. Both are made of parts between slashes; a part holds
letters, digits and ``_.-~%`` and is not ``.`` or ``..``. A part of a key may begin with a dot.

Errors are Milepost's. Of those, `FileExistsError` and `FileNotFoundError` are answers, as they are for a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

MOST_LINES = 1000
"""How many lines one append may have: a store may rely on it to find the batch that holds a given line."""


class Found(NamedTuple):
    """A document as it was read: its *data*, its *version*, and when it was written by the store's own time.

    A version is any text that only `Store.replace` of the same store understands; it never comes twice for one key.
    *modified* is in seconds since 1970-01-01 UTC, to the second or finer.
    """

    data: bytes
    version: str
    modified: float


class Numbered(NamedTuple):
    """Lines of a journal: the number of the *first*, and the *lines* from it on, without newlines."""

    first: int
    lines: list[bytes]


@runtime_checkable
class Store(Protocol):
    """Keeps documents and journals. What a verb wrote survives a crash of the client and of the server on return.

    A verb whose reply was lost finds out by itself what became of it (by an operation id or a nonce), within the
    store's time limits. Only where it cannot does it raise `DurabilityUnknown`, and then it may still arrive later.

    Every verb raises `StoreUnavailable` where the store refuses or cannot be reached, after a bounded time.
    """

    @property
    def url(self) -> str:
        """Where this is, for messages: without credentials."""

    @property
    def window_seconds(self) -> float:
        """How long it is worth waiting for more records before one append; 0 where an append is cheap.

        Nothing is acknowledged meanwhile: what an `append` has returned for is durable, and nothing else is.
        """

    def now(self) -> float:
        """Return the store's own time in seconds since 1970-01-01 UTC: of the clock that `Found.modified` goes by."""

    def create(self, key: str, data: bytes) -> str:
        """Write a document under a free key; return its version.

        Raises:
            FileExistsError: The key is taken; nothing changed.
            DurabilityUnknown: Nobody knows whether it was written.
        """

    def read(self, key: str) -> Found:
        """Return a document as its newest write left it; a write that returned is seen by every read that begins later.

        Raises:
            FileNotFoundError: There is none.
        """

    def replace(self, key: str, data: bytes, version: str) -> str:
        """Write a document if its version is still *version*; return the new one. Of two at once, one wins.

        Raises:
            VersionConflict: It has another version, or is gone; nothing changed.
            DurabilityUnknown: Nobody knows whether it was written.
        """

    def keys(self, prefix: str) -> list[str]:
        """List the keys of documents that begin with *prefix*, sorted by code points; all that stand, and no other."""

    def branches(self, prefix: str) -> list[str]:
        """List, sorted, the part that follows *prefix* up to the next slash in keys that have one there, each once.

        Args:
            prefix: Empty, or it ends with a slash.
        """

    def delete(self, keys: Sequence[str]) -> None:
        """Delete documents; a missing one is no error."""

    def append(self, journal: str, first: int, lines: Sequence[bytes]) -> None:
        """Write *lines* under the numbers *first*, *first* + 1, …: all of them or none, and none that is taken.

        Numbers without gaps are the caller's care: a store need not look whether *first* - 1 is there.

        Args:
            journal: The journal; it need not exist.
            first: The number of the first line, counted from 1.
            lines: At least one and at most `MOST_LINES`, none with a newline.

        Raises:
            Fenced: The number *first* is taken by a write that was not this one; nothing changed.
            DurabilityUnknown: Nobody knows whether it was written.
        """

    def lines(self, journal: str, after: int = 0, most: int | None = None) -> Iterator[Numbered]:
        """Yield the lines of a journal whose numbers are above *after*, in order, some at a time.

        What was appended before this was called is there. Of what was trimmed, only what was kept is.

        Args:
            journal: The journal; one that does not exist has no lines.
            after: The number before the first that is wanted.
            most: How many are wanted at most; None for all.
        """

    def trim(self, journal: str, upto: int, keep: Sequence[int] = ()) -> None:
        """Forget the lines up to number *upto* but those in *keep*, whose numbers stay taken; partly done on error.

        Lines that were appended together with one in *keep* may stay, too.
        """

    def close(self) -> None:
        """Let go of connections; the store is not used any more. Writes nothing."""
