"""Each defect planted into the workflow, or into what a phase does within one, is caught by the check that guards it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import BudgetReached, Changed, MilepostError
from milepost.fs import current, use
from milepost.phase import changes as changes_module
from milepost.phase import completion as completion_module
from milepost.phase.attempt import Attempt
from milepost.phase.limits import Limits
from milepost.phase.loop import Loop
from milepost.phase.settings import Within
from milepost.records import digest
from milepost.run.index import Group, Index
from milepost.run.place import FolderLocation, Place
from milepost.workflow import deciding, frame, planning, running
from milepost.workflow.looking import Look
from milepost.workflow.outcome import Outputs
from tests.support.flow_machine import ROOT, quick_fingerprints
from tests.support.flows import Job, minus
from tests.support.manager_law import Clock, disk

Patch = pytest.MonkeyPatch


class Caught(AssertionError):
    """A guard saw something that must never be."""


def hold(truth: object, law: str) -> None:
    """Raise `Caught` unless the law holds."""
    if not truth:
        raise Caught(law)


# --- the guards


def fresh_outputs() -> None:
    """After every change the outputs are those of a fresh run, and then nothing is left to do."""
    job = Job(ROOT)

    def changes() -> list[Callable[[], None]]:
        return [
            lambda: None,
            lambda: setattr(job, "items", [("a", 1), ("b", 3), ("c", 3)]),
            lambda: setattr(job, "way", minus),
            lambda: setattr(job, "items", job.items[:2]),
            lambda: setattr(job, "items", [*job.items, ("c", 3)]),
            lambda: setattr(job, "items", job.items[::-1]),
            lambda: setattr(job, "scale", 2),
        ]

    for keeps in (False, True):
        with use(disk()):
            job.keeps_items = keeps
            for change in changes():
                change()
                hold(dict(job.run()) == job.expected(), "outputs are those of a fresh run")
                hold(job.run().ran == [], "a finished phase is not entered again")


def items_without_a_loop() -> None:
    """A result that the body makes of its items without a loop is of these items."""
    with use(disk()):
        for items in (["a"], ["a", "b"], ["b"]):
            flow = milepost.Workflow("w", store=ROOT, clock=Clock())
            flow.phase(name="p", items=items)(lambda _phase, given: list(given))
            hold(flow.run()["p"] == items, "the result is of these items")


def items_follow_upstream() -> None:
    """Records of items that hang on an upstream output begin anew with it."""
    with use(disk()):
        for said in ("one", "two"):
            flow = milepost.Workflow("w", store=ROOT, clock=Clock())
            flow.phase(name="a", params={"said": said}, on_change="restart")(lambda _phase, said=said: said)
            flow.phase(name="b", after="a", items=["x"])(_records_upstream)
            hold(flow.run()["b"] == {"x": said}, "an item's record is of the output there is")


def _records_upstream(phase: milepost.Phase, items: list[str], said: str) -> dict[str, str]:
    for _ in phase.each(items):
        phase.record(said)
    return dict(phase.results())


def same_output() -> None:
    """An upstream phase that ran again to the same output makes nothing stale."""
    job = Job(ROOT)
    with use(disk()):
        job.run()
        job.items[0] = ("a", 5)
        hold(job.run().ran == ["gather"], "only what changed runs")


def failures() -> None:
    """Failed items run again, alone where only they are asked for, until they are done."""
    job = Job(ROOT)
    with use(disk()):
        job.fails = {("gather", "b")}
        job.run()
        job.run()
        hold(job.diary.items == [("gather", "b")], "a failed item is tried again")
        job.fails = set()
        job.items.append(("d", 4))
        job.run(retry_failed=True)
        hold(job.diary.items == [("gather", "b")], "only what failed runs")
        hold(dict(job.run()) == job.expected(), "the rest is done by a plain run")


def results_of_all_items() -> None:
    """A result is newer than the records of its items, also where an attempt ended between the two."""
    job = Job(ROOT)

    def end(event: Any) -> None:
        if (event.kind, event.key) == ("done", "b"):
            raise KeyboardInterrupt

    with use(disk()):
        job.fails = {("gather", "b")}
        job.run()
        job.fails = set()
        try:
            job.run(on_event=end)
        except KeyboardInterrupt:
            hold(dict(job.run()) == job.expected(), "the result has the item that was done at last")
        else:
            raise Caught("the failed item is not tried again")


def plans() -> None:
    """A plan writes nothing, enters nothing, and says what the run does."""
    job = Job(ROOT)
    left = disk()
    with use(left):
        job.run()
        for more in ([], [("d", 1)]):
            job.items += more
            job.diary.clear()
            before = left.files()
            plan = job.plan()
            hold(left.files() == before, "a plan writes nothing")
            hold(job.diary.entered == [], "a plan enters no body")
            outputs = job.run()
            hold({one.phase for one in plan.phases if one.action == "reuse"} <= set(outputs.reused), "as planned")
            hold(job.diary.keys("gather") == plan.phases[0].items.new, "the planned items run")


def written_files(folder: Path) -> None:
    """A finished phase whose output is missing is entered again and writes it."""
    flow = milepost.Workflow("w", store=folder / "store", clock=Clock())
    path = folder / "out.txt"

    @flow.phase
    def writes(phase: milepost.Phase) -> None:
        path.write_text("text")
        phase.output(path)

    flow.run()
    path.unlink()
    flow.run()
    hold(path.exists(), "a missing output is written again")


def expiry() -> None:
    """A result older than its ttl is computed anew, and a younger one is not."""
    job = Job(ROOT)
    job.options["gather"] = {"ttl_hours": 1}
    with use(disk()):
        job.run()
        for hours, ran in ((0.5, []), (1.5, ["gather"])):
            job.settings["clock"] = Clock(Clock().now() + hours * 3600)
            hold(job.run().ran == ran, "a result expires when its time is over")


def budget() -> None:
    """The price of all calls of all attempts is within the budget."""
    made: list[str] = []
    with use(disk()):
        for _ in range(3):
            flow = milepost.Workflow("w", store=ROOT, clock=Clock())

            @flow.phase(max_cost_usd=0.5)
            def pays(phase: milepost.Phase) -> None:
                for n in range(9):
                    phase.call(f"c{n}", lambda call_id: made.append(call_id), cost_usd=0.2)

            try:
                flow.run()
            except BudgetReached:
                continue
    hold(len(made) == 2, "no more is spent than the budget allows")


def stopping_at_changes() -> None:
    """A changed parameter stops the run at its phase, and what upstream did is not accepted with it."""
    job = Job(ROOT)
    with use(disk()):
        job.run()
        job.scale = 2
        job.items = job.items[:1]
        job.options["right"] = {"on_change": "stop"}
        try:
            job.run()
        except Changed:
            milepost.bless("right", store=ROOT)
        else:
            raise Caught("a change does not stop the run")
        hold(dict(job.run()) == job.expected(), "a blessed phase still follows its upstream")


def readers_apart() -> None:
    """What one phase changes in an output no other sees."""
    with use(disk()):
        flow = milepost.Workflow("w", store=ROOT, clock=Clock())
        flow.phase(name="a")(lambda _phase: [1])
        flow.phase(name="b", after="a")(lambda _phase, values: values.append(2))
        flow.phase(name="c", after=["a", "b"])(lambda _phase, values, _: values)
        hold(flow.run()["c"] == [1], "each reader has an output of its own")


# --- the defects


def upstream_digest_ignored(patch: Patch) -> None:
    patch.setattr(frame, "Within", lambda workflow, _known, **rest: _within(workflow, {}, **rest))


_within = Within


def upstream_counts_by_its_run(patch: Patch) -> None:
    original = Outputs.put
    count = iter(range(10**6))
    patch.setattr(Outputs, "put", lambda self, phase, value, _: original(self, phase, value, str(next(count))))


def identity_of_items_ignored(patch: Patch) -> None:
    original = deciding.compare_items

    def compare(*arguments: Any) -> Any:
        found = original(*arguments)
        found.identity = ""
        return found

    patch.setattr(deciding, "compare_items", compare)


def order_of_items_ignored(patch: Patch) -> None:
    original = deciding._stale_result
    kind = deciding.ReasonKind.ITEM_SET
    patch.setattr(deciding, "_stale_result", lambda *given: [one for one in original(*given) if one.kind is not kind])


def stored_result_wins_always(patch: Patch) -> None:
    original = digest
    patch.setattr(completion_module, "digest", lambda *_: original(b""))


def declared_items_not_in_the_result(patch: Patch) -> None:
    original = completion_module.complete

    def complete(*given: Any, within: Any, **rest: Any) -> Any:
        return original(*given, within=within._replace(declared=None), **rest)

    patch.setattr("milepost.phase.attempt.complete", complete)


def moved_upstream_keeps_the_run(patch: Patch) -> None:
    patch.setattr(changes_module, "upstream_between", lambda *_: [])


def failures_forgotten(patch: Patch) -> None:
    patch.setattr(Look, "failed_since", lambda _: [])


def only_failed_runs_others(patch: Patch) -> None:
    patch.setattr(Loop, "only_failed", property(lambda _: False, lambda *_: None))


def records_behind_the_result_ignored(patch: Patch) -> None:
    patch.setattr(Index, "newest_item", 0)


def a_plan_writes(patch: Patch) -> None:
    original = planning._plan_phase

    def plan_phase(*given: Any) -> Any:
        store = Place(FolderLocation(ROOT, current()), "planned").made()
        store.replace("planned.json", b"{}")
        store.close()
        return original(*given)

    patch.setattr(planning, "_plan_phase", plan_phase)


def a_plan_calls_all_reused(patch: Patch) -> None:
    original = deciding.decide

    def decide(*given: Any, **rest: Any) -> Any:
        decision = original(*given, **rest)
        decision.action = deciding.Action.REUSE
        return decision

    patch.setattr(planning, "decide", decide)


def new_items_not_planned(patch: Patch) -> None:
    original = deciding.decide

    def decide(*given: Any, **rest: Any) -> Any:
        decision = original(*given, **rest)
        if decision.items is not None:
            decision.items.new = []
        return decision

    patch.setattr(planning, "decide", decide)


def outputs_not_looked_at(patch: Patch) -> None:
    patch.setattr(deciding, "altered_outputs", lambda _: [])


def ttl_ignored(patch: Patch) -> None:
    original = deciding.decide
    patch.setattr(running, "decide", lambda *given, **rest: original(*given, **rest | {"ttl_hours": None}))


def ttl_always_over(patch: Patch) -> None:
    patch.setattr(Look, "completed_at", property(lambda _: 0.0))


def budget_of_each_attempt(patch: Patch) -> None:
    original = Limits.__init__
    spent: list[float] = []

    def init(self: Limits, phase: str, budget: Any, spent_usd: Callable[[], float]) -> None:
        spent.append(spent_usd())
        before = spent[-1]
        original(self, phase, budget, lambda: spent_usd() - before)

    patch.setattr(Limits, "__init__", init)


def changes_not_told(patch: Patch) -> None:
    patch.setattr(deciding, "changes_between", lambda *_: [])
    patch.setattr(changes_module, "changes_between", lambda *_: [])


def bless_accepts_what_upstream_did(patch: Patch) -> None:
    original = changes_module._refuse

    def refuse(session: Any, change: dict[str, Any]) -> None:
        if "description" in change:
            change["description"] |= {"upstream": now["upstream"]}
        original(session, change)

    settle = changes_module.settle_run
    now: dict[str, Any] = {}

    def settle_run(session: Any, description: Any, settings: Any) -> Any:
        now.update({"upstream": {}} | dict(description))
        return settle(session, description, settings)

    patch.setattr(changes_module, "_refuse", refuse)
    patch.setattr("milepost.phase.attempt.settle_run", settle_run)


def outputs_shared(patch: Patch) -> None:
    original = Outputs.put

    def put(self: Outputs, phase: str, value: Callable[[], Any], digest: str) -> None:
        kept = value()
        original(self, phase, lambda: kept, digest)

    patch.setattr(Outputs, "put", put)


def finished_phases_entered(patch: Patch) -> None:
    original = Attempt.complete

    def complete(self: Attempt, value: Any, args: Any, kwargs: Any) -> Any:
        assert self.within is not None, "a workflow's phase is within it"
        self.within = self.within._replace(declared="other")
        return original(self, value, args, kwargs)

    patch.setattr(Attempt, "complete", complete)


def changed_items_reused(patch: Patch) -> None:
    original = Loop._is_done
    patch.setattr(
        Loop, "_is_done", lambda self, ordinal, _: original(self, ordinal, None) or bool(self.group.sequences[ordinal])
    )


def items_of_failures_counted_done(patch: Patch) -> None:
    original = Group.note_failed

    def note_failed(self: Group, key: str, sequence: int) -> None:
        original(self, key, sequence)
        self.failed.pop(key)

    patch.setattr(Group, "note_failed", note_failed)


PLANTED: list[tuple[Callable[[Patch], None], Callable[..., None]]] = [
    (upstream_digest_ignored, fresh_outputs),
    (stored_result_wins_always, fresh_outputs),
    (moved_upstream_keeps_the_run, items_follow_upstream),
    (order_of_items_ignored, fresh_outputs),
    (finished_phases_entered, fresh_outputs),
    (changed_items_reused, fresh_outputs),
    (identity_of_items_ignored, items_without_a_loop),
    (declared_items_not_in_the_result, items_without_a_loop),
    (upstream_counts_by_its_run, same_output),
    (failures_forgotten, failures),
    (items_of_failures_counted_done, failures),
    (only_failed_runs_others, failures),
    (records_behind_the_result_ignored, results_of_all_items),
    (a_plan_writes, plans),
    (a_plan_calls_all_reused, plans),
    (new_items_not_planned, plans),
    (outputs_not_looked_at, written_files),
    (ttl_ignored, expiry),
    (ttl_always_over, expiry),
    (budget_of_each_attempt, budget),
    (changes_not_told, stopping_at_changes),
    (bless_accepts_what_upstream_did, stopping_at_changes),
    (outputs_shared, readers_apart),
]
GUARDS = list(dict.fromkeys(guard for _, guard in PLANTED))


def _outcome(guard: Callable[..., None], folder: Path) -> AssertionError | None:
    try:
        with quick_fingerprints():
            guard(folder) if guard is written_files else guard()
    except AssertionError as error:
        return error
    except MilepostError as error:
        return Caught(repr(error))
    return None


@pytest.mark.parametrize(
    ("plant", "guard"), PLANTED, ids=[f"{plant.__name__}-{guard.__name__}" for plant, guard in PLANTED]
)
def test_each_planted_bug_is_caught(
    plant: Callable[[Patch], None], guard: Callable[..., None], monkeypatch: Patch, tmp_path: Path
) -> None:
    """A defect of a workflow makes the check that guards it fail, by its own word and not by an accident."""
    plant(monkeypatch)
    assert _outcome(guard, tmp_path) is not None


@pytest.mark.parametrize("guard", GUARDS)
def test_no_guard_cries_wolf(guard: Callable[..., None], tmp_path: Path) -> None:
    """Without a planted defect every guard is content."""
    assert _outcome(guard, tmp_path) is None


def test_there_are_enough_defects() -> None:
    """More than twenty different defects are planted."""
    assert len({plant for plant, _ in PLANTED}) > 20
