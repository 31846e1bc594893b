"""What makes a finished phase stale, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import PhaseFailed
from milepost.workflow.deciding import ReasonKind
from tests.support.flows import Job, minus
from tests.support.manager_law import Clock


def test_an_upstream_that_ran_again_to_the_same_output_makes_nothing_stale(job: Job) -> None:
    """Items that change and come to the same output are worked on, and no phase behind is entered."""
    job.run()
    job.items = [("a", 5), ("b", 2), ("c", 3)]  # 5 and 1 give the same
    outputs = job.run()
    assert job.diary.items == [("gather", "a")]
    assert (outputs.ran, outputs.reused) == (["gather"], ["left", "right", "join"])
    assert dict(outputs) == job.expected()
    job.run(only="gather", fresh=True)
    assert job.run().ran == []


def test_a_changed_output_makes_stale_what_builds_on_it_and_no_more(job: Job) -> None:
    """The phases behind a changed output begin anew, up to where an output is as before."""
    job.run()
    job.items = [("a", 2), ("b", 1), ("c", 3)]  # the sum is the same, the items of right are not
    outputs = job.run()
    assert (outputs.ran, outputs.reused) == (["gather", "left", "right", "join"], [])
    assert job.diary.keys("right") == ["a", "b", "c"]
    assert dict(outputs) == job.expected()
    job.way = minus
    assert job.run().ran == ["left", "join"]


def test_keep_items_keeps_the_records_of_unchanged_items(job: Job) -> None:
    """With keep_items a changed upstream output costs the items that it changed, and the result is computed anew."""
    job.keeps_items = True
    job.run()
    job.items = [("a", 2), ("b", 2), ("d", 3)]
    outputs = job.run()
    assert job.diary.keys("right") == ["a", "d"]
    assert dict(outputs) == job.expected()
    assert job.run().ran == []


def test_keep_items_interrupted_behind_the_acceptance_is_still_stale(job: Job) -> None:
    """A run that accepted new upstream outputs and ended before its result does not have the old one reused."""
    job.keeps_items = True
    job.run()
    job.items = job.items[:2]

    def fail(phase: str, _: str) -> None:
        if phase == "right":
            raise OSError

    job.work = fail
    with pytest.raises(PhaseFailed):
        job.run()
    job.work = lambda _phase, _key: None
    assert "right" not in [one.phase for one in job.plan().phases if one.action == "reuse"]
    assert dict(job.run()) == job.expected()
    assert job.run().ran == []


def test_items_matter_though_the_body_does_not_loop(tmp_path: Path) -> None:
    """Added, removed, returned and reordered items make a result stale, however the body uses them."""
    entered: list[int] = []

    def run(items: list[str]) -> Any:
        flow = milepost.Workflow("w", store=tmp_path / "store")

        @flow.phase(items=items)
        def p(_phase: milepost.Phase, given: list[str]) -> list[str]:
            entered.append(1)
            return list(given)

        return flow.run()["p"]

    for number, items in enumerate([["a", "b"], ["a"], ["a", "b"], ["b", "a"], ["b", "a", "c"]], 1):
        assert run(items) == items
        assert run(items) == items
        assert len(entered) == number


def test_an_item_that_came_back_belongs_to_the_result_again(job: Job) -> None:
    """Removing an item and putting it back works on nothing, and each time the result is of the items there are."""
    everything = job.items
    job.run(to="gather")
    for items in (everything[:2], everything, everything[::-1]):
        job.items = items
        assert dict(job.run(to="gather"))["gather"] == job.expected()["gather"]
        assert job.diary.entered == ["gather"]
        assert job.diary.items == []


def test_failed_items_are_tried_again_until_they_are_done_or_gone(job: Job) -> None:
    """A phase with failed items is entered by each run, for these alone, and never again once they went."""
    job.fails = {("gather", "b")}
    assert dict(job.run()) == job.expected()
    assert dict(job.run()) == job.expected()
    assert job.diary.items == [("gather", "b")]
    job.items = [item for item in job.items if item[0] != "b"]
    assert dict(job.run()) == job.expected()
    assert job.run().ran == []


def test_an_item_done_behind_the_result_makes_it_old(job: Job) -> None:
    """A failed item that was done by an attempt that ended before its result has the result computed anew."""
    job.fails = {("gather", "c")}
    job.run()
    job.fails = set()

    def end(event: Any) -> None:
        if (event.kind, event.key) == ("done", "c"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.run(on_event=end)
    assert [str(one) for one in job.plan().phases[0].reasons] == ["unfinished"]
    assert dict(job.run()) == job.expected()
    assert job.diary.keys("gather") == []
    assert job.run().ran == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_failed_item_that_went_makes_nothing_stale_for_ever(tmp_path: Path, *, declared: bool) -> None:
    """What failed and is no item any more is let go, whether items are declared or the loop has a name."""
    entered: list[list[str]] = []

    def run(items: list[str]) -> Any:
        flow = milepost.Workflow("w", store=tmp_path / "store")

        @flow.phase(items=items if declared else None, params={"items": items})
        def p(phase: milepost.Phase, *_: Any) -> list[str]:
            entered.append([])
            for item in phase.each(items, name="loop"):
                entered[-1].append(item)
                phase.fail("no") if item == "bad" else phase.record(1)
            return list(phase.results("loop"))

        return flow.run(on_change="keep")["p"]

    assert run(["a", "bad"]) == ["a"]
    assert run(["a", "bad"]) == ["a"]
    assert run(["a"]) == ["a"]
    assert run(["a"]) == ["a"]
    assert entered == [["a", "bad"], ["bad"], []]


def test_the_order_of_upstream_outputs_counts(tmp_path: Path) -> None:
    """A phase whose `after` is put in another order gets its outputs in that order, and so it runs again."""

    def run(after: list[str]) -> Any:
        flow = milepost.Workflow("w", store=tmp_path / "store")
        for name in ("x", "y"):
            flow.phase(name=name)(lambda phase: phase.name)

        @flow.phase(after=after)
        def both(_phase: milepost.Phase, *texts: str) -> str:
            return "".join(texts)

        return flow.run()

    assert run(["x", "y"])["both"] == "xy"
    assert run(["y", "x"])["both"] == "yx"
    assert run(["y", "x"]).ran == []
    assert run(["y"])["both"] == "y"


def test_adding_and_removing_a_phase_costs_what_it_concerns(job: Job) -> None:
    """A phase put in between makes stale what builds on it, and one that nobody builds on makes nothing stale."""
    job.run()
    flow = job.built()
    flow.phase(name="aside", after="gather")(lambda _phase, values: len(values))
    assert flow.run().ran == ["aside"]
    assert job.run().ran == []
    flow = job.built()
    flow.phase(name="last", after=["join", "gather"])(lambda _phase, one, _other: one["left"])
    outputs = flow.run()
    assert (outputs.ran, outputs["last"]) == (["last"], job.expected()["left"])


@pytest.mark.parametrize(("hours", "is_expired"), [(23.9, False), (24.1, True)])
def test_a_result_older_than_its_ttl_is_computed_anew(job: Job, hours: float, *, is_expired: bool) -> None:
    """An expired result begins anew and says so, and if it is the same nothing behind it runs."""
    job.options["gather"] = {"ttl_hours": 24}
    job.run()
    job.settings["clock"] = Clock(Clock().now() + hours * 3600)
    entry = job.plan().phases[0]
    assert [one.kind for one in entry.reasons] == ([ReasonKind.EXPIRED] if is_expired else [])
    outputs = job.run()
    assert outputs.ran == (["gather"] if is_expired else [])
    assert len(job.diary.items) == (3 if is_expired else 0)
    assert job.run().ran == []


def test_the_config_counts_where_a_body_takes_it(tmp_path: Path) -> None:
    """A changed config makes stale what takes it by name or with all keywords, unless the phase names its parameters."""

    def run(config: dict[str, Any]) -> Any:
        flow = milepost.Workflow("w", store=tmp_path / "store", config=config, on_change="restart")

        @flow.phase
        def none(_phase: milepost.Phase) -> int:
            return 0

        @flow.phase
        def named(_phase: milepost.Phase, *, config: dict[str, Any]) -> int:
            return int(config["x"])

        @flow.phase
        def all_words(_phase: milepost.Phase, **words: Any) -> int:
            return int(words["config"]["x"])

        @flow.phase(params=lambda config: {"y": config["y"]})
        def part(_phase: milepost.Phase, *, config: dict[str, Any]) -> int:
            return int(config["y"])

        return flow.run()

    run({"x": 1, "y": 1})
    assert run({"x": 2, "y": 1}).ran == ["named", "all_words"]
    assert run({"x": 2, "y": 2}).ran == ["named", "all_words", "part"]
    assert dict(run({"x": 2, "y": 2})) == {"none": 0, "named": 2, "all_words": 2, "part": 2}


def test_overrides_change_the_config(tmp_path: Path) -> None:
    """Dotted overrides are laid over a copy of the config, as JSON where it is JSON."""
    config = {"a": {"b": 1}}
    flow = milepost.Workflow("w", store=tmp_path / "store", config=config, on_change="restart")
    flow.phase(name="p")(_given)
    assert flow.run()["p"] == {"a": {"b": 1}}
    assert flow.run(params={"a.b": "2", "c.d": "two words"})["p"] == {"a": {"b": 2}, "c": {"d": "two words"}}
    assert config == {"a": {"b": 1}}
    with pytest.raises(milepost.errors.InvalidArgument, match="'b' is a value, not a group"):
        flow.run(params={"a.b.c": "1"})
    other = milepost.Workflow("w", store=tmp_path / "store", config=3)
    with pytest.raises(milepost.errors.InvalidArgument, match="a config of type int takes no --param"):
        other.run(params={"x": "1"})


def _given(_phase: milepost.Phase, *, config: Any) -> Any:
    return config


def test_an_input_file_counts_by_its_content(tmp_path: Path) -> None:
    """A changed input makes a phase stale, and one that was only touched does not."""
    source = tmp_path / "in.txt"
    source.write_text("one")
    flow = milepost.Workflow("w", store=tmp_path / "store", on_change="restart", config={"file": source})
    flow.phase(name="p", inputs=lambda config: [config["file"]])(lambda _phase: source.read_text())
    assert flow.run()["p"] == "one"
    source.write_text("one")
    assert flow.run().ran == []
    source.write_text("two")
    assert [one.kind for one in flow.plan().phases[0].reasons] == [ReasonKind.INPUT]
    assert flow.run()["p"] == "two"
