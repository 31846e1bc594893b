"""A plan: what a run would do and why, without entering a body or writing a byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import Changed, MilepostError
from milepost.workflow.deciding import Action, Decision
from milepost.workflow.planning import _to_run
from tests.support.flows import PHASES, Job, minus, untouched


def _change_item(job: Job) -> None:
    job.items[1] = ("b", 9)


def _add_and_remove(job: Job) -> None:
    job.items = [*job.items[1:], ("d", 1)]


def _scale(job: Job) -> None:
    job.scale = 3


def _code(job: Job) -> None:
    job.way = minus


def _nothing(_job: Job) -> None:
    pass


CHANGES: list[tuple[Callable[[Job], None], list[str], list[str]]] = [
    (_nothing, ["reuse", "reuse", "reuse", "reuse"], []),
    (_change_item, ["resume", "wait", "wait", "wait"], ["item changed: b"]),
    (_add_and_remove, ["resume", "wait", "wait", "wait"], ["item new: d", "item removed: a"]),
    (_scale, ["reuse", "reuse", "again", "wait"], ["parameter changed: scale: 1 -> 3"]),
    (_code, ["reuse", "again", "reuse", "wait"], ["code changed: "]),
]


@pytest.mark.parametrize(("change", "actions", "why"), CHANGES, ids=[one.__name__ for one, _, _ in CHANGES])
def test_a_plan_says_what_a_run_does_and_why(
    job: Job, change: Callable[[Job], None], actions: list[str], why: list[str]
) -> None:
    """Each change gives its action and its reason, nothing is written or entered, and the run does what was said."""
    job.run()
    change(job)
    job.diary.clear()
    with untouched(Path(job.store)):
        plan = job.plan()
    assert job.diary.entered == []
    assert [one.action for one in plan.phases] == actions
    reasons = [str(one) for entry in plan.phases for one in entry.reasons if entry.action != "wait"]
    assert len([one for one in reasons if any(one.startswith(text) for text in why)]) == len(reasons)
    assert len(reasons) >= len(why)
    assert plan.is_finished is (change is _nothing)
    outputs = job.run()
    assert {one.phase for one in plan.phases if one.action == "reuse"} <= set(outputs.reused)
    assert {one.phase for one in plan.phases if one.action in ("resume", "again")} <= set(outputs.ran)
    first = plan.phases[0].items
    assert job.diary.keys("gather") == [*first.changed, *first.new]


def test_items_are_told_by_what_becomes_of_them(job: Job) -> None:
    """Of a phase with declared items a plan names the new, changed, failed and removed ones, and counts the others."""
    job.fails = {("gather", "b")}
    job.run()
    job.items = [("b", 2), ("c", 8), ("d", 1)]
    items = job.plan().phases[0].items
    assert (items.total, items.reused, items.to_run) == (3, 0, 3)
    assert (items.failed, items.changed, items.new, items.removed) == (["b"], ["c"], ["d"], ["a"])


def test_items_that_hang_on_a_phase_that_runs_first_are_unknown(job: Job) -> None:
    """Before the first run, and where an upstream phase runs, items made of its output are None."""
    plan = job.plan()
    assert [one.items is None for one in plan.phases] == [False, True, True, True]
    assert [one.action for one in plan.phases] == ["start", "wait", "wait", "wait"]
    assert plan.unpriced == PHASES
    job.run()
    assert job.plan().phases[2].items.total == 3


def test_a_plan_prices_what_runs_by_the_history(tmp_path: Path) -> None:
    """Dollars are those of recorded items on average, certain where a phase runs and possible where it waits."""
    items = ["a", "b"]

    def built() -> milepost.Workflow:
        flow = milepost.Workflow("w", store=tmp_path)

        @flow.phase(items=items)
        def pays(phase: milepost.Phase, items: list[str]) -> list[str]:
            for item in phase.each(items):
                phase.record(phase.call(f"ask {item}", _ask, cost_usd=0.5))
            return list(phase.results())

        @flow.phase(after=pays)
        def counts(phase: milepost.Phase, keys: list[str]) -> int:
            phase.call("count", _ask, cost_usd=0.25)
            return len(keys)

        return flow

    built().run()
    assert (built().plan().cost_usd, built().plan().possible_cost_usd) == (0, 0)
    items += ["c", "d", "e"]
    plan = built().plan()
    assert (plan.cost_usd, plan.possible_cost_usd, plan.unpriced) == (1.5, 0.25, [])
    assert plan.seconds >= 0
    fresh = built().plan(fresh=True)
    assert fresh.cost_usd == 2.75


def _ask(*, call_id: str) -> str:
    return call_id


def test_a_waiting_phase_is_priced_as_if_it_begins_anew(job: Job) -> None:
    """Items of a phase that waits may all run, unless it keeps them."""
    for keeps, seconds in ((False, 3), (True, 0)):
        job.keeps_items = keeps
        job.run(fresh=True)
        entry = job.plan(fresh=False).phases[2]
        assert entry.action is Action.REUSE
        assert _to_run(Decision(Action.WAIT, items=entry.items), keeps_items=keeps) == seconds


def test_a_plan_with_the_word_stop_says_so_and_the_run_stops(job: Job) -> None:
    """Where a change stops a run, the plan says so for that phase and lets those behind it wait."""
    job.run()
    job.scale = 5
    job.options["right"] = {"on_change": "stop"}
    with untouched(Path(job.store)):
        plan = job.plan()
    assert [one.action for one in plan.phases] == ["reuse", "reuse", "stop", "wait"]
    with pytest.raises(Changed):
        job.run()


def test_a_plan_beside_a_running_writer_neither_waits_nor_disturbs(job: Job) -> None:
    """While a phase is open for writing, a plan reads it as it stands, and the writer goes on."""
    plans: list[Any] = []
    job.work = lambda phase, key: plans.append(job.plan()) if (phase, key) == ("gather", "c") else None
    assert dict(job.run()) == job.expected()
    entry = plans[0].phases[0]
    assert (entry.action, entry.done, entry.items.new) == ("resume", 2, ["c"])


def test_a_plan_after_every_kind_of_end_agrees_with_the_run(job: Job) -> None:
    """After an error in any phase, the plan names what the next run enters first, and the items it works on."""
    for phase in PHASES:

        def fail(name: str, key: str, phase: str = phase) -> None:
            if name == phase and key != "a":
                raise OSError

        job.work = fail
        with pytest.raises(MilepostError):
            job.run()
        job.work = lambda _phase, _key: None
        with untouched(Path(job.store)):
            plan = job.plan()
        entry = next(one for one in plan.phases if one.action != "reuse")
        assert entry.phase == phase
        assert job.run().ran[0] == phase
        if entry.items is not None:
            assert job.diary.keys(phase) == entry.items.new
        job.store = Path(job.store).parent / f"behind {phase}"


def test_a_plan_tells_where_a_budget_ends(tmp_path: Path) -> None:
    """Where what is left costs more than what is left of the budget, the plan says that the phase stops before."""
    for budget, exceeds in ((0.25, True), (1.0, False)):
        flow = milepost.Workflow("w", store=tmp_path / "store")

        @flow.phase(items=["a", "b", "c", "d"], max_cost_usd=budget)
        def pay(phase: milepost.Phase, items: list[str]) -> None:
            for item in phase.each(items):
                phase.record(phase.call(item, lambda call_id: 1, cost_usd=0.1))

        if exceeds:
            with pytest.raises(milepost.BudgetReached):
                flow.run()
        (planned,) = flow.plan().phases
        assert (planned.spent_usd, planned.max_cost_usd, planned.exceeds_budget) == (0.2, budget, exceeds)
