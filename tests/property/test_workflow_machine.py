"""`Workflow` against a model: whatever changes and ends between its runs, outputs are fresh ones and work is not done twice."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from hypothesis.stateful import run_state_machine_as_test as check_machine

from milepost.errors import PhaseFailed
from milepost.fs import use
from milepost.testing import SimulatedCrash, legal_states
from tests.support.flow_machine import ROOT, Model, quick_fingerprints
from tests.support.flows import PHASES, Item, Job, minus, plus
from tests.support.manager_law import disk, no_damage_told
from tests.support.phase_machine import Fused, Trouble

KEYS = ["a", "b", "c", "d"]
ITEMS = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 9)), max_size=4, unique_by=lambda item: item[0])
NEW_ITEMS = st.one_of(st.none(), ITEMS)
ENDS = st.sampled_from([OSError, KeyboardInterrupt])
MOMENTS = st.one_of(st.integers(1, 12), st.integers(1, 120))
DEATHS = st.builds(Trouble, MOMENTS, st.sampled_from(["before", "after"]), st.none())
STATES_TRIED = 30


class WorkflowMachine(RuleBasedStateMachine):
    """Changes a diamond of phases between its runs, and ends runs at any moment."""

    endings: ClassVar[Counter[str]] = Counter()

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.stack.enter_context(no_damage_told())
        self.stack.enter_context(quick_fingerprints())
        self.disk = disk()
        self.job = Job(ROOT)
        self.model = Model()

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.job.fails = set()
            self.finish()
            self.stack.close()

    # --- what changes between runs

    @rule(items=ITEMS)
    def change_items(self, items: list[Item]) -> None:
        self.job.items = items

    @rule(place=st.integers(0, 3), version=st.integers(0, 9))
    def change_item(self, place: int, version: int) -> None:
        items = list(self.job.items)
        if place < len(items):
            items[place] = (items[place][0], version)
        self.job.items = items

    @rule(scale=st.integers(1, 2))
    def change_parameter(self, scale: int) -> None:
        self.job.scale = scale

    @rule(way=st.sampled_from([plus, minus]))
    def change_code(self, way: Any) -> None:
        self.job.way = way

    @rule(fails=st.sets(st.tuples(st.sampled_from(["gather", "right"]), st.sampled_from(KEYS)), max_size=2))
    def change_failures(self, fails: set[tuple[str, str]]) -> None:
        self.job.fails = fails

    # --- runs

    @rule()
    def run(self) -> None:
        self.go()

    @rule(items=NEW_ITEMS, place=st.integers(1, 9), ending=ENDS)
    def run_into_an_error(self, items: list[Item] | None, place: int, ending: type[BaseException]) -> None:
        self.job.items = self.job.items if items is None else items
        self.go(place=place, ending=ending)

    @rule(items=NEW_ITEMS, death=DEATHS)
    def run_and_die(self, items: list[Item] | None, death: Trouble) -> None:
        self.job.items = self.job.items if items is None else items
        self.go(death=death)

    @rule(items=NEW_ITEMS, death=DEATHS, state=st.integers(0, 1000))
    def run_and_lose_power(self, items: list[Item] | None, death: Trouble, state: int) -> None:
        self.job.items = self.job.items if items is None else items
        self.go(death=death, power=state)

    @rule()
    def finish(self) -> None:
        """Run to the end, twice; without failures nothing is left to do."""
        outputs = self.go()
        if not self.job.fails and outputs is not None:
            assert outputs == self.job.expected(), "the outputs are not those of a fresh run"
            self.go()
            assert self.job.diary.entered == [], "a finished phase is entered again"

    def go(
        self,
        *,
        place: int | None = None,
        ending: type[BaseException] = OSError,
        death: Trouble | None = None,
        power: int | None = None,
    ) -> Any:
        """Plan, run with the given ending, and compare with the plan and the model."""
        job, model = self.job, self.model
        files = Fused(self.disk)
        with use(self.disk):
            model.begin(job, self.disk)
            before = self.disk.files()
            plan = job.plan()
            assert self.disk.files() == before, "a plan writes"
        met: list[str] = []

        def work(phase: str, key: str) -> None:
            if key:
                model.work(phase, key)
            met.append(phase)
            if len(met) == place:
                raise ending

        job.work = work
        files.arm(death)
        died = False
        outputs: Any = None
        values: dict[str, Any] | None = None
        try:
            with use(files):
                outputs = job.run()
                values = dict(outputs)
            self.endings["whole"] += 1
        except (PhaseFailed, KeyboardInterrupt):
            assert len(met) == place, "nothing was wrong"
            self.endings["error"] += 1
        except SimulatedCrash:
            self.endings["death"] += 1
            died = True
            states = [None] if power is None else list(legal_states(self.disk, STATES_TRIED))
            chosen = states[(power or 0) % len(states)]
            self.disk = self.disk.killed() if chosen is None else self.disk.crash(chosen)
        assert model.twice == [], "what was recorded is worked on again"
        self.note_records()
        if died:
            model.die()
        self.agree(plan, outputs)
        return values

    def note_records(self) -> None:
        """Know what the events said is durable."""
        for event in self.job.diary.events:
            if event.kind == "done" and event.key is not None:
                self.model.record(event.phase, event.key)
            elif event.kind == "failed" and event.key is not None:
                self.model.done[event.phase].pop(event.key, None)

    def agree(self, plan: Any, outputs: Any) -> None:
        """Compare what ran with what was planned."""
        diary = self.job.diary
        for entry in plan.phases:
            if entry.action == "reuse":
                assert entry.phase not in diary.entered, "a phase that was to be reused is entered"
                assert outputs is None or entry.phase in outputs.reused
            elif entry.action in ("start", "resume", "again"):
                assert outputs is None or entry.phase in outputs.ran, "a phase that was to run did not"
                if entry.items is not None:
                    to_run = {*entry.items.new, *entry.items.changed, *entry.items.failed}
                    ran = diary.keys(entry.phase)
                    assert set(ran) <= to_run, "an item ran that was not planned"
                    assert outputs is None or sorted(ran) == sorted(to_run), "a planned item did not run"
        if outputs is not None:
            assert set(outputs.ran) | set(outputs.reused) == set(PHASES)


class KeepingMachine(WorkflowMachine):
    """The same, where a changed upstream output keeps the items."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        self.job.keeps_items = True


SETTINGS = settings(max_examples=30, stateful_step_count=15, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("machine", [WorkflowMachine, KeepingMachine])
def test_a_workflow_does_what_its_model_says(machine: type[WorkflowMachine]) -> None:
    """Through changes, errors and deaths, outputs are those of a fresh run, nothing runs twice, and plans come true."""
    check_machine(machine, settings=SETTINGS)
    assert machine.endings["whole"] > machine.endings["error"] + machine.endings["death"] > 0, machine.endings


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("machine", [WorkflowMachine, KeepingMachine])
def test_a_workflow_does_so_for_a_long_time(machine: type[WorkflowMachine]) -> None:
    """The same, with a hundred times the examples."""
    check_machine(machine, settings=settings(SETTINGS, max_examples=2500, stateful_step_count=25))
    assert machine.endings["whole"] > machine.endings["error"] + machine.endings["death"] > 0, machine.endings
