"""One loop of a phase: which items are done, which are handed out, and what a record belongs to."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from milepost.errors import AlreadyRecorded, DuplicateKey, NoItem, NotEncodable
from milepost.events import EventKind
from milepost.phase.keys import key_of
from milepost.phase.telling import Teller
from milepost.phase.work import Finished, Key
from milepost.records import Kind, Record, digest
from milepost.run.index import group_of, short
from milepost.run.session import Session

_UNSEEN, _HANDED_OUT, _DONE, _FAILED, _WITHHELD = range(5)
_LONGEST_MESSAGE = 2000

DigestOf = Callable[[Any], str | None]


class Handed(NamedTuple):
    """An item that was handed out: the digest of its input, and when, on the monotonic clock, in seconds."""

    input: str | None
    since: float


class Loop:
    """The items of one `each` or `map` in this attempt. Threads may record; one thread iterates."""

    only_failed = False

    def __init__(
        self,
        session: Session,
        name: str | None,
        key: Key | None,
        digest_of: DigestOf,
        teller: Teller | None = None,
    ) -> None:
        """Go through items under the group of *name*; None is the only loop without a name."""
        self.name = name
        self.group_name = group_of(name)
        self.group = session.index.group(self.group_name)
        self.handed: dict[str, Handed] = {}
        self.current: tuple[str, ...] = ()
        self.batched = False
        self.code: str | None = None
        self.with_value = 0
        self.withheld = 0
        self._teller = teller
        self._accepted: frozenset[int] | None = None
        self._session = session
        self._key = key
        self._digest_of = digest_of
        self._order = array("I")
        self._status = bytearray()

    # --- handing out

    def pending(self, items: Iterable[Any]) -> Iterator[tuple[str, Any]]:
        """Yield key and item of what is not done, one by one as they are asked for; know the others as done.

        Raises:
            InvalidArgument: An item has no key that can be used.
            DuplicateKey: Two items have one key.
        """
        group, status, order = self.group, self._status, self._order
        for item in items:
            key = key_of(item, self._key)
            ordinal = group.ordinal(key)
            if ordinal >= len(status):
                status.extend(bytes(ordinal + 1 - len(status)))
            if status[ordinal] != _UNSEEN:
                raise DuplicateKey(
                    f"{self._session.path}: two items have the key {key!r}. Give each item its own with key=."
                )
            input_digest = self._digest_of(item)
            order.append(ordinal)
            if self._is_done(ordinal, input_digest):
                status[ordinal] = _DONE
                self.with_value += 1
                continue
            if self.only_failed and key not in group.failed:
                self.withheld += 1
                status[ordinal] = _WITHHELD
                order.pop()
                continue
            status[ordinal] = _HANDED_OUT
            self.handed[key] = Handed(input_digest, time.monotonic())
            yield key, item

    def tell_started(self, key: str) -> None:
        """Tell that work on the item begins now."""
        if self._teller is not None:
            self._teller.tell(EventKind.STARTED, key, loop=self.name)

    def tell_retried(self, key: str, error: BaseException) -> None:
        """Tell that a try failed and that there will be another."""
        if self._teller is not None:
            self._teller.tell(EventKind.RETRIED, key, loop=self.name, error=error)

    def accept_only(self, codes: Iterable[str]) -> None:
        """Count as done only what was made by a function with one of these digests, or by the body of a loop."""
        allowed = {None, *codes}
        self._accepted = frozenset(place for place, code in enumerate(self.group.codes) if code in allowed)

    def _is_done(self, ordinal: int, input_digest: str | None) -> bool:
        group = self.group
        return (
            group.sequences[ordinal] != 0
            and group.inputs[ordinal] == short(input_digest)
            and (self._accepted is None or group.makers[ordinal] in self._accepted)
            and not (group.failed and group.keys[ordinal] in group.failed)
        )

    # --- recording

    def record(self, finished: Sequence[Finished], before: Sequence[Record] = ()) -> None:
        """Record what finished together as one batch with one sync, behind the records that must stand *before* it.

        Results and failures may be mixed. A value that cannot be stored costs the others nothing: they are recorded,
        then its error is raised.

        Raises:
            AlreadyRecorded: One has its record already; nothing was recorded.
            NoItem: One was not handed out; nothing was recorded.
            NotEncodable: A value would not come back equal; it was not recorded.
            StorageError: The medium refused; none was acknowledged.
        """
        claimed = self._claim(finished)
        refused: NotEncodable | None = None
        records: list[Record] = []
        try:
            for one in finished:
                try:
                    records.append(self._record(one, claimed[one.key]))
                except NotEncodable as error:
                    refused = refused or _placed(error, one.key)
            if records:
                self._session.append([*before, *records] if before else records)
        except BaseException:
            self.handed.update(claimed)
            raise
        for record in records:
            assert record.key is not None, "an item has a key"
            is_done = record.kind is Kind.DONE
            self._status[self.group.ordinals[record.key]] = _DONE if is_done else _FAILED
            self.with_value += is_done
        if self._teller is not None:
            self._tell_recorded(self._teller, records, {one.key: one.error for one in finished})
        if refused is not None:
            recorded = {record.key for record in records}
            self.handed.update({key: handed for key, handed in claimed.items() if key not in recorded})
            raise refused

    def record_one(self, key: str, value: Any) -> None:
        """Record one result: what `record` does for a batch, on the shortest way, because most records come by it."""
        handed = self.handed.pop(key, None)
        if handed is None:
            raise self._not_in_hand(key, twice=False)
        seconds = round(time.monotonic() - handed.since, 6)
        try:
            record = self._session.made(
                Kind.DONE, key, value, group=self.group_name, seconds=seconds, input=handed.input, code=self.code
            )
            self._session.append([record])
        except BaseException as error:
            self.handed[key] = handed
            if isinstance(error, NotEncodable):
                raise _placed(error, key) from None
            raise
        self._status[self.group.ordinals[key]] = _DONE
        self.with_value += 1
        if self._teller is not None:
            self._teller.tell(EventKind.DONE, key, loop=self.name, seconds=seconds)

    def _tell_recorded(
        self, teller: Teller, records: Sequence[Record], errors: dict[str, BaseException | str | None]
    ) -> None:
        for record in records:
            assert record.key is not None, "an item has a key"
            kind = EventKind.DONE if record.kind is Kind.DONE else EventKind.FAILED
            teller.tell(kind, record.key, loop=self.name, seconds=record.seconds, error=errors[record.key])

    def _record(self, one: Finished, handed: Handed) -> Record:
        kind, value = Kind.DONE, one.value
        if one.error is not None:
            kind, value = Kind.FAILED, told(one.error) | {"attempts": one.attempts}
        seconds = time.monotonic() - handed.since if one.seconds is None else one.seconds
        return self._session.made(
            kind,
            one.key,
            value,
            group=self.group_name,
            seconds=round(seconds, 6),
            input=handed.input,
            code=self.code,
        )

    def _claim(self, finished: Sequence[Finished]) -> dict[str, Handed]:
        """Take keys out of those that wait for a record, so that no other thread records them as well."""
        claimed: dict[str, Handed] = {}
        for one in finished:
            key = one.key
            handed = self.handed.pop(key, None)
            if handed is None:
                self.handed.update(claimed)
                raise self._not_in_hand(key, twice=key in claimed)
            claimed[key] = handed
        return claimed

    def _not_in_hand(self, key: str, *, twice: bool) -> NoItem | AlreadyRecorded:
        if twice or self._status_of(key) in (_DONE, _FAILED):
            return AlreadyRecorded(f"{self._session.path}: item {key!r} has its record already; nothing was recorded.")
        return NoItem(f"{self._session.path}: no item {key!r} was handed out by this loop; nothing was recorded.")

    # --- what came of it

    def done_keys(self) -> Iterator[str]:
        """Yield the keys that are done, in the order of this attempt's items."""
        keys, status = self.group.keys, self._status
        return (keys[ordinal] for ordinal in self._order if status[ordinal] == _DONE)

    def failed_keys(self) -> Iterator[str]:
        """Yield the keys that failed in this attempt, in the order of its items."""
        keys, status = self.group.keys, self._status
        return (keys[ordinal] for ordinal in self._order if status[ordinal] == _FAILED)

    def ready(self, place: int) -> str | bool:
        """Return the key of the item at *place* if it is done, else whether it is settled: False while it waits."""
        if place >= len(self._order):
            return False
        ordinal = self._order[place]
        if self._status[ordinal] == _DONE:
            return self.group.keys[ordinal]
        return self._status[ordinal] == _FAILED

    def is_done(self, key: str) -> bool:
        """Tell whether *key* is an item of this attempt, and done."""
        return self._status_of(key) == _DONE

    def has_failed(self, key: str) -> bool:
        """Tell whether *key* is an item of this attempt, and failed."""
        return self._status_of(key) == _FAILED

    def _status_of(self, key: str) -> int:
        ordinal = self.group.ordinals.get(key, len(self._status))
        return self._status[ordinal] if ordinal < len(self._status) else _UNSEEN

    def identity(self) -> str:
        """Return a digest of which records, in which order, are this loop's results."""
        sequences = array("Q", (self.group.sequences[one] for one in self._order if self._status[one] == _DONE))
        return digest((self.group_name or "").encode(), b"\0", sequences.tobytes())


def _placed(error: NotEncodable, key: str) -> NotEncodable:
    return NotEncodable(f"results[{key!r}]{error.path.removeprefix('value')}", error.reason)


def told(error: BaseException | str) -> dict[str, Any]:
    """Return what is kept of an error: its type and its message, at most 2,000 characters of it."""
    kind, message = "failure", error
    if not isinstance(error, str):
        kind, message = type(error).__qualname__, "\n".join([str(error), *getattr(error, "__notes__", ())])
    readable = str(message).encode("utf-8", "backslashreplace").decode()  # a file's name may hold lone surrogates
    return {"type": kind, "message": readable[:_LONGEST_MESSAGE]}
