"""Several managers in one process: they share one writer, whatever they do and in whatever order."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from milepost.errors import RunLocked, StaleState
from tests.unit.manager.world import World, forked


def elsewhere(world: World, iteration: int) -> Any:
    """Save from another process; return its error's name, if any."""

    def save() -> str | None:
        manager = world.manager()
        try:
            manager.get_latest_checkpoint()
            manager.save_checkpoint(iteration, {"n": iteration}, force=True)
        except RunLocked:
            return "RunLocked"
        manager.close()
        return None

    return forked(save)


def test_two_managers_save_by_turns(world: World) -> None:
    """Two managers of one phase in one process save by turns, and each save is the latest."""
    one, other = world.manager(), world.manager()
    for n in range(6):
        (one, other)[n % 2].save_checkpoint(n, {"n": n}, force=n > 3)
        assert world.state() == {"n": n}


def test_one_folder_by_two_ways_is_one(world: World) -> None:
    """Managers that reach one folder by different paths share the writer as well."""
    link = world.root.parent / "link"
    world.manager().save_checkpoint(0, {"n": 0})
    link.symlink_to(world.root)
    one, other = world.manager(), World(link).manager(clock=world.clock)
    one.save_checkpoint(1, {"n": 1})
    other.save_checkpoint(2, {"n": 2})
    one.save_checkpoint(3, {"n": 3})
    assert world.state() == {"n": 3}


def test_a_dropped_manager_is_taken_over(world: World) -> None:
    """A manager that is made anew without closing the old one goes on (a notebook cell run twice)."""
    for n in range(5):
        manager = world.manager()
        loaded = manager.get_latest_checkpoint()
        assert (loaded and loaded["iteration"]) == (n - 1 if n else None)
        manager.save_checkpoint(n, {"n": n})
    assert world.state() == {"n": 4}


def test_a_manager_works_in_a_with_block(world: World) -> None:
    """A manager is a context manager that yields itself and lets other processes write when it ends."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1})
        assert elsewhere(world, 2) == "RunLocked"
    assert elsewhere(world, 2) is None
    assert world.state() == {"n": 2}


def test_a_with_block_passes_errors_on(world: World) -> None:
    """An error inside the block comes out of it, and what was saved stays."""

    def job() -> None:
        with world.manager() as manager:
            manager.save_checkpoint(1, {"n": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        job()
    assert world.state() == {"n": 1}


def test_closing_cuts_what_was_held_ahead(world: World) -> None:
    """Closing gives back the space held ahead, may be done twice, and saving opens again."""
    manager = world.manager()
    manager.save_checkpoint(1, {"n": 1})
    manager.save_checkpoint(2, {"n": 2})
    journal = world.folder / "journal_000001.jsonl"
    assert journal.stat().st_size > 60_000
    manager.close()
    manager.close()
    assert journal.stat().st_size < 10_000
    manager.save_checkpoint(3, {"n": 3})
    assert world.state() == {"n": 3}


def test_a_manager_closed_beside_another_saves_on(world: World) -> None:
    """Closing one of two managers keeps the other one writing, and the closed one may save again."""
    one, other = world.manager(), world.manager()
    one.save_checkpoint(1, {"n": 1})
    other.save_checkpoint(2, {"n": 2})
    one.close()
    assert elsewhere(world, 9) == "RunLocked"
    other.save_checkpoint(3, {"n": 3})
    one.save_checkpoint(4, {"n": 4})
    other.close()
    one.close()
    assert elsewhere(world, 5) is None
    assert world.state() == {"n": 5}


def test_a_forgotten_manager_lets_go(world: World) -> None:
    """A manager that nobody holds any more lets other processes write, also where a reader looked beside it."""
    manager = world.manager()
    manager.save_checkpoint(1, {"n": 1})
    reader = world.manager()
    assert reader.get_latest_checkpoint() is not None
    del manager
    gc.collect()
    assert elsewhere(world, 2) is None
    assert reader.get_latest_checkpoint() is not None


def test_stale_progress_is_refused_and_healed(world: World) -> None:
    """A manager that loaded before another process saved is refused, writes nothing, and a fresh load heals it."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1})
    stale = world.manager()
    stale.get_latest_checkpoint()
    assert elsewhere(world, 2) is None
    files = world.files()
    for _ in range(2):
        with pytest.raises(StaleState, match="get_latest_checkpoint"):
            stale.save_checkpoint(2, {"n": -2}, force=True)
        assert world.files() == files
        assert world.state() == {"n": 2}
    assert elsewhere(world, 3) is None
    loaded = stale.get_latest_checkpoint()
    assert loaded is not None
    assert loaded["state"] == {"n": 3}
    stale.save_checkpoint(4, {"n": 4})
    assert world.state() == {"n": 4}


def test_nothing_loaded_can_be_stale_too(world: World) -> None:
    """A manager that loaded nothing is refused after another process saved something."""
    early = world.manager()
    assert early.get_latest_checkpoint() is None
    assert elsewhere(world, 1) is None
    with pytest.raises(StaleState):
        early.save_checkpoint(0, {"n": 0})
    assert world.state() == {"n": 1}


def test_a_throttled_save_elsewhere_makes_stale_as_well(world: World) -> None:
    """A change that another process only journalled counts as progress that moved on."""
    with world.manager() as manager:
        manager.save_checkpoint(1, {"n": 1})
    stale = world.manager()
    stale.get_latest_checkpoint()

    def throttled() -> None:
        with world.manager() as other:
            other.save_checkpoint(1, {"n": 1})
            other.save_checkpoint(2, {"n": 2})

    forked(throttled)
    with pytest.raises(StaleState):
        stale.save_checkpoint(3, {"n": 3})


def test_a_closed_manager_can_be_stale(world: World) -> None:
    """A manager that wrote, closed, and was overtaken is refused like one that loaded."""
    manager = world.manager()
    manager.save_checkpoint(1, {"n": 1})
    manager.save_checkpoint(2, {"n": 2})
    manager.close()
    manager.save_checkpoint(3, {"n": 3})
    manager.close()
    assert elsewhere(world, 4) is None
    with pytest.raises(StaleState):
        manager.save_checkpoint(5, {"n": 5})
    with pytest.raises(StaleState):
        manager.delete_checkpoint(world.folder / world.files()[0])


def test_one_that_never_loaded_is_not_stale(world: World) -> None:
    """A manager that never loaded may start over on top of whatever there is: it claims to know nothing."""
    blind = world.manager()
    assert elsewhere(world, 7) is None
    blind.save_checkpoint(0, {"n": 0})
    assert world.state() == {"n": 0}


def test_clearing_is_never_stale(world: World) -> None:
    """Clearing takes everything, also what another process saved meanwhile."""
    manager = world.manager()
    manager.get_latest_checkpoint()
    assert elsewhere(world, 1) is None
    assert manager.clear_all_checkpoints() == 1
    assert world.load() is None


@pytest.mark.parametrize("managers", [1, 4])
def test_threads_save_concurrently(world: World, managers: int) -> None:
    """Threads that save through one manager or several lose nothing: the last save of all is what loads."""
    shared = [world.manager(max_checkpoints=3) for _ in range(managers)]
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for n in range(25):
            shared[number % managers].save_checkpoint(n, {f"t{number}": n, "l": [n] * n}, force=n % 5 == 0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    [(key, n), (_, numbers)] = world.state().items()
    assert (key[0], n, numbers) == ("t", 24, [24] * 24)
    shared[0].save_checkpoint(99, {"last": True})
    assert world.state() == {"last": True}
    assert len(world.files()) == 3


def test_readers_among_writing_threads_see_whole_states(world: World) -> None:
    """While one thread saves, others list and load whole states only."""
    manager = world.manager(max_checkpoints=2)
    manager.save_checkpoint(0, {"n": 0, "l": []})
    stop = threading.Event()

    def read() -> int:
        looks = 0
        while not stop.is_set():
            state = world.state()
            assert state["l"] == [state["n"]] * state["n"]
            world.manager().list_checkpoints()
            looks += 1
        return looks

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for n in range(150):
            manager.save_checkpoint(n, {"n": n, "l": [n] * n}, force=n % 7 == 0)
        stop.set()
    assert all(reader.result() > 0 for reader in readers)
