"""What a save costs, what counts as equal, and that nothing saved waits for the interval."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from milepost.errors import NotEncodable
from milepost.records import Record, decode_line
from tests.unit.manager.world import World, contents, snapshot


def records(world: World) -> list[Record]:
    """Return the journal's records of kind state."""
    lines = world.records().split(b"\n")
    return [one for one in map(decode_line, filter(None, lines)) if one.kind == "state"]


def test_a_throttled_save_is_there_at_once(world: World) -> None:
    """What a throttled save saved is what a load returns, iteration, metadata and moment included."""
    manager = world.manager()
    manager.save_checkpoint(1, {"books": ["a"], "gone": 1}, {"m": 1})
    world.clock.sleep(7)
    assert manager.save_checkpoint(2, {"books": ["a", "b"], "new": (1,)}, {"m": 2}) is None
    loaded = world.load()
    assert loaded is not None
    assert loaded["state"] == {"books": ["a", "b"], "new": (1,)}
    assert (loaded["iteration"], loaded["metadata"]) == (2, {"m": 2})
    first = world.manager().list_checkpoints()[0]["timestamp"]
    assert loaded["timestamp"] > first


def test_the_first_save_of_a_manager_is_a_file(world: World) -> None:
    """The first save of a process is a checkpoint file, also within the interval of an earlier process."""
    first = world.manager()
    assert first.save_checkpoint(1, {"n": 1}) is not None
    first.close()
    second = world.manager()
    assert second.save_checkpoint(2, {"n": 2}) is not None
    assert second.save_checkpoint(3, {"n": 3}) is None


def test_an_equal_state_is_not_written_again(world: World) -> None:
    """A save of the state, iteration and metadata that were saved last changes no byte."""
    manager = world.manager()
    manager.save_checkpoint(1, {"n": [1]}, {"m": 1})
    before = snapshot(world.folder)
    assert manager.save_checkpoint(1, {"n": [1]}, {"m": 1}) is None
    assert snapshot(world.folder) == before


def test_an_equal_forced_save_returns_the_path_there_is(world: World) -> None:
    """A forced save of the state of the newest file returns that file's path and writes no other."""
    manager = world.manager()
    path = manager.save_checkpoint(1, {"n": [1]}, {"m": 1})
    before = snapshot(world.folder)
    assert manager.save_checkpoint(1, {"n": [1]}, {"m": 1}, force=True) == path
    assert snapshot(world.folder) == before


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(("iteration", "metadata"), [(2, {"m": 1}), (1, {"m": 2}), (1, None)])
def test_equal_with_another_label_is_a_record(world: World, iteration: int, metadata: Any, force: bool) -> None:
    """An equal state with another iteration or metadata is one journal record, no file, and is loaded."""
    manager = world.manager()
    path = manager.save_checkpoint(1, {"n": [1] * 1000}, {"m": 1})
    before, size = records(world), len(world.records())
    assert manager.save_checkpoint(iteration, {"n": [1] * 1000}, metadata, force=force) == (path if force else None)
    assert len(records(world)) == len(before) + 1
    assert len(world.records()) - size < 300
    assert len(world.files()) == 1
    loaded = world.load()
    assert loaded is not None
    assert (loaded["iteration"], loaded["metadata"]) == (iteration, metadata or {})


def test_equal_is_not_written_again_by_the_next_process(world: World) -> None:
    """A new process that saves the state it loaded gets the path there is."""
    first = world.manager()
    path = first.save_checkpoint(1, {"n": (1, 2.0), "x": math.nan})
    first.close()
    second = world.manager()
    assert second.save_checkpoint(1, world.state(), force=True) == path
    assert len(world.files()) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [(1, True), (1, 1.0), (0, False), (0.0, -0.0), ((1,), [1]), ({}, ()), ("1", 1), (None, ""), ({"a": 1}, {"a": 1.0})],
)
def test_equal_means_equal_bytes(world: World, old: Any, new: Any) -> None:
    """Values that Python calls equal, or that look alike, are different where their types differ."""
    manager = world.manager()
    manager.save_checkpoint(1, {"v": old})
    manager.save_checkpoint(1, {"v": new})
    loaded = world.state()["v"]
    assert repr(loaded) == repr(new)
    assert manager.save_checkpoint(1, {"v": old}, force=True) is not None
    assert repr(world.state()["v"]) == repr(old)


def test_growth_costs_the_growth(world: World) -> None:
    """Appending items to a long list costs at most 1.2 times the bytes of the items."""
    manager = world.manager()
    state: dict[str, Any] = {"done": [{"book": n, "text": "x" * 100} for n in range(5_000)], "other": ["y" * 100_000]}
    manager.save_checkpoint(0, state)
    for iteration in range(1, 6):
        tail = [{"book": iteration, "text": "z" * 1000} for _ in range(3)]
        state["done"] += tail
        before = len(world.records())
        assert manager.save_checkpoint(iteration, state) is None
        assert len(world.records()) - before <= 1.2 * len(json.dumps(tail, separators=(",", ":")))
    assert world.state() == state


def test_a_growing_dict_costs_its_new_keys(world: World) -> None:
    """Adding keys to a nested dict costs at most 1.2 times their bytes."""
    manager = world.manager()
    state: dict[str, Any] = {"by_key": {f"book {n}": "x" * 100 for n in range(2_000)}}
    manager.save_checkpoint(0, state)
    tail = {"another": "y" * 2000}
    state["by_key"] |= tail
    before = len(world.records())
    manager.save_checkpoint(1, state)
    assert len(world.records()) - before <= 1.2 * len(json.dumps(tail))
    assert world.state() == state


def test_a_replaced_key_costs_that_key(world: World) -> None:
    """Replacing the value of one key costs that value, not the state."""
    manager = world.manager()
    state = {"large": ["x" * 100] * 5_000, "cursor": "0" * 2000}
    manager.save_checkpoint(0, state)
    before = len(world.records())
    state["cursor"] = "1" * 2000
    manager.save_checkpoint(1, state)
    assert 2000 < len(world.records()) - before <= 2400
    assert world.state() == state


def test_random_changes_come_back(world: World) -> None:
    """Whatever keys grow, shrink, appear, go or change place, a load returns the state, order of keys included."""
    draw = random.Random(5)
    manager = world.manager()
    values: list[Any] = [[], {}, (), [1], {"k": 1}, (1,), {1: 2}, 5, "t", None, 2**70, {"$milepost": 1}, [[]]]
    state: dict[str, Any] = {}
    for iteration in range(300):
        key = draw.choice("abcde")
        match draw.randrange(5):
            case 0:
                state.pop(key, None)
            case 1 if type(state.get(key)) is list:
                state[key] = [*state[key], draw.choice(values)]
            case 2 if type(state.get(key)) is dict:
                state[key] = state[key] | {f"n{iteration}": draw.choice(values)}
            case 3:
                state = dict(draw.sample(list(state.items()), len(state)))
            case _:
                state[key] = draw.choice(values)
        manager.save_checkpoint(iteration, state)
        if iteration % 10 == 0:
            loaded = world.state()
            assert repr(loaded) == repr(state), iteration


@pytest.mark.parametrize("state", [None, 5, "text", [1, 2], (1, 2), {1: 2}, {"$milepost": 1}, {"": {}}, b"bytes"])
def test_a_state_of_any_kind_is_kept(world: World, state: Any) -> None:
    """A state that is no dict with text keys is saved and journalled as well."""
    manager = world.manager()
    manager.save_checkpoint(1, {"plain": 1})
    manager.save_checkpoint(2, state)
    assert repr(world.state()) == repr(state)
    manager.save_checkpoint(3, {"plain": 2})
    assert world.state() == {"plain": 2}
    manager.save_checkpoint(4, state, force=True)
    assert repr(world.state()) == repr(state)


def test_the_deepest_state_is_kept_by_the_journal_too(world: World) -> None:
    """A value as deep as can be saved in a file can be saved throttled and loaded as well."""
    manager = world.manager()
    manager.save_checkpoint(0, {"a": 0})
    for depth in range(150, 260):
        value: Any = (1,)
        for _ in range(depth):
            value = [value]
        try:
            manager.save_checkpoint(depth, {"a": value})
        except NotEncodable:
            break
        assert world.state() == {"a": value}
    else:
        pytest.fail("no depth was refused")
    assert world.manager().save_checkpoint(depth, world.state(), force=True) is not None


def test_two_saves_in_one_second_do_not_collide(world: World) -> None:
    """Saves within one second, of one iteration or several, leave a file each, and the last one is the latest."""
    manager = world.manager()
    paths = [manager.save_checkpoint(1, {"n": n}, force=True) for n in range(4)]
    assert len(set(paths)) == 4
    assert world.files() == sorted(path.name for path in paths if path)
    assert world.state() == {"n": 3}
    assert [one["path"] for one in manager.list_checkpoints()] == [str(path) for path in reversed(paths)]


def test_one_second_across_processes_does_not_collide(world: World) -> None:
    """Two managers, one after the other, within one second never overwrite each other's file."""
    for n in range(3):
        with world.manager() as manager:
            manager.save_checkpoint(1, {"n": n}, force=True)
    assert len(world.files()) == 3
    assert world.state() == {"n": 2}


@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_stored_is_named(world: World, force: bool) -> None:
    """A value that would not come back equal is refused by its path, and the old state stays and can be built on."""
    manager = world.manager()
    manager.save_checkpoint(1, {"results": [{"embedding": 1}]})
    before = snapshot(world.folder)
    with pytest.raises(NotEncodable, match=r"state\.results\[0\]\.embedding") as caught:
        manager.save_checkpoint(2, {"results": [{"embedding": object()}]}, force=force)
    assert caught.value.path == "state.results[0].embedding"
    assert snapshot(world.folder) == before
    with pytest.raises(NotEncodable, match=r"metadata\.who"):
        manager.save_checkpoint(2, {"results": []}, {"who": object()}, force=force)
    assert snapshot(world.folder) == before
    manager.save_checkpoint(3, {"results": [{"embedding": 1}, 2]}, force=force)
    assert world.state() == {"results": [{"embedding": 1}, 2]}


def test_the_caller_may_change_the_state_after_a_save(world: World) -> None:
    """What the caller does to the state after a save does not touch what was saved, nor what a load handed out."""
    manager = world.manager()
    state: dict[str, Any] = {"list": [1]}
    manager.save_checkpoint(1, state)
    state["list"].append(2)
    assert world.state() == {"list": [1]}
    loaded = manager.get_latest_checkpoint()
    assert loaded is not None
    loaded["state"]["list"].clear()
    manager.save_checkpoint(2, state)
    assert world.state() == {"list": [1, 2]}


def test_a_journal_goes_on_in_many_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that grows past one file is read as one."""
    from milepost.stores import RunFiles

    defaults: dict[str, Any] | None = RunFiles.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "segment_bytes", 6000)
    manager = world.manager()
    state: dict[str, Any] = {"list": []}
    for n in range(60):
        state["list"].append("x" * 100)
        manager.save_checkpoint(n, state)
    assert len(world.files("journal_*.jsonl")) > 2
    assert world.state() == state
    manager.close()
    assert world.manager().save_checkpoint(60, state) is not None


def test_large_states_are_kept(world: World) -> None:
    """A state of some megabytes is loaded as it was saved, journalled or not."""
    manager = world.manager()
    state: dict[str, Any] = {"blob": bytes(range(256)) * 4000, "text": "é" * 500_000}
    manager.save_checkpoint(1, state)
    state["text"] += "!"
    manager.save_checkpoint(2, state)
    assert world.state() == state
    assert [Path(name).suffix for name in contents(world.folder)].count(".tmp") == 0
