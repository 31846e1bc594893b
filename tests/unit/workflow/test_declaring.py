"""Declaring phases: names, order, and everything that is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import InvalidArgument, NotEncodable, PhaseFailed
from tests.support.flows import Job


def _body(phase: milepost.Phase, *_: Any) -> str:
    return phase.name


def _flow(tmp_path: Path, *edges: tuple[str, list[str]]) -> milepost.Workflow:
    flow = milepost.Workflow("w", store=tmp_path / "store")
    for name, after in edges:
        flow.phase(name=name, after=after)(_body)
    return flow


def test_a_phase_comes_behind_what_it_builds_on_else_as_declared(tmp_path: Path) -> None:
    """The order is that of the dependencies, and among independent phases that of declaration."""
    assert _flow(tmp_path, ("d", ["c"]), ("b", []), ("a", []), ("c", ["a", "b"])).phases == ["b", "a", "c", "d"]


def test_a_plain_decorator_declares_by_the_name_of_the_function(job: Job) -> None:
    """The decorator gives the function back, and its name is the phase's."""
    flow = job.built()

    @flow.phase
    def alone(phase: milepost.Phase) -> int:
        return len(phase.name)

    assert flow.phases == ["gather", "alone", "left", "right", "join"]
    assert callable(alone)


def test_after_takes_the_function_of_a_phase_with_another_name(tmp_path: Path) -> None:
    """A function stands for the phase that it is the body of, whatever the phase is called."""
    flow = milepost.Workflow("w", store=tmp_path / "store")

    @flow.phase(name="first step")
    def one(phase: milepost.Phase) -> int:
        return len(phase.name)

    @flow.phase(after=one)
    def two(phase: milepost.Phase, length: int) -> list[Any]:
        return [phase.name, length]

    assert dict(flow.run()) == {"first step": 10, "two": ["two", 10]}


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda flow: flow.phase(name="gather")(_body), "'gather' is declared twice"),
        (lambda flow: flow.phase(name="..")(_body), "needs a name"),
        (lambda flow: flow.phase(name="x", upstream="drop")(_body), "one of restart, keep_items is needed"),
        (lambda flow: flow.phase(name="x", retries=-1)(_body), "retries=-1"),
        (lambda flow: flow.phase(name="x", retry_wait_seconds=-1)(_body), "retry_wait_seconds=-1"),
        (lambda flow: flow.phase(name="x", timeout_seconds=-1)(_body), "timeout_seconds -1"),
        (lambda flow: flow.phase(name="x", max_cost_usd="1")(_body), "max_cost_usd '1'"),
        (lambda flow: flow.phase(name="x", max_seconds=float("nan"))(_body), "max_seconds nan"),
        (lambda flow: flow.phase(name="x", ttl_hours=-2)(_body), "ttl_hours -2"),
        (lambda flow: flow.phase(name="x", on_change="perhaps")(_body), "'stop', 'restart' or 'keep'"),
        (lambda flow: flow.phase(name="x", after=_body)(_body), "is the body of 0 phases"),
        (lambda flow: flow.run(jobs=0), "jobs=0"),
        (lambda flow: flow.run(only="nothing"), "has no phase 'nothing'; there are gather, left, right, join"),
        (lambda flow: flow.run(start="join", to="gather"), "no phase is between 'join' and 'gather'"),
        (lambda flow: flow.run(on_change="perhaps"), "'stop', 'restart' or 'keep'"),
        (lambda flow: flow.run(params={"x": "1"}, store="nfs://bucket"), "no store of this kind"),
    ],
)
def test_what_cannot_be_worked_with_is_refused(
    job: Job, declare: Callable[[milepost.Workflow], Any], words: str
) -> None:
    """A declaration or a call that makes no sense is refused by name, before anything is written."""
    with pytest.raises(InvalidArgument, match=words):
        declare(job.built())
    assert not Path(job.store).exists()


def test_bodies_that_give_no_output_are_refused(tmp_path: Path) -> None:
    """Coroutine and generator functions are refused when they are declared, and what has no name needs one."""
    flow = milepost.Workflow("w", store=tmp_path / "store")

    async def waits(phase: milepost.Phase) -> str:
        return phase.name

    def yields(phase: milepost.Phase) -> Iterator[str]:
        yield phase.name

    for body in (waits, yields):
        with pytest.raises(InvalidArgument, match="use a plain function"):
            flow.phase(body)
    with pytest.raises(InvalidArgument, match="needs a name"):
        flow.phase(partial(_body))
    with pytest.raises(InvalidArgument, match="declares no phase"):
        flow.run()
    flow.phase(name="named")(partial(_body))
    assert flow.run()["named"] == "named"


def test_an_output_that_cannot_be_stored_is_named_with_its_phase(tmp_path: Path) -> None:
    """The message says which phase gave it, and which part of it."""
    flow = milepost.Workflow("w", store=tmp_path / "store")
    flow.phase(name="p")(lambda _phase: {"here": object()})
    with pytest.raises(NotEncodable, match=r"^p: result\.here: object") as caught:
        flow.run()
    assert caught.value.phase == "p"


def test_an_unknown_phase_and_a_circle_are_named(tmp_path: Path) -> None:
    """A dependency that is not declared is named with those that are, and a circle from phase to phase."""
    with pytest.raises(InvalidArgument, match="'b' comes after 'nowhere', which is not declared; there are a, b"):
        _ = _flow(tmp_path, ("a", []), ("b", ["nowhere"])).phases
    with pytest.raises(InvalidArgument, match=r"come after each other: (a -> b -> a|b -> a -> b)"):
        _flow(tmp_path, ("a", ["b"]), ("b", ["a"])).run()
    with pytest.raises(InvalidArgument, match="come after each other: a -> a"):
        _flow(tmp_path, ("a", ["a"])).plan()


def test_items_that_are_no_list_are_refused(tmp_path: Path) -> None:
    """Text and single values are no items, and the message says what was given."""
    for items in ("text", 3, lambda: None):
        flow = milepost.Workflow("w", store=tmp_path / "store")
        flow.phase(name="p", items=items)(_body)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument, match=r"items= gave a (str|int|NoneType); a list of items is needed"):
            flow.run()


def test_an_iterator_of_items_serves_more_than_once(tmp_path: Path) -> None:
    """A generator given as items is the same list for a plan, a run and a second run."""
    flow = milepost.Workflow("w", store=tmp_path / "store")

    @flow.phase(items=(text for text in ("a", "b")))
    def p(phase: milepost.Phase, items: list[str]) -> list[str]:
        for item in phase.each(items):
            phase.record(item)
        return list(phase.results())

    assert flow.plan().phases[0].items is not None
    assert flow.run()["p"] == ["a", "b"]
    assert flow.plan().is_finished


def test_the_store_may_follow_from_the_config(tmp_path: Path) -> None:
    """A function of the config says where runs are kept, and an argument goes before it."""
    flow = milepost.Workflow("w", store=lambda config: tmp_path / config["where"], config={"where": "here"})
    flow.phase(name="p")(_body)
    assert flow.store_for() == tmp_path / "here"
    assert flow.store_for({"where": "there"}) == tmp_path / "there"
    assert flow.store_for(store=tmp_path / "else") == tmp_path / "else"
    flow.run(params={"where": "there"})
    assert (tmp_path / "there" / "p").is_dir()


def test_what_is_wrong_with_a_later_phase_is_told_before_the_first_runs(tmp_path: Path) -> None:
    """Parameters that are none are refused before any body is entered."""
    flow = milepost.Workflow("w", store=tmp_path / "store")
    entered = []
    flow.phase(name="first")(lambda _phase: entered.append(1))
    flow.phase(name="second", after="first", params=1)(lambda _phase: None)
    with pytest.raises(InvalidArgument, match="params must be"):
        flow.run()
    assert entered == []


def test_a_declared_function_that_raises_is_named_with_its_phase(tmp_path: Path) -> None:
    """An error in items= names phase and option, in a run and in a plan, and is the cause."""
    flow = milepost.Workflow("w", store=tmp_path / "store")
    flow.phase(name="p", items=lambda: [1 / 0])(lambda _phase, _items: None)
    for ask in (flow.run, flow.plan):
        with pytest.raises(PhaseFailed, match=r"^p: what was declared as items= raised ZeroDivisionError") as caught:
            ask()
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_body_may_return_its_results(tmp_path: Path) -> None:
    """Results that a body returns, or completes with, are stored as the dict that they are."""
    flow = milepost.Workflow("w", store=tmp_path / "store")

    @flow.phase(items=["a", "b"])
    def read(phase: milepost.Phase, items: list[str]) -> object:
        for item in phase.each(items):
            phase.record(item.upper())
        return phase.results()

    assert flow.run()["read"] == {"a": "A", "b": "B"}
