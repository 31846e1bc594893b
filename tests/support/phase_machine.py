"""What a `Phase` must say after anything: an oracle folded from events, and the instruments of its state machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, NamedTuple

import milepost
from milepost.errors import InvalidArgument
from milepost.fs import use
from milepost.testing import Intercepted, Operation, SimulatedCrash, SimulatedDisk
from tests.support.phase_law import ROOT

HANDED, DONE, FAILED = "handed", "done", "failed"
LOOPS: tuple[str | None, ...] = (None, "two", "map")

Item = tuple[str, int]
"""A key and the version of the item's content."""


class Log:
    """What user functions did. It has no stored form, so as an argument it counts by its type alone."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.ids: dict[tuple[int, str, int], str] = {}
        self.number = 0

    def next(self) -> int:
        """Return a number that no value held before, so that a stale value never looks like a fresh one."""
        self.number += 1
        return self.number


class Job(NamedTuple):
    """An item of a map, which carries where its work is written down."""

    key: str
    version: int
    log: Log
    fails: frozenset[str]


def version_of(job: Job) -> int:
    """Return what tells whether an item of a map changed."""
    return job.version


def compute(log: Log, name: str, argument: int) -> Any:
    """Compute a step."""
    log.called.append(name)
    return {"step": name, "argument": argument, "n": log.next()}


def total(log: Log, results: Any, argument: int) -> Any:
    """Compute a phase's result."""
    log.called.append("total")
    return {"results": list(results.items()), "argument": argument, "n": log.next()}


def pay(log: Log, key: str, argument: int, ends: str, *, call_id: str) -> Any:
    """Make a paid call that *ends* with an answer, with an error, or with the process."""
    log.called.append(call_id)
    if ends == "raises":
        raise ValueError("the provider refused")
    if ends == "dies":
        raise SimulatedCrash("while the provider was thinking")
    return {"key": key, "argument": argument, "call_id": call_id, "n": log.next()}


def work(job: Job) -> Any:
    """Work on an item of a map."""
    job.log.called.append(job.key)
    if job.key in job.fails:
        raise ValueError(f"item {job.key} failed, number {job.log.next()}")
    return {"key": job.key, "version": job.version, "n": job.log.next()}


class Inline(Executor):
    """Works on each item at once, so that a map is the same in every run of the machine."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call *function* now."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 -- it is the future's to tell
            future.set_exception(error)
        return future


class Trouble(NamedTuple):
    """What happens at the *n*-th operation that changes the disk: an errno, or death before or after it."""

    n: int
    when: str
    code: int | None = None


class Fused(Intercepted):
    """A filesystem that dies or fails once, at a moment that is chosen while it is in use."""

    def __init__(self, inner: SimulatedDisk) -> None:
        super().__init__(inner, before=lambda one: self._perhaps(one, "before"), after=self._after)
        self.trouble: Trouble | None = None
        self.left = 0
        self.dead = False

    def arm(self, trouble: Trouble | None) -> None:
        """Have *trouble* come; None for none."""
        self.trouble, self.left = trouble, trouble.n if trouble else 0

    def _after(self, operation: Operation) -> None:
        if not self.dead:
            self._perhaps(operation, "after")

    def _perhaps(self, operation: Operation, when: str) -> None:
        if self.dead:
            raise SimulatedCrash("already dead")
        trouble = self.trouble
        if trouble is None or not operation.mutates:
            return
        self.left -= when == "before"
        if self.left or when != trouble.when:
            return
        self.trouble = None
        if trouble.code is None:
            self.dead = True
            raise SimulatedCrash(str(operation))
        self._lose(operation)
        raise OSError(trouble.code, os.strerror(trouble.code), operation.file)

    def _lose(self, operation: Operation) -> None:
        """Lose what a failed sync should have made durable."""
        disk, handle = self.innermost(), operation.handle
        if operation.name in {"sync", "sync_data"} and handle is not None:
            assert isinstance(disk, SimulatedDisk), "the machine runs on a simulated disk"
            disk.lose_pending(handle)


class Event(NamedTuple):
    """Something that was recorded: its number, what kind of thing, and what it says."""

    number: int
    kind: str
    name: str | None = None
    key: str = ""
    given: Any = None
    value: Any = None


class World:
    """What the events so far amount to."""

    def __init__(self, events: list[Event]) -> None:
        self.runs = 0
        self._begin()
        for event in events:
            self._take(event)

    def _begin(self) -> None:
        self.params: Any = None
        self.attempts = 0
        self.results: dict[str | None, dict[str, Event]] = {name: {} for name in LOOPS}
        self.failed: dict[str | None, dict[str, Event]] = {name: {} for name in LOOPS}
        self.steps: dict[str, Event] = {}
        self.calls: dict[str, Event] = {}
        self.intents: dict[str, Event] = {}
        self.state: dict[str, Any] = {}
        self.has_state = False
        self.completed: Event | None = None

    def _take(self, event: Event) -> None:
        kind, name, key = event.kind, event.name, event.key
        if kind == "restart":
            self.runs += 1
            self._begin()
        elif kind == "opened":
            self.attempts += 1
            self.params = self.params if event.given is None else event.given
        elif kind == FAILED:
            self.failed[name][key] = event
        if kind == DONE:
            self.results[name][key] = event
            self.failed[name].pop(key, None)
        elif kind == "state":
            self.state, self.has_state = event.value, True
        elif kind == "completed":
            self.completed = event
        else:
            self._take_named(event)

    def _take_named(self, event: Event) -> None:
        if event.kind == "step":
            self.steps[event.key] = event
        elif event.kind == "intent":
            self.intents[event.key] = event
        elif event.kind in ("answered", "refused"):
            self.intents.pop(event.key, None)
            if event.kind == "answered":
                self.calls[event.key] = event

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded that a change could make stale."""
        named = self.steps or self.calls or self.intents
        return not (named or self.has_state or self.completed or any(self.results.values()))

    def is_done(self, name: str | None, item: Item) -> bool:
        """Tell whether an item need not be handed out."""
        found = self.results[name].get(item[0])
        return found is not None and found.given == item[1] and item[0] not in self.failed[name]

    def said(self) -> dict[str, Any]:
        """Return what a reader must say."""
        return {
            "attempts": self.attempts,
            "results": {name: [(key, one.value) for key, one in self.results[name].items()] for name in LOOPS},
            "failures": {name: {key: one.value for key, one in self.failed[name].items()} for name in LOOPS},
            "steps": {key: one.value for key, one in self.steps.items()},
            "calls": {key: one.value for key, one in self.calls.items()},
            "ambiguous": set(self.intents),
            "state": self.state,
            "result": self.completed.value if self.completed else None,
        }


class Oracle:
    """All events in order: up to *certain* no crash takes them back; *doubt* may be there or not, from its start."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.doubt: list[Event] = []
        self.certain = 0
        self.numbers = 0

    @property
    def world(self) -> World:
        """What was acknowledged amounts to."""
        return World(self.events)

    def event(self, kind: str, **said: Any) -> Event:
        """Return a new event, not yet acknowledged."""
        self.numbers += 1
        return Event(self.numbers, kind, **said)

    def acknowledge(self, events: list[Event], *, durable: bool) -> None:
        """Know that *events* were recorded; an append that worked leaves nothing of one that failed before it."""
        if events:
            self.doubt = []
            self.events += events
            if durable:
                self.certain = len(self.events)

    def settle(self, said: dict[str, Any] | None, *, lossy: bool) -> None:
        """Take as true what is *said* after a death; it must be what was acknowledged, or more from what is in doubt.

        Args:
            said: What a reader says, None if there is no run.
            lossy: Whether what was recorded without a sync may be gone.
        """
        least = self.certain if lossy else len(self.events)
        all_of_them = self.events + self.doubt
        possible = [World(all_of_them[:count]).said() for count in range(least, len(all_of_them) + 1)]
        found = World([]).said() if said is None else said
        assert found in possible, f"found {found}, but acknowledged {possible[0]}, and at most {possible[-1]}"
        self.events = all_of_them[: least + possible.index(found)]
        self.doubt, self.certain = [], len(self.events)


def look(disk: Any) -> dict[str, Any] | None:
    """Return what a reader says of the phase, None if there is none."""
    with use(disk):
        try:
            reader = milepost.open("phase_3", store=ROOT)
        except InvalidArgument:
            return None
        with reader:
            index, value = reader._session.index, reader._session.value
            return {
                "attempts": reader.attempts,
                "results": {name: list(reader.results(name).items()) for name in LOOPS},
                "failures": {name: dict(reader.failures(name)) for name in LOOPS},
                "steps": {key: value(index.group("step").sequence(key)) for key in index.group("step").done_keys()},
                "calls": {key: value(index.group("call").sequence(key)) for key in index.group("call").done_keys()},
                "ambiguous": {one.key for one in reader.ambiguous},
                "state": reader.state,
                "result": reader.result if reader.is_complete else None,
            }


class Walk:
    """One loop of one attempt: what was looked at, and what became of it."""

    def __init__(self, name: str | None, items: list[Item], batch: int | None = None) -> None:
        self.name = name
        self.items = items
        self.batch = batch
        self.iterator: Iterator[Any] = iter(())
        self.place = 0
        self.status: dict[str, str] = {}
        self.in_hand: list[Item] = []

    def take(self, world: World, most: int) -> list[Item]:
        """Return which items must be handed out next."""
        found: list[Item] = []
        while self.place < len(self.items) and len(found) < most:
            item = self.items[self.place]
            self.place += 1
            self.status[item[0]] = DONE if world.is_done(self.name, item) else HANDED
            if self.status[item[0]] == HANDED:
                found.append(item)
        self.in_hand = found
        return found

    @property
    def waiting(self) -> list[Item]:
        """The items that were handed out and have no record."""
        return [item for item in self.items if self.status.get(item[0]) == HANDED]

    def settled(self, status: str) -> list[str]:
        """Return the keys of that status in the order of this attempt's items."""
        return [key for key, _ in self.items if self.status.get(key) == status]


class Ending:
    """How a call ends: no argument of its digest but by type, since a provider's mood is no input of ours."""

    def __init__(self, ends: str) -> None:
        self.ends = ends


def paying(log: Log, key: str, argument: int, ending: Ending, *, call_id: str) -> Any:
    """Make the paid call; the digest of its arguments does not hold how it ends."""
    return pay(log, key, argument, ending.ends, call_id=call_id)
