"""Damage of every kind at every place: the right data, or a good older state told loudly, or a typed refusal."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost.errors import MilepostError
from milepost.records import seal
from tests.unit.manager.world import World, contents, forked, restore

STATES: list[dict[str, Any]] = [
    {"list": [(1, 2)], "n": 1},
    {"list": [(1, 2), "two"], "n": 1},
    {"list": [(1, 2), "two"], "n": (2, 2.0), "new": {3: b"3"}},
    {"list": [(1, 2), "two", "three"], "n": (2, 2.0)},
    {"list": [(1, 2), "two", "three", "four"], "n": None},
]
LAST = len(STATES) - 1


class Told(logging.Handler):
    """Keeps what Milepost warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def told() -> Iterator[Told]:
    """Return what is told while the test runs, kept off the report: there are thousands of lines."""
    handler, log = Told(), logging.getLogger("milepost")
    log.addHandler(handler)
    log.propagate = False
    yield handler
    log.propagate = True
    log.removeHandler(handler)


def fill(world: World) -> None:
    """Save every state: two checkpoint files, with records behind each."""
    manager = world.manager()
    for iteration, state in enumerate(STATES):
        manager.save_checkpoint(iteration, state, {"at": iteration}, force=iteration in (0, 2))
    manager.close()


def judge(world: World, told: Told, place: str, name: str, *, none_is_loud: bool = False) -> str:
    """Load, and hold the law; return what came of it."""
    told.lines.clear()
    try:
        loaded = world.load(ttl_hours=None)
    except MilepostError as error:
        told.lines.append(f"{error.code}: {error}")
    else:
        return held(world, told, loaded, place, name, none_is_loud=none_is_loud)
    assert str(world.folder) in told.lines[-1], place
    return "refused"


def held(world: World, told: Told, loaded: dict[str, Any] | None, place: str, name: str, *, none_is_loud: bool) -> str:
    """Hold the law of what was loaded."""
    if loaded is None:
        assert none_is_loud, f"{place}: nothing was loaded"
        assert told.lines, f"{place}: nothing was loaded, silently"
        return "none"
    iteration = loaded["iteration"]
    assert repr(loaded["state"]) == repr(STATES[iteration]), place
    assert loaded["metadata"] == {"at": iteration}, place
    if iteration == LAST:
        return "whole"
    assert any(name in line or str(world.folder) in line for line in told.lines), f"{place}: {iteration}, {told.lines}"
    return "older"


def goes_on(world: World, place: str) -> None:
    """Save on top of the damage: what is then loaded is what was then saved, or the save refuses, typed."""
    manager = world.manager(ttl_hours=None)
    state = {"on": [place]}
    try:
        manager.save_checkpoint(10, state)
        state["on"].append("more")
        manager.save_checkpoint(11, state)
    except MilepostError:
        pass  # typed, which is all that is asked
    else:
        assert world.state(ttl_hours=None) == state, place
        with world.manager(ttl_hours=None) as after:
            assert after.save_checkpoint(12, {"n": 12}, force=True) is not None, place
        assert world.state(ttl_hours=None) == {"n": 12}, place
    manager.close()


def flip(path: Path, offset: int, bit: int) -> None:
    """Turn one bit around, in place."""
    handle = os.open(path, os.O_RDWR)
    try:
        byte = os.pread(handle, 1, offset)[0]
        os.pwrite(handle, bytes([byte ^ (1 << bit)]), offset)
    finally:
        os.close(handle)


def places(files: dict[str, bytes]) -> Iterator[tuple[str, int, int]]:
    """Yield every byte that holds anything with one bit, and some with each of the eight."""
    for name, data in files.items():
        for offset in range(len(data)):
            idle = name.startswith("journal") and 2112 < offset < 4032  # nothing but newlines
            if idle and offset % 128:
                continue
            for bit in range(8) if offset % 61 == 0 and not idle else [offset % 8]:
                yield name, offset, bit


def test_a_flipped_bit_never_makes_wrong_data(world: World, told: Told) -> None:
    """A bit flipped in any byte of any file leaves the right data, a good older state told loudly, or a refusal."""
    fill(world)
    note = {"kind": "lock", "host": "elsewhere", "pid": 1, "since": 0.0}
    (world.folder / "lock").write_bytes(seal(note) + b"\n")  # as a writer that was killed leaves it
    outcomes: dict[str, set[str]] = {}
    for name, offset, bit in places(contents(world.folder)):
        flip(world.folder / name, offset, bit)
        outcome = judge(world, told, f"{name} byte {offset} bit {bit}", name)
        outcomes.setdefault(name.partition("_")[0], set()).add(outcome)
        flip(world.folder / name, offset, bit)
    assert outcomes["lock"] == {"whole"}
    assert "older" in outcomes["checkpoint"]
    assert "older" in outcomes["journal"]
    assert judge(world, told, "undamaged", "") == "whole"
    assert told.lines == []


def test_saving_on_top_of_a_flipped_bit_is_safe(world: World, told: Told) -> None:
    """Whatever bit was flipped, a new manager saves on top of it and finds what it saved, or refuses typed."""
    fill(world)
    files = contents(world.folder)
    for name, data in files.items():
        for offset in range(0, len(data), 151 if name.startswith("journal") else 43):
            flip(world.folder / name, offset, offset % 8)
            goes_on(world, f"{name} byte {offset}")
            restore(world.folder, files)
    assert judge(world, told, "undamaged", "") == "whole"


def test_a_flip_after_a_kill_is_never_silent(world: World, told: Told) -> None:
    """After a SIGKILL, when no watermark covers the last record yet, damage of that record is told as well."""

    def killed() -> None:
        manager = world.manager()
        for iteration, state in enumerate(STATES):
            manager.save_checkpoint(iteration, state, {"at": iteration}, force=iteration == 0)
        world.kept.append(manager)

    forked(killed, kill=True)
    journal = world.folder / "journal_000001.jsonl"
    end = len(journal.read_bytes().rstrip(b"\n"))
    outcomes = set()
    for offset in [*range(1024, 2048, 31), *range(4096, end + 40, 3)]:
        flip(journal, offset, offset % 8)
        outcomes.add(judge(world, told, f"byte {offset} of {end}", journal.name))
        flip(journal, offset, offset % 8)
    assert outcomes == {"whole", "older"}


def test_the_only_checkpoint_is_never_read_without_its_check(world: World, told: Told) -> None:
    """With one checkpoint and nothing else, a flipped bit never lets it pass as anything it is not."""
    manager = world.manager()
    manager.save_checkpoint(LAST, STATES[0] | STATES[LAST], {"at": LAST})
    manager.close()
    [name] = world.files()
    path = world.folder / name
    for offset in range(path.stat().st_size):
        for bit in range(8) if offset < 16 else [offset % 8]:
            flip(path, offset, bit)
            outcome = judge(world, told, f"byte {offset} bit {bit}", name, none_is_loud=True)
            assert outcome in {"none", "refused"}, (offset, bit)
            assert outcome == "refused" or any(name in line for line in told.lines)
            flip(path, offset, bit)


@pytest.mark.parametrize("kind", ["checkpoint", "journal", "run", "lock"])
def test_a_file_cut_anywhere_never_makes_wrong_data(world: World, told: Told, kind: str) -> None:
    """A file cut to any length leaves the right data, a good older state told loudly, or a refusal."""
    fill(world)
    files = contents(world.folder)
    outcomes = set()
    for name in (name for name in files if name.startswith(kind)):
        size = len(files[name])
        for length in range(size % 5, size, 13 if kind == "journal" else 5):
            (world.folder / name).write_bytes(files[name][:length])
            outcomes.add(judge(world, told, f"{name} cut to {length}", name))
        (world.folder / name).write_bytes(files[name])
    allowed = {"checkpoint": {"whole", "older"}, "journal": {"older", "refused"}, "run": {"refused", "whole"}}
    assert outcomes <= allowed.get(kind, {"whole"})
    assert judge(world, told, "undamaged", "") == "whole"


def test_a_cut_journal_can_be_saved_on(world: World, told: Told) -> None:
    """A journal cut to any length is set aside and saved on behind."""
    fill(world)
    files = contents(world.folder)
    [journal] = world.files("journal_*")
    for length in range(0, len(files[journal]), 199):
        (world.folder / journal).write_bytes(files[journal][:length])
        goes_on(world, f"cut to {length}")
        restore(world.folder, files)
    assert judge(world, told, "undamaged", "") == "whole"


def test_any_file_may_be_missing(world: World, told: Told) -> None:
    """Each file that is gone is noticed where it held anything, and a new manager saves on without it."""
    fill(world)
    files = contents(world.folder)
    newest = world.files()[-1]
    for name in files:
        (world.folder / name).unlink()
        outcome = judge(world, told, f"{name} missing", name)
        held = name == newest or name.startswith("journal_")
        assert outcome == ("older" if held else "whole"), name
        goes_on(world, f"{name} missing")
        restore(world.folder, files)
    assert judge(world, told, "undamaged", "") == "whole"


def test_the_loss_of_the_newest_checkpoint_is_told(world: World, told: Told) -> None:
    """A torn or missing newest checkpoint is passed over with an ERROR that names the first iteration that is lost."""
    fill(world)
    newest = world.files()[-1]
    for damage in (b"", (world.folder / newest).read_bytes()[:-20], None):
        (world.folder / newest).unlink() if damage is None else (world.folder / newest).write_bytes(damage)
        told.lines.clear()
        loaded = world.load()
        assert loaded is not None
        assert repr(loaded["state"]) == repr(STATES[1])
        assert any("iteration 3" in line and "lost" in line for line in told.lines)
        assert damage is None or any(newest in line for line in told.lines)


def test_files_swapped_between_two_runs_are_refused(world: World, told: Told) -> None:
    """A file of another run, put in the place of the like one, is never taken for this run's."""
    fill(world)
    mine = contents(world.folder)
    other = World(world.root.parent / "other")
    with other.manager() as manager:
        for iteration in range(len(STATES)):
            manager.save_checkpoint(iteration, {"other": iteration}, {"at": iteration}, force=iteration in (0, 2))
    theirs = contents(other.folder)
    assert set(mine) == set(theirs)
    for name in mine:
        (world.folder / name).write_bytes(theirs[name])
        judge(world, told, f"{name} swapped", name, none_is_loud=True)
        restore(world.folder, mine)
    [journal] = world.files("journal_*")
    checkpoints = world.files()
    for swapped in (checkpoints, [journal, "run.json"], [*checkpoints, "run.json"]):
        restore(world.folder, mine | {name: theirs[name] for name in swapped})
        told.lines.clear()
        try:
            loaded = world.load()
        except MilepostError:
            continue
        assert told.lines, swapped
        if loaded is not None:
            # Where manifest and checkpoints agree, the run is theirs, and it is the journal that is foreign.
            is_theirs = {"run.json", *checkpoints} <= set(swapped)
            state = {"other": loaded["iteration"]} if is_theirs else STATES[loaded["iteration"]]
            assert repr(loaded["state"]) == repr(state), swapped


def test_an_older_copy_of_one_file_is_noticed(world: World, told: Told) -> None:
    """A journal put back to an earlier copy of itself is noticed, since the checkpoint leads beyond it."""
    manager = world.manager()
    manager.save_checkpoint(0, STATES[0], {"at": 0})
    manager.save_checkpoint(1, STATES[1], {"at": 1})
    manager.close()
    [journal] = world.files("journal_*")
    earlier = (world.folder / journal).read_bytes()
    with world.manager() as manager:
        manager.save_checkpoint(2, STATES[2], {"at": 2})
        manager.save_checkpoint(3, STATES[3], {"at": 3})
    (world.folder / journal).write_bytes(earlier)
    assert judge(world, told, "journal of before", journal) == "older"
    goes_on(world, "journal of before")
