"""Every crash within the stated bound, of everything a phase records: nothing acknowledged is lost or done twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

import milepost
from milepost.fs import FileSystem, use
from milepost.testing import SimulatedDisk, for_each_crash
from tests.support.manager_law import disk, no_damage_told
from tests.support.phase_law import keeps_items, looping, phase, value_of

ITEMS = ["a", "b", "large", "d"]


@pytest.mark.parametrize("durability", ["power", "strict"])
def test_records_survive_every_crash(durability: str) -> None:
    """A record that returned is there after every crash, and at most the item in hand runs again."""
    counts = for_each_crash(looping(ITEMS, durability=durability), keeps_items(ITEMS), disk)
    assert counts.points > 40
    assert counts.states > 150


def test_batches_survive_every_crash() -> None:
    """Of a batch that was not acknowledged a beginning may be there, and nothing before it is lost."""
    counts = for_each_crash(looping(ITEMS, batch=2), keeps_items(ITEMS, in_flight=2), disk)
    assert counts.states > 100


def test_resuming_survives_every_crash_of_its_own() -> None:
    """A crash inside a resume is only another crash: what was acknowledged before it is there."""
    items = ITEMS[:3]

    def resume(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files), phase() as opened:
            for item in opened.each(items):
                opened.record(value_of(item))
                acknowledged.append((item,))
                break

    in_flight = 2  # one of each of the two attempts that died
    counts = for_each_crash(looping(items), keeps_items(items, in_flight=in_flight), disk, recover=resume, limit=12)
    assert counts.nested_states > 500


def test_steps_state_and_result_survive_every_crash() -> None:
    """Each thing that returned is there after every crash, and is not computed again."""
    computed: list[str] = []

    def compute(name: str) -> Any:
        computed.append(name)
        return {"name": name, "pair": (1, 2)}

    def job(acknowledged: list[Any] | None = None) -> None:
        told = [] if acknowledged is None else acknowledged
        with phase() as opened:
            opened.step("one", compute, "one")
            told.append("one")
            opened.state["cursor"] = opened.state.get("cursor", 0) + 1
            opened.save()
            told.append("state")
            opened.step("two", compute, "two")
            told.append("two")
            opened.complete(compute, "result")
            told.append("result")

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            job(acknowledged)

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with no_damage_told(), use(left):
            with phase() as opened:
                cursor = opened.state.get("cursor", 0)
                assert cursor in ({1} if "state" in acknowledged else {0, 1})
            computed.clear()
            job()
            assert not set(computed) & set(acknowledged)

    assert for_each_crash(scenario, check, disk).states > 150


def test_no_call_is_made_without_a_durable_intent() -> None:
    """Whenever a paid call was made, its intent is there after every crash; once answered it is never made again."""
    made: list[str] = []

    def pay(call_id: str) -> str:
        made.append(call_id)
        return "answer"

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        made.clear()
        with use(files), phase() as opened:
            opened.call("c", pay, cost_usd=0.5)
            acknowledged.append("answered")

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        made.clear()
        with no_damage_told(), use(left):
            on_disk = _kinds(left)
            with phase() as opened:
                ambiguous = [one.cost_usd for one in opened.ambiguous]
                assert opened.call("c", pay, cost_usd=0.5) == "answer"
        assert ambiguous == ([0.5] if "intent" in on_disk and "done" not in on_disk else [])
        assert len(made) == ("done" not in on_disk)
        assert not (acknowledged and made)

    assert for_each_crash(scenario, check, disk).states > 50


def test_restarting_survives_every_crash() -> None:
    """While a changed run is set aside, its results are in the new place or the old one, never lost."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files):
            with phase(params={"x": 1}) as opened:
                for item in opened.each(["a"]):
                    opened.record(item)
            acknowledged.append("first")
            with phase(params={"x": 2}, on_change="restart") as opened:
                for _ in opened.each(["a"]):
                    opened.record("second")
            acknowledged.append("second")

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        with no_damage_told(), use(left), phase(params={"x": 2}, on_change="restart") as opened:
            again = []
            for item in opened.each(["a"]):
                again.append(item)
                opened.record("second")
            assert dict(opened.results()) == {"a": "second"}
            assert not (again and "second" in acknowledged)

    assert for_each_crash(scenario, check, disk).states > 100


def test_a_phase_whose_records_are_lost_is_refused_and_kept() -> None:
    """A journal that lost acknowledged records stops the phase untouched; salvage goes on with what is proven."""
    files = disk()
    looping(ITEMS)(files, [])
    with use(files):
        folder = files.open_directory(files.open_path("/checkpoints"), "phase_3")
        handle = files.open_file(folder, "journal_000001.jsonl", "update")
        data = files.read(handle, files.stat(handle).size, 0)
        cut = data.index(b'"key":"b"') + 20
        files.truncate(handle, cut)
        files.close(handle)
        before = sorted(files.names(folder))
        with pytest.raises(milepost.MilepostError, match="acknowledged"), phase():
            pass
        assert sorted(files.names(folder)) == before
        with phase(on_damage="salvage") as opened:
            assert list(opened.results()) == ["a"]
            assert any(name.endswith(".quarantine") for name in files.names(folder))


def _kinds(left: SimulatedDisk) -> list[str]:
    """Return the kinds of the whole records on the disk, read by a reader of its own."""
    try:
        folder = left.open_directory(left.open_path("/checkpoints"), "phase_3")
        handle = left.open_file(folder, "journal_000001.jsonl", "read")
    except FileNotFoundError:
        return []
    data = left.read(handle, left.stat(handle).size, 0)
    left.close(handle)
    lines = [line for line in data[4096:].split(b"\n") if line.startswith(b"{") and line.endswith(b'"}')]
    return [str(json.loads(line)["kind"]) for line in lines]
