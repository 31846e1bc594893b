"""A journal that is trimmed in a shared store: what loads, and what a superseded writer is told."""

from __future__ import annotations

from pathlib import Path

import pytest

import milepost
from milepost.errors import Fenced
from milepost.report import verify
from milepost.run.coded import bare
from milepost.run.place import location_of
from milepost.stores.opening import open_store
from milepost.stores.stored import StoredRun

_SAVES = 700


def _url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'a.db'}?journal_mode=wal"


def _filled(url: str, saves: int = _SAVES) -> milepost.CheckpointManager:
    """Save many states, most of them to the journal, with four checkpoints of which two stay."""
    manager = milepost.CheckpointManager("m", url, max_checkpoints=2)
    for number in range(saves):
        manager.save_checkpoint(number, {"n": number, "all": list(range(number % 50))}, force=number % 175 == 0)
    return manager


def _run(url: str) -> StoredRun:
    store = location_of(url).existing("m")
    assert store is not None
    found = bare(store)
    assert isinstance(found, StoredRun)
    return found


def test_what_no_checkpoint_needs_is_forgotten(tmp_path: Path) -> None:
    """Records before the oldest checkpoint that is kept go, and the state is the one that was saved last."""
    url = _url(tmp_path)
    with _filled(url, 1200) as manager:
        manager.save_checkpoint(1200, {"n": 1200}, force=True)
    reading = _run(url).read_journal()
    assert reading is not None
    assert reading.start.sequence >= 500
    assert reading.damage == []
    held = [number for number, _ in open_store(url).lines(f"m/{_run(url)._area}/journal-000001")]
    assert held[0] == 1  # the slot of the first writer stays taken
    found = milepost.CheckpointManager("m", url).get_latest_checkpoint()
    assert found is not None
    assert (found["iteration"], found["state"]) == (1200, {"n": 1200})
    assert [one.findings for one in verify.verify(url, "m")] == [[]]


def test_the_older_checkpoint_still_leads_on(tmp_path: Path) -> None:
    """With the newest checkpoint damaged, the one before it and the journal lead to all that came before the lost one."""
    url = _url(tmp_path)
    with _filled(url, 1230) as manager:
        names = [one["file"] for one in manager.list_checkpoints()]
    run = _run(url)
    reading = run.read_journal()
    assert reading is not None
    assert reading.start.sequence >= 500
    store = open_store(url)
    entry = run._documents.entry(names[0])
    damaged = store.read(entry.key)
    store.replace(entry.key, b"x" * len(damaged.data), damaged.version)
    found = milepost.CheckpointManager("m", url).get_latest_checkpoint()
    assert found is not None
    assert found["state"]["n"] == 1224


def test_a_superseded_writer_is_refused_behind_a_trim(tmp_path: Path) -> None:
    """The slot that a writer needs next stays taken by its successor, however much of the journal was forgotten since."""
    url = _url(tmp_path)
    old = milepost.CheckpointManager("m", url)
    old.save_checkpoint(0, {"n": 0}, force=True)
    new = milepost.CheckpointManager("m", f"{url}&timeout_seconds=29", max_checkpoints=2, take_over=True)
    new.get_latest_checkpoint()
    for number in range(1, 1300):
        new.save_checkpoint(number, {"n": number}, force=number % 175 == 0)
    reading = _run(url).read_journal()
    assert reading is not None
    assert reading.start.sequence >= 500
    with pytest.raises(Fenced):
        old.save_checkpoint(1, {"n": -1})
    with pytest.raises(Fenced):
        old.save_checkpoint(2, {"n": -2}, force=True)
    new.close()
    found = milepost.CheckpointManager("m", url).get_latest_checkpoint()
    assert found is not None
    assert found["state"] == {"n": 1299}
