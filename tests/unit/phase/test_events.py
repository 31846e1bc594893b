"""What a phase tells while it runs: in order, counted, never before it is durable, and one listener cannot spoil it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.events import Event, EventKind, all_of
from milepost.fs import use
from milepost.testing import SimulatedDisk
from tests.support.manager_law import disk
from tests.support.phase_law import phase

ITEMS = ["a", "b", "c"]


class Heard:
    """A listener that keeps all events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def words(self) -> list[str]:
        """The events as kind and key."""
        return [f"{one.kind} {one.key or ''}".strip() for one in self.events]


def test_a_loop_tells_in_order_and_counts(tmp_path: Path) -> None:
    """Opening, each item's start and end, the result and the closing are told in that order, with running counts."""
    heard = Heard()
    with milepost.Phase("p", store=tmp_path, on_event=heard) as opened:
        for item in opened.each(ITEMS):
            opened.record(item) if item != "b" else opened.fail(ValueError("no\nluck"))
        opened.complete(len(opened.results()))
    assert heard.words == [
        "opened", "started a", "done a", "started b", "failed b", "started c", "done c", "completed", "closed",
    ]  # fmt: skip
    assert [one.done for one in heard.events] == [0, 0, 1, 1, 1, 1, 2, 2, 2]
    assert [one.total for one in heard.events] == [None, 3, 3, 3, 3, 3, 3, 3, 3]
    assert {one.phase for one in heard.events} == {"p"}
    assert {one.attempt for one in heard.events} == {1}
    assert heard.events[4].error == "ValueError: no luck"
    assert all(one.seconds is not None for one in heard.events if one.kind in ("done", "failed"))
    assert [one.time for one in heard.events] == sorted(one.time for one in heard.events)


def test_a_resumed_attempt_says_how_far_the_run_is(tmp_path: Path) -> None:
    """The second attempt opens with what is done, and tells nothing of items that it does not work on."""
    for number, items in ((1, ITEMS[:2]), (2, ITEMS)):
        heard = Heard()
        with milepost.Phase("p", store=tmp_path, on_event=heard) as opened:
            for item in opened.each(items):
                opened.record(item)
        assert heard.events[0].attempt == number
    assert heard.words == ["opened", "started c", "done c", "closed"]
    assert [one.done for one in heard.events] == [2, 2, 3, 3]


def test_steps_calls_and_errors_are_told(tmp_path: Path) -> None:
    """A step, the intent, answer and failure of a paid call, and the error that ends an attempt are told."""
    heard = Heard()

    def refuses(*, call_id: str) -> str:
        raise OSError(f"refused {len(call_id)}")

    def job() -> None:
        with milepost.Phase("p", store=tmp_path, on_event=heard) as opened:
            opened.step("s", len, ITEMS)
            opened.step("s", len, ITEMS)
            opened.call("good", lambda call_id: call_id, cost_usd=0.5)
            opened.call("bad", refuses, cost_usd=0.25)

    with pytest.raises(OSError, match="refused"):
        job()
    assert heard.words == [
        "opened", "stepped s", "sent good", "answered good", "sent bad", "unanswered bad", "closed",
    ]  # fmt: skip
    sent, answered = heard.events[2], heard.events[3]
    assert (sent.cost_usd, answered.cost_usd, sent.call_id) == (0.5, 0.5, answered.call_id)
    assert heard.events[5].error == heard.events[6].error == "OSError: refused 36"


@pytest.mark.parametrize("kind", ["threads", "tasks"])
def test_parallel_work_tells_starts_retries_and_ends(tmp_path: Path, kind: str) -> None:
    """Each item of a map starts before it ends, a retry is told between, and loops are named."""
    heard = Heard()
    tried: list[str] = []

    def work(item: str) -> str:
        tried.append(item)
        if item == "b" and tried.count("b") == 1:
            raise OSError("once")
        return item

    async def go(opened: milepost.Phase) -> None:
        async def task(item: str) -> str:
            return work(item)

        async for _ in opened.amap(task, ITEMS, name="loop", retries=1, retry_wait_seconds=0):
            pass

    with milepost.Phase("p", store=tmp_path, on_event=heard) as opened:
        if kind == "threads":
            opened.map(work, ITEMS, name="loop", workers=2, retries=1, retry_wait_seconds=0)
        else:
            asyncio.run(go(opened))
    for item in ITEMS:
        own = [str(one.kind) for one in heard.events if one.key == item]
        assert [word for word in own if word != "started"] == (["retried", "done"] if item == "b" else ["done"])
        assert own[0] == "started"
    assert {one.loop for one in heard.events if one.key} == {"loop"}
    assert heard.events[-1].done == 3


def test_nothing_is_told_before_it_is_durable() -> None:
    """At the moment of each event a power cut would leave the record that the event tells of."""
    left = disk()
    told: list[str] = []

    def listen(event: Event) -> None:
        kinds = {
            EventKind.DONE: b'"kind":"done"', EventKind.FAILED: b'"kind":"failed"', EventKind.SENT: b'"kind":"intent"',
            EventKind.COMPLETED: b'"kind":"completed"', EventKind.OPENED: b'"kind":"opened"',
        }  # fmt: skip
        if event.kind in kinds:
            told.append(event.kind)
            kept = _journal(left.crash())
            assert kinds[event.kind] in kept
            assert event.key is None or b'"key":"%s"' % event.key.encode() in kept

    with use(left), phase(on_event=listen) as opened:
        for item in opened.each(ITEMS):
            opened.record(item) if item != "b" else opened.fail("no")
        opened.call("call", lambda call_id: call_id, cost_usd=1)
        opened.complete(3)
    assert told == ["opened", "done", "failed", "done", "sent", "completed"]


def _journal(left: SimulatedDisk) -> bytes:
    return b"".join(data for name, data in left.files().items() if "journal_" in name)


@pytest.mark.parametrize("kind", list(EventKind))
def test_a_listener_that_raises_ends_the_run_and_loses_nothing(tmp_path: Path, kind: EventKind) -> None:
    """Whichever event a listener fails at, what was recorded is kept, the lock is given back, and the job goes on."""
    failed: list[EventKind] = []

    def listen(event: Event) -> None:
        if event.kind is kind:
            failed.append(event.kind)
            raise RuntimeError("the dashboard is down")

    def job(listener: Callable[[Event], None] | None) -> Any:
        with milepost.Phase("p", store=tmp_path, on_event=listener) as opened:
            opened.step("s", len, ITEMS)
            for item in opened.each(ITEMS):
                opened.call(f"ask {item}", lambda call_id: call_id, cost_usd=0.5)
                opened.record(item)
            return opened.complete(lambda: list(opened.results()))

    if kind in {EventKind.FAILED, EventKind.RETRIED, EventKind.REUSED, EventKind.UNANSWERED}:
        assert job(listen) == ITEMS
        assert failed == []
        return
    with pytest.raises(RuntimeError, match="the dashboard is down"):
        job(listen)
    with milepost.open("p", store=tmp_path) as reader:
        recorded = list(reader.results())
    heard = Heard()
    assert job(heard) == ITEMS
    assert [one.key for one in heard.events if one.kind is EventKind.DONE] == ITEMS[len(recorded) :]


def test_several_listeners_hear_in_order() -> None:
    """All listeners hear each event in their order, and where there is none nothing is built."""
    order: list[str] = []
    both = all_of([lambda _: order.append("one"), None, lambda _: order.append("two")])
    assert both is not None
    both(Event(EventKind.OPENED, "p", 0.0))
    assert order == ["one", "two"]
    assert all_of([None, None]) is None


def test_a_workflow_tells_of_all_phases(tmp_path: Path) -> None:
    """The workflow's and the run's listener hear of every phase, and of each one that is reused."""
    always, once = Heard(), Heard()
    flow = milepost.Workflow("w", store=tmp_path, on_event=always)
    flow.phase(name="one")(lambda _phase: 1)
    flow.phase(name="two", after="one")(lambda _phase, number: number)
    flow.run(on_event=once)
    assert [f"{one.kind} {one.phase}" for one in once.events] == [
        "opened one", "completed one", "closed one", "opened two", "completed two", "closed two",
    ]  # fmt: skip
    flow.run()
    assert [f"{one.kind} {one.phase}" for one in always.events[6:]] == ["reused one", "reused two"]
    assert len(once.events) == 6


def test_each_loop_is_counted(tmp_path: Path) -> None:
    """What an event counts of its loop is that loop's alone, restored items included; the phase has the sum."""
    told: list[list[tuple[object, ...]]] = []
    for stop_at in ("y", ""):
        heard = Heard()
        with milepost.Phase("p", store=tmp_path, on_event=heard) as opened:
            for book in opened.each(["x", "y"]):
                for part in opened.each([f"{book}{n}" for n in range(3)], name=book):
                    opened.record(part, key=part, name=book)
                if book == stop_at:
                    break
                opened.record(book, key=book)
        told.append([(one.kind, one.key, one.loop_done, one.loop_total, one.done, one.total) for one in heard.events])
    assert ("started", "x", 0, 2, 0, 2) in told[0]
    assert ("done", "x2", 3, 3, 3, 5) in told[0]
    assert ("done", "x", 1, 2, 4, 5) in told[0]
    assert ("done", "y0", 1, 3, 5, 8) in told[0]
    assert told[1][:2] == [("opened", None, 1, None, 7, None), ("started", "y", 1, 2, 7, 2)]
    assert ("done", "y", 2, 2, 8, 5) in told[1]
