"""Running a workflow: outputs handed on, phases reused, and what a run may be limited to."""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import (
    DamageError,
    ForeignRun,
    InvalidArgument,
    MilepostError,
    NotEncodable,
    PhaseFailed,
    RunLocked,
    StaleState,
)
from milepost.workflow.looking import Look
from tests.support.flows import PHASES, Job


def test_outputs_are_handed_on_and_no_finished_phase_is_entered_again(job: Job) -> None:
    """A first run enters each phase once, and a second one enters none and gives the same outputs."""
    first = job.run()
    assert dict(first) == job.expected()
    assert job.diary.entered == first.ran == PHASES
    second = job.run()
    assert dict(second) == job.expected()
    assert (job.diary.entered, second.ran, second.reused) == ([], [], PHASES)
    assert list(second) == PHASES


def test_a_run_goes_on_in_the_right_phase_and_item(job: Job) -> None:
    """After a failure in an item only that item, those behind it and what builds on them run."""

    def fail(phase: str, key: str) -> None:
        if (phase, key) == ("right", "b"):
            raise OSError("out of luck")

    job.work = fail
    with pytest.raises(PhaseFailed, match=r"right: OSError: out of luck\. Everything recorded is safe") as caught:
        job.run()
    assert isinstance(caught.value.__cause__, OSError)
    job.work = lambda _phase, _key: None
    assert dict(job.run()) == job.expected()
    assert job.diary.items == [("right", "b"), ("right", "c")]
    assert job.diary.entered == ["right", "join"]


def test_a_reused_output_is_read_only_when_it_is_asked_for(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in which nothing is entered decodes no output, and reading one decodes that one."""
    job.run()
    read: list[str] = []
    original = Look.result

    def result(self: Any) -> Any:
        read.append(self.phase)
        return original(self)

    monkeypatch.setattr(Look, "result", result)
    outputs = job.run(only=["gather", "left", "join"])
    assert read == []
    assert outputs["left"] == job.expected()["left"]
    assert read == ["left"]


def test_no_second_index_is_kept_while_a_phase_is_at_work(job: Job) -> None:
    """What was read to decide on a phase is let go before its body is entered."""
    held: list[int] = []

    def work(_phase: str, key: str) -> None:
        if not key:
            held.append(sum(type(one) is Look for one in gc.get_objects()))

    job.work = work
    job.run()
    assert held == [0, 0, 0, 0]


def test_what_one_phase_changes_in_an_output_no_other_sees(tmp_path: Path) -> None:
    """Each reader gets an output of its own, so that a resumed run sees what the uninterrupted one saw."""
    flow = milepost.Workflow("w", store=tmp_path / "store")

    @flow.phase
    def source(_phase: milepost.Phase) -> list[int]:
        return [1]

    @flow.phase(after=source)
    def spoils(_phase: milepost.Phase, values: list[int]) -> list[int]:
        values.append(2)
        return values

    @flow.phase(after=[source, spoils])
    def reads(_phase: milepost.Phase, values: list[int], _: list[int]) -> list[int]:
        return values

    outputs = flow.run()
    assert (outputs["reads"], outputs["source"], outputs["spoils"]) == ([1], [1], [1, 2])


@pytest.mark.parametrize(
    ("wishes", "entered"),
    [
        ({"only": "left"}, ["left"]),
        ({"only": ["join", "right"]}, ["right", "join"]),
        ({"start": "left"}, ["left", "join"]),
        ({"to": "left"}, ["gather", "left"]),
        ({"start": "right", "to": "right"}, ["right"]),
        ({}, PHASES),
    ],
)
def test_a_run_is_limited_to_what_is_asked_for(job: Job, wishes: dict[str, Any], entered: list[str]) -> None:
    """Fresh phases are those between start and to, or those named, and their outputs are whole."""
    job.run()
    outputs = job.run(fresh=True, **wishes)
    assert job.diary.entered == entered
    assert {name: outputs[name] for name in entered} == {name: job.expected()[name] for name in entered}


def test_what_a_run_leaves_out_must_be_finished(job: Job) -> None:
    """A run and a plan that leave out an unfinished phase that is needed name it, and write nothing."""
    for act in (job.run, job.plan):
        with pytest.raises(InvalidArgument, match="'gather' is not finished, and this run leaves it out"):
            act(start="left")
    assert not Path(job.store).exists()


def test_an_output_that_is_gone_or_another_one_is_refused(job: Job) -> None:
    """An output read later is the one that this run knows of, or an error that says why not."""
    job.run()
    outputs = job.run()
    job.items = [("z", 1)]
    job.run()
    with pytest.raises(StaleState, match="left: its result is not the one that this run knows of"):
        outputs["left"]
    with pytest.raises(KeyError):
        outputs["nowhere"]


@pytest.mark.parametrize("disable", ["argument", "variable"])
def test_switched_off_it_is_plain_calls(job: Job, disable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched off, phases are entered in order each time, outputs are the same, and nothing is written."""
    if disable == "argument":
        job.settings["enabled"] = False
    else:
        monkeypatch.setenv("MILEPOST_DISABLE", "1")
    for _ in range(2):
        assert dict(job.run()) == job.expected()
        assert job.diary.entered == PHASES
        assert [one.action for one in job.plan().phases] == ["start", "wait", "wait", "wait"]
    assert not Path(job.store).exists()


def test_switched_off_nothing_needs_a_stored_form(tmp_path: Path) -> None:
    """Switched off, items, parameters and outputs may be anything at all."""
    thing = object()
    flow = milepost.Workflow("w", store=tmp_path / "store", enabled=False, config={"thing": thing})

    @flow.phase(items=[thing], key=lambda _: "thing")
    def p(phase: milepost.Phase, items: list[object], *, config: dict[str, object]) -> list[object]:
        for item in phase.each(items):
            phase.record(item)
        return [*phase.results().values(), config["thing"]]

    flow.phase(name="q", after=p)(lambda _phase, things: things)
    assert flow.run(jobs=2)["q"] == [thing, thing]
    assert [one.action for one in flow.plan().phases] == ["start", "wait"]


def test_a_body_may_complete_its_phase_itself(tmp_path: Path) -> None:
    """What `complete` gave is the output, whatever the body returns behind it, in the first run and in the next."""
    flow = milepost.Workflow("w", store=tmp_path / "store")

    @flow.phase(items=["a", "b"])
    def p(phase: milepost.Phase, items: list[str]) -> str:
        for item in phase.each(items):
            phase.record(item)
        phase.complete(lambda results: sorted(results), phase.results())
        return "something else"

    assert flow.run()["p"] == ["a", "b"]
    again = flow.run()
    assert (again["p"], again.reused) == (["a", "b"], ["p"])


def test_a_refused_completion_is_no_completion(tmp_path: Path) -> None:
    """A body that swallows the refusal of its result has what it returns as its output, never an older result."""
    for given in (["a"], ["a", "b"]):
        flow = milepost.Workflow("w", store=tmp_path / "store")

        @flow.phase(items=given)
        def p(phase: milepost.Phase, items: list[str]) -> list[str]:
            for item in phase.each(items):
                phase.record(item)
            with suppress(NotEncodable):
                phase.complete(object())
            return list(phase.results())

        assert flow.run()["p"] == given


def test_two_loops_and_a_phase_without_any_may_stand_in_one_workflow(tmp_path: Path) -> None:
    """A phase may have several loops, and its result is computed anew when an item of either changes."""
    numbers = {"one": ["a", "b"], "two": ["c"]}
    entered: list[str] = []

    def built() -> milepost.Workflow:
        flow = milepost.Workflow("w", store=tmp_path / "store", config=numbers)

        @flow.phase(items=lambda config: config["one"], params=lambda _config: None)
        def loops(phase: milepost.Phase, items: list[str], *, config: dict[str, list[str]]) -> list[str]:
            for item in phase.each(items):
                entered.append(item)
                phase.record(item)
            for item in phase.each(config["two"], name="second"):
                entered.append(item)
                phase.record(item)
            return [*phase.results(), *phase.results("second")]

        return flow

    assert built().run()["loops"] == ["a", "b", "c"]
    numbers["one"] = ["b", "d"]
    assert built().run()["loops"] == ["b", "d", "c"]
    assert entered == ["a", "b", "c", "d"]


def test_a_folder_of_a_manager_a_locked_and_a_damaged_run_stop_the_workflow(job: Job) -> None:
    """What cannot be written stops the run by its own error, phases before it are done, and nothing is thrown away."""
    manager = milepost.CheckpointManager("right", Path(job.store))
    manager.save_checkpoint(1, {"a": 1})
    with pytest.raises(ForeignRun):
        job.run()
    assert job.diary.entered == ["gather", "left"]
    manager.clear_all_checkpoints()
    job.store = Path(job.store).parent / "other"
    with milepost.Phase("right", store=job.store), pytest.raises(RunLocked):
        job.run()
    assert job.diary.entered == ["gather", "left"]
    assert dict(job.run()) == job.expected()
    journal = Path(job.store) / "right" / "journal_000001.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"key":"b"', b'"key":"x"'))
    for act in (job.run, job.plan):
        with pytest.raises(DamageError):
            act()


def test_a_body_that_swallows_errors_of_its_items_ends_as_it_says(job: Job) -> None:
    """An error of Milepost in an item that the body records as a failure is a failure, tried again by the next run."""

    def refuse(phase: str, key: str) -> None:
        if phase == "gather" and key == "b":
            raise MilepostError("not today")

    job.work = refuse
    with pytest.raises(MilepostError, match="not today"):
        job.run()
    assert job.diary.keys("gather") == ["a", "b"]
    job.work = lambda _phase, _key: None
    job.run()
    assert job.diary.keys("gather") == ["b", "c"]


def test_phases_that_went_are_told(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    """A phase that was renamed or removed is named with what to do, in the log of a run and in a plan."""
    flow = milepost.Workflow("diamond", store=job.store)
    flow.phase(name="collect")(lambda _phase: 1)
    flow.run()
    caplog.clear()
    assert job.plan().gone == ["collect"]
    job.run()
    assert "collect was made by this workflow and no longer in it" in caplog.text
    assert "name='collect'" in caplog.text
