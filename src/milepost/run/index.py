"""What a journal says is done, by key: small enough for millions of items, with values left where they are."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from milepost.errors import NotDecodable
from milepost.records import CHAIN_BYTES, VALUE_FIELD, Kind, Record, Totals
from milepost.run.tally import CALLS, NO_LOOPS, STEPS, Tally, intent_in, intent_of

_LOW_64_BITS = 16  # hex digits
_NO_GROUP = ""


def group_of(loop: str | None) -> str | None:
    """Return the name of the group that the items of a loop of that name stand in."""
    return None if loop is None else f"loop:{loop}"


__all__ = ["CALLS", "STEPS", "Failure", "Group", "Index", "short"]


class Failure(NamedTuple):
    """An item's newest record says that it failed: which record, and how many failures there were in a row."""

    sequence: int
    in_a_row: int


class Group:
    """The keys of one loop (or of all steps, or of all calls), each with its newest `done` record.

    A key's *ordinal* is its place among the keys as they were met first. An item takes one entry of a dict, its
    key, and 20 bytes beside.
    """

    def __init__(self) -> None:
        """Know no key yet."""
        self.ordinals: dict[str, int] = {}
        self.keys: list[str] = []
        self.sequences = array("Q")
        self.inputs = array("Q")
        self.makers = array("H")
        self.codes: list[str | None] = [None]
        self.failed: dict[str, Failure] = {}
        self.done = 0

    def ordinal(self, key: str) -> int:
        """Return the ordinal of *key*, which is given one if it has none."""
        ordinal = self.ordinals.setdefault(key, len(self.keys))
        if ordinal == len(self.keys):
            self.keys.append(key)
            self.sequences.append(0)
            self.inputs.append(0)
            self.makers.append(0)
        return ordinal

    def note_done(self, key: str, sequence: int, input: str | None, code: str | None) -> None:  # noqa: A002
        """Know that *key* is done by the record *sequence*."""
        ordinal = self.ordinal(key)
        self.done += not self.sequences[ordinal]
        self.sequences[ordinal] = sequence
        self.inputs[ordinal] = short(input)
        self.makers[ordinal] = self._maker(code)
        if self.failed:
            self.failed.pop(key, None)

    def note_all_done(self, first: int, keys: list[str], inputs: list[int], codes: list[str | None]) -> bool:
        """Know that all *keys* are done, by the records from *first* on, if none was known before; else do nothing."""
        if len(set(keys)) < len(keys) or not self.ordinals.keys().isdisjoint(keys):
            return False
        if self.failed and not self.failed.keys().isdisjoint(keys):
            return False
        self.ordinals.update(zip(keys, range(len(self.keys), len(self.keys) + len(keys)), strict=True))
        self.keys += keys
        self.sequences.extend(range(first, first + len(keys)))
        self.inputs.extend(inputs)
        makers = {code: self._maker(code) for code in set(codes)}
        self.makers.extend(map(makers.__getitem__, codes))
        self.done += len(keys)
        return True

    def note_failed(self, key: str, sequence: int) -> None:
        """Know that *key* failed, by the record *sequence*."""
        before = self.failed.get(key)
        self.failed[key] = Failure(sequence, before.in_a_row + 1 if before else 1)

    def sequence(self, key: str) -> int:
        """Return the number of the record that says *key* is done, or 0."""
        ordinal = self.ordinals.get(key)
        return 0 if ordinal is None else self.sequences[ordinal]

    def code(self, key: str) -> str | None:
        """Return the digest of the function that made the value of *key*."""
        return self.codes[self.makers[self.ordinals[key]]]

    def made_by(self) -> set[str]:
        """Return the digests of all functions that made a value which counts."""
        used = {maker for maker, sequence in zip(self.makers, self.sequences, strict=True) if sequence}
        return {code for maker in used if (code := self.codes[maker]) is not None}

    def done_keys(self) -> Iterator[str]:
        """Yield the keys that are done, in the order in which they were met first."""
        return (key for key, sequence in zip(self.keys, self.sequences, strict=True) if sequence)

    def _maker(self, code: str | None) -> int:
        if code is None:
            return 0
        if code not in self.codes:
            self.codes.append(code)
        return self.codes.index(code)


class Index:
    """All that opening a run must know of its journal; records themselves are read when they are asked for."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.groups: dict[str, Group] = {}
        self.states = array("Q")
        self.intents: dict[str, int] = {}
        self.codes: dict[str, int] = {}
        self.opened = 0
        self.described = 0
        self.completed = 0
        self.attempt = 0
        self.tally = Tally()
        self._done_before = 0
        self.expected: int | None = None
        self.lengths: dict[str | None, int | None] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded that a change could make stale."""
        return not (self.states or self.completed or self.intents or any(one.done for one in self.groups.values()))

    @property
    def loops(self) -> dict[str, Group]:
        """The groups of items, by label; the only loop without a name has the label ``""``."""
        return {label: group for label, group in self.groups.items() if label not in NO_LOOPS}

    @property
    def newest_item(self) -> int:
        """The number of the newest record that says an item is done, 0 for none; a result before it is not of it."""
        return max((max(group.sequences, default=0) for group in self.loops.values()), default=0)

    @property
    def done(self) -> int:
        """How many items are done, in all loops."""
        return sum(group.done for label, group in self.groups.items() if label not in NO_LOOPS)

    @property
    def failed(self) -> int:
        """How many items failed and have no result since, in all loops."""
        return sum(len(group.failed) for label, group in self.groups.items() if label not in NO_LOOPS)

    def totals(self) -> Totals:
        """Return what the records come to, for those who look without reading them; *expected* goes with it."""
        tally, done, failed = self.tally, 0, 0
        for label, group in self.groups.items():  # asked for each record, so in one go
            if label not in NO_LOOPS:
                done += group.done
                failed += len(group.failed)
        return Totals(
            done,
            failed,
            self.expected,
            self._done_before,
            self.attempt,
            tally.opened_at,
            tally.last_time,
            round(tally.spent_usd, 9),
            len(self.intents),
            self.completed > 0,
        )

    def group(self, name: str | None) -> Group:
        """Return the group of that name, made if it is new."""
        found = self.groups.get(name or _NO_GROUP)
        if found is None:
            found = self.groups[name or _NO_GROUP] = Group()
        return found

    def see(self, first: int, lines: list[bytes]) -> None:
        """Take the proven *lines* of the records from number *first* on.

        Raises:
            NotDecodable: One is not a record of this format.
        """
        try:
            heads = [orjson.loads(_head(line)) for line in lines]
            if not self._take_together(first, heads):
                for sequence, (head, line) in enumerate(zip(heads, lines, strict=True), first):
                    self._take(sequence, head, has_value=VALUE_FIELD in line)
                    if head["kind"] == Kind.INTENT:
                        self.tally.take_intent(intent_in(line))
            if heads:
                self.attempt = heads[-1]["attempt"]
        except (ValueError, KeyError, TypeError) as error:
            raise NotDecodable(
                f"A journal line is not a record of this format ({error}); was it written by a newer Milepost?"
            ) from error

    def note(self, sequence: int, record: Record) -> None:
        """Take one record that was just appended as number *sequence*."""
        if record.kind is Kind.DONE and record.key is not None:
            self.group(record.group).note_done(record.key, sequence, record.input, record.code)
            self.tally.take_done(record.group, record.time, record.seconds)
            if record.group == CALLS:
                self.intents.pop(record.key, None)
        else:
            self._take(sequence, record._asdict(), has_value=record.value is not None)
            if record.kind is Kind.INTENT:
                self.tally.take_intent(intent_of(record))
        self.attempt = record.attempt

    def _take_together(self, first: int, heads: list[dict[str, Any]]) -> bool:
        """Take many records at once if all say that new items of one loop are done, which is the rule."""
        if {head["kind"] for head in heads} != {"done"}:
            return False
        (name, *others) = {head.get("group") for head in heads}
        if others or name in NO_LOOPS:
            return False
        is_taken = self.group(name).note_all_done(
            first,
            [head["key"] for head in heads],
            [short(head.get("input")) for head in heads],
            [head.get("code") for head in heads],
        )
        if is_taken:
            self.tally.take_items(heads)
        return is_taken

    def _take(self, sequence: int, head: dict[str, Any], *, has_value: bool) -> None:
        group, key = head.get("group"), head.get("key", "")
        kind = Kind(head["kind"])
        if kind is Kind.TAKEN:  # it only holds a slot that a superseded writer would need
            return
        if kind is Kind.DONE:
            self.group(group).note_done(head["key"], sequence, head.get("input"), head.get("code"))
        elif kind is Kind.FAILED:
            self.group(group).note_failed(head["key"], sequence)
        elif kind is Kind.STATE:
            self.states.append(sequence)
        elif kind is Kind.INTENT:
            self.intents[key] = sequence
        elif kind is Kind.CODE:
            self.codes[key] = sequence
        elif kind is Kind.COMPLETED:
            self.completed = sequence
        elif kind is Kind.OPENED:
            self.opened += 1
            self._done_before = self.done
            self.described = sequence if has_value else self.described
        if group == CALLS and kind in (Kind.DONE, Kind.FAILED):
            self.intents.pop(key, None)
        self.tally.take(kind, group, head["time"], head.get("seconds"))


def short(digest: str | None) -> int:
    """Return the low 64 bits of a digest, which is what an index keeps of it; 0 for none."""
    return int(digest[-_LOW_64_BITS:], 16) if digest else 0


def _head(line: bytes) -> bytes:
    """Return a record's line without its value and its chain."""
    end = line.find(VALUE_FIELD)
    return (line[:-CHAIN_BYTES] if end < 0 else line[:end]) + b"}"
