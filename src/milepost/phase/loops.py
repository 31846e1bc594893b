"""All loops of a phase in one attempt: which of them has the item in hand, and where results come from."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Any

from milepost.errors import InvalidArgument, NoItem
from milepost.phase.loop import DigestOf, Loop
from milepost.phase.results import Results
from milepost.phase.telling import Teller
from milepost.phase.work import Finished, Key
from milepost.records import digest
from milepost.run.index import Group
from milepost.run.session import Session


class Loops:
    """The loops that this attempt has begun."""

    def __init__(self, session: Session, teller: Teller | None = None, *, only_failed: bool = False) -> None:
        """Begin none yet; *only_failed* withholds every item that did not fail."""
        self._session = session
        self._teller = teller
        self._only_failed = only_failed
        self._path = session.path
        self._loops: dict[str | None, Loop] = {}
        self._active: Loop | None = None
        self._thread: int | None = None

    def begin(self, items: Iterable[Any], name: str | None, key: Key | None, digest_of: DigestOf) -> Loop:
        """Return a new loop over *items*, of which only the number is taken here, if it is known.

        Raises:
            InvalidArgument: The name is taken in this attempt, or is no name.
        """
        if name is not None and (type(name) is not str or not name):
            raise InvalidArgument(f"name={name!r}: a loop's name is a text that is not empty.")
        if name in self._loops:
            which = "A second loop" if name is None else f"Loop {name!r} is there already; a second one"
            raise InvalidArgument(f"{self._path}: {which} in one phase needs a name of its own: pass name=.")
        if key is not None and not callable(key):
            raise InvalidArgument(f"key={key!r}: a function from item to text is needed.")
        loop = self._loops[name] = Loop(self._session, name, key, digest_of, self._teller)
        loop.only_failed = self._only_failed
        index = self._session.index
        index.lengths[name] = len(items) if isinstance(items, Sized) else None
        known = [length for length in index.lengths.values() if length is not None]
        index.expected = sum(known) if len(known) == len(index.lengths) else None
        return loop

    @property
    def withheld(self) -> int:
        """How many items were not handed out because only those that failed are."""
        return sum(loop.withheld for loop in self._loops.values())

    def one_by_one(self, loop: Loop, items: Iterable[Any], check: Callable[[], None]) -> Iterator[Any]:
        """Hand out the items of *loop* that are not done; *check* is called before each, and may raise."""
        pending = loop.pending(items)
        while True:
            check()
            key, item = next(pending, (None, None))
            if key is None:
                break
            self._take_in_hand(loop, (key,))
            if self._teller is not None:
                loop.tell_started(key)
            yield item
        loop.current = ()

    def in_batches(self, loop: Loop, items: Iterable[Any], size: int, check: Callable[[], None]) -> Iterator[list[Any]]:
        """Hand out the items of *loop* that are not done in lists of *size*, the last one shorter."""
        pending = loop.pending(items)
        while True:
            check()
            batch = [one for _, one in zip(range(size), pending, strict=False)]
            if not batch:
                break
            self._take_in_hand(loop, tuple(key for key, _ in batch))
            for key, _ in batch:
                loop.tell_started(key)
            yield [item for _, item in batch]
        loop.current = ()

    def in_hand(self) -> tuple[Loop, str]:
        """Return the loop and the key of the one item that was handed out last.

        Raises:
            NoItem: There is none, or this thread does not iterate.
        """
        loop, keys = self._current()
        if len(keys) != 1:
            raise NoItem(f"{self._path}: several items are in hand; name one with key=.")
        return loop, keys[0]

    def record(self, value: Any) -> None:
        """Record *value* as the result of the item in hand, or of the batch in hand, one value for each.

        Raises:
            NoItem: There is no item in hand, or this thread does not iterate.
            InvalidArgument: The number of values is not that of the items in the batch.
        """
        loop, keys = self._current()
        if not loop.batched:
            loop.record_one(keys[0], value)
            return
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != len(keys):
            raise InvalidArgument(
                f"{self._path}: {len(keys)} items are in hand as a batch; record a list with one value for each."
            )
        loop.record([Finished(key, value=one) for key, one in zip(keys, value, strict=True)])

    def holding(self, key: str, name: str | None) -> Loop:
        """Return the loop that *key* belongs to: the one of that *name*, else one that handed it out.

        Raises:
            NoItem: There is no such loop.
        """
        if name is not None:
            found = self._loops.get(name)
        else:
            found = next((loop for loop in self._loops.values() if key in loop.handed), None)
            found = found or self._active or self._loops.get(None)
        if found is None:
            raise NoItem(f"{self._path}: no loop has handed out an item {key!r}; nothing was recorded.")
        return found

    @property
    def in_flight(self) -> bool:
        """Whether an item was handed out and has no record yet."""
        return any(loop.handed for loop in self._loops.values())

    def unrecorded(self) -> list[str]:
        """Return the keys that were handed out and have no record."""
        return [key for loop in self._loops.values() for key in loop.handed]

    def results(self, name: str | None) -> Results:
        """Return the results of the loop of that name, in this attempt's order, or else as they were recorded."""
        loop = self._loops.get(name)
        group = self._session.index.group(None if name is None else f"loop:{name}")
        return Results(RecordedSource(group) if loop is None else LoopSource(loop), self._session.value)

    def failures(self, name: str | None) -> Results:
        """Return the failures of the loop of that name."""
        loop = self._loops.get(name)
        group = self._session.index.group(None if name is None else f"loop:{name}")
        return Results(FailedSource(group, loop), self._session.value)

    def identity(self) -> str:
        """Return a digest of all results of this attempt's loops, in order."""
        return digest(*(loop.identity().encode() for loop in self._loops.values()))

    def _take_in_hand(self, loop: Loop, keys: tuple[str, ...]) -> None:
        loop.current = keys
        self._active, self._thread = loop, threading.get_ident()

    def _current(self) -> tuple[Loop, tuple[str, ...]]:
        loop = self._active
        if loop is None or not loop.current:
            raise NoItem(f"{self._path}: no item is in hand; name the item with key=.")
        if self._thread != threading.get_ident():
            raise NoItem(f"{self._path}: this thread does not iterate, so name the item with key=.")
        return loop, loop.current


class LoopSource:
    """Results of a loop of this attempt, in the order of its items."""

    def __init__(self, loop: Loop) -> None:
        """Read from *loop*."""
        self._loop = loop

    def keys(self) -> Iterator[str]:
        """Yield the keys that are done, in the order of this attempt's items."""
        return self._loop.done_keys()

    def sequence(self, key: str) -> int:
        """Return the number of the record that holds the value of *key*, or 0."""
        return self._loop.group.sequence(key) if self._loop.is_done(key) else 0

    def count(self) -> int:
        """Return how many are done."""
        return self._loop.with_value

    def identity(self) -> str:
        """Return a digest of which records these are, in order."""
        return self._loop.identity()


class RecordedSource:
    """Results as the journal has them, in the order in which items were recorded first."""

    def __init__(self, group: Group) -> None:
        """Read from *group*."""
        self._group = group

    def keys(self) -> Iterator[str]:
        """Yield the keys that are done."""
        return self._group.done_keys()

    def sequence(self, key: str) -> int:
        """Return the number of the record that holds the value of *key*, or 0."""
        return self._group.sequence(key)

    def count(self) -> int:
        """Return how many are done."""
        return self._group.done

    def identity(self) -> str:
        """Return a digest of which records these are, in order."""
        return digest(array("Q", (one for one in self._group.sequences if one)).tobytes())


class FailedSource:
    """Failures: of this attempt's loop, or else the newest ones that the journal has."""

    def __init__(self, group: Group, loop: Loop | None) -> None:
        """Read from *loop* where there is one, else from *group*."""
        self._group = group
        self._loop = loop

    def keys(self) -> Iterator[str]:
        """Yield the keys that failed."""
        return iter(list(self._group.failed) if self._loop is None else self._loop.failed_keys())

    def sequence(self, key: str) -> int:
        """Return the number of the record that tells the failure of *key*, or 0."""
        failure = self._group.failed.get(key)
        counts = failure is not None and (self._loop is None or self._loop.has_failed(key))
        return failure.sequence if failure is not None and counts else 0

    def count(self) -> int:
        """Return how many failed."""
        return sum(1 for _ in self.keys())

    def identity(self) -> str:
        """Return a digest of which records these are, in order."""
        return digest(array("Q", (self._group.failed[key].sequence for key in self.keys())).tobytes())
