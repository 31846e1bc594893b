"""Items that a phase declares: known to a plan, handed to the body, and tried again alone where they failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import DuplicateKey, InvalidArgument
from tests.support.flows import Job


def test_declared_items_carry_their_key_and_version(tmp_path: Path) -> None:
    """A loop or a map over declared items knows them by the declared key, and redoes them by the declared version."""
    worked: list[int] = []

    def double(item: dict[str, int]) -> int:
        worked.append(item["id"])
        return 2 * item["n"]

    def run(*items: tuple[int, int, int]) -> Any:
        flow = milepost.Workflow("w", store=tmp_path)
        given = [{"id": one, "n": n, "v": version} for one, n, version in items]

        @flow.phase(items=given, key=lambda item: str(item["id"]), version=lambda item: item["v"])
        def p(phase: milepost.Phase, items: list[dict[str, int]]) -> dict[str, int]:
            return dict(phase.map(double, items, workers=1))

        flow.phase(name="q", items=given, key=lambda item: str(item["id"]))(_each)
        return flow.run()["p"]

    assert run((1, 1, 0), (2, 2, 0)) == {"1": 2, "2": 4}
    assert run((1, 5, 0), (2, 5, 1)) == {"1": 2, "2": 10}
    assert worked == [1, 2, 2]


def _each(phase: milepost.Phase, items: list[Any]) -> list[str]:
    for item in phase.each(items):
        phase.record(item["n"])
    return list(phase.results())


def test_items_may_come_from_upstream_outputs_and_the_config(tmp_path: Path) -> None:
    """A function of items gets the upstream outputs in their order, and the config if it takes it."""
    flow = milepost.Workflow("w", store=tmp_path, config={"most": 2})
    flow.phase(name="x")(lambda _phase: ["a", "b", "c"])
    flow.phase(name="y")(lambda _phase: ["d"])

    def items(one: list[str], other: list[str], *, config: dict[str, int]) -> list[str]:
        return [*one, *other][-config["most"] :]

    @flow.phase(after=["x", "y"], items=items)
    def p(phase: milepost.Phase, items: list[str], one: list[str], other: list[str]) -> list[Any]:
        for item in phase.each(items):
            phase.record(item)
        return [list(phase.results()), one, other]

    assert flow.run()["p"] == [["c", "d"], ["a", "b", "c"], ["d"]]
    assert flow.plan().is_finished


def test_bad_items_are_refused_before_the_body_is_entered(tmp_path: Path) -> None:
    """Items of one key, and items without a key, are refused by run and plan alike."""
    for items, error in ((["a", "a"], DuplicateKey), ([1, 2], InvalidArgument)):
        flow = milepost.Workflow("w", store=tmp_path)
        flow.phase(name="p", items=items)(_each)
        with pytest.raises(error):
            flow.run()
        with pytest.raises(error):
            flow.plan()
    assert list(tmp_path.iterdir()) == []


def test_only_what_failed_runs_when_only_that_is_asked_for(job: Job) -> None:
    """With retry_failed the failed items run, and neither new ones nor phases that would begin anew."""
    job.fails = {("gather", "b"), ("right", "c")}
    job.run()
    job.fails = set()
    outputs = job.run(retry_failed=True)
    assert job.diary.items == [("gather", "b")]  # right would begin anew for the changed output
    assert outputs.ran == ["gather"]
    assert set(outputs.left) == {"left", "right", "join"}
    assert "more than what failed" in outputs.left["right"]
    assert outputs.left["join"] in {"left is not finished", "right is not finished"}
    assert dict(job.run()) == job.expected()


def test_new_items_wait_while_only_failed_ones_run(job: Job) -> None:
    """New items beside the failed ones are withheld, the phase is not complete, and a plain run does the rest."""
    job.fails = {("gather", "b")}
    job.run()
    job.fails = set()
    job.items.append(("d", 1))
    outputs = job.run(retry_failed=True)
    assert job.diary.items == [("gather", "b")]
    assert "gather" not in outputs
    assert "items of it did not run" in outputs.left["gather"]
    assert dict(job.run()) == job.expected()
    assert job.diary.keys("gather") == ["d"]


def test_a_body_that_asks_for_the_whole_result_of_a_part_is_left(tmp_path: Path) -> None:
    """A body that completes its phase itself is left unfinished, not failed, while items are withheld from it."""

    def run(items: list[str], *, bad: bool, **wishes: Any) -> Any:
        flow = milepost.Workflow("w", store=tmp_path)

        @flow.phase(items=items)
        def p(phase: milepost.Phase, items: list[str]) -> list[str]:
            for item in phase.each(items):
                phase.fail("no") if bad and item == "a" else phase.record(1)
            return list(phase.complete(list(phase.results())))

        return flow.run(on_change="keep", **wishes)

    run(["a", "b"], bad=True)
    assert "p" in run(["a", "b", "c"], bad=False, retry_failed=True).left
    assert run(["a", "b", "c"], bad=False)["p"] == ["a", "b", "c"]


def test_nothing_failed_means_nothing_runs(job: Job) -> None:
    """With retry_failed and no failure, an unfinished phase is left as it is and says so."""

    def fail(_phase: str, key: str) -> None:
        if key == "b":
            raise SystemExit

    job.work = fail
    with pytest.raises(SystemExit):
        job.run()
    job.work = lambda _phase, _key: None
    outputs = job.run(retry_failed=True)
    assert outputs.left["gather"] == "nothing of it failed, and only what failed was to run"
    assert job.diary.entered == []
