"""`Phase` against a list of events: through crashes, failures and changes it says what was acknowledged, no more."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as check_machine

import milepost
from milepost.errors import AlreadyRecorded, InvalidArgument, NoItem, StorageError, Unrecorded
from milepost.phase import loop as loop_module
from tests.support.manager_law import Clock
from tests.support.phase_attempts import CHOICES, TROUBLES, Attempts, Died, StandingStill, opened
from tests.support.phase_machine import (
    DONE,
    FAILED,
    HANDED,
    Ending,
    Event,
    Inline,
    Item,
    Job,
    Oracle,
    Trouble,
    Walk,
    World,
    compute,
    look,
    paying,
    total,
    version_of,
    work,
)

KEYS = st.sampled_from(["a", "b", "c", "d", "é", 'k","value":1'])
ITEMS = st.lists(st.tuples(KEYS, st.integers(0, 1)), max_size=6, unique_by=lambda item: item[0])
ARGUMENTS = st.integers(0, 1)


class PhaseMachine(Attempts):
    """Adds what is done inside an attempt."""

    # --- loops

    @opened
    @rule(name=st.sampled_from([None, "two"]), items=ITEMS, batch=st.sampled_from([None, None, 2, 3]))
    def start_loop(self, name: str | None, items: list[Item], batch: int | None) -> None:
        walk = Walk(name, items, batch)
        telling: dict[str, Any] = {"version": lambda item: item[1]} if name else {}
        if name in self.walks:
            with pytest.raises(InvalidArgument, match="second"):
                self.live.each(items, name=name)
            return
        self.walks[name] = walk
        walk.iterator = iter(self.live.each(iter(items), lambda item: item[0], name=name, batch=batch, **telling))

    @opened
    @rule(name=st.sampled_from([None, "two"]))
    def next_item(self, name: str | None) -> None:
        walk = self.walks.get(name)
        if walk is None:
            return
        expected = walk.take(self.oracle.world, walk.batch or 1)
        following: Any = next(walk.iterator, [])
        handed = [following] if walk.batch is None and following else following
        assert handed == expected
        self.active = walk if handed else (None if self.active is walk else self.active)

    @opened
    @rule(trouble=TROUBLES, size=st.sampled_from([0, 0, 700, 5000]))
    def record_in_hand(self, trouble: Trouble | None, size: int) -> None:
        walk = self.active
        if walk is None or not walk.in_hand:
            with pytest.raises(NoItem):
                self.live.record(1)
            return
        values = [self.value(item, size) for item in walk.in_hand]
        given = values if walk.batch else values[0]
        if any(walk.status[key] != HANDED for key, _ in walk.in_hand):
            with pytest.raises(AlreadyRecorded):
                self.live.record(given)
            return
        self.record(walk, walk.in_hand, values, lambda: self.live.record(given), trouble)

    @opened
    @rule(choice=CHOICES, trouble=TROUBLES)
    def record_by_key(self, choice: int, trouble: Trouble | None) -> None:
        waiting = [(walk, item) for walk in self.walks.values() for item in walk.waiting]
        if waiting:
            walk, item = waiting[choice % len(waiting)]
            value = self.value(item, 0)
            self.record(walk, [item], [value], lambda: self.live.record(value, item[0], name=walk.name), trouble)

    @opened
    @rule(choice=CHOICES, trouble=TROUBLES)
    def fail(self, choice: int, trouble: Trouble | None) -> None:
        waiting = [(walk, item) for walk in self.walks.values() for item in walk.waiting]
        if waiting:
            walk, (key, version) = waiting[choice % len(waiting)]
            error = ValueError(f"number {self.log.next()}")
            told = {"type": "ValueError", "message": str(error), "attempts": 1}
            events = [self.oracle.event(FAILED, name=walk.name, key=key, given=version, value=told)]
            with suppress(Died, StorageError):
                self.do(lambda: self.live.fail(error, key, name=walk.name), events, trouble)
                walk.status[key] = FAILED

    def value(self, item: Item, size: int) -> Any:
        return {"key": item[0], "version": item[1], "n": self.log.next(), "fill": "x" * size, "pair": (1, b"2")}

    def record(
        self, walk: Walk, items: list[Item], values: list[Any], operation: Callable[[], Any], trouble: Trouble | None
    ) -> None:
        events = [
            self.oracle.event(DONE, name=walk.name, key=key, given=version, value=value)
            for (key, version), value in zip(items, values, strict=True)
        ]
        with suppress(Died, StorageError):
            self.do(operation, events, trouble)
            walk.status.update((key, DONE) for key, _ in items)

    @opened
    @precondition(lambda self: "map" not in self.walks)
    @rule(items=ITEMS, fails=st.frozensets(KEYS, max_size=2), threads=st.booleans(), trouble=TROUBLES)
    def map(self, items: list[Item], fails: frozenset[str], threads: bool, trouble: Trouble | None) -> None:
        walk = self.walks["map"] = Walk("map", items)
        expected = walk.take(self.oracle.world, len(items))
        self.log.called.clear()
        numbers = iter(range(self.log.number + 1, self.log.number + 1 + len(expected)))
        events = [self.mapped(item, next(numbers), item[0] in fails) for item in expected]
        jobs = (Job(key, version, self.log, fails) for key, version in items)
        is_threaded = threads and trouble is None  # how many finish together is up to the system
        how: dict[str, Any] = (
            {"workers": 1} if is_threaded else {"executor": Inline()}
        )  # one worker: then the order is known
        skipped = len([item for item in items if item not in expected])
        with suppress(Died, StorageError):
            self.do(
                lambda: self.live.map(
                    work, jobs, lambda job: job.key, name="map", on_error="skip", version=version_of, **how
                ),
                events,
                trouble,
                sure=lambda: max(0, len(self.live.results("map")) + len(self.live.failures("map")) - skipped),
            )
            walk.status.update((event.key, event.kind) for event in events)
            assert self.log.called == [key for key, _ in expected]
        if self.phase is not None:
            self.agree_after_map(walk)

    def mapped(self, item: Item, number: int, fails: bool) -> Event:
        key, version = item
        if not fails:
            value = {"key": key, "version": version, "n": number}
            return self.oracle.event(DONE, name="map", key=key, given=version, value=value)
        message = f"item {key} failed, number {number}"
        told = {"type": "ValueError", "message": message, "attempts": 1}
        return self.oracle.event(FAILED, name="map", key=key, given=version, value=told)

    def agree_after_map(self, walk: Walk) -> None:
        """Know which items of a map that failed half way were recorded; the others wait."""
        world = self.oracle.world
        handed = set(self.live._attempt.loops._loops["map"].handed)  # how far a broken map had read its items
        for item in list(walk.items):
            key = item[0]
            if walk.status.get(key) == HANDED:
                walk.status[key] = (
                    FAILED if key in world.failed["map"] and key not in handed
                    else DONE if world.is_done("map", item) and key not in handed
                    else HANDED if key in handed
                    else "unread"
                )  # fmt: skip

    # --- steps, calls, state, result

    @opened
    @rule(name=st.sampled_from(["s", "t"]), argument=ARGUMENTS, trouble=TROUBLES)
    def step(self, name: str, argument: int, trouble: Trouble | None) -> None:
        if self.used.setdefault(("step", name), argument) != argument:
            with pytest.raises(InvalidArgument, match="other arguments"):
                self.live.step(name, compute, self.log, name, argument)
            return
        stored = self.oracle.world.steps.get(name)
        is_stored = stored is not None and stored.given == argument
        value = stored.value if stored and is_stored else {"step": name, "argument": argument, "n": self.log.number + 1}
        events = [] if is_stored else [self.oracle.event("step", key=name, given=argument, value=value)]
        self.log.called.clear()
        with suppress(Died, StorageError):
            given = self.do(
                lambda: self.live.step(name, compute, self.log, name, argument), events, None if is_stored else trouble
            )
            assert given == value
            assert self.log.called == ([] if is_stored else [name])

    @opened
    @rule(
        key=st.sampled_from(["p", "q"]),
        argument=ARGUMENTS,
        ends=st.sampled_from(["answers", "answers", "raises", "dies"]),
        known=st.sampled_from([None, "happened", "not"]),
        trouble=TROUBLES,
    )
    def call(self, key: str, argument: int, ends: str, known: str | None, trouble: Trouble | None) -> None:
        world = self.oracle.world
        if self.used.get(("call", key), argument) != argument:
            return
        self.used[("call", key)] = argument
        answered = {"key": key, "argument": argument, "n": self.log.number + 1}
        stored, sent = world.calls.get(key), world.intents.get(key)
        happened = milepost.Happened(answered | {"call_id": "known"})
        said_by = {"happened": happened, "not": None}
        reconcile: Any = (lambda _: said_by[known]) if known else None
        events: list[Event] = []
        if stored is not None and stored.given == argument:
            events, ends = [], "answers"
        elif known == "happened" and sent is not None and sent.given == argument:
            events, ends = [self.answer(key, argument, happened.result)], "answers"
        else:
            call_id = self.call_id(world, key, argument)
            last = self.answer(key, argument, answered | {"call_id": call_id})
            last = last if ends == "answers" else self.oracle.event("refused", key=key)
            events = [self.oracle.event("intent", key=key, given=argument), last]
        self.log.called.clear()
        self.make_call(key, argument, ends, reconcile, events, trouble if events else None)

    def answer(self, key: str, argument: int, value: Any) -> Event:
        return self.oracle.event("answered", key=key, given=argument, value=value)

    def call_id(self, world: World, key: str, argument: int) -> str:
        """Return the id that this call must have: the same in every attempt of a run."""
        known = self.log.ids.get((world.runs, key, argument))
        return known or self.live._attempt.steps._call_id(key, self.digest(key, argument))

    def digest(self, key: str, argument: int) -> str:
        return self.live._attempt.steps.digest_of_arguments((self.log, key, argument, Ending("")), {})

    def make_call(
        self, key: str, argument: int, ends: str, reconcile: Any, events: list[Event], trouble: Trouble | None
    ) -> None:
        runs = self.oracle.world.runs
        ends_by = Ending(ends)

        def operation() -> Any:
            return self.live.call(key, paying, self.log, key, argument, ends_by, cost_usd=0.5, reconcile=reconcile)

        def sure() -> int:
            return 1 if self.log.called else 0

        try:
            given = self.do(operation, events, trouble, sure)
        except ValueError:
            self.files.arm(None)
            assert ends == "raises"
            self.oracle.acknowledge(events, durable=self.durability != "process")
        except (Died, StorageError):
            pass
        else:
            assert ends == "answers"
            assert (given["key"], given["argument"]) == (key, argument)
        for call_id in self.log.called:
            assert self.log.ids.setdefault((runs, key, argument), call_id) == call_id

    @opened
    @rule(key=st.sampled_from(["x", "y"]), value=st.sampled_from([None, 1, True, "text", [1, (2,)], {"a": b"b"}]))
    def change_state(self, key: str, value: Any) -> None:
        if value is None:
            self.live.state.pop(key, None)
        else:
            self.live.state[key] = value

    @opened
    @rule(trouble=TROUBLES)
    def save(self, trouble: Trouble | None) -> None:
        is_changed = repr(self.live.state) != repr(self.oracle.world.state)
        events = [self.oracle.event("state", value=dict(self.live.state))] if is_changed else []
        with suppress(Died, StorageError):
            self.do(self.live.save, events, trouble if events else None)

    @opened
    @rule(argument=ARGUMENTS, trouble=TROUBLES)
    def complete(self, argument: int, trouble: Trouble | None) -> None:
        if any(walk.waiting for walk in self.walks.values()):
            with pytest.raises(Unrecorded):
                self.live.complete(total, self.log, self.live.results(), argument)
            return
        world = self.oracle.world
        made_of = self.made_of(world, argument)
        stored = world.completed
        newest = max((one.number for one in self.steps_used(world)), default=0)
        is_current = stored is not None and stored.given == made_of and newest < stored.number
        expected = stored.value if stored and is_current else {
            "results": [(key, world.results[None][key].value) for key in self.shown(world, None)],
            "argument": argument, "n": self.log.number + 1,
        }  # fmt: skip
        events = [] if is_current else [self.oracle.event("completed", given=made_of, value=expected)]
        self.log.called.clear()
        with suppress(Died, StorageError):
            results = self.live.results()
            given = self.do(
                lambda: self.live.complete(total, self.log, results, argument), events, trouble if events else None
            )
            assert self.log.called == ([] if is_current else ["total"])
            assert given == expected

    def steps_used(self, world: World) -> Iterator[Event]:
        for kind, name in self.used:
            found = (world.steps if kind == "step" else world.calls).get(name)
            if found is not None:
                yield found

    def made_of(self, world: World, argument: int) -> Any:
        """Return what a result is made of: which records, in which order, and the arguments."""
        loops = [(name, [world.results[name][key].number for key in walk.settled(DONE)]) for name, walk in self.walks.items()]  # fmt: skip
        given = [world.results[None][key].number for key in self.shown(world, None)]
        return loops, (None in self.walks, given), argument

    def shown(self, world: World, name: str | None) -> list[str]:
        """Return the keys that `results` shows: of this attempt's loop, or else all that are recorded."""
        return self.walks[name].settled(DONE) if name in self.walks else list(world.results[name])

    # --- the law

    @invariant()
    def says_what_was_acknowledged(self) -> None:
        """The open phase and a reader beside it say what the oracle says."""
        if not hasattr(self, "oracle"):
            return
        world = self.oracle.world
        if self.phase is not None:
            for name in (None, "two", "map"):
                results, failures = self.phase.results(name), self.phase.failures(name)
                shown = self.shown(world, name)
                assert list(results.items()) == [(key, world.results[name][key].value) for key in shown]
                assert len(results) == len(shown)
                failed = self.walks[name].settled(FAILED) if name in self.walks else list(world.failed[name])
                assert dict(failures) == {key: world.failed[name][key].value for key in failed}
        if not self.oracle.doubt and self.enabled:
            assert (look(self.disk) or World([]).said()) == world.said()


class MemoryMachine(PhaseMachine):
    """The same rules for a phase that is switched off: everything is gone with the attempt, and nothing is written."""

    enabled = False

    def settle(self, *, lossy: bool) -> None:
        assert look(self.disk) is None
        self.oracle = Oracle()
        self.lossy = lossy and False


def record_all(phase: milepost.Phase, keys: list[str]) -> None:
    """Record each key as its own value."""
    for key in keys:
        phase.record(key, key=key)


QUICK = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))


def test_a_phase_agrees_with_a_list_of_events() -> None:
    """Whatever dies, fails or changes, what was acknowledged is there, and nothing of it is done again."""
    check_machine(PhaseMachine, settings=QUICK)


def test_a_phase_switched_off_agrees_with_a_list_of_events() -> None:
    """Switched off, a phase keeps the same rules within one attempt."""
    check_machine(MemoryMachine, settings=QUICK)


@pytest.mark.parametrize("items", [["a", "b", "c"], ["c", "b", "a"], ["a", "longer", "c"]])
def test_a_reader_never_shows_values_of_another_run(tmp_path: Path, items: list[str]) -> None:
    """When the run that was read is set aside, its reader says so, whatever stands where its records stood."""

    def run(items: list[str], x: int) -> None:
        with milepost.Phase("p", store=tmp_path, params={"x": x}, on_change="restart", clock=Clock()) as phase:
            for item in phase.each(items):
                phase.record(f"{item} of {x}")

    with patch.object(loop_module, "time", StandingStill):  # so that records of the two runs have the same length
        run(["a", "b", "c"], 1)
        with milepost.open("p", store=tmp_path) as reader:
            results = reader.results()
            run(items, 2)
            with pytest.raises(StorageError, match="set aside"):
                results["a"]
            reader.refresh()
            assert dict(reader.results()) == {item: f"{item} of 2" for item in items}


def test_threads_that_record_in_memory_keep_their_results_apart() -> None:
    """Switched off, too, threads record by key, and each result is that of its own item."""
    keys = [f"k{n}" for n in range(2000)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with milepost.Phase("p", enabled=False) as phase:
            for _ in phase.each(keys):
                pass
            threads = [Thread(target=record_all, args=(phase, keys[n::4])) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert dict(phase.results()) == {key: key for key in keys}
    finally:
        sys.setswitchinterval(before)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_phase_agrees_with_a_list_of_events_for_long() -> None:
    """Thousands of histories of a hundred steps hold the same law."""
    long = settings(QUICK, max_examples=5_000, stateful_step_count=100)
    check_machine(PhaseMachine, settings=long)
